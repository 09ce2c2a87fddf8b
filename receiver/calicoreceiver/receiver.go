package calicoreceiver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/kubeclient"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

// settle is how long changes are gathered before they are acted on: a rollout changes many pods at once.
const settle = 250 * time.Millisecond

// calicoReceiver ties the parts together: what the cluster says becomes scrape targets and the receiver's own metrics.
type calicoReceiver struct {
	config  *Config
	set     receiver.Settings
	obs     *receiverhelper.ObsReport
	next    *identified
	scraper *scrape.Scraper
	pools   poolInfo

	watcher *cluster.Watcher
	host    component.Host
	cancel  context.CancelFunc
	running sync.WaitGroup

	// Owned by the goroutine that run is.
	known     cluster.Snapshot
	isKnown   bool
	endpoints map[string]discovery.State // by component, namespace and pod, to log what changes
	failing   bool
}

var _ receiver.Metrics = (*calicoReceiver)(nil)

func newReceiver(ctx context.Context, set receiver.Settings, config *Config, next consumer.Metrics) (*calicoReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, fmt.Errorf("report on the receiver: %w", err)
	}
	r := &calicoReceiver{
		config:    config,
		set:       set,
		obs:       obs,
		next:      &identified{next: next, clusterName: config.ClusterName},
		pools:     newPoolInfo(config.Metrics, set),
		endpoints: map[string]discovery.State{},
	}
	var jobs []scrape.Job
	for _, c := range discovery.Components() {
		jobs = append(jobs, scrape.Job{Name: c.Job(), Interval: config.CollectionInterval, Timeout: config.scrapeTimeout()})
	}
	r.scraper, err = scrape.New(ctx, set, jobs, r.next)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Start fails on a configuration that cannot work. An API server that does not answer is no such thing: it is tried again, and the
// component's status says so.
func (r *calicoReceiver) Start(ctx context.Context, host component.Host) error {
	restConfig, err := kubeclient.RESTConfig(r.config.AuthType, r.config.Context)
	if err != nil {
		return err
	}
	restConfig.UserAgent = r.set.BuildInfo.Command + "/" + r.set.BuildInfo.Version
	r.watcher, err = cluster.New(restConfig, r.config.Namespaces, r.set.Logger)
	if err != nil {
		return err
	}
	if err := r.scraper.Start(ctx, host); err != nil {
		return fmt.Errorf("start to scrape: %w", err)
	}

	r.host = host
	// The context of Start ends with it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	r.running.Go(func() { r.watcher.Run(running) })
	r.running.Go(func() { r.run(running) })
	return nil
}

// Shutdown stops watching, then scraping, and returns when both have ended.
func (r *calicoReceiver) Shutdown(ctx context.Context) error {
	if r.cancel != nil {
		r.cancel()
	}
	r.running.Wait()
	return r.scraper.Shutdown(ctx)
}

// run follows the cluster until the context ends.
func (r *calicoReceiver) run(ctx context.Context) {
	report := time.NewTicker(r.config.CollectionInterval)
	defer report.Stop()
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.watcher.Changed():
			if settled == nil {
				settled = time.After(settle)
			}
		case <-settled:
			settled = nil
			r.refresh(ctx)
		case <-report.C:
			r.report(ctx)
		}
	}
}

// refresh takes over what the cluster says now.
func (r *calicoReceiver) refresh(ctx context.Context) {
	r.reportStatus(r.watcher.Err())
	snapshot, ok := r.watcher.Snapshot()
	if !ok {
		return
	}
	changed := !r.isKnown || !r.pools.unchanged(snapshot.Pools)
	r.known, r.isKnown = snapshot, true
	r.next.setUID(snapshot.UID)
	if changed {
		// Pools before their numbers: what reads both then knows a pool from its first scrape on.
		r.report(ctx)
	}
	r.retarget(discovery.Endpoints(snapshot.Discovery))
}

// retarget makes targets of the endpoints that can be scraped.
func (r *calicoReceiver) retarget(endpoints []discovery.Endpoint) {
	targets := map[discovery.Component][]scrape.Target{}
	for _, e := range endpoints {
		if e.State != discovery.Scraped {
			continue
		}
		targets[e.Component] = append(targets[e.Component], scrape.Target{
			Address:        e.Address,
			Namespace:      e.Pod.Namespace,
			Pod:            e.Pod.Name,
			PodUID:         e.Pod.UID,
			Node:           e.Pod.Node,
			Container:      e.Container,
			ControllerKind: e.Pod.ControllerKind,
			ControllerName: e.Pod.ControllerName,
		})
	}
	for _, c := range discovery.Components() {
		if err := r.scraper.Update(c.Job(), targets[c]); err != nil {
			r.set.Logger.Error("cannot update scrape targets", zap.Error(err))
		}
	}
	r.logChanges(endpoints)
}

// logChanges says at debug level which endpoints came, went or changed.
func (r *calicoReceiver) logChanges(endpoints []discovery.Endpoint) {
	now := make(map[string]discovery.State, len(endpoints))
	for _, e := range endpoints {
		key := string(e.Component) + " " + e.Pod.Namespace + "/" + e.Pod.Name + " " + e.Address
		now[key] = e.State
		if r.endpoints[key] != e.State {
			r.set.Logger.Debug("endpoint", zap.String("component", string(e.Component)), zap.String("namespace", e.Pod.Namespace),
				zap.String("pod", e.Pod.Name), zap.String("address", e.Address), zap.String("state", string(e.State)), zap.String("reason", e.Reason))
		}
	}
	for key := range r.endpoints {
		if _, ok := now[key]; !ok {
			r.set.Logger.Debug("endpoint is gone", zap.String("endpoint", key))
		}
	}
	r.endpoints = now
}

// report sends the receiver's own metrics.
func (r *calicoReceiver) report(ctx context.Context) {
	if !r.isKnown {
		return
	}
	resource := pcommon.NewResource()
	resource.Attributes().PutStr(calicometric.AttrServiceName, calicometric.JobIPAM)
	if r.known.UID != "" {
		resource.Attributes().PutStr(calicometric.AttrServiceInstanceID, r.known.UID)
	}
	md := r.pools.write(pcommon.NewTimestampFromTime(time.Now()), resource, r.known.Pools)
	count := md.DataPointCount()
	if count == 0 {
		return
	}
	ctx = r.obs.StartMetricsOp(ctx)
	err := r.next.ConsumeMetrics(ctx, md)
	r.obs.EndMetricsOp(ctx, metadata.Type.String(), count, err)
	if err != nil {
		r.set.Logger.Warn("the pipeline refused the receiver's own metrics", zap.Error(err), zap.Int("points", count))
		return
	}
	r.pools.sent(r.known.Pools)
}

// reportStatus tells the collector when the Kubernetes API begins to fail, and when it answers again.
func (r *calicoReceiver) reportStatus(err error) {
	switch {
	case err != nil:
		componentstatus.ReportStatus(r.host, componentstatus.NewRecoverableErrorEvent(err))
	case r.failing:
		componentstatus.ReportStatus(r.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
	r.failing = err != nil
}
