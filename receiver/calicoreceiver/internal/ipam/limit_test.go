package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// blocksFrom are so many blocks of four with one address in use, from the beginning of 10.0.0.0.
func blocksFrom(from, n int, affinity string) []BlockSpec {
	var blocks []BlockSpec
	for i := from; i < from+n; i++ {
		cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 64), byte(i % 64 * 4)}), 30)
		blocks = append(blocks, spec(cidr.String(), affinity, "other"))
	}
	return blocks
}

// affinitiesOf are those of a node to so many blocks of the same.
func affinitiesOf(node string, n int) []Affinity {
	var list []Affinity
	for _, b := range blocksFrom(0, n, "") {
		list = append(list, Affinity{CIDR: netip.MustParsePrefix(b.CIDR), Node: node})
	}
	return list
}

// libcalico-go/lib/ipam/ipam.go, autoAssign: the limit is 20 where nothing else is configured. Affinities count against it, whatever their state
// (ipam_block_reader_writer.go, getAffineBlocks).
func TestANodeClaimsBlocksUpToItsLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		config     *Config
		blocks     int
		affinities []Affinity
		limit      int
		want       string // what the node can give: three of each block of its own, and four of each that it may claim
	}{
		"20 by default":                      {nil, 0, nil, 20, "80"},
		"20 where the limit is 0":            {lentWith(0), 0, nil, 20, "80"},
		"as many as is configured":           {lentWith(7), 0, nil, 7, "28"},
		"less those it has":                  {nil, 5, nil, 20, "75"},
		"one more":                           {nil, 19, nil, 20, "61"},
		"none at the limit":                  {nil, 20, nil, 20, "60"},
		"none over the limit":                {lentWith(3), 5, nil, 3, "15"},
		"as many as all blocks":              {lentWith(1000), 5, nil, 1000, "1019"},
		"affinities count, and not blocks":   {nil, 5, affinitiesOf("a", 7), 20, "67"},
		"an affinity that is pending counts": {nil, 19, affinitiesOf("a", 20), 20, "57"},
		"affinities of another node do not":  {nil, 5, append(affinitiesOf("b", 9), affinitiesOf("a", 5)...), 20, "75"},
		"those of load balancers do not":     {nil, 5, append(affinitiesOf("", 9), affinitiesOf("a", 5)...), 20, "75"},
		"those outside of all pools do not": {
			nil, 5, append([]Affinity{{CIDR: netip.MustParsePrefix("10.9.0.0/30"), Node: "a"}}, affinitiesOf("a", 5)...), 20, "75",
		},
		"those of the other family do not": {
			nil, 5, append([]Affinity{{CIDR: netip.MustParsePrefix("fd00::/126"), Node: "a"}}, affinitiesOf("a", 5)...), 20, "75",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := world{
				pools: []Pool{automatic("pool", "10.0.0.0/22", 30), automatic("six", "fd00::/125", 126)}, nodes: nodesNamed("a"), config: tc.config,
				blocks: blocksFrom(0, tc.blocks, "host:a"), affinities: tc.affinities,
			}.report(t)
			require.Equal(t, tc.want, r.Nodes[0].Assignable.BigInt().String())
			require.Equal(t, tc.want, r.Pools[0].Assignable.BigInt().String())
			require.Equal(t, tc.limit, r.Nodes[0].BlocksLimit)
		})
	}
}

