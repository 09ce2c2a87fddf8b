package calicoipamprocessor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/enrich"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/recent"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

const (
	// sourcesPerCluster is how many scraped targets of IPAM are remembered for each cluster there may be: the datastore, kube-controllers, and
	// their pods of before.
	sourcesPerCluster = 4
	// maxSeries bounds one scrape, and maxWaitingSeries all that wait: 5,000 nodes and 10 pools have 200,000 series.
	maxSeries        = 1 << 20
	maxWaitingSeries = 1 << 22
)

// ipamProcessor is the thin shell: it holds the state between batches and writes results into them.
type ipamProcessor struct {
	logger    *zap.Logger
	config    *Config
	selected  selection.Selection
	aggregate bool
	next      consumer.Metrics
	telemetry *telemetry
	histories histories

	// mu guards all below. It is held for one batch at most, and never while the next consumer runs.
	mu       sync.Mutex
	pools    *poolinfo.Store
	assembly *assembly.Assembly
	clusters *recent.Map[clusterID, clusterState]
	sources  *recent.Map[assembly.Source, sourceState]
	emitter  *emitter

	// The loops that compute what nothing arrives for any more, and keep histories; nil before they are started.
	stop, stopEmits context.CancelFunc
	done, wake      chan struct{}
	saved           chan struct{}

	// Reused from batch to batch.
	arrived []arrival
	info    ipampoints.InfoBatch
	scratch scratch
}

// sourceState is what is remembered of a source for its points.
type sourceState struct {
	// enriched is what its points were labelled with, enrichedShares those of nodes, which leave later.
	enriched, enrichedShares enrich.Source
	// shares are the points of nodes that were written last.
	shares []nodeshares.Point
}

func newIPAMProcessor(set processor.Settings, config *Config, next consumer.Metrics) (*ipamProcessor, error) {
	configured := make([]poolinfo.Configured, 0, len(config.Pools.Known))
	for i := range config.Pools.Known {
		configured = append(configured, config.Pools.Known[i].described())
	}
	selected := selection.Selection{Include: config.Pools.Include, Exclude: config.Pools.Exclude}
	aggregate := config.Detail.Mode != nodedetail.Full || config.Detail.Top > 0
	p := &ipamProcessor{
		scratch:   scratch{resource: pcommon.NewMap()},
		logger:    set.Logger,
		config:    config,
		selected:  selected,
		aggregate: aggregate,
		next:      next,
		histories: histories{id: set.ID, extension: config.Storage},
		pools:     poolinfo.NewStore(config.MaxClusters, config.MaxPools, selected, configured),
		assembly: assembly.New(assembly.Settings{
			Settle:  config.SettleTime,
			Sources: sourcesPerCluster * config.MaxClusters,
			Limits:  ipampoints.Limits{Pools: config.MaxPools, Series: maxSeries},
			Series:  maxWaitingSeries,
			Shares:  aggregate,
			Started: time.Now(),
		}),
		clusters: recent.New[clusterID, clusterState](config.MaxClusters),
		sources:  recent.New[assembly.Source, sourceState](sourcesPerCluster * config.MaxClusters),
		emitter:  newEmitter(metadata.NewMetricsBuilder(metadata.MetricsBuilderConfig{Metrics: config.Metrics}, set, metadata.WithStartTime(0)), config.ClusterKey),
		wake:     make(chan struct{}, 1),
	}
	var err error
	if p.telemetry, err = newTelemetry(set, p.sizes); err != nil {
		return nil, fmt.Errorf("report on the processor: %w", err)
	}
	return p, nil
}

