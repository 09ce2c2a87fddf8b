package calicoipamprocessor

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/staleness"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/derive"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
)

// emitter writes results as metrics.
type emitter struct {
	builder *metadata.MetricsBuilder
	// clusterKey are the attributes that tell clusters apart.
	clusterKey []string
	// ends is how many points of each metric, the last ones, are ends of series.
	ends map[string]int
}

func newEmitter(builder *metadata.MetricsBuilder, clusterKey []string) *emitter {
	return &emitter{builder: builder, clusterKey: clusterKey, ends: make(map[string]int)}
}

// derived appends a result to out, and the ends of series, in a resource of its own. Nothing to say leaves out as it is.
func (e *emitter) derived(out pmetric.Metrics, attributes pcommon.Map, at pcommon.Timestamp, result *derive.Result, ended *derive.Series) {
	clear(e.ends)
	for i := range result.Pools {
		e.pool(at, result.Pools[i].Labels, result.Pools[i].Known, &result.Pools[i].Values)
	}
	for _, family := range result.Families {
		e.builder.RecordCalicoIpamClusterUtilizationRatioDataPoint(at, family.Utilization, metadata.MapAttributeIPFamily[family.Name])
	}
	for _, nodes := range result.Nodes {
		e.nodes(at, nodes)
	}
	for i := range ended.Pools {
		e.pool(at, ended.Pools[i].Labels, ended.Pools[i].Quantities, &[derive.Quantities]float64{})
		for q := range derive.Quantity(derive.Quantities) {
			if ended.Pools[i].Quantities.Has(q) {
				e.ends[metricOf[q]]++
			}
		}
	}
	for _, family := range ended.Families {
		e.builder.RecordCalicoIpamClusterUtilizationRatioDataPoint(at, 0, metadata.MapAttributeIPFamily[family])
		e.ends[calicometric.ClusterUtilization]++
	}
	for _, nodes := range ended.Nodes {
		e.nodes(at, nodes)
		e.ends[calicometric.Nodes]++
	}
	resource := pcommon.NewResource()
	attributes.CopyTo(resource.Attributes())
	md := e.builder.Emit(metadata.WithResource(resource))
	for _, rm := range md.ResourceMetrics().All() {
		for _, scope := range rm.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				points := metric.Gauge().DataPoints()
				for i := range e.ends[metric.Name()] {
					point := points.At(points.Len() - 1 - i)
					staleness.EndOf(point, at).MoveTo(point)
				}
			}
		}
	}
	md.ResourceMetrics().MoveAndAppendTo(out.ResourceMetrics())
}

// metricOf are the metrics of the quantities of a pool.
var metricOf = [derive.Quantities]string{
	derive.Utilization:      calicometric.PoolUtilization,
	derive.BlockUtilization: calicometric.PoolBlockUtilization,
	derive.Available:        calicometric.PoolAvailable,
	derive.Earliest:         calicometric.PoolExhaustion,
	derive.Expected:         calicometric.PoolExhaustion,
	derive.Latest:           calicometric.PoolExhaustion,
	derive.Growth:           calicometric.PoolGrowth,
}

// pool records the quantities of a pool that are known.
func (e *emitter) pool(at pcommon.Timestamp, labels derive.Labels, known derive.Set, values *[derive.Quantities]float64) {
	family := metadata.MapAttributeIPFamily[labels.Family]
	var cidr []metadata.MetricAttributeOption
	if labels.CIDR != "" {
		cidr = []metadata.MetricAttributeOption{metadata.WithCidrMetricAttribute(labels.CIDR)}
	}
	for q := range derive.Quantity(derive.Quantities) {
		if !known.Has(q) {
			continue
		}
		switch value := values[q]; q {
		case derive.Utilization:
			e.builder.RecordCalicoIpamPoolUtilizationRatioDataPoint(at, value, labels.Pool, family, cidr...)
		case derive.BlockUtilization:
			e.builder.RecordCalicoIpamPoolBlockUtilizationRatioDataPoint(at, value, labels.Pool, family, cidr...)
		case derive.Available:
			e.builder.RecordCalicoIpamPoolAvailableDataPoint(at, value, labels.Pool, family, cidr...)
		case derive.Earliest:
			e.builder.RecordCalicoIpamPoolExhaustionSecondsDataPoint(at, value, labels.Pool, family, metadata.AttributeBoundEarliest, cidr...)
		case derive.Expected:
			e.builder.RecordCalicoIpamPoolExhaustionSecondsDataPoint(at, value, labels.Pool, family, metadata.AttributeBoundExpected, cidr...)
		case derive.Latest:
			e.builder.RecordCalicoIpamPoolExhaustionSecondsDataPoint(at, value, labels.Pool, family, metadata.AttributeBoundLatest, cidr...)
		case derive.Growth:
			e.builder.RecordCalicoIpamPoolGrowthPerHourDataPoint(at, value, labels.Pool, family, cidr...)
		}
	}
}

