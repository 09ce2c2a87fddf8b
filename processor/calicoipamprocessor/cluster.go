package calicoipamprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/derive"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/forecast"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
)

const (
	// takeover is how long the source that a cluster's numbers come from may be silent where it is not known how often it is scraped: less than the
	// five minutes after which Prometheus takes a series for ended.
	takeover = pcommon.Timestamp(2 * time.Minute)
	// minPatience and maxInterval bound how long it may be silent where that is known.
	minPatience = pcommon.Timestamp(30 * time.Second)
	maxInterval = pcommon.Timestamp(10 * time.Minute)
)

// clusterID identifies what is computed together: a cluster, or where nothing tells the cluster a single source.
type clusterID struct {
	cluster string
	source  assembly.Source
}

func idOf(source assembly.Source) clusterID {
	if source.Cluster != "" {
		return clusterID{cluster: source.Cluster}
	}
	return clusterID{source: source}
}

// clusterState is what is remembered of a cluster: what was computed last, and of which source. Several sources tell the same numbers, as two
// kube-controllers do while one replaces the other; only one of them counts at a time.
type clusterState struct {
	lead assembly.Source
	led  bool
	// at is when the newest scrape was that something was computed of.
	at pcommon.Timestamp
	// interval is about the time between two scrapes of the lead; 0 where there were no two.
	interval pcommon.Timestamp
	// other is the source that was seen last beside the lead, otherAt its newest scrape; 0 where it is gone.
	other   assembly.Source
	otherAt pcommon.Timestamp
	// upstream is when numbers came that another processor has derived already, upstreamEvery about the time between two.
	upstream, upstreamEvery pcommon.Timestamp
	// series are those that were written last, resource is where they stand.
	series   derive.Series
	resource pcommon.Map
	outlook  *outlook
}

// scratch is reused from scrape to scrape.
type scratch struct {
	result   derive.Result
	ended    derive.Series
	resource pcommon.Map
	shares   []nodeshares.Point
	gone     []nodeshares.Point
	// forecaster is what forecasts are made with.
	forecaster forecast.Forecaster
}

func (p *ipamProcessor) cluster(ctx context.Context, source assembly.Source) *clusterState {
	state, evicted := p.clusters.Add(idOf(source))
	if evicted == nil {
		return state
	}
	if total, due := p.telemetry.dropped(ctx, metadata.AttributeDroppedKindCluster, 1); due {
		p.logger.Warn("there are more clusters than max_clusters; forgot the one not seen for the longest time, whose derived series end without a marker",
			zap.Int("max_clusters", p.config.MaxClusters), zap.Uint64("dropped", total))
	}
	return state
}

// compute appends to out what follows from scrapes, the oldest of which is the first.
func (p *ipamProcessor) compute(ctx context.Context, scrapes []*assembly.Scrape, out pmetric.Metrics) {
	for _, scrape := range scrapes {
		p.reportLosses(ctx, scrape)
		if p.aggregate {
			p.writeShares(scrape, out)
		}
		p.writeDerived(ctx, scrape, out)
		p.assembly.Release(scrape)
	}
}

// writeDerived appends to out what follows from a scrape for its cluster.
func (p *ipamProcessor) writeDerived(ctx context.Context, scrape *assembly.Scrape, out pmetric.Metrics) {
	if scrape.State() == ipampoints.Empty {
		return
	}
	cluster := p.cluster(ctx, scrape.Source)
	result := &p.scratch.result
	result.Reset()
	switch cluster.next(scrape) {
	case stepPass:
		return
	case stepCompute:
		if scrape.Conflicts > 0 {
			p.conflicting(ctx, scrape)
		}
		derive.Scrape(result, scrape.Scrape, p.pools.Cluster(scrape.Source.Cluster, scrape.Timestamp), p.selected)
		p.forecast(scrape, cluster, result)
		p.telemetry.scrapes(ctx, metadata.AttributeScrapeOutcomeComputed, 1)
	case stepEnd:
	}
	p.emitter.clusterResource(scrape, p.scratch.resource)
	if !cluster.series.None() && !cluster.resource.Equal(p.scratch.resource) {
		// What the cluster is labelled with has changed: its series are others from now on.
		p.emitter.derived(out, cluster.resource, scrape.Timestamp, &derive.Result{}, &cluster.series)
		cluster.series = derive.Series{}
	}
	p.scratch.ended.Ended(&cluster.series, result)
	p.emitter.derived(out, p.scratch.resource, scrape.Timestamp, result, &p.scratch.ended)
	cluster.at = scrape.Timestamp
	cluster.series.Of(result)
	if cluster.resource == (pcommon.Map{}) {
		cluster.resource = pcommon.NewMap()
	}
	p.scratch.resource.CopyTo(cluster.resource)
}

// step is what to do with a scrape for its cluster.
type step uint8

const (
	// stepPass leaves it: another source counts, or it came too late.
	stepPass step = iota
	// stepCompute takes it.
	stepCompute
	// stepEnd ends the series of the cluster: there is no source any more.
	stepEnd
)

