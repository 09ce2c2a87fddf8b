package calicoreceiver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

const (
	// How long changes are gathered before they are acted on, at first and later: a rollout changes many pods at once.
	settle      = 250 * time.Millisecond
	settleLater = time.Second

	// How often the API server is asked which resources it serves. Agents on all nodes of a large cluster must not ask often; they notice at once
	// when what they watch is gone, or when Calico's pod comes to their node.
	redetectCluster = 30 * time.Second
	redetectNode    = 10 * time.Minute
)

// observer ties the parts together: what the cluster says becomes scrape targets and the receiver's own metrics.
type observer struct {
	*calicoReceiver
	scope   []discovery.Component
	clients map[discovery.Component]discovery.Client
	next    *identified
	scraped *oneSource
	scraper *scrape.Scraper
	facts   *facts
	ended   *ended
	watcher *cluster.Watcher // nil in mode static
	account cluster.IPAM     // as it was last reported; pending where none is kept
	frozen  frozen
	invalid *invalid // nil where no account is kept

	handover handover

	known     cluster.Snapshot
	isKnown   bool
	found     []discovery.Endpoint // by the rules alone
	endpoints []discovery.Endpoint // with what became of their scrapes
	scraping  bool
	// broken is why nothing can be scraped; nil as a rule.
	broken error
}

func newObserver(ctx context.Context, r *calicoReceiver) (*observer, error) {
	o := &observer{
		calicoReceiver: r,
		scope:          r.config.explained(),
		clients:        r.config.clients(),
		next:           &identified{next: r.next, clusterName: r.config.ClusterName},
		ended:          newEnded(),
		handover:       handover{interval: r.config.handover()},
	}
	o.scraped = newOneSource(o.next, r.config.passing(o.account))
	instance := ""
	switch r.config.Mode {
	case ModeCluster: // one receiver speaks for the cluster, and its series are told apart by the cluster alone
	case ModeNode:
		instance = r.config.Node
	case ModeStatic:
		// Empty where the host has no name.
		instance, _ = os.Hostname()
	}
	o.facts = newFacts(r.config, r.set, instance)
	var err error
	if o.scraper, err = scrape.New(ctx, r.set, r.config.jobs(), o.scraped); err != nil {
		return nil, err
	}
	if r.config.Mode == ModeStatic {
		o.isKnown, o.found = true, r.config.staticEndpoints()
		return o, nil
	}
	options := cluster.Options{
		Namespaces: r.config.namespaces(), Node: r.config.Node, Resources: r.config.resources(), Redetect: redetectCluster,
	}
	if r.config.Mode == ModeNode {
		options.Redetect = redetectNode
	}
	if r.config.watchesIPAM() {
		options.IPAM = &cluster.IPAMOptions{Namespaces: r.config.Metrics.CalicoIpamNamespaceAllocations.Enabled}
	}
	if o.watcher, err = cluster.New(r.api, options, r.set.Logger); err != nil {
		return nil, errors.Join(err, o.scraper.Shutdown(ctx))
	}
	if r.config.watchesIPAM() {
		if o.invalid, err = newInvalid(r.set.TelemetrySettings); err != nil {
			return nil, errors.Join(err, o.scraper.Shutdown(ctx))
		}
	}
	return o, nil
}

// run observes until the context ends, and returns when all that it started has ended.
func (o *observer) run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	defer func() {
		if err := o.scraper.Shutdown(context.WithoutCancel(ctx)); err != nil {
			o.set.Logger.Error("cannot stop to scrape", zap.Error(err))
		}
	}()
	if o.invalid != nil {
		defer o.invalid.end()
	}
	var changed <-chan struct{}
	if o.watcher != nil {
		changed = o.watcher.Changed()
		watching.Go(func() { o.watcher.Run(ctx) })
	} else {
		o.retarget(ctx)
	}
	report := time.NewTicker(o.config.CollectionInterval)
	defer report.Stop()
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			if settled == nil {
				pause := settle
				if o.isKnown {
					pause = settleLater
				}
				settled = time.After(pause)
			}
		case <-settled:
			settled = nil
			o.refresh(ctx)
		case <-o.scraper.Changed():
			o.judge()
		case <-report.C:
			// Not everything that is reported tells of its changes.
			o.refresh(ctx)
			o.report(ctx)
		}
	}
}

