package scrape

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

// sdName is the name of the mechanism in Prometheus' configuration: calico_sd_configs.
const sdName = "calico"

// The discovery library demands both: its registry of mechanisms is filled by init, and a configuration survives only as YAML,
// so that a discoverer finds the feed it was made for by name.
var (
	feeds    sync.Map // name → *feed
	feedSeqs atomic.Uint64
)

func init() {
	discovery.RegisterConfig(&sdConfig{})
}

// sdConfig names the feed that a scrape job takes its targets from.
type sdConfig struct {
	Feed string `yaml:"feed"`
}

var _ discovery.Config = (*sdConfig)(nil)

// Name implements discovery.Config.
func (*sdConfig) Name() string { return sdName }

// NewDiscovererMetrics implements discovery.Config: the mechanism has no metrics of its own.
func (*sdConfig) NewDiscovererMetrics(prometheus.Registerer, discovery.RefreshMetricsInstantiator) discovery.DiscovererMetrics {
	return &discovery.NoopDiscovererMetrics{}
}

// NewDiscoverer implements discovery.Config.
func (c *sdConfig) NewDiscoverer(discovery.DiscovererOptions) (discovery.Discoverer, error) {
	f, ok := feeds.Load(c.Feed)
	if !ok {
		return nil, fmt.Errorf("no feed %q: calico_sd_configs is used by the calico receiver only", c.Feed)
	}
	return f.(*feed), nil
}

// feed hands the newest targets of one job to the scrape manager. One discoverer runs on it at a time.
type feed struct {
	name    string
	changed chan struct{} // holds at most one notice

	mu    sync.Mutex
	group *targetgroup.Group
}

var _ discovery.Discoverer = (*feed)(nil)

// newFeed makes a feed under a name that no other feed of the process has. unregister ends it.
func newFeed(job string) *feed {
	f := &feed{
		name:    job + "/" + strconv.FormatUint(feedSeqs.Add(1), 10),
		changed: make(chan struct{}, 1),
	}
	f.group = &targetgroup.Group{Source: f.name}
	feeds.Store(f.name, f)
	return f
}

func (f *feed) unregister() { feeds.Delete(f.name) }

// update replaces the targets. The group must not be changed afterwards.
func (f *feed) update(group *targetgroup.Group) {
	group.Source = f.name
	f.mu.Lock()
	f.group = group
	f.mu.Unlock()
	f.resend()
}

// resend has the scrape manager look at the job again.
func (f *feed) resend() {
	select {
	case f.changed <- struct{}{}:
	default: // a notice is waiting already
	}
}

func (f *feed) current() []*targetgroup.Group {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []*targetgroup.Group{f.group}
}

// Run implements discovery.Discoverer: the full set first, then the full set at every change.
func (f *feed) Run(ctx context.Context, up chan<- []*targetgroup.Group) {
	for {
		select {
		case up <- f.current():
		case <-ctx.Done():
			return
		}
		select {
		case <-f.changed:
		case <-ctx.Done():
			return
		}
	}
}
