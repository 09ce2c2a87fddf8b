package ipampoints

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Info is what the receiver says of one pool.
type Info struct {
	// Pool is metadata.name of the IPPool.
	Pool string
	// CIDR is spec.cidr, empty where it is not told.
	CIDR string
	// Family is calicometric.IPv4 or IPv6, else empty.
	Family string
	// ForPods is set where any pod can get an address from the pool: enabled, for workloads, assigned automatically.
	// Such pools make up the cluster's utilization.
	ForPods bool
}

// InfoBatch holds all pools of one cluster at one moment. It is reused from batch to batch, the zero value is ready.
type InfoBatch struct {
	// Timestamp is the moment.
	Timestamp pcommon.Timestamp
	// Pools holds what is known of each pool, in the order of the points.
	Pools []Info
	// Empty is set where there was no point at all, not even one that says that a pool went away.
	Empty bool
}

// Read fills b with the newest calico_ipam_pool_info points in rm.
//
// A staleness marker adds no pool but dates the batch: where all pools went away, the batch says that there is none.
// A pool whose labels changed has both a point and a marker in one batch, which is why markers do not remove pools here.
func (b *InfoBatch) Read(rm pmetric.ResourceMetrics) {
	b.reset(0)
	b.Empty = true
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		metrics := scopes.At(i).Metrics()
		for j := range metrics.Len() {
			metric := metrics.At(j)
			if metric.Name() != calicometric.PoolInfo {
				continue
			}
			points, ok := numberPoints(metric)
			if !ok {
				continue
			}
			for k := range points.Len() {
				b.add(points.At(k))
			}
		}
	}
}

func (b *InfoBatch) reset(timestamp pcommon.Timestamp) {
	b.Timestamp = timestamp
	b.Pools = b.Pools[:0]
}

func (b *InfoBatch) add(point pmetric.NumberDataPoint) {
	timestamp := point.Timestamp()
	switch {
	case b.Empty || timestamp > b.Timestamp:
		b.Empty = false
		b.reset(timestamp)
	case timestamp < b.Timestamp:
		return
	}
	name := label(point, calicometric.LabelIPPool)
	if name == "" || name == calicometric.NoPool || isMarker(point) {
		return
	}
	info := Info{Pool: name, CIDR: label(point, calicometric.LabelCIDR)}
	switch family := label(point, calicometric.LabelIPFamily); family {
	case calicometric.IPv4, calicometric.IPv6:
		info.Family = family
	}
	info.ForPods = info.Family != "" &&
		label(point, calicometric.LabelState) == calicometric.PoolEnabled &&
		label(point, calicometric.LabelAssignmentMode) != calicometric.AssignmentManual &&
		contains(label(point, calicometric.LabelAllowedUses), calicometric.UseWorkload)
	b.Pools = append(b.Pools, info)
}

// contains reports whether a comma joined list has an item.
func contains(list, item string) bool {
	for next := range strings.SplitSeq(list, ",") {
		if next == item {
			return true
		}
	}
	return false
}