func samePool(a, b ipam.Pool) bool { return reflect.DeepEqual(a, b) }

// refresh takes over what the cluster says now.
func (o *observer) refresh(ctx context.Context) {
	if o.watcher == nil {
		return
	}
	o.status.report(o.host, errors.Join(o.broken, o.watcher.Err()))
	snapshot, ok := o.watcher.Snapshot()
	if !ok {
		return
	}
	poolsChanged := !o.isKnown || !slices.EqualFunc(o.known.Pools, snapshot.Pools, samePool)
	o.known, o.isKnown = snapshot, true
	o.next.setUID(snapshot.UID)

	input := snapshot.Discovery
	input.Scope, input.Clients = o.scope, o.clients
	o.found = discovery.Endpoints(input)
	// The first account is not kept waiting.
	accounted := o.config.watchesIPAM() && !o.handover.goesOn() &&
		o.account.State == cluster.AccountPending && o.watcher.IPAM(time.Now()).State != cluster.AccountPending
	if poolsChanged || accounted {
		// Pools before their numbers: what reads both then knows a pool from its first scrape on.
		o.judge()
		o.report(ctx)
	}
	o.retarget(ctx)
}

// retarget makes targets of the endpoints that can be scraped.
func (o *observer) retarget(ctx context.Context) {
	targets := map[discovery.Component][]scrape.Target{}
	for _, e := range o.found {
		if !e.IsTarget() {
			continue
		}
		targets[e.Component] = append(targets[e.Component], scrape.Target{
			Address:        e.Address,
			Scheme:         e.Scheme,
			Path:           e.Path,
			Namespace:      e.Pod.Namespace,
			Pod:            e.Pod.Name,
			PodUID:         e.Pod.UID,
			Node:           e.Pod.Node,
			Container:      e.Container,
			ControllerKind: e.Pod.ControllerKind,
			ControllerName: e.Pod.ControllerName,
		})
	}
	for _, job := range o.config.scope() {
		if err := o.scraper.Update(job.Job(), targets[job]); err != nil {
			o.set.Logger.Error("cannot update scrape targets", zap.Error(err))
		}
	}
	if !o.scraping {
		// Not before there are targets: what is known at the start is scraped without the delay of a later discovery.
		o.scraping = true
		if err := o.scraper.Start(context.WithoutCancel(ctx), o.host); err != nil {
			o.broken = fmt.Errorf("start to scrape: %w", err)
			o.set.Logger.Error("nothing can be scraped", zap.Error(err))
			o.status.report(o.host, o.broken)
		}
	}
	o.judge()
}

// judge finds out what became of the endpoints, and tells of what changed.
func (o *observer) judge() {
	up, beyondLimits := map[string]bool{}, map[string]bool{}
	for _, component := range o.config.scope() {
		maps.Copy(up, o.scraper.Up(component.Job()))
		maps.Copy(beyondLimits, o.scraper.BeyondLimits(component.Job()))
	}
	endpoints := discovery.BeyondLimits(discovery.Judge(o.found, up, o.known.Policies), beyondLimits)
	if o.config.Mode == ModeCluster {
		o.watcher.NeedPolicies(slices.ContainsFunc(endpoints, func(e discovery.Endpoint) bool {
			isUp, scraped := up[e.Address]
			return e.PoliciesMatter() && scraped && !isUp
		}))
	}
	o.logChanges(endpoints)
	o.endpoints = endpoints
}

