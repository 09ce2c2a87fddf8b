package calicoreceiver

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

// ipamFacts writes the account of Calico's addresses as metrics.
type ipamFacts struct {
	logger  *zap.Logger
	builder *metadata.MetricsBuilder
	detail  nodeDetail
	// tooMany is that zeros were left out, which is said once.
	tooMany bool
}

// uses are the values of the label use.
var uses = map[ipam.Use]metadata.AttributeUse{
	ipam.UseWorkload:        metadata.AttributeUseWorkload,
	ipam.UseTunnel:          metadata.AttributeUseTunnel,
	ipam.UseLoadBalancer:    metadata.AttributeUseLoadBalancer,
	ipam.UseWindowsReserved: metadata.AttributeUseWindowsReserved,
	ipam.UseOther:           metadata.AttributeUseOther,
}

// write writes an account that is ready. What is not known is left out.
func (f *ipamFacts) write(ts pcommon.Timestamp, account cluster.IPAM) {
	report := account.Report
	var seeds []string
	if !account.NodesUnknown {
		seeds = f.seeds(report)
	}
	for _, pool := range report.Pools {
		f.pool(ts, account, pool)
		if pool.State != calicometric.PoolTerminating {
			f.compatible(ts, account, pool, seeds)
		}
	}
	f.shares(ts, calicometric.NoPool, report.NoPool, nil)
	f.builder.RecordCalicoIpamOrphanedAllocationsDataPoint(ts, int64(report.Orphaned))
	for _, namespace := range report.Namespaces {
		f.builder.RecordCalicoIpamNamespaceAllocationsDataPoint(ts, int64(namespace.Allocated), namespace.Namespace)
	}
	if account.NodesUnknown || account.ConfigUnknown || f.detail.Mode == NodeDetailNone {
		return
	}
	for _, node := range report.Nodes {
		family := metadata.MapAttributeIPFamily[node.Family]
		f.builder.RecordCalicoIpamNodeBlocksDataPoint(ts, int64(node.Blocks), node.Node, family)
		f.builder.RecordCalicoIpamNodeBlocksLimitDataPoint(ts, int64(node.BlocksLimit), node.Node, family)
		if !account.ReservationsUnknown {
			f.builder.RecordCalicoIpamNodeAssignableDataPoint(ts, node.Assignable.Float64(), node.Node, family)
		}
	}
}

// seeds are the nodes that have zeros in each pool.
func (f *ipamFacts) seeds(report ipam.Report) []string {
	seeds, tooMany := f.detail.seeds(report.NodeNames, len(report.Pools))
	if tooMany && !f.tooMany {
		f.logger.Info("there are too many nodes and pools for a series of each pair: those with 0 are left out",
			zap.Int("nodes", len(report.NodeNames)), zap.Int("pools", len(report.Pools)), zap.Int("limit", maxZeroPairs))
	}
	f.tooMany = f.tooMany || tooMany
	return seeds
}

// pool writes what no metric of Calico's says.
func (f *ipamFacts) pool(ts pcommon.Timestamp, account cluster.IPAM, pool ipam.PoolReport) {
	f.builder.RecordCalicoIpamPoolAllocatedDataPoint(ts, int64(pool.Allocated), pool.Name)
	if !account.ConfigUnknown { // it says for how long
		f.builder.RecordCalicoIpamPoolCoolingDataPoint(ts, int64(pool.Cooling), pool.Name)
	}
	for use, addresses := range pool.Uses {
		f.builder.RecordCalicoIpamAllocationsDataPoint(ts, int64(addresses), pool.Name, uses[ipam.Use(use)])
	}
	f.builder.RecordCalicoIpamPoolBlocksDataPoint(ts, float64(pool.Used), pool.Name, metadata.AttributeBlockStateUsed)
	f.builder.RecordCalicoIpamPoolBlocksDataPoint(ts, float64(pool.Empty), pool.Name, metadata.AttributeBlockStateEmpty)
	if account.ReservationsUnknown {
		return
	}
	f.builder.RecordCalicoIpamPoolBlocksDataPoint(ts, pool.Unclaimed.Float64(), pool.Name, metadata.AttributeBlockStateUnclaimed)
	f.builder.RecordCalicoIpamPoolBlocksDataPoint(ts, pool.ReservedBlocks.Float64(), pool.Name, metadata.AttributeBlockStateReserved)
	if !account.ConfigUnknown && !account.NodesUnknown {
		f.builder.RecordCalicoIpamPoolAssignableDataPoint(ts, pool.Assignable.Float64(), pool.Name)
	}
}

// compatible writes what kube-controllers publishes too, under the same names and by the same rules (kube-controllers/pkg/controllers/node/ipam.go).
// One that is being deleted is no pool to it any more.
func (f *ipamFacts) compatible(ts pcommon.Timestamp, account cluster.IPAM, pool ipam.PoolReport, seeds []string) {
	f.builder.RecordIpamIppoolSizeDataPoint(ts, pool.Size.Float64(), pool.Name)
	if !account.ReservationsUnknown {
		f.builder.RecordIpamIppoolReservedDataPoint(ts, pool.Reserved.Float64(), pool.Name)
	}
	f.shares(ts, pool.Name, pool.Nodes, seeds)
}

// shares writes what is told apart by node of a pool, or of the blocks without one: that there is none of those is no number to be known.
func (f *ipamFacts) shares(ts pcommon.Timestamp, pool string, nodes []ipam.NodeShare, seeds []string) {
	shares := f.detail.shares(nodes, seeds)
	known := pool != calicometric.NoPool
	for node, value := range nodedetail.Points(shares, nodedetail.InUse, known) {
		f.builder.RecordIpamAllocationsInUseDataPoint(ts, float64(value), pool, node)
	}
	for node, value := range nodedetail.Points(shares, nodedetail.Borrowed, known) {
		f.builder.RecordIpamAllocationsBorrowedDataPoint(ts, float64(value), pool, node)
	}
	for node, value := range nodedetail.Points(shares, nodedetail.Blocks, false) {
		f.builder.RecordIpamBlocksDataPoint(ts, float64(value), pool, node)
	}
	for node, value := range nodedetail.Points(shares, nodedetail.Lent, false) {
		f.builder.RecordCalicoIpamAllocationsLentDataPoint(ts, int64(value), pool, node)
	}
}
