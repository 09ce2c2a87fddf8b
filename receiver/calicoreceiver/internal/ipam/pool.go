package ipam

import (
	"net/netip"
	"slices"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Pool is what is read of an IPPool, with Calico's defaults applied (libcalico-go/lib/clientv3/ippool.go, convertIPPool).
type Pool struct {
	Name string
	CIDR netip.Prefix
	// BlockSize is the prefix length of the blocks that nodes claim.
	BlockSize int
	// State is enabled, disabled or terminating. Calico's IPAM counts a pool as gone once it has a deletion timestamp, and gives nothing from
	// one that its own controller found not to be allocatable, as where CIDRs overlap.
	State string
	// AllowedUses is sorted: LoadBalancer, Tunnel, Workload.
	AllowedUses []string
	// AssignmentMode is Automatic, or Manual for a pool that is used on request only.
	AssignmentMode string
	// Encapsulation is None, IPIP, IPIPCrossSubnet, VXLAN or VXLANCrossSubnet.
	Encapsulation string
	// NodeSelector picks the nodes that may use the pool, in Calico's syntax; empty is all.
	NodeSelector string
	// NamespaceSelector picks the namespaces whose pods may, in the same syntax (Calico 3.31+); empty is all.
	NamespaceSelector string
}

// Family is the pool's IP family as the label ip_family spells it.
func (p Pool) Family() string { return familyOf(p.CIDR) }

func familyOf(prefix netip.Prefix) string {
	if prefix.Addr().Is4() {
		return calicometric.IPv4
	}
	return calicometric.IPv6
}

func (p Pool) forSomeNamespaces() bool {
	return p.NamespaceSelector != "" && p.NamespaceSelector != "all()"
}

func (p Pool) allows(use string) bool { return slices.Contains(p.AllowedUses, use) }

// Affinity is what is read of a BlockAffinity, whatever its state: Calico counts each against the limit of its node
// (libcalico-go/lib/ipam/ipam_block_reader_writer.go, getAffineBlocks).
type Affinity struct {
	CIDR netip.Prefix
	// Node has claimed the block; empty where that is nobody who runs pods, as for the addresses of load balancers.
	Node string
}

// Config is what is read of Calico's IPAM configuration.
type Config struct {
	// StrictAffinity keeps nodes from taking addresses of each other's blocks.
	StrictAffinity bool
	// AutoAllocateBlocks lets nodes claim blocks.
	AutoAllocateBlocks bool
	// MaxBlocksPerHost is how many blocks a node may claim of each IP family; 0 is Calico's own limit.
	MaxBlocksPerHost int
	// Cooldown is how long a released address is not given out (Calico 3.33+).
	Cooldown time.Duration
}

// DefaultConfig is what holds where there is no configuration (libcalico-go/lib/ipam/ipam.go, GetIPAMConfig).
func DefaultConfig() Config { return Config{AutoAllocateBlocks: true} }

// defaultMaxBlocksPerHost is hard-coded in Calico (libcalico-go/lib/ipam/ipam.go, autoAssign).
const defaultMaxBlocksPerHost = 20

func (c Config) blocksLimit() int {
	if c.MaxBlocksPerHost > 0 {
		return c.MaxBlocksPerHost
	}
	return defaultMaxBlocksPerHost
}
