package ipam

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"
)

// Free is the entry of an address in BlockSpec.Allocations that is not allocated.
const Free = -1

// BlockSpec is an IPAMBlock as the API has it.
type BlockSpec struct {
	CIDR string
	// Affinity is whose block it is, as in host:node-1 and virtual:load-balancer; empty is nobody's.
	Affinity string
	// ClaimTime is when it became theirs; zero where Calico does not say, as before 3.32.
	ClaimTime time.Time
	// Allocations has the index in Attributes of every address of the block, or Free.
	Allocations []int
	// Unallocated are the positions in Allocations of the addresses that Calico gives out next.
	Unallocated []int
	Attributes  []Attribute
}

// Attribute says whose an allocated address is.
type Attribute struct {
	// Handle is what the address is released by; nil is none.
	Handle *string
	// Node, Namespace, Pod and Type are those of the owner, each empty where Calico does not say.
	Node, Namespace, Pod, Type string
	// ReleasedAt is when the address was released, from which on it cools down; zero while it is in use (Calico 3.33+).
	ReleasedAt time.Time
}

// Use is what an allocated address is used for.
type Use uint8

// The uses of an address.
const (
	UseWorkload Use = iota
	UseTunnel
	UseLoadBalancer
	// UseWindowsReserved are the four addresses of a block that Windows needs for itself.
	UseWindowsReserved
	// UseOther is what cannot be told: Calico says nothing of the owner.
	UseOther
	uses
)

// ownerKind is who a block belongs to.
type ownerKind uint8

const (
	ownerNone ownerKind = iota
	ownerHost
	ownerVirtual
)

// name is a string that many objects share; unnamed stands for none.
type name = unique.Handle[string]

var unnamed name

// Block is an IPAMBlock in a compact form, with all that the account reads of it. It does not change.
type Block struct {
	cidr  netip.Prefix
	owner name // of the kind; unnamed without one
	// free has a bit for each address that is set where it is not allocated.
	free []uint64
	// shares are the allocated addresses that do not cool down, by owner.
	shares  []share
	cooling *[]cooled // nil as a rule
	claimed uint32    // seconds since 1970, 0 is unknown
	// lost are neither allocated nor given out: Calico counts them among those in use.
	lost      uint32
	ownerKind ownerKind
}

// share is how many addresses of a block have the same owner.
type share struct {
	node      name // unnamed where Calico does not say
	namespace name // of pods; unnamed where namespaces are not counted
	use       Use
	handled   bool // it has a handle
	count     uint32
}

// cooled is an address that was released.
type cooled struct {
	ordinal uint16
	at      int64 // seconds since 1970
}

// The block sizes that Calico accepts have at most 2^12 addresses; a larger one could only come from a fault.
const maxBlockBits = 16

// NewBlock checks a block and makes it compact. It fails on what Calico cannot have written. The pods of namespaces are told apart where namespaces
// is true.
func NewBlock(spec BlockSpec, namespaces bool) (*Block, error) {
	prefix, err := netip.ParsePrefix(spec.CIDR)
	if err != nil {
		return nil, fmt.Errorf("spec.cidr: %w", err)
	}
	if prefix != prefix.Masked() {
		return nil, fmt.Errorf("spec.cidr: %s is no block: it begins in the middle of one", prefix)
	}
	hostBits := prefix.Addr().BitLen() - prefix.Bits()
	if hostBits > maxBlockBits {
		return nil, fmt.Errorf("spec.cidr: %s is too large for a block", prefix)
	}
	b := &Block{cidr: prefix}
	if len(spec.Allocations) != b.size() {
		return nil, fmt.Errorf("spec.allocations: has %d addresses, and %s has %d", len(spec.Allocations), prefix, b.size())
	}
	if err := b.setOwner(spec); err != nil {
		return nil, err
	}
	if err := b.setFree(spec); err != nil {
		return nil, err
	}
	if err := b.setShares(spec, namespaces); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Block) setOwner(spec BlockSpec) error {
	if seconds := spec.ClaimTime.Unix(); seconds > 0 && seconds <= math.MaxUint32 { // until 2106
		b.claimed = uint32(seconds)
	}
	if spec.Affinity == "" {
		return nil
	}
	kind, owner, ok := strings.Cut(spec.Affinity, ":")
	switch {
	case !ok || owner == "":
		return errors.New("spec.affinity: must be as in host:node-1")
	case kind == "host":
		b.ownerKind = ownerHost
	case kind == "virtual":
		b.ownerKind = ownerVirtual
	default:
		return errors.New("spec.affinity: must be of type host or virtual, as in host:node-1")
	}
	b.owner = unique.Make(owner)
	return nil
}

