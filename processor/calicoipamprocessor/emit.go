package calicoipamprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/derive"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// Units as UCUM writes them. Neither makes a Prometheus exporter append a suffix to the names: they end in their unit already.
const (
	unitRatio     = "1"
	unitAddresses = "{address}"
)

// write appends result and p.ended to a resource, in a scope of their own behind all that came in, with the timestamp of the scrape.
// Nothing to say leaves the resource as it is.
func (p *ipamProcessor) write(rm pmetric.ResourceMetrics, result *derive.Result) {
	if len(result.Pools) == 0 && len(result.Families) == 0 && p.ended.None() {
		return
	}
	scope := rm.ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	scope.Scope().SetVersion(p.version)
	out := writer{metrics: scope.Metrics(), timestamp: p.scrape.Timestamp}
	out.metrics.EnsureCapacity(3)

	rated := 0
	for i := range result.Pools {
		if result.Pools[i].Rated {
			rated++
		}
	}
	if points, ok := out.gauge(calicometric.PoolUtilization, unitRatio,
		"Share of the usable addresses of the IP pool that are allocated.", rated+len(p.ended.Utilization)); ok {
		for i := range result.Pools {
			if pool := &result.Pools[i]; pool.Rated {
				out.poolPoint(points, pool.Labels).SetDoubleValue(pool.Utilization)
			}
		}
		out.endPools(points, p.ended.Utilization)
	}
	if points, ok := out.gauge(calicometric.PoolAvailable, unitAddresses,
		"Addresses of the IP pool that are neither reserved nor allocated.", len(result.Pools)+len(p.ended.Available)); ok {
		for i := range result.Pools {
			pool := &result.Pools[i]
			out.poolPoint(points, pool.Labels).SetDoubleValue(pool.Available)
		}
		out.endPools(points, p.ended.Available)
	}
	if points, ok := out.gauge(calicometric.ClusterUtilization, unitRatio,
		"Share of the usable addresses that are allocated, over the enabled IP pools that any pod can use.", len(result.Families)+len(p.ended.Families)); ok {
		for _, family := range result.Families {
			out.familyPoint(points, family.Name).SetDoubleValue(family.Utilization)
		}
		for _, family := range p.ended.Families {
			end(out.familyPoint(points, family))
		}
	}
}

// writer writes gauges of one scrape.
type writer struct {
	metrics   pmetric.MetricSlice
	timestamp pcommon.Timestamp
}

// gauge appends a gauge with room for n points, and reports false for none of them: a metric without points is no metric.
func (w *writer) gauge(name, unit, description string, n int) (pmetric.NumberDataPointSlice, bool) {
	if n == 0 {
		return pmetric.NumberDataPointSlice{}, false
	}
	metric := w.metrics.AppendEmpty()
	metric.SetName(name)
	metric.SetUnit(unit)
	metric.SetDescription(description)
	points := metric.SetEmptyGauge().DataPoints()
	points.EnsureCapacity(n)
	return points, true
}

func (w *writer) poolPoint(points pmetric.NumberDataPointSlice, labels derive.Labels) pmetric.NumberDataPoint {
	point := points.AppendEmpty()
	point.SetTimestamp(w.timestamp)
	attributes := point.Attributes()
	attributes.EnsureCapacity(3)
	attributes.PutStr(calicometric.LabelIPPool, labels.Pool)
	if labels.CIDR != "" {
		attributes.PutStr(calicometric.LabelCIDR, labels.CIDR)
	}
	attributes.PutStr(calicometric.LabelIPFamily, labels.Family)
	return point
}

func (w *writer) familyPoint(points pmetric.NumberDataPointSlice, family string) pmetric.NumberDataPoint {
	point := points.AppendEmpty()
	point.SetTimestamp(w.timestamp)
	point.Attributes().PutStr(calicometric.LabelIPFamily, family)
	return point
}

func (w *writer) endPools(points pmetric.NumberDataPointSlice, ended []derive.Labels) {
	for _, labels := range ended {
		end(w.poolPoint(points, labels))
	}
}

// end makes a point a staleness marker: its series ends at the point's timestamp.
func end(point pmetric.NumberDataPoint) {
	point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
}