func (e *emitter) nodes(at pcommon.Timestamp, nodes derive.Nodes) {
	e.builder.RecordCalicoIpamNodesDataPoint(at, int64(nodes.Count),
		metadata.MapAttributeIPFamily[nodes.Family], metadata.MapAttributeNodeState[nodes.State])
}

// shares appends the points of nodes to out, and the ends of those that are gone, in the resource of the scrape. It reports false where there is none.
func (e *emitter) shares(out pmetric.Metrics, scrape *assembly.Scrape, points, gone []nodeshares.Point) (pmetric.ResourceMetrics, bool) {
	if len(points) == 0 && len(gone) == 0 {
		return pmetric.ResourceMetrics{}, false
	}
	rm := out.ResourceMetrics().AppendEmpty()
	scrape.Resource.CopyTo(rm.Resource().Attributes())
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	var open pmetric.NumberDataPointSlice
	last := nodeshares.Metrics
	for len(points) > 0 || len(gone) > 0 {
		// Both are ordered by metric first: the points of one metric stay together.
		var point nodeshares.Point
		ended := len(points) == 0 || len(gone) > 0 && gone[0].Metric < points[0].Metric
		if ended {
			point, gone = gone[0], gone[1:]
		} else {
			point, points = points[0], points[1:]
		}
		if point.Metric != last {
			last = point.Metric
			metric := metrics.AppendEmpty()
			metric.SetName(last.Name())
			metric.SetDescription(scrape.Described[last].Text)
			metric.SetUnit(scrape.Described[last].Unit)
			open = metric.SetEmptyGauge().DataPoints()
		}
		to := open.AppendEmpty()
		if !last.PerNode() {
			to.Attributes().PutStr(calicometric.LabelIPPool, point.Pool)
		}
		to.Attributes().PutStr(calicometric.LabelNode, point.Node)
		if ended {
			staleness.EndOf(to, scrape.Timestamp).MoveTo(to)
			continue
		}
		to.SetTimestamp(scrape.Timestamp)
		to.SetDoubleValue(float64(point.Value))
	}
	return rm, true
}

// ofTarget are the beginnings of the names of attributes that tell of a target, ofCluster those of which tell of its cluster.
var ofTarget = []string{"service.", "server.", "url.", "net.", "http.", "host.", "container.", "process.", "k8s."}

const ofCluster = "k8s.cluster."

// clusterResource makes the attributes of what is derived: those of the cluster, and as service and instance those of the account of its datastore.
// So the series go on whatever target the numbers come from. Where nothing tells the cluster they are those of the target.
func (e *emitter) clusterResource(scrape *assembly.Scrape, attributes pcommon.Map) {
	scrape.Resource.CopyTo(attributes)
	if scrape.Source.Cluster == "" {
		return
	}
	attributes.RemoveIf(func(name string, _ pcommon.Value) bool {
		if strings.HasPrefix(name, ofCluster) || slices.Contains(e.clusterKey, name) {
			return false
		}
		for _, prefix := range ofTarget {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
	attributes.PutStr(calicometric.AttrServiceName, calicometric.JobIPAM)
	attributes.PutStr(calicometric.AttrServiceInstanceID, scrape.Source.Cluster)
}