func (b *Block) setFree(spec BlockSpec) error {
	b.free = make([]uint64, (b.size()+63)/64)
	for i, ordinal := range spec.Unallocated {
		if ordinal < 0 || ordinal >= b.size() {
			return fmt.Errorf("spec.unallocated: element %d: %d is no address of %s", i, ordinal, b.cidr)
		}
		if spec.Allocations[ordinal] != Free {
			return fmt.Errorf("spec.unallocated: element %d: %d is allocated", i, ordinal)
		}
		if b.isFree(ordinal) {
			return fmt.Errorf("spec.unallocated: element %d: %d is there twice", i, ordinal)
		}
		b.free[ordinal/64] |= 1 << (ordinal % 64)
	}
	return nil
}

func (b *Block) setShares(spec BlockSpec, namespaces bool) error {
	// Few owners make for few attributes, and an owner has most often one: a list is faster than a map.
	counts := make([]uint32, len(spec.Attributes))
	var cooling []cooled
	for ordinal, index := range spec.Allocations {
		switch {
		case index == Free && !b.isFree(ordinal):
			b.lost++
		case index == Free:
		case index < 0 || index >= len(spec.Attributes):
			return fmt.Errorf("spec.allocations: element %d: there is no attribute %d", ordinal, index)
		case !spec.Attributes[index].ReleasedAt.IsZero():
			cooling = append(cooling, cooled{ordinal: uint16(ordinal), at: spec.Attributes[index].ReleasedAt.Unix()})
		default:
			counts[index]++
		}
	}
	for index, count := range counts {
		if count > 0 {
			s := shareOf(spec.Attributes[index], namespaces)
			s.count = count
			b.add(s)
		}
	}
	b.shares = slices.Clip(b.shares)
	if cooling != nil {
		b.cooling = &cooling
	}
	return nil
}

func shareOf(a Attribute, namespaces bool) share {
	s := share{use: useOf(a), handled: a.Handle != nil}
	if a.Node != "" {
		s.node = unique.Make(a.Node)
	}
	if namespaces && s.use == UseWorkload && a.Namespace != "" {
		s.namespace = unique.Make(a.Namespace)
	}
	return s
}

// The handles by which Calico knows addresses that are no pod's (libcalico-go/lib/ipam, node/pkg/allocateip, kube-controllers loadbalancer).
const windowsReservedHandle = "windows-reserved-ipam-handle"

var tunnelHandles = []string{
	"ipip-tunnel-addr-", "vxlan-tunnel-addr-", "vxlan-v6-tunnel-addr-", "wireguard-tunnel-addr-", "wireguard-v6-tunnel-addr-",
}

func useOf(a Attribute) Use {
	handle := ""
	if a.Handle != nil {
		handle = strings.ToLower(*a.Handle)
	}
	switch {
	case handle == windowsReservedHandle:
		return UseWindowsReserved
	case a.Type == "LoadBalancer":
		return UseLoadBalancer
	case strings.HasSuffix(a.Type, "TunnelAddress"):
		return UseTunnel
	case a.Pod != "" || a.Namespace != "":
		return UseWorkload
	}
	for _, prefix := range tunnelHandles {
		if strings.HasPrefix(handle, prefix) {
			return UseTunnel
		}
	}
	return UseOther
}

// add adds addresses to the share of their owner.
func (b *Block) add(s share) {
	for i := range b.shares {
		if same := b.shares[i]; same.node == s.node && same.namespace == s.namespace && same.use == s.use && same.handled == s.handled {
			b.shares[i].count += s.count
			return
		}
	}
	b.shares = append(b.shares, s)
}

// size is the number of its addresses.
func (b *Block) size() int { return 1 << (b.cidr.Addr().BitLen() - b.cidr.Bits()) }

// ordinal is the position of one of its addresses.
func (b *Block) ordinal(addr netip.Addr) int {
	last := addr.As16()
	return (int(last[14])<<8 | int(last[15])) & (b.size() - 1) // no block is larger than maxBlockBits
}

// released are its addresses that were released.
func (b *Block) released() []cooled {
	if b.cooling == nil {
		return nil
	}
	return *b.cooling
}

// host is the node whose block it is, unnamed where that is no node.
func (b *Block) host() name {
	if b.ownerKind == ownerHost {
		return b.owner
	}
	return unnamed
}

// affinity is whose block it is, as Calico spells it.
func (b *Block) affinity() string {
	switch b.ownerKind {
	case ownerHost:
		return "host:" + b.owner.Value()
	case ownerVirtual:
		return "virtual:" + b.owner.Value()
	case ownerNone:
	}
	return ""
}

func (b *Block) isFree(ordinal int) bool { return b.free[ordinal/64]&(1<<(ordinal%64)) != 0 }

// freeCount is how many addresses are not allocated.
func (b *Block) freeCount() int {
	n := 0
	for _, word := range b.free {
		n += bits.OnesCount64(word)
	}
	return n
}

// empty says whether no address is in use but those that Windows keeps, which is when Calico lets go of a block
// (libcalico-go/lib/ipam/ipam_block.go, empty). Addresses that cool down are in use until they have cooled.
func (b *Block) empty(stillCooling int) bool {
	for _, s := range b.shares {
		if s.use != UseWindowsReserved {
			return false
		}
	}
	return stillCooling == 0
}
