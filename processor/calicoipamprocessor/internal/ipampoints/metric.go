package ipampoints

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
)

// Metric is what a metric means to a scrape of IPAM. The zero value is one that means nothing.
type Metric struct {
	role role
	// share and shared are for a metric that nodes have shares of.
	share  nodeshares.Metric
	shared bool
}

// role is what a metric tells.
type role uint8

const (
	none role = iota
	info
	size
	reserved
	inUse
	blocks
	poolAllocated
	poolBlocks
	nodeBlocks
	nodeBlocksLimit
	nodeAssignable
)

var roles = map[string]role{
	calicometric.PoolInfo:         info,
	calicometric.IPPoolSize:       size,
	calicometric.IPPoolReserved:   reserved,
	calicometric.AllocationsInUse: inUse,
	calicometric.Blocks:           blocks,
	calicometric.PoolAllocated:    poolAllocated,
	calicometric.PoolBlocks:       poolBlocks,
	calicometric.NodeBlocks:       nodeBlocks,
	calicometric.NodeBlocksLimit:  nodeBlocksLimit,
	calicometric.NodeAssignable:   nodeAssignable,
}

// MetricOf returns what the metric of a name means.
func MetricOf(name string) Metric {
	if !concerns(name) {
		return Metric{}
	}
	share, shared := nodeshares.MetricOf(name)
	return Metric{role: roles[name], share: share, shared: shared}
}

// PartOfScrape reports whether the metric is one that scrapes are made of.
func (m Metric) PartOfScrape() bool { return m.role != none || m.shared }

// PerNode reports whether the metric tells nodes apart, as a sum over nodes could not.
func (m Metric) PerNode() bool {
	return m.role == nodeBlocks || m.role == nodeBlocksLimit || m.role == nodeAssignable
}

// Share returns the metric as one that nodes have shares of, false where it is none.
func (m Metric) Share() (nodeshares.Metric, bool) { return m.share, m.shared }

// concerns reports whether a metric is about IPAM at all. Nearly all that passes through a pipeline is not, and must cost next to nothing.
func concerns(name string) bool {
	return strings.HasPrefix(name, calicometric.IPAMPrefix) || strings.HasPrefix(name, calicometric.OwnIPAMPrefix)
}

// IsCalicos reports whether a metric is of Calico's own names, which the processor adds labels to.
func IsCalicos(name string) bool { return strings.HasPrefix(name, calicometric.IPAMPrefix) }

// derived are the metrics that a processor like this one derives.
var derived = map[string]bool{
	calicometric.PoolUtilization:      true,
	calicometric.PoolBlockUtilization: true,
	calicometric.PoolAvailable:        true,
	calicometric.PoolExhaustion:       true,
	calicometric.PoolGrowth:           true,
	calicometric.ClusterUtilization:   true,
	calicometric.Nodes:                true,
}

// Content says which of the metrics this package reads a resource holds.
type Content uint8

const (
	// HasScrape is set where a metric that scrapes of IPAM are made of is there.
	HasScrape Content = 1 << iota
	// HasInfo is set where calico_ipam_pool_info is there.
	HasInfo
	// HasCalicos is set where a metric of Calico's own names is there.
	HasCalicos
	// HasDerived is set where there is what a processor like this one has computed already.
	HasDerived
)

// Look tells what a resource holds by the names of its metrics alone. It neither allocates nor looks at a point.
func Look(rm pmetric.ResourceMetrics) Content {
	var content Content
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		metrics := scopes.At(i).Metrics()
		for j := range metrics.Len() {
			name := metrics.At(j).Name()
			if !concerns(name) {
				continue
			}
			switch {
			case derived[name]:
				content |= HasDerived
			case MetricOf(name).PartOfScrape():
				content |= HasScrape
			}
			if name == calicometric.PoolInfo {
				content |= HasInfo
			}
			if IsCalicos(name) {
				content |= HasCalicos
			}
		}
	}
	return content
}

// Derived returns when numbers were derived that a resource holds, false where it holds none.
func Derived(rm pmetric.ResourceMetrics) (at pcommon.Timestamp, ok bool) {
	for _, scope := range rm.ScopeMetrics().All() {
		for _, metric := range scope.Metrics().All() {
			if !derived[metric.Name()] {
				continue
			}
			points, isNumber := Points(metric)
			if !isNumber {
				continue
			}
			for _, point := range points.All() {
				if !IsMarker(point) {
					at, ok = max(at, point.Timestamp()), true
				}
			}
		}
	}
	return at, ok
}

// Points returns the points of a gauge or sum, false for every other type.
// Calico publishes gauges; a relay in between may have made sums of them.
func Points(metric pmetric.Metric) (pmetric.NumberDataPointSlice, bool) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return metric.Gauge().DataPoints(), true
	case pmetric.MetricTypeSum:
		return metric.Sum().DataPoints(), true
	default:
		return pmetric.NumberDataPointSlice{}, false
	}
}

// count returns the value of a point, false where it is no number of addresses or blocks.
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

// PoolOf returns the pool that a point is about, false where it is about none: it names none, or calicometric.NoPool.
func PoolOf(point pmetric.NumberDataPoint) (string, bool) {
	name := label(point, calicometric.LabelIPPool)
	return name, name != "" && name != calicometric.NoPool
}

// IsMarker reports whether a point only says that its series has ended.
func IsMarker(point pmetric.NumberDataPoint) bool {
	return point.Flags().NoRecordedValue()
}