func TestAffinitiesComeAndGo(t *testing.T) {
	pool, other := automatic("pool", "10.0.0.0/24", 30), automatic("other", "10.0.1.0/24", 30)
	a := world{pools: []Pool{pool, other}, nodes: nodesNamed("a", "b"), config: strictWith(2), blocks: blocksFrom(0, 1, "host:a")}.account(t)
	give := func(want map[string]string) {
		t.Helper()
		require.Equal(t, want, assignable(a.Report(moment0)))
	}
	first := a.Report(moment0)
	give(map[string]string{"a": "7", "b": "8", "pool": "15", "other": "12"})
	a.PutAffinity("x", Affinity{CIDR: netip.MustParsePrefix("10.0.0.0/30"), Node: "a"})
	require.Equal(t, first, a.Report(moment0), "the block's own affinity says what the block says")
	a.PutAffinity("y", Affinity{CIDR: netip.MustParsePrefix("10.0.1.0/30"), Node: "a"})
	give(map[string]string{"a": "3", "b": "8", "pool": "11", "other": "8"})
	a.PutAffinity("y", Affinity{CIDR: netip.MustParsePrefix("10.0.1.0/30"), Node: "b"})
	give(map[string]string{"a": "7", "b": "4", "pool": "11", "other": "8"})
	a.SetPools([]Pool{pool})
	give(map[string]string{"a": "7", "b": "8", "pool": "15"})
	a.SetPools([]Pool{pool, other})
	give(map[string]string{"a": "7", "b": "4", "pool": "11", "other": "8"})
	y, ok := a.Affinity("y")
	require.True(t, ok)
	require.Equal(t, Affinity{CIDR: netip.MustParsePrefix("10.0.1.0/30"), Node: "b"}, y)
	require.Equal(t, []string{"x", "y"}, slices.Sorted(a.AffinityNames()))
	a.DeleteAffinity("y")
	a.DeleteAffinity("y")
	a.DeleteAffinity("z")
	_, ok = a.Affinity("y")
	require.False(t, ok)
	require.Equal(t, first, a.Report(moment0))
	a.DeleteAffinity("x")
	require.Equal(t, first, a.Report(moment0), "without affinities blocks count")
	require.Equal(t, []NodeShare{{Node: "a", Blocks: 1}, {Node: "unknown_node", InUse: 1}}, first.Pools[1].Nodes, "affinities are no share")
}

func TestLoadBalancersClaimBlocksUpToTheLimitOfANode(t *testing.T) {
	for name, tc := range map[string]struct {
		config *Config
		blocks int
		want   string
	}{
		"20 by default":            {nil, 0, "80"},
		"as many as is configured": {strictWith(3), 0, "12"},
		"less those they have":     {nil, 5, "75"},
		"none at the limit":        {nil, 20, "60"},
		"none over the limit":      {lentWith(3), 5, "15"},
	} {
		t.Run(name, func(t *testing.T) {
			r := world{
				pools: []Pool{forUses(automatic("pool", "10.0.0.0/22", 30), calicometric.UseLoadBalancer)}, nodes: nodesNamed("a"), config: tc.config,
				blocks: blocksFrom(0, tc.blocks, "virtual:load-balancer"),
			}.report(t)
			require.Equal(t, map[string]string{"pool": tc.want, "a": "0"}, assignable(r))
		})
	}
}

// Services that name no pool are served of any that is automatic, and the blocks of all those count against one limit
// (libcalico-go/lib/ipam/ipam.go, prepareAffinityBlocksForHost, of which kube-controllers' loadbalancer controller names no pools either).
func TestPoolsForLoadBalancersShareOneLimit(t *testing.T) {
	first := forUses(automatic("first", "10.0.0.0/24", 30), calicometric.UseLoadBalancer)
	second := forUses(automatic("second", "10.0.1.0/24", 30), calicometric.UseLoadBalancer)
	w := world{
		pools: []Pool{first, second}, config: strictWith(4),
		blocks: append(blocksFrom(0, 2, "virtual:load-balancer"), blocksFrom(64, 1, "virtual:load-balancer")...),
	}
	require.Equal(t, map[string]string{"first": "10", "second": "7"}, assignable(w.report(t)), "one block is left, of either")
	w.pools = []Pool{manual(first), second}
	require.Equal(t, map[string]string{"first": "14", "second": "15"}, assignable(w.report(t)), "one that is manual counts by itself")
}

func TestALargeClusterThatIsNearlyFull(t *testing.T) {
	w := world{pools: []Pool{automatic("pool", "10.0.0.0/23", 30)}, nodes: map[string]map[string]string{}, config: strictWith(2)}
	for i := range 70 {
		node := fmt.Sprintf("node-%02d", i)
		w.nodes[node] = nil
		if i < 60 {
			w.blocks = append(w.blocks, blocksFrom(2*i, 2, "host:"+node)...)
		}
	}
	r := w.report(t)
	got := assignable(r)
	// 60 nodes have two blocks with three addresses each; 8 blocks are left, and the other ten nodes may claim two each.
	require.Equal(t, "392", got["pool"])
	require.Equal(t, "6", got["node-00"])
	require.Equal(t, "8", got["node-69"])
	require.Equal(t, "used 120, empty 0, unclaimed 8, reserved 0", blocksOf(r.Pools[0]))
}