// endpointKey identifies an endpoint in the log.
type endpointKey struct{ component, namespace, pod, address string }

func keyOf(e discovery.Endpoint) endpointKey {
	return endpointKey{string(e.Component), e.Pod.Namespace, e.Pod.Name, e.Address}
}

// String is a message of its own for each endpoint: the Collector drops messages that are repeated.
func (k endpointKey) String() string {
	s := "endpoint of " + k.component
	if k.pod != "" {
		s += " in pod " + k.namespace + "/" + k.pod
	}
	if k.address != "" {
		s += " at " + k.address
	}
	return s
}

// logChanges says at debug level which endpoints came, went or changed.
func (o *observer) logChanges(endpoints []discovery.Endpoint) {
	if !o.set.Logger.Core().Enabled(zap.DebugLevel) {
		return
	}
	type fate struct{ state, reason string }
	fates := func(endpoints []discovery.Endpoint) map[endpointKey]fate {
		all := make(map[endpointKey]fate, len(endpoints))
		for _, e := range endpoints {
			all[keyOf(e)] = fate{string(e.State), e.Reason}
		}
		return all
	}
	before, now := fates(o.endpoints), fates(endpoints)
	failures := map[discovery.Component]map[string]error{}
	for _, component := range o.config.scope() {
		failures[component] = o.scraper.LastErrors(component.Job())
	}
	for _, e := range endpoints {
		k := keyOf(e)
		if before[k] != now[k] {
			o.set.Logger.Debug(k.String(), zap.String("node", e.Pod.Node), zap.String("state", string(e.State)),
				zap.String("reason", e.Reason), zap.String("detail", e.Detail), zap.Error(failures[e.Component][e.Address]))
		}
	}
	for k := range before {
		if _, ok := now[k]; !ok {
			o.set.Logger.Debug(k.String() + " is gone")
		}
	}
}

// takeAccount takes over the account of the cluster's addresses of a moment, if one is kept.
func (o *observer) takeAccount(now time.Time) {
	if !o.config.watchesIPAM() {
		return
	}
	read := o.watcher.IPAM(now)
	o.invalid.set(read.Invalid)
	account := o.handover.account(o.frozen.account(read, o.known.ClusterInformation), now)
	if account.State != o.account.State {
		o.logAccount(account)
	}
	o.account = account
	o.scraped.pass(o.config.passing(account))
}

// logAccount says where the numbers come from from now on.
func (o *observer) logAccount(account cluster.IPAM) {
	switch account.State {
	case cluster.AccountPending:
	case cluster.AccountReady:
		o.set.Logger.Info("Calico's addresses are counted from its datastore")
	case cluster.AccountUnavailable:
		level := zap.InfoLevel
		if o.config.ipamSource() == IPAMDatastore { // there are no other numbers
			level = zap.WarnLevel
		}
		o.set.Logger.Log(level, "Calico's addresses cannot be counted from its datastore",
			zap.String("ipam.source", string(o.config.IPAM.Source)), zap.String("missing", account.Missing))
	}
}

// report sends the receiver's own metrics.
func (o *observer) report(ctx context.Context) {
	if !o.isKnown {
		return
	}
	now := time.Now()
	o.takeAccount(now)
	md := o.facts.write(now, o.known, o.account, o.endpoints)
	o.ended.mark(md, pcommon.NewTimestampFromTime(now))
	count := md.DataPointCount()
	if count == 0 {
		return
	}
	sent := pmetric.NewMetrics()
	md.CopyTo(sent)
	ctx = o.obs.StartMetricsOp(ctx)
	err := o.next.ConsumeMetrics(ctx, md)
	o.obs.EndMetricsOp(ctx, metadata.Type.String(), count, err)
	if err != nil {
		o.set.Logger.Warn("the pipeline refused the receiver's own metrics", zap.Error(err), zap.Int("points", count))
		return
	}
	o.ended.sent(sent)
}