// process adds to a batch what follows from the scrapes that it makes whole. It never fails.
func (p *ipamProcessor) process(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
	resources := md.ResourceMetrics()
	var all ipampoints.Content
	for i := range resources.Len() {
		all |= ipampoints.Look(resources.At(i))
	}
	if all == 0 {
		return md, nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	arrivals := p.arrivals(resources)
	for i := range arrivals {
		p.learn(ctx, resources.At(i), &arrivals[i], now)
	}
	for i := range arrivals {
		p.take(resources.At(i), &arrivals[i], now)
	}
	if p.aggregate {
		resources.RemoveIf(func(rm pmetric.ResourceMetrics) bool { return rm.ScopeMetrics().Len() == 0 })
	}
	if p.config.SettleTime == 0 {
		p.compute(ctx, p.assembly.Due(now), md)
	} // else only the loop computes, so that what follows leaves in order
	p.count(ctx)
	if p.assembly.Waiting() > 0 {
		p.hurry()
	}
	if resources.Len() == 0 {
		return md, processorhelper.ErrSkipProcessingData // all of it leaves later
	}
	return md, nil
}

// arrival is what has come in a resource, and of which source.
type arrival struct {
	content ipampoints.Content
	source  assembly.Source
}

// arrivals tells what has come in each resource of a batch. It is good until the next batch.
func (p *ipamProcessor) arrivals(resources pmetric.ResourceMetricsSlice) []arrival {
	p.arrived = p.arrived[:0]
	for i := range resources.Len() {
		c := arrival{content: ipampoints.Look(resources.At(i))}
		if c.content != 0 {
			c.source = p.sourceOf(resources.At(i).Resource().Attributes())
		}
		p.arrived = append(p.arrived, c)
	}
	return p.arrived
}

// learn takes in what a resource says of pools, and that numbers are derived already.
func (p *ipamProcessor) learn(ctx context.Context, rm pmetric.ResourceMetrics, c *arrival, now time.Time) {
	if c.content&(ipampoints.HasInfo|ipampoints.HasDerived) == 0 {
		return
	}
	if p.info.Read(rm); !p.info.Empty && !assembly.Future(p.info.Timestamp, now) {
		dropped := p.pools.Update(c.source.Cluster, &p.info)
		if total, due := p.telemetry.dropped(ctx, metadata.AttributeDroppedKindPool, dropped); due {
			p.logger.Warn("there are more pools than max_pools: no cluster utilization is computed for this cluster",
				zap.String("cluster", c.source.Cluster), zap.Int("max_pools", p.config.MaxPools), zap.Uint64("dropped", total))
		}
	}
	if c.content&ipampoints.HasDerived != 0 {
		if at, ok := ipampoints.Derived(rm); ok && !assembly.Future(at, now) {
			p.cluster(ctx, c.source).derivedUpstream(at)
		}
	}
}

// take takes in the points of scrapes in a resource, and makes of them what shall leave.
func (p *ipamProcessor) take(rm pmetric.ResourceMetrics, c *arrival, now time.Time) {
	if c.content&(ipampoints.HasScrape|ipampoints.HasCalicos) == 0 {
		return
	}
	if c.content&ipampoints.HasScrape != 0 {
		p.assembly.Take(c.source, rm, now)
	}
	if p.aggregate {
		withoutNodes(rm, p.config.Detail.Mode)
	}
	if p.config.Enrich && c.content&ipampoints.HasCalicos != 0 {
		p.source(c.source).enriched.Points(rm, p.pools.Cluster(c.source.Cluster, pcommon.NewTimestampFromTime(now)), p.config.MaxPools)
	}
}

// withoutNodes takes away the points that nodes have shares of, which the scrape remembers, and where no node shall have points of its own also
// those that no sum can replace.
func withoutNodes(rm pmetric.ResourceMetrics, mode nodedetail.Mode) {
	rm.ScopeMetrics().RemoveIf(func(scope pmetric.ScopeMetrics) bool {
		before := scope.Metrics().Len()
		scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
			means := ipampoints.MetricOf(metric.Name())
			_, shared := means.Share()
			return shared || mode == nodedetail.None && means.PerNode()
		})
		return before > 0 && scope.Metrics().Len() == 0
	})
}

func (p *ipamProcessor) source(source assembly.Source) *sourceState {
	state, _ := p.sources.Add(source) // the assembly, which is of the same size, tells of those that had to go
	return state
}

func (p *ipamProcessor) sourceOf(resource pcommon.Map) assembly.Source {
	return assembly.Source{
		Cluster:   p.clusterKey(resource),
		Service:   stringOf(resource, calicometric.AttrServiceName),
		Instance:  stringOf(resource, calicometric.AttrServiceInstanceID),
		Namespace: stringOf(resource, calicometric.AttrNamespace),
		Pod:       stringOf(resource, calicometric.AttrPod),
	}
}

// clusterKey is what tells clusters apart, and nothing where no attribute does, as in a pipeline of one cluster.
func (p *ipamProcessor) clusterKey(resource pcommon.Map) string {
	for _, name := range p.config.ClusterKey {
		if value := stringOf(resource, name); value != "" {
			return value
		}
	}
	return ""
}

func stringOf(resource pcommon.Map, name string) string {
	value, found := resource.Get(name)
	if !found || value.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return value.Str()
}

// count reports what has come of the pieces that were taken in.
func (p *ipamProcessor) count(ctx context.Context) {
	counts := p.assembly.Counts()
	p.telemetry.scrapes(ctx, metadata.AttributeScrapeOutcomeLate, counts.Late)
	if total, due := p.telemetry.scrapes(ctx, metadata.AttributeScrapeOutcomeFuture, counts.Future); due {
		p.logger.Warn("a scrape of IPAM is of the future and nothing is computed from it; compare the clocks", zap.Uint64("scrapes", total))
	}
	if total, due := p.telemetry.scrapes(ctx, metadata.AttributeScrapeOutcomeIncomplete, counts.Incomplete); due {
		p.logger.Warn("a scrape of IPAM was not whole and nothing is computed from it; where something splits batches on the way, set settle_time",
			zap.Uint64("scrapes", total), zap.Duration("settle_time", p.config.SettleTime))
	}
	if total, due := p.telemetry.dropped(ctx, metadata.AttributeDroppedKindSource, counts.DroppedSources); due {
		p.logger.Warn("there are more sources of IPAM metrics than max_clusters allows for; forgot the one not seen for the longest time",
			zap.Int("max_clusters", p.config.MaxClusters), zap.Uint64("dropped", total))
	}
	if total, due := p.telemetry.dropped(ctx, metadata.AttributeDroppedKindSeries, counts.DroppedSeries); due {
		p.logger.Warn("a scrape has more series than the processor holds, and nothing is computed from it",
			zap.Int("limit", maxSeries), zap.Uint64("dropped", total))
	}
}
