package calicoipamprocessor

import (
	"context"
	"math/bits"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/derive"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/recent"
)

// limits bound the state of a processor.
type limits struct {
	// clusters is how many clusters' pools are remembered.
	clusters int
	// pools is how many pools of one cluster, and of one scrape, are taken.
	pools int
	// sources is how many scraped targets are remembered.
	sources int
}

// defaultLimits suit a gateway of a thousand clusters. A pool takes about 200 bytes.
var defaultLimits = limits{clusters: 1024, pools: 4096, sources: 4096}

// source identifies a scraped target. The pod is part of it: another one at the same address has other series.
type source struct {
	cluster, service, instance, namespace, pod string
}

// computed is what was last computed for a source.
type computed struct {
	timestamp pcommon.Timestamp
	result    derive.Result
}

// ipamProcessor is the thin shell: it holds the state between batches and writes results into them.
type ipamProcessor struct {
	logger  *zap.Logger
	version string
	limits  limits

	// mu guards all below. It is held for one batch at most, and never while the next consumer runs.
	mu      sync.Mutex
	pools   *poolinfo.Store
	sources *recent.Map[source, computed]

	// Reused from batch to batch.
	scrape ipampoints.Scrape
	info   ipampoints.InfoBatch
	result derive.Result
	ended  derive.Ended

	unreadable     map[string]uint64
	droppedPoints  uint64
	droppedPools   uint64
	evictedCluster uint64
	evictedSource  uint64
}

func newIPAMProcessor(logger *zap.Logger, version string, limits limits) *ipamProcessor {
	return &ipamProcessor{
		logger:     logger,
		version:    version,
		limits:     limits,
		pools:      poolinfo.NewStore(limits.clusters, limits.pools),
		sources:    recent.New[source, computed](limits.sources),
		unreadable: make(map[string]uint64),
	}
}

// process adds to every IPAM scrape in md what follows from it, and never fails.
func (p *ipamProcessor) process(_ context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
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
	if all&ipampoints.HasInfo != 0 {
		for i := range resources.Len() {
			p.learn(resources.At(i))
		}
	}
	if all&ipampoints.HasSizes != 0 {
		for i := range resources.Len() {
			p.compute(resources.At(i))
		}
	}
	return md, nil
}

// learn takes in what a resource says of pools.
func (p *ipamProcessor) learn(rm pmetric.ResourceMetrics) {
	if ipampoints.Look(rm)&ipampoints.HasInfo == 0 {
		return
	}
	p.info.Read(rm)
	cluster := clusterKey(rm.Resource().Attributes())
	loss := p.pools.Update(cluster, &p.info)
	if total, due := count(&p.droppedPools, loss.Pools); due {
		p.logger.Warn("more pools than the processor remembers; no cluster utilization is computed for this cluster",
			zap.String("cluster", cluster), zap.Int("limit", p.limits.pools), zap.Uint64("pools_dropped", total))
	}
	if loss.Cluster {
		if total, due := count(&p.evictedCluster, 1); due {
			p.logger.Warn("more clusters than the processor remembers; forgot the pools of the one not seen for the longest time",
				zap.Int("limit", p.limits.clusters), zap.Uint64("clusters_dropped", total))
		}
	}
}

// compute adds to a resource what follows from its scrape, if it holds one that is newer than the last of its source.
func (p *ipamProcessor) compute(rm pmetric.ResourceMetrics) {
	if ipampoints.Look(rm)&ipampoints.HasSizes == 0 {
		return
	}
	p.scrape.Read(rm, p.limits.pools)
	p.logSkipped()
	if p.scrape.State == ipampoints.Empty {
		return
	}
	id := sourceOf(rm.Resource().Attributes())
	last := p.sources.Get(id)
	if last != nil && p.scrape.Timestamp <= last.timestamp {
		return
	}
	if p.scrape.State == ipampoints.Gone {
		if last != nil {
			p.ended.Compare(&last.result, &derive.Result{})
			p.write(rm, &derive.Result{})
			p.sources.Delete(id)
		}
		return
	}

	derive.Scrape(&p.result, &p.scrape, p.pools.Cluster(id.cluster))
	if last == nil {
		last = p.remember(id)
	}
	p.ended.Compare(&last.result, &p.result)
	p.write(rm, &p.result)
	last.timestamp = p.scrape.Timestamp
	last.result, p.result = p.result, last.result
}

func (p *ipamProcessor) remember(id source) *computed {
	added, evicted := p.sources.Add(id)
	if evicted {
		if total, due := count(&p.evictedSource, 1); due {
			p.logger.Warn("more IPAM sources than the processor remembers; the derived series of the one not seen for the longest time end without a marker",
				zap.Int("limit", p.limits.sources), zap.Uint64("sources_dropped", total))
		}
	}
	return added
}

func (p *ipamProcessor) logSkipped() {
	for metric, points := range p.scrape.Unreadable {
		counter := p.unreadable[metric]
		total, due := count(&counter, points)
		p.unreadable[metric] = counter
		if due {
			p.logger.Debug("skipped points that hold no number of addresses; their pools are unknown",
				zap.String("metric", metric), zap.Uint64("points", total))
		}
	}
	if total, due := count(&p.droppedPoints, p.scrape.Dropped); due {
		p.logger.Warn("more pools in a scrape than the processor takes",
			zap.Int("limit", p.limits.pools), zap.Uint64("points_dropped", total))
	}
}

// count adds n to a counter and tells whether to log its total: the first time and whenever it has doubled,
// so that a fault that lasts is seen without filling the log.
func count(counter *uint64, n int) (total uint64, due bool) {
	before := *counter
	*counter += uint64(n)
	return *counter, bits.Len64(*counter) != bits.Len64(before)
}

func sourceOf(resource pcommon.Map) source {
	return source{
		cluster:   clusterKey(resource),
		service:   attribute(resource, calicometric.AttrServiceName),
		instance:  attribute(resource, calicometric.AttrServiceInstanceID),
		namespace: attribute(resource, calicometric.AttrNamespace),
		pod:       attribute(resource, calicometric.AttrPod),
	}
}

// clusterKey is what tells clusters apart: the UID, else the name, else nothing, as in a pipeline of one cluster.
func clusterKey(resource pcommon.Map) string {
	if uid := attribute(resource, calicometric.AttrClusterUID); uid != "" {
		return uid
	}
	return attribute(resource, calicometric.AttrClusterName)
}

func attribute(resource pcommon.Map, name string) string {
	value, found := resource.Get(name)
	if !found || value.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return value.Str()
}
