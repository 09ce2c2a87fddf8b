// Package ipampoints reads the data points of Calico's IPAM metrics into plain values.
// It decides what a point says and whether it can be believed; what follows from it is decided elsewhere.
package ipampoints

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
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
	// BlockSize is the prefix length of the blocks, 0 where it is not told.
	BlockSize int
	// Enabled is set where addresses are given out from the pool.
	Enabled bool
	// ForPods is set where any pod can get an address from the pool: enabled, for workloads, assigned automatically.
	// Such pools make up the cluster's utilization.
	ForPods bool
}

// Blocks returns the number of blocks that the pool is divided into; none where that is not told.
func (i Info) Blocks() addresses.Count {
	cidr, err := netip.ParsePrefix(i.CIDR)
	if err != nil || i.BlockSize <= 0 || i.BlockSize < cidr.Bits() || i.BlockSize > cidr.Addr().BitLen() {
		return addresses.Count{}
	}
	return addresses.Power(i.BlockSize - cidr.Bits())
}

// Described is a pool as its IPPool describes it.
type Described struct {
	// Pool is metadata.name, CIDR spec.cidr, Family calicometric.IPv4 or IPv6.
	Pool, CIDR, Family string
	// BlockSize is the prefix length of the blocks; 0 for not told.
	BlockSize int
	// State is one of calicometric's states of pools, AllowedUses are the uses joined by commas, AssignmentMode is empty before Calico had it.
	State, AllowedUses, AssignmentMode string
}

// Info returns what follows from a description.
func (d Described) Info() Info {
	// A label may be part of all labels of a series, which it would keep alive.
	info := Info{Pool: strings.Clone(d.Pool), CIDR: strings.Clone(d.CIDR), BlockSize: d.BlockSize}
	switch d.Family {
	case calicometric.IPv4:
		info.Family = calicometric.IPv4
	case calicometric.IPv6:
		info.Family = calicometric.IPv6
	}
	info.Enabled = d.State == calicometric.PoolEnabled
	info.ForPods = info.Family != "" && info.Enabled && d.AssignmentMode != calicometric.AssignmentManual &&
		contains(d.AllowedUses, calicometric.UseWorkload)
	return info
}

// InfoBatch holds all pools of one cluster at one moment. It is reused from batch to batch, the zero value is ready.
type InfoBatch struct {
	// Timestamp is the moment.
	Timestamp pcommon.Timestamp
	// Pools holds what is known of each pool, in the order of the points.
	Pools []Info
	// Ended is the number of points that only say that a pool, or what it was labelled with, went away.
	Ended int
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
			points, ok := Points(metric)
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
	b.Pools, b.Ended = b.Pools[:0], 0
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
	name, ok := PoolOf(point)
	switch {
	case !ok:
		return
	case IsMarker(point):
		b.Ended++
		return
	}
	b.Pools = append(b.Pools, Described{
		Pool:           name,
		CIDR:           label(point, calicometric.LabelCIDR),
		Family:         label(point, calicometric.LabelIPFamily),
		BlockSize:      blockSize(point),
		State:          label(point, calicometric.LabelState),
		AllowedUses:    label(point, calicometric.LabelAllowedUses),
		AssignmentMode: label(point, calicometric.LabelAssignmentMode),
	}.Info())
}

// blockSize returns the label of that name, 0 where there is none: a number, or one that a relay has made text of.
func blockSize(point pmetric.NumberDataPoint) int {
	value, found := point.Attributes().Get(calicometric.LabelBlockSize)
	if !found {
		return 0
	}
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return int(min(max(value.Int(), 0), math.MaxUint8))
	case pcommon.ValueTypeStr:
		size, err := strconv.ParseUint(value.Str(), 10, 8)
		if err != nil {
			return 0
		}
		return int(size)
	default:
		return 0
	}
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