// next says what to do with a scrape, and notes of which source the numbers are from now on.
func (c *clusterState) next(scrape *assembly.Scrape) step {
	at, live, tells := scrape.Timestamp, scrape.State() == ipampoints.Live, scrape.Tells()
	leads := c.led && scrape.Source == c.lead
	switch {
	case leads, live && !tells:
	case live:
		if at >= c.otherAt {
			c.other, c.otherAt = scrape.Source, at
		}
	case c.other == scrape.Source:
		c.otherAt = 0
	}
	switch {
	case c.upstream != 0 && c.upstream+max(takeover, 2*c.upstreamEvery) > at:
		return stepPass // another processor has done so already
	case c.at != 0 && at <= c.at:
		return stepPass // a series does not go back in time
	case !live, !tells && c.goesOn(at):
		return c.lose(leads, at)
	case leads:
		c.interval = learned(c.interval, at-c.at)
		return stepCompute
	case c.led && c.at+c.patience() > at && (c.lead.Exact() || !scrape.Source.Exact() || !tells):
		return stepPass
	default:
		if c.led {
			c.other, c.otherAt = c.lead, c.at // it may be there still
		} else if c.other == scrape.Source {
			c.otherAt = 0
		}
		c.lead, c.led = scrape.Source, true
		return stepCompute
	}
}

// learned is an interval after one more time between two scrapes: it follows a longer one step by step, as that may be an outage, and a shorter one
// slowly, as two scrapes may be near to each other by chance.
func learned(interval, gap pcommon.Timestamp) pcommon.Timestamp {
	if interval == 0 {
		return min(gap, maxInterval)
	}
	return min(max(min(gap, 2*interval), interval-interval/8), maxInterval)
}

// goesOn reports whether another source than the lead was seen lately.
func (c *clusterState) goesOn(at pcommon.Timestamp) bool {
	return c.otherAt != 0 && c.otherAt+max(takeover, c.patience()) > at
}

// lose says what to do when a source is gone, or does not know what another does: its series end, unless another source goes on with them.
func (c *clusterState) lose(leads bool, at pcommon.Timestamp) step {
	goesOn := c.goesOn(at)
	switch {
	case leads && goesOn:
		c.led = false
		return stepPass
	case leads, !c.led && !goesOn && !c.series.None():
		c.led = false
		return stepEnd
	default:
		return stepPass
	}
}

// patience is how long the lead may be silent: until one of its scrapes is overdue.
func (c *clusterState) patience() pcommon.Timestamp {
	if c.interval == 0 {
		return takeover
	}
	return max(c.interval+c.interval/2, minPatience)
}

// derivedUpstream notes when numbers came that another processor has derived.
func (c *clusterState) derivedUpstream(at pcommon.Timestamp) {
	if at <= c.upstream {
		return
	}
	if c.upstream != 0 {
		c.upstreamEvery = learned(c.upstreamEvery, at-c.upstream)
	}
	c.upstream = at
}

func (p *ipamProcessor) conflicting(ctx context.Context, scrape *assembly.Scrape) {
	if total, due := p.telemetry.scrapes(ctx, metadata.AttributeScrapeOutcomeConflicting, 1); due {
		p.logger.Warn("a scrape of IPAM has two values for one series, and nothing is computed of its pools; are there two targets with the same "+
			"service.name and service.instance.id?",
			zap.String("cluster", scrape.Source.Cluster), zap.String("service.name", scrape.Source.Service),
			zap.String("service.instance.id", scrape.Source.Instance), zap.Int("series", scrape.Conflicts), zap.Uint64("scrapes", total))
	}
}

// reportLosses tells of what of a scrape could not be read, or had no room.
func (p *ipamProcessor) reportLosses(ctx context.Context, scrape *assembly.Scrape) {
	for metric, points := range scrape.Unreadable {
		if total, due := p.telemetry.unreadable(ctx, metric, points); due {
			p.logger.Debug("skipped points that hold no number of addresses; their pools are unknown",
				zap.String("metric", metric), zap.Uint64("points", total))
		}
	}
	if total, due := p.telemetry.dropped(ctx, metadata.AttributeDroppedKindPool, scrape.DroppedPools); due {
		p.logger.Warn("a scrape has more pools than max_pools; nothing is computed of the others",
			zap.Int("max_pools", p.config.MaxPools), zap.Uint64("dropped", total))
	}
}

// writeShares appends to out the nodes' shares of a scrape, as many as there shall be, in the resource of the scrape.
func (p *ipamProcessor) writeShares(scrape *assembly.Scrape, out pmetric.Metrics) {
	source := p.source(scrape.Source)
	p.scratch.shares = scrape.Shares.Points(nodedetail.Detail(p.config.Detail), p.scratch.shares[:0])
	p.scratch.gone = nodeshares.Ended(source.shares, p.scratch.shares, p.scratch.gone[:0])
	if rm, ok := p.emitter.shares(out, scrape, p.scratch.shares, p.scratch.gone); ok && p.config.Enrich {
		source.enrichedShares.Points(rm, p.pools.Cluster(scrape.Source.Cluster, scrape.Timestamp), p.config.MaxPools)
	}
	source.shares, p.scratch.shares = p.scratch.shares, source.shares
}
