package ipam

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// spec is a block of which the words say what each address is, from the first on; those that nothing is said of are free.
//
//	a        a pod's of node a            -      free
//	~a       the same, without a handle   lost   neither allocated nor free
//	tunnel:a a tunnel's of node a         other  whose, Calico does not say
//	lb       a load balancer's            cold:9 released 9 seconds before moment0
//	win      kept for Windows
func spec(cidr, affinity, words string) BlockSpec {
	prefix := netip.MustParsePrefix(cidr)
	size := 1 << (prefix.Addr().BitLen() - prefix.Bits())
	b := BlockSpec{CIDR: cidr, Affinity: affinity}
	for ordinal, word := range strings.Fields(words + strings.Repeat(" -", size-len(strings.Fields(words)))) {
		b.Allocations = append(b.Allocations, Free)
		switch word {
		case "-":
			b.Unallocated = append(b.Unallocated, ordinal)
		case "lost":
		default:
			b.Allocations[ordinal] = len(b.Attributes)
			b.Attributes = append(b.Attributes, attribute(word, fmt.Sprintf("k8s-pod-network.%s-%d", cidr, ordinal)))
		}
	}
	return b
}

func attribute(word, handle string) Attribute {
	kind, rest, _ := strings.Cut(word, ":")
	switch kind {
	case "tunnel":
		return Attribute{Handle: new("vxlan-tunnel-addr-" + rest), Node: rest, Type: "vxlanTunnelAddress"}
	case "lb":
		return Attribute{Handle: new("lb-0123"), Type: "LoadBalancer"}
	case "win":
		return Attribute{Handle: new("windows-reserved-ipam-handle")}
	case "other":
		return Attribute{Handle: &handle}
	case "cold":
		seconds, err := strconv.Atoi(rest)
		if err != nil {
			panic(err)
		}
		return Attribute{ReleasedAt: moment0.Add(time.Duration(-seconds) * time.Second)}
	}
	node, without := strings.CutPrefix(word, "~")
	a := Attribute{Handle: &handle, Node: node, Namespace: "default", Pod: "pod-" + handle}
	if without {
		a.Handle = nil
	}
	return a
}

// claimed is the block with the time at which it became its owner's.
func claimed(b BlockSpec, ago time.Duration) BlockSpec {
	b.ClaimTime = moment0.Add(-ago)
	return b
}

func TestNewBlockRefusesWhatCalicoCannotHaveWritten(t *testing.T) {
	whole := func(change func(*BlockSpec)) BlockSpec {
		b := spec("10.0.0.0/30", "host:a", "a a")
		change(&b)
		return b
	}
	for name, tc := range map[string]struct {
		spec BlockSpec
		err  string
	}{
		"no CIDR":       {BlockSpec{}, `spec.cidr: netip.ParsePrefix(""): no '/'`},
		"an address":    {BlockSpec{CIDR: "10.0.0.1"}, `spec.cidr: netip.ParsePrefix("10.0.0.1"): no '/'`},
		"a broken CIDR": {BlockSpec{CIDR: "10.0.0.0/33"}, `spec.cidr: netip.ParsePrefix("10.0.0.0/33"): prefix length out of range`},
		"a CIDR that begins inside the block": {
			whole(func(b *BlockSpec) { b.CIDR = "10.0.0.2/30" }), "spec.cidr: 10.0.0.2/30 is no block: it begins in the middle of one",
		},
		"a block of more than 2^16 addresses":      {BlockSpec{CIDR: "10.0.0.0/15"}, "spec.cidr: 10.0.0.0/15 is too large for a block"},
		"a block of more than 2^16 IPv6 addresses": {BlockSpec{CIDR: "fd00::/111"}, "spec.cidr: fd00::/111 is too large for a block"},
		"the largest CIDR that there is":           {BlockSpec{CIDR: "::/0"}, "spec.cidr: ::/0 is too large for a block"},
		"more allocations than addresses": {
			whole(func(b *BlockSpec) { b.Allocations = append(b.Allocations, Free) }), "spec.allocations: has 5 addresses, and 10.0.0.0/30 has 4",
		},
		"fewer allocations than addresses": {
			whole(func(b *BlockSpec) { b.Allocations = b.Allocations[:3] }), "spec.allocations: has 3 addresses, and 10.0.0.0/30 has 4",
		},
		"no allocations": {
			whole(func(b *BlockSpec) { b.Allocations = nil }), "spec.allocations: has 0 addresses, and 10.0.0.0/30 has 4",
		},
		"a negative position among the free": {
			whole(func(b *BlockSpec) { b.Unallocated = []int{2, -1} }), "spec.unallocated: element 1: -1 is no address of 10.0.0.0/30",
		},
		"a position after the last among the free": {
			whole(func(b *BlockSpec) { b.Unallocated = []int{4} }), "spec.unallocated: element 0: 4 is no address of 10.0.0.0/30",
		},
		"an address that is free twice": {
			whole(func(b *BlockSpec) { b.Unallocated = []int{3, 2, 3} }), "spec.unallocated: element 2: 3 is there twice",
		},
		"an address that is free and allocated": {
			whole(func(b *BlockSpec) { b.Unallocated = []int{1} }), "spec.unallocated: element 0: 1 is allocated",
		},
		"an attribute after the last": {
			whole(func(b *BlockSpec) { b.Allocations[1] = 2 }), "spec.allocations: element 1: there is no attribute 2",
		},
		"an attribute before the first": {
			whole(func(b *BlockSpec) { b.Allocations[1] = Free - 1 }), "spec.allocations: element 1: there is no attribute -2",
		},
		"no attributes where addresses are allocated": {
			whole(func(b *BlockSpec) { b.Attributes = nil }), "spec.allocations: element 0: there is no attribute 0",
		},
		"an affinity without a kind": {
			whole(func(b *BlockSpec) { b.Affinity = "node-1" }), "spec.affinity: must be as in host:node-1",
		},
		"an affinity without a node": {
			whole(func(b *BlockSpec) { b.Affinity = "host:" }), "spec.affinity: must be as in host:node-1",
		},
		"an affinity of an unknown kind": {
			whole(func(b *BlockSpec) { b.Affinity = "Host:node-1" }), "spec.affinity: must be of type host or virtual, as in host:node-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := NewBlock(tc.spec, true)
			require.EqualError(t, err, tc.err)
			require.Nil(t, b)
		})
	}
}

