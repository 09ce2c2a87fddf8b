// Package calicometric holds the metric, label and resource attribute names that more than one component uses.
// Names that Calico publishes stand here as Calico spells them; those with the prefix calico_ are ours.
package calicometric

// What kube-controllers publishes of its IP address management (IPAM), and what the datastore source publishes under the same names.
const (
	// IPPoolSize is the number of addresses in the CIDR of a pool. Label: ippool.
	IPPoolSize = "ipam_ippool_size"
	// IPPoolReserved is the number of addresses of a pool that an IPReservation covers (Calico 3.33+). Label: ippool.
	IPPoolReserved = "ipam_ippool_reserved"
	// AllocationsInUse is the number of addresses allocated to a workload or tunnel. Labels: ippool, node.
	AllocationsInUse = "ipam_allocations_in_use"
	// AllocationsBorrowed is how many of them are from a block that is another node's. Labels: ippool, node.
	AllocationsBorrowed = "ipam_allocations_borrowed"
	// Blocks is the number of blocks that are a node's. Labels: ippool, node.
	Blocks = "ipam_blocks"
	// AllocationsGCCandidates is how many allocated addresses the garbage collection of kube-controllers suspects to be leaked. Labels: ippool, node.
	AllocationsGCCandidates = "ipam_allocations_gc_candidates"
	// AllocationsGCReclamations counts the addresses that it has given back, only for nodes that had one. Labels: ippool, node.
	AllocationsGCReclamations = "ipam_allocations_gc_reclamations"

	// AllocationsPerNode is AllocationsInUse over all pools, in the metrics that Calico keeps for old dashboards. Label: node.
	AllocationsPerNode = "ipam_allocations_per_node"
	// AllocationsBorrowedPerNode is AllocationsBorrowed over all pools. Label: node.
	AllocationsBorrowedPerNode = "ipam_allocations_borrowed_per_node"
	// BlocksPerNode is Blocks over all pools. Label: node.
	BlocksPerNode = "ipam_blocks_per_node"

	// IPAMPrefix is what the names of all of them begin with, those too that only kube-controllers knows.
	IPAMPrefix = "ipam_"
)

// What the receiver says of pools and nodes.
const (
	// PoolInfo is 1 for every pool and carries what never changes its number as labels:
	// ippool, cidr, ip_family, block_size, state, allowed_uses, assignment_mode, encapsulation.
	PoolInfo = "calico_ipam_pool_info"
	// PoolAllocated is the number of addresses of a pool that are not free in their block, those that cool down among them. Label: ippool.
	PoolAllocated = "calico_ipam_pool_allocated"
	// PoolBlocks is the number of blocks of a pool by what has become of them. Labels: ippool, state.
	PoolBlocks = "calico_ipam_pool_blocks"
	// AllocationsLent is the number of addresses in a node's blocks that belong to others, without a series for 0. Labels: ippool, node.
	AllocationsLent = "calico_ipam_allocations_lent"
	// NodeBlocks is the number of blocks of a node that count against NodeBlocksLimit. Labels: node, ip_family.
	NodeBlocks = "calico_ipam_node_blocks"
	// NodeBlocksLimit is the number of blocks that a node may claim. Labels: node, ip_family.
	NodeBlocksLimit = "calico_ipam_node_blocks_limit"
	// NodeAssignable is the number of addresses that could be given to a pod on the node now. Labels: node, ip_family.
	NodeAssignable = "calico_ipam_node_assignable"

	// OwnIPAMPrefix is what the names of all that is ours about IPAM begin with, those too that the processor derives.
	OwnIPAMPrefix = "calico_ipam_"
)

// What the processor derives.
const (
	// PoolUtilization is allocated / (size − reserved), 0..1. Labels: ippool, cidr, ip_family.
	PoolUtilization = "calico_ipam_pool_utilization_ratio"
	// PoolBlockUtilization is claimed blocks / blocks that can be claimed, 0..1. Labels: ippool, cidr, ip_family.
	PoolBlockUtilization = "calico_ipam_pool_block_utilization_ratio"
	// PoolExhaustion is in how many seconds the pool is full. Labels: ippool, cidr, ip_family, bound.
	PoolExhaustion = "calico_ipam_pool_exhaustion_seconds"
	// PoolGrowth is the trend of the pool's allocated addresses, in addresses an hour. Labels: ippool, cidr, ip_family.
	PoolGrowth = "calico_ipam_pool_growth_per_hour"
	// Nodes is the number of nodes by how many addresses they can still give to pods. Labels: ip_family, state.
	Nodes = "calico_ipam_nodes"
	// PoolAvailable is size − reserved − allocated in addresses, never below 0. Labels: ippool, cidr, ip_family.
	PoolAvailable = "calico_ipam_pool_available"
	// ClusterUtilization is allocated / (size − reserved) over the enabled pools that pods may use. Label: ip_family.
	ClusterUtilization = "calico_ipam_cluster_utilization_ratio"
)

