// Package ipampoints reads the data points of Calico's IPAM metrics into plain values.
// It decides what a point says and whether it can be believed; what follows from it is decided elsewhere.
package ipampoints

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Content says which of the metrics this package reads a resource holds.
type Content uint8

const (
	// HasSizes is set where ipam_ippool_size is there, which makes the resource a scrape of IPAM.
	HasSizes Content = 1 << iota
	// HasInfo is set where calico_ipam_pool_info is there.
	HasInfo
)

// Look tells what a resource holds by the names of its metrics alone. It neither allocates nor looks at a point.
func Look(rm pmetric.ResourceMetrics) Content {
	var content Content
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		metrics := scopes.At(i).Metrics()
		for j := range metrics.Len() {
			switch metrics.At(j).Name() {
			case calicometric.IPPoolSize:
				content |= HasSizes
			case calicometric.PoolInfo:
				content |= HasInfo
			}
		}
	}
	return content
}

// numberPoints returns the points of a gauge or sum, false for every other type.
// Calico publishes gauges; a relay in between may have made sums of them.
func numberPoints(metric pmetric.Metric) (pmetric.NumberDataPointSlice, bool) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return metric.Gauge().DataPoints(), true
	case pmetric.MetricTypeSum:
		return metric.Sum().DataPoints(), true
	default:
		return pmetric.NumberDataPointSlice{}, false
	}
}

// count returns the value of a point, false where it is no number of addresses.
func count(point pmetric.NumberDataPoint) (addresses.Count, bool) {
	switch point.ValueType() {
	case pmetric.NumberDataPointValueTypeDouble:
		return addresses.FromFloat(point.DoubleValue())
	case pmetric.NumberDataPointValueTypeInt:
		return addresses.FromInt(point.IntValue())
	default:
		return addresses.Count{}, false
	}
}

// label returns a label of a point, empty where there is none.
func label(point pmetric.NumberDataPoint, name string) string {
	value, found := point.Attributes().Get(name)
	if !found || value.Type() != pcommon.ValueTypeStr {
		return ""
	}
	return value.Str()
}

// isMarker reports whether a point only says that its series has ended.
func isMarker(point pmetric.NumberDataPoint) bool {
	return point.Flags().NoRecordedValue()
}