func TestNewBlockTakesEverySizeThatCalicoHas(t *testing.T) {
	for _, cidr := range []string{
		"10.0.0.0/16", "10.0.0.0/20", "10.0.0.0/26", "10.0.0.8/31", "10.0.0.9/32", "fd00::/112", "fd00::/116", "fd00::40/122", "fd00::9/128",
	} {
		t.Run(cidr, func(t *testing.T) {
			s := spec(cidr, "host:a", "")
			b, err := NewBlock(s, false)
			require.NoError(t, err)
			a := New()
			a.PutBlock("b", b)
			require.Equal(t, len(s.Allocations), a.Blocks()[0].Size)
			require.Zero(t, a.Blocks()[0].Allocated)
			require.Equal(t, cidr, a.Blocks()[0].CIDR.String())
		})
	}
}

// soleUse is what an address in a block by itself is taken for.
func soleUse(t *testing.T, a Attribute) Use {
	t.Helper()
	r := world{
		pools:  []Pool{automatic("pool", "10.0.0.0/24", 32)},
		blocks: []BlockSpec{{CIDR: "10.0.0.0/32", Allocations: []int{0}, Attributes: []Attribute{a}}},
	}.report(t)
	require.Equal(t, 1, r.Pools[0].Allocated)
	used := -1
	for use, n := range r.Pools[0].Uses {
		if n > 0 {
			require.Equal(t, 1, n)
			require.Equal(t, -1, used, "an address has one use")
			used = use
		}
	}
	require.NotEqual(t, -1, used)
	return Use(used)
}

