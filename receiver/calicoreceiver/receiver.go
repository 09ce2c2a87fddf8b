package calicoreceiver

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/kubeclient"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

// calicoReceiver observes a cluster: always, or while it is the leader of several.
type calicoReceiver struct {
	config *Config
	set    receiver.Settings
	obs    *receiverhelper.ObsReport
	next   consumer.Metrics
	host   component.Host
	api    *rest.Config // nil where no API server is asked

	status status

	mu      sync.Mutex
	closed  bool
	stop    context.CancelFunc // nil while nothing is observed
	running sync.WaitGroup
}

var _ receiver.Metrics = (*calicoReceiver)(nil)

func newReceiver(ctx context.Context, set receiver.Settings, config *Config, next consumer.Metrics) (*calicoReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, Transport: "http", ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, fmt.Errorf("report on the receiver: %w", err)
	}
	// What the Prometheus receiver inside refuses is found now, and not when this receiver begins to lead.
	scraper, err := scrape.New(ctx, set, config.jobs(), next)
	if err != nil {
		return nil, err
	}
	if err := scraper.Shutdown(ctx); err != nil {
		return nil, err
	}
	return &calicoReceiver{config: config, set: set, obs: obs, next: next}, nil
}

// leaderElection is what is asked of the extension that elects a leader, such as k8s_leader_elector. The context of the first function ends with
// the leadership.
type leaderElection interface {
	SetCallBackFuncs(lead func(context.Context), rest func())
}

// Start fails on a configuration that cannot work. An API server that does not answer is no such thing: it is tried again, and the
// component's status says so.
func (r *calicoReceiver) Start(ctx context.Context, host component.Host) error {
	r.host = host
	if r.config.Mode != ModeStatic {
		api, err := kubeclient.RESTConfig(r.config.AuthType, r.config.Context)
		if err != nil {
			return err
		}
		api.UserAgent = r.set.BuildInfo.Command + "/" + r.set.BuildInfo.Version
		r.api = api
	}
	elector := r.config.K8sLeaderElector
	if elector == nil {
		// The context of Start ends with it.
		return r.observe(context.WithoutCancel(ctx))
	}
	extension, ok := host.GetExtensions()[*elector]
	if !ok {
		return fmt.Errorf("k8s_leader_elector: there is no extension %q in service.extensions", elector)
	}
	election, ok := extension.(leaderElection)
	if !ok {
		return fmt.Errorf("k8s_leader_elector: the extension %q elects no leader", elector)
	}
	r.set.Logger.Info("standing by until this collector is elected", zap.Stringer("k8s_leader_elector", elector))
	election.SetCallBackFuncs(r.lead, r.rest)
	return nil
}

// lead begins to observe. The elector may call it late: a leadership that is over already is none.
func (r *calicoReceiver) lead(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	r.set.Logger.Info("this collector leads: it observes the cluster")
	if err := r.observe(ctx); err != nil {
		r.status.report(r.host, err)
		r.set.Logger.Error("cannot observe the cluster", zap.Error(err))
	}
}

// rest stops to observe, and returns when nothing is sent any longer: another collector may lead then.
func (r *calicoReceiver) rest() {
	r.set.Logger.Info("this collector does not lead any longer: it stands by")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
	if !r.closed {
		r.status.report(r.host, nil) // who stands by asks nothing that could fail
	}
}

// observe begins to observe in the background, until the context ends or end is called.
func (r *calicoReceiver) observe(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.stop != nil {
		return nil
	}
	o, err := newObserver(ctx, r)
	if err != nil {
		return err
	}
	ctx, r.stop = context.WithCancel(ctx)
	r.running.Go(func() { o.run(ctx) })
	return nil
}

// end stops what observes and waits for it.
func (r *calicoReceiver) end() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.stop = nil
	r.running.Wait()
}

// status is what the collector was told of the receiver last. It outlives an observer.
type status struct {
	mu      sync.Mutex
	failing bool
}

// report tells the collector when something begins to fail, or fails in another way, and when nothing does any longer.
func (s *status) report(host component.Host, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		componentstatus.ReportStatus(host, componentstatus.NewRecoverableErrorEvent(err))
	case s.failing:
		componentstatus.ReportStatus(host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
	s.failing = err != nil
}

// Shutdown stops watching and scraping, and returns when both have ended.
func (r *calicoReceiver) Shutdown(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.end()
	return nil
}
