package scrape

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	promscrape "github.com/prometheus/prometheus/scrape"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// identity is what makes a target another one. A pod that takes the place of another at its address does not inherit its health.
type identity struct{ address, podUID, scheme, path string }

// outcome is what became of the last scrape of a target; it is the zero value until there was one.
type outcome struct {
	at  time.Time
	err error
}

// health knows how the last scrape of every target went. It is safe for concurrent use.
type health struct {
	changed chan struct{} // holds at most one notice

	mu      sync.Mutex
	targets map[string]map[identity]outcome // by job
	blocked map[string]error                // why a job is not scraped at all
}

func newHealth() *health {
	return &health{changed: make(chan struct{}, 1), targets: map[string]map[identity]outcome{}, blocked: map[string]error{}}
}

func (h *health) notify() {
	select {
	case h.changed <- struct{}{}:
	default: // a notice is waiting already
	}
}

// retain forgets all targets of a job but these.
func (h *health) retain(job string, targets []Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.targets[job]
	kept := make(map[identity]outcome, len(targets))
	for _, t := range targets {
		kept[t.identity()] = old[t.identity()]
	}
	h.targets[job] = kept
}

// observe takes over what a target knows of its last scrape.
func (h *health) observe(target *promscrape.Target) {
	id := identity{
		address: target.GetValue(model.AddressLabel),
		podUID:  target.GetValue(labelIdentity),
		scheme:  target.GetValue(model.SchemeLabel),
		path:    target.GetValue(model.MetricsPathLabel),
	}
	now := outcome{at: target.LastScrape(), err: target.LastError()}

	h.mu.Lock()
	defer h.mu.Unlock()
	job := h.targets[target.GetValue(model.JobLabel)]
	last, ok := job[id]
	// A target that is gone sends staleness markers later, with the scrape that was its last.
	if !ok || !now.at.After(last.at) {
		return
	}
	job[id] = now
	if last.at.IsZero() || (last.err == nil) != (now.err == nil) || beyondLimits(last.err) != beyondLimits(now.err) {
		h.notify()
	}
}

// block says why a job is not scraped at all, nil if it is.
func (h *health) block(job string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if (h.blocked[job] == nil) != (err == nil) {
		h.notify()
	}
	h.blocked[job] = err
}

// errors are those of the last scrapes of a job's targets by address, nil where it succeeded. Where several targets have one address, one that
// succeeds is enough.
func (h *health) errors(job string) map[string]error {
	h.mu.Lock()
	defer h.mu.Unlock()
	blocked := h.blocked[job]
	out := make(map[string]error, len(h.targets[job]))
	for id, last := range h.targets[job] {
		switch {
		case blocked != nil:
			out[id.address] = blocked
		case last.at.IsZero(): // not scraped yet
		default:
			if err, ok := out[id.address]; !ok || err != nil {
				out[id.address] = last.err
			}
		}
	}
	return out
}

// observer looks at every scrape on its way to the next consumer. It does not look into the metrics: the Prometheus receiver hands the target
// on with them, and it knows more than the series up does.
type observer struct {
	next   consumer.Metrics
	health *health
}

var _ consumer.Metrics = (*observer)(nil)

// Capabilities implements consumer.Metrics.
func (o *observer) Capabilities() consumer.Capabilities { return o.next.Capabilities() }

// ConsumeMetrics implements consumer.Metrics.
func (o *observer) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if target, ok := promscrape.TargetFromContext(ctx); ok {
		o.health.observe(target)
	}
	return o.next.ConsumeMetrics(ctx, md)
}