// The names are those of libcalico-go/lib/backend/model/block.go, node/pkg/allocateip and kube-controllers' loadbalancer controller.
func TestAnAddressIsUsedForWhatItsAttributesSay(t *testing.T) {
	for name, tc := range map[string]struct {
		attribute Attribute
		want      Use
	}{
		"a pod":                             {Attribute{Handle: new("k8s-pod-network.0"), Node: "a", Namespace: "default", Pod: "p"}, UseWorkload},
		"a pod without a handle":            {Attribute{Node: "a", Namespace: "default", Pod: "p"}, UseWorkload},
		"a pod by its name alone":           {Attribute{Pod: "p"}, UseWorkload},
		"a pod by its namespace alone":      {Attribute{Handle: new("k8s-pod-network.0"), Namespace: "default"}, UseWorkload},
		"a virtual machine":                 {Attribute{Handle: new("k8s-pod-network.vms-vm"), Node: "a", Namespace: "vms", Pod: "vm-x"}, UseWorkload},
		"a virtual machine between owners":  {Attribute{Handle: new("k8s-pod-network.default-vm")}, UseOther},
		"what has only a node":              {Attribute{Handle: new("k8s-pod-network.0"), Node: "a"}, UseOther},
		"what has neither attributes":       {Attribute{}, UseOther},
		"what has only an empty handle":     {Attribute{Handle: new("")}, UseOther},
		"an IPIP tunnel":                    {Attribute{Handle: new("ipip-tunnel-addr-a"), Node: "a", Type: "ipipTunnelAddress"}, UseTunnel},
		"a VXLAN tunnel":                    {Attribute{Handle: new("vxlan-tunnel-addr-a"), Node: "a", Type: "vxlanTunnelAddress"}, UseTunnel},
		"a VXLAN tunnel of IPv6":            {Attribute{Handle: new("vxlan-v6-tunnel-addr-a"), Node: "a", Type: "vxlanV6TunnelAddress"}, UseTunnel},
		"a WireGuard tunnel":                {Attribute{Handle: new("wireguard-tunnel-addr-a"), Node: "a", Type: "wireguardTunnelAddress"}, UseTunnel},
		"a WireGuard tunnel of IPv6":        {Attribute{Handle: new("wireguard-v6-tunnel-addr-a"), Node: "a", Type: "wireguardV6TunnelAddress"}, UseTunnel},
		"an IPIP tunnel by its handle":      {Attribute{Handle: new("ipip-tunnel-addr-a"), Node: "a"}, UseTunnel},
		"a VXLAN tunnel by its handle":      {Attribute{Handle: new("vxlan-tunnel-addr-a")}, UseTunnel},
		"an IPv6 VXLAN by its handle":       {Attribute{Handle: new("vxlan-v6-tunnel-addr-a")}, UseTunnel},
		"a WireGuard tunnel by its handle":  {Attribute{Handle: new("wireguard-tunnel-addr-a")}, UseTunnel},
		"an IPv6 WireGuard by its handle":   {Attribute{Handle: new("wireguard-v6-tunnel-addr-a")}, UseTunnel},
		"a tunnel without a handle":         {Attribute{Node: "a", Type: "ipipTunnelAddress"}, UseTunnel},
		"a pod called like a tunnel":        {Attribute{Handle: new("ipip-tunnel-addr-a"), Namespace: "default", Pod: "p"}, UseWorkload},
		"a load balancer":                   {Attribute{Handle: new("lb-0123"), Namespace: "default", Type: "LoadBalancer"}, UseLoadBalancer},
		"a load balancer without a handle":  {Attribute{Type: "LoadBalancer"}, UseLoadBalancer},
		"Windows":                           {Attribute{Handle: new("windows-reserved-ipam-handle")}, UseWindowsReserved},
		"Windows in capital letters":        {Attribute{Handle: new("WINDOWS-RESERVED-IPAM-HANDLE")}, UseWindowsReserved},
		"Windows in letters of both kinds":  {Attribute{Handle: new("Windows-Reserved-IPAM-Handle")}, UseWindowsReserved},
		"what only begins as Windows does":  {Attribute{Handle: new("windows-reserved-ipam-handle-2")}, UseOther},
		"a type that is not known, no more": {Attribute{Handle: new("x"), Type: "somethingElse"}, UseOther},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, soleUse(t, tc.attribute)) })
	}
}

func TestWhatIsNeitherAllocatedNorFreeCountsAsAllocated(t *testing.T) {
	r := world{
		pools:  []Pool{automatic("pool", "10.0.0.0/30", 30)},
		nodes:  map[string]map[string]string{"a": nil},
		blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a lost lost -")},
	}.report(t)
	p := r.Pools[0]
	require.Equal(t, 3, p.Allocated, "calicoctl counts what is not in the list of the free")
	require.Equal(t, [uses]int{UseWorkload: 1, UseOther: 2}, p.Uses)
	require.Equal(t, []NodeShare{{Node: "a", InUse: 1, Blocks: 1}}, p.Nodes, "kube-controllers counts what has a handle")
	require.Equal(t, "1", p.Assignable.BigInt().String())
}

// A block of which addresses were lost holds none that is in use: Calico lets go of it (libcalico-go/lib/ipam/ipam_block.go, empty).
func TestABlockOfLostAddressesIsEmpty(t *testing.T) {
	r := world{pools: []Pool{automatic("pool", "10.0.0.0/30", 30)}, blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "lost lost win")}}.report(t)
	require.Equal(t, "used 0, empty 1, unclaimed 0, reserved 0", blocksOf(r.Pools[0]))
}

func TestABlockIsAsItWasSpelled(t *testing.T) {
	for name, tc := range map[string]struct{ affinity, want string }{
		"of a node":         {"host:node-1", "host:node-1"},
		"of a load balance": {"virtual:load-balancer", "virtual:load-balancer"},
		"of nobody":         {"", ""},
		"of a node whose name has a colon": {
			"host:node:1", "host:node:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := world{blocks: []BlockSpec{spec("fd00::8/126", tc.affinity, "a ~a lost")}}.account(t).Blocks()
			require.Len(t, blocks, 1)
			require.Equal(t, tc.want, blocks[0].Affinity)
			require.Equal(t, "fd00::8/126", blocks[0].CIDR.String())
			require.Equal(t, 4, blocks[0].Size)
			require.Equal(t, 3, blocks[0].Allocated)
			require.Empty(t, blocks[0].Pool)
		})
	}
}

func TestABlockDoesNotKeepWhatItWasMadeFrom(t *testing.T) {
	s := spec("10.0.0.0/30", "host:a", "a b cold:5 -")
	b, err := NewBlock(s, true)
	require.NoError(t, err)
	a := New()
	a.SetPools([]Pool{automatic("pool", "10.0.0.0/30", 30)})
	a.PutBlock("b", b)
	before := a.Report(moment0)
	s.Allocations[0], s.Unallocated[0], s.Attributes[1].Node, s.Attributes[2].ReleasedAt = Free, 0, "c", moment0
	require.Equal(t, before, a.Report(moment0))
}