// Labels of data points.
const (
	LabelNode           = "node"
	LabelIPPool         = "ippool"
	LabelCIDR           = "cidr"
	LabelIPFamily       = "ip_family"
	LabelBlockSize      = "block_size"
	LabelState          = "state"
	LabelAllowedUses    = "allowed_uses"
	LabelAssignmentMode = "assignment_mode"
)

// Values of LabelIPFamily, spelled as Kubernetes spells them in ipFamilies.
const (
	IPv4      = "IPv4"
	IPv6      = "IPv6"
	IPUnknown = "unknown"
)

// Values of LabelState on PoolInfo.
const (
	PoolEnabled     = "enabled"
	PoolDisabled    = "disabled"
	PoolTerminating = "terminating"
)

// Values of LabelState on PoolBlocks.
const (
	// BlocksUsed have an address in use.
	BlocksUsed = "used"
	// BlocksEmpty are claimed by a node, without an address in use.
	BlocksEmpty = "empty"
	// BlocksUnclaimed are there to be claimed by a node.
	BlocksUnclaimed = "unclaimed"
	// BlocksReserved are those that no node can claim because a reservation covers them.
	BlocksReserved = "reserved"
)

// Values of LabelState on Nodes.
const (
	NodeOK = "ok"
	// NodeCapped nodes have as many blocks as they may claim.
	NodeCapped = "capped"
	// NodeStarved nodes have no address left to give to a pod.
	NodeStarved = "starved"
)

// Values in LabelAllowedUses, which joins them sorted, with a comma.
const (
	UseWorkload     = "Workload"
	UseTunnel       = "Tunnel"
	UseLoadBalancer = "LoadBalancer"
)

// Values of LabelAssignmentMode.
const (
	AssignmentAutomatic = "Automatic"
	// AssignmentManual pools are used only where a pod asks for them by name.
	AssignmentManual = "Manual"
)

// NoPool is the ippool under which kube-controllers counts blocks that no pool covers.
// Consumers must not trust it: kube-controllers keeps its last value after the last such block is gone (projectcalico/calico#8562).
const NoPool = "no_ippool"

// Values of LabelNode that are no node, as kube-controllers has them.
const (
	// UnknownNode has addresses whose node Calico does not say, such as those of load balancers.
	UnknownNode = "unknown_node"
	// NoAffinity has blocks that are no node's.
	NoAffinity = "no_affinity"
)

// Values of LabelNode that are sums, where the receiver is asked not to tell all nodes apart. No node of Kubernetes can have a name with an underscore.
const (
	// AllNodes is the sum of all nodes, and of what is no node's.
	AllNodes = "all_nodes"
	// OtherNodes is the sum of the nodes that have no series of their own.
	OtherNodes = "other_nodes"
)

// Resource attributes, as OpenTelemetry's semantic conventions name them.
const (
	AttrServiceName       = "service.name"
	AttrServiceInstanceID = "service.instance.id"
	AttrClusterName       = "k8s.cluster.name"
	AttrClusterUID        = "k8s.cluster.uid"
	AttrNamespace         = "k8s.namespace.name"
	AttrPod               = "k8s.pod.name"
	AttrNode              = "k8s.node.name"
)

// Values of AttrServiceName: the jobs of one cluster.
const (
	JobFelix           = "calico-felix"
	JobTypha           = "calico-typha"
	JobKubeControllers = "calico-kube-controllers"
	JobGoldmane        = "calico-goldmane"
	JobOperator        = "tigera-operator"
	JobIPAM            = "calico-ipam"
	// JobCluster is what the receiver says of a cluster as a whole: its endpoints, its settings, its BGP sessions.
	JobCluster = "calico-cluster"
)
