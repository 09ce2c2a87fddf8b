package ipam

import (
	"net/netip"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

// Report is the account at one moment.
type Report struct {
	// Pools are ordered by name.
	Pools []PoolReport
	// Orphaned is how many addresses are allocated in blocks that no pool covers.
	Orphaned int
	// NoPool are the nodes' shares of such blocks, and of those of terminating pools, as kube-controllers counts both: under no_ippool.
	NoPool []NodeShare
	// NodeNames are those of the cluster's nodes, ordered.
	NodeNames []string
	// Nodes are ordered by name and IP family: each node of the cluster with each family that there is a pool of.
	Nodes []NodeReport
	// Namespaces are ordered by name; empty where they are not counted.
	Namespaces []NamespaceReport
}

// PoolReport is what the account has of one pool. Addresses are those of its blocks; a block belongs to the smallest pool that covers it.
type PoolReport struct {
	Pool
	// Size is the number of addresses of the CIDR, and Reserved how many of them reservations cover, allocated or not.
	Size, Reserved addresses.Count
	// Allocated is how many are not free in their block, and Cooling how many of them were released and cannot be given out yet.
	Allocated, Cooling int
	// Assignable is how many addresses can be given out now, in blocks that are claimed or that can be.
	Assignable addresses.Count
	// Uses are those of the allocated addresses that were not released, by Use.
	Uses [uses]int
	// Used and Empty are the blocks that are there, without and with no address in use.
	Used, Empty int
	// Unclaimed are the blocks that are not there, and ReservedBlocks those of them that a reservation covers whole: nobody can claim those, and
	// Unclaimed is without them.
	Unclaimed, ReservedBlocks addresses.Count
	// Nodes are ordered by name.
	Nodes []NodeShare
}

// NodeShare is a node's share of a pool, as kube-controllers counts it.
type NodeShare struct {
	// Node is its name, or what stands for it in Calico's metrics: unknown_node, no_affinity.
	Node string
	// InUse are the addresses with a handle that belong to the node, and Borrowed those of them that are in a block of another's.
	InUse, Borrowed int
	// Lent are addresses in the node's blocks that belong to another.
	Lent int
	// Blocks are those that are affine to the node.
	Blocks int
}

// NodeReport is what one node can still give out of one IP family.
type NodeReport struct {
	Node, Family string
	// BlocksLimit is how many blocks the node may claim for pods, and Blocks how many it has of those that count.
	BlocksLimit, Blocks int
	// Assignable is how many addresses the node could give to pods.
	Assignable addresses.Count
}

// NamespaceReport is how many addresses the pods of a namespace have.
type NamespaceReport struct {
	Namespace string
	Allocated int
}

// BlockReport is what the account has of one block.
type BlockReport struct {
	CIDR netip.Prefix
	// Pool is the name of the pool that it belongs to; empty where none covers it.
	Pool string
	// Affinity is whose block it is, as in host:node-1; empty is nobody's.
	Affinity string
	// Size is the number of its addresses, and Allocated how many of them are not free.
	Size, Allocated int
}
