package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// world is what an account is made of.
type world struct {
	pools      []Pool
	reserved   []string
	config     *Config // nil is the default
	nodes      map[string]map[string]string
	blocks     []BlockSpec
	affinities []Affinity
	namespaces bool
}

func (w world) account(t testing.TB) *Account {
	t.Helper()
	a := New()
	a.SetPools(w.pools)
	a.SetReservations(prefixes(w.reserved...))
	if w.config != nil {
		a.SetConfig(*w.config)
	}
	a.SetNodes(w.nodes)
	for _, s := range w.blocks {
		b, err := NewBlock(s, w.namespaces)
		require.NoError(t, err)
		a.PutBlock(s.CIDR, b)
	}
	for i, affinity := range w.affinities {
		a.PutAffinity(fmt.Sprintf("affinity-%d", i), affinity)
	}
	return a
}

func (w world) report(t testing.TB) Report {
	t.Helper()
	return w.account(t).Report(moment0)
}

func prefixes(cidrs ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, cidr := range cidrs {
		list = append(list, netip.MustParsePrefix(cidr))
	}
	return list
}

// automatic is an enabled pool for pods and tunnels of all nodes.
func automatic(name, cidr string, blockSize int) Pool {
	return Pool{
		Name: name, CIDR: netip.MustParsePrefix(cidr), BlockSize: blockSize, State: calicometric.PoolEnabled, Encapsulation: "None",
		AssignmentMode: calicometric.AssignmentAutomatic, AllowedUses: []string{calicometric.UseTunnel, calicometric.UseWorkload},
	}
}

func in(state string, p Pool) Pool {
	p.State = state
	return p
}

func forUses(p Pool, uses ...string) Pool {
	p.AllowedUses = uses
	return p
}

func selecting(selector string, p Pool) Pool {
	p.NodeSelector = selector
	return p
}

// ofNamespaces has the pool for the pods of some namespaces.
func ofNamespaces(selector string, p Pool) Pool {
	p.NamespaceSelector = selector
	return p
}

// nodesNamed are nodes without labels.
func nodesNamed(names ...string) map[string]map[string]string {
	labels := map[string]map[string]string{}
	for _, name := range names {
		labels[name] = nil
	}
	return labels
}

func poolNamed(t testing.TB, r Report, name string) PoolReport {
	t.Helper()
	for _, p := range r.Pools {
		if p.Name == name {
			return p
		}
	}
	require.Fail(t, "no pool "+name)
	return PoolReport{}
}

// blocksOf are the numbers of the blocks of a pool.
func blocksOf(p PoolReport) string {
	return fmt.Sprintf("used %d, empty %d, unclaimed %s, reserved %s", p.Used, p.Empty, p.Unclaimed.BigInt(), p.ReservedBlocks.BigInt())
}

func TestABlockBelongsToTheSmallestPoolThatCoversIt(t *testing.T) {
	const enabled, disabled, terminating = calicometric.PoolEnabled, calicometric.PoolDisabled, calicometric.PoolTerminating
	same := func(states ...string) []Pool {
		var pools []Pool
		for i, state := range states {
			pools = append(pools, in(state, automatic(string(rune('a'+i)), "10.0.0.0/24", 30)))
		}
		return pools
	}
	for name, tc := range map[string]struct {
		pools []Pool
		block string
		want  string
	}{
		"one pool":                   {[]Pool{automatic("p", "10.0.0.0/24", 30)}, "10.0.0.4/30", "p"},
		"a pool that is one block":   {[]Pool{automatic("p", "10.0.0.4/30", 30)}, "10.0.0.4/30", "p"},
		"another range":              {[]Pool{automatic("p", "10.0.0.0/30", 30)}, "10.0.0.4/30", ""},
		"no pool":                    {nil, "10.0.0.4/30", ""},
		"the block is larger":        {[]Pool{automatic("p", "10.0.0.0/30", 30)}, "10.0.0.0/29", ""},
		"the whole of the family":    {[]Pool{automatic("p", "0.0.0.0/0", 26)}, "10.0.0.4/30", "p"},
		"the whole of the other":     {[]Pool{automatic("p", "::/0", 122)}, "10.0.0.4/30", ""},
		"IPv6":                       {[]Pool{automatic("a", "0.0.0.0/0", 26), automatic("p", "fd00::/16", 122)}, "fd00::4/126", "p"},
		"nested, the larger first":   {[]Pool{automatic("a", "10.0.0.0/24", 30), automatic("z", "10.0.0.0/28", 30)}, "10.0.0.4/30", "z"},
		"nested, the smaller first":  {[]Pool{automatic("a", "10.0.0.0/28", 30), automatic("z", "10.0.0.0/24", 30)}, "10.0.0.4/30", "a"},
		"nested, in the larger only": {[]Pool{automatic("a", "10.0.0.0/28", 30), automatic("z", "10.0.0.0/24", 30)}, "10.0.0.16/30", "z"},
		"nested, larger than one":    {[]Pool{automatic("a", "10.0.0.0/31", 31), automatic("z", "10.0.0.0/24", 30)}, "10.0.0.0/30", "z"},
		"nested three times": {
			[]Pool{automatic("a", "10.0.0.0/8", 26), automatic("b", "10.0.0.0/9", 26), automatic("c", "10.0.0.0/24", 26)}, "10.0.0.0/30", "c",
		},
		"the smaller one is disabled": {[]Pool{automatic("a", "10.0.0.0/24", 30), in(disabled, automatic("z", "10.0.0.0/28", 30))}, "10.0.0.4/30", "z"},
		"the same, by name":           {[]Pool{automatic("b", "10.0.0.0/24", 30), automatic("a", "10.0.0.0/24", 30)}, "10.0.0.4/30", "a"},
		"the same, one is disabled":   {same(disabled, enabled), "10.0.0.4/30", "b"},
		"the same, one terminates":    {same(terminating, enabled), "10.0.0.4/30", "b"},
		"the same, none is enabled":   {same(terminating, disabled), "10.0.0.4/30", "b"},
		"the same, both are disabled": {same(disabled, disabled), "10.0.0.4/30", "a"},
		"the same, all three":         {same(terminating, disabled, enabled), "10.0.0.4/30", "c"},
	} {
		t.Run(name, func(t *testing.T) {
			a := world{pools: tc.pools, blocks: []BlockSpec{spec(tc.block, "", "a")}}.account(t)
			require.Equal(t, tc.want, a.Blocks()[0].Pool)
			r := a.Report(moment0)
			for _, p := range r.Pools {
				require.Equal(t, p.Name == tc.want, p.Allocated == 1, "pool %s", p.Name)
			}
			require.Equal(t, tc.want == "", r.Orphaned == 1)
		})
	}
}

func TestBlocksFollowTheirPools(t *testing.T) {
	inner, outer := automatic("inner", "10.0.0.0/28", 30), automatic("outer", "10.0.0.0/24", 30)
	a := world{pools: []Pool{inner, outer}, blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a b"), spec("10.0.1.0/30", "host:a", "a")}}.account(t)
	before := a.Report(moment0)
	require.Equal(t, 2, poolNamed(t, before, "inner").Allocated)
	require.Equal(t, 1, before.Orphaned)
	require.Equal(t, []NodeShare{{Node: "a", InUse: 1, Blocks: 1}}, before.NoPool)

	a.SetPools([]Pool{outer})
	r := a.Report(moment0)
	require.Equal(t, 2, poolNamed(t, r, "outer").Allocated, "to the next larger pool")
	require.Equal(t, []NodeShare{{Node: "a", InUse: 1, Lent: 1, Blocks: 1}, {Node: "b", InUse: 1, Borrowed: 1}}, poolNamed(t, r, "outer").Nodes)
	require.Equal(t, 1, r.Orphaned)

	a.SetPools(nil)
	r = a.Report(moment0)
	require.Empty(t, r.Pools)
	require.Equal(t, 3, r.Orphaned, "to none")
	require.Equal(t, []NodeShare{{Node: "a", InUse: 2, Lent: 1, Blocks: 2}, {Node: "b", InUse: 1, Borrowed: 1}}, r.NoPool)

	a.SetPools([]Pool{outer, inner})
	require.Equal(t, before, a.Report(moment0), "as it was before")
}

func TestABlockThatComesAgainReplacesTheOneBefore(t *testing.T) {
	w := world{pools: []Pool{automatic("p", "10.0.0.0/28", 30), automatic("q", "10.0.1.0/28", 30)}}
	a := w.account(t)
	put := func(s BlockSpec) {
		b, err := NewBlock(s, true)
		require.NoError(t, err)
		a.PutBlock("the-block", b)
	}
	empty := a.Report(moment0)
	put(spec("10.0.0.0/30", "host:a", "a b cold:5"))
	put(spec("10.0.1.0/30", "host:b", "b"))
	put(spec("10.0.0.4/30", "", "c lost"))
	w.blocks, w.namespaces = []BlockSpec{spec("10.0.0.4/30", "", "c lost")}, true
	require.Equal(t, w.report(t), a.Report(moment0))
	require.Len(t, a.Blocks(), 1)
	require.Equal(t, []string{"the-block"}, slices.Collect(a.BlockNames()))
	require.Equal(t, netip.MustParsePrefix("10.0.0.4/30"), a.Block("the-block").cidr)
	require.Nil(t, a.Block("another"))

	a.DeleteBlock("another")
	require.Equal(t, w.report(t), a.Report(moment0))
	a.DeleteBlock("the-block")
	a.DeleteBlock("the-block")
	require.Equal(t, empty, a.Report(moment0))
	require.Empty(t, a.Blocks())
}

func TestWhatABlockTookIsGivenBackOnce(t *testing.T) {
	a := world{
		pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("a"), reserved: []string{"10.0.0.3/32"},
		blocks: []BlockSpec{spec("10.0.0.0/32", "host:a", "cold:9"), spec("10.0.0.1/32", "host:a", ""), spec("10.0.0.2/31", "host:a", "a")},
	}.account(t)
	for i, empty := range []int{2, 1, 0} {
		require.Equal(t, fmt.Sprintf("used 1, empty %d, unclaimed 1, reserved 0", empty), blocksOf(a.Report(moment0).Pools[0]))
		a.DeleteBlock(fmt.Sprintf("10.0.0.%d/32", i))
	}
	a.DeleteBlock("10.0.0.2/31")
	r := a.Report(moment0)
	require.Equal(t, "used 0, empty 0, unclaimed 2, reserved 0", blocksOf(r.Pools[0]))
	require.Equal(t, "7", r.Pools[0].Assignable.BigInt().String())
}

func TestBlocksAreInTheOrderOfTheirAddresses(t *testing.T) {
	blocks := world{
		pools: []Pool{automatic("p", "10.0.0.0/24", 30)},
		blocks: []BlockSpec{
			spec("fd00::/126", "virtual:load-balancer", "lb"), spec("10.0.0.128/30", "host:b", ""), spec("10.0.0.16/28", "", "a a lost cold:1"),
			spec("9.0.0.0/32", "host:a", "~a"),
		},
	}.account(t).Blocks()
	require.Equal(t, []BlockReport{
		{CIDR: netip.MustParsePrefix("9.0.0.0/32"), Affinity: "host:a", Size: 1, Allocated: 1},
		{CIDR: netip.MustParsePrefix("10.0.0.16/28"), Pool: "p", Size: 16, Allocated: 4},
		{CIDR: netip.MustParsePrefix("10.0.0.128/30"), Pool: "p", Affinity: "host:b", Size: 4},
		{CIDR: netip.MustParsePrefix("fd00::/126"), Affinity: "virtual:load-balancer", Size: 4, Allocated: 1},
	}, blocks)
}

func TestPoolsAndNodesAreInTheOrderOfTheirNames(t *testing.T) {
	v4, v6 := automatic("z4", "10.0.0.0/24", 26), automatic("b6", "fd00::/120", 122)
	for name, tc := range map[string]struct {
		pools   []Pool
		byName  []string
		entries []string
	}{
		"dual stack":      {[]Pool{v4, v6}, []string{"b6", "z4"}, []string{"a IPv4", "a IPv6", "b IPv4", "b IPv6", "c IPv4", "c IPv6"}},
		"IPv4 alone":      {[]Pool{v4}, []string{"z4"}, []string{"a IPv4", "b IPv4", "c IPv4"}},
		"IPv6 alone":      {[]Pool{v6}, []string{"b6"}, []string{"a IPv6", "b IPv6", "c IPv6"}},
		"no pool":         {nil, nil, nil},
		"disabled counts": {[]Pool{in(calicometric.PoolDisabled, v6)}, []string{"b6"}, []string{"a IPv6", "b IPv6", "c IPv6"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := world{pools: tc.pools, nodes: nodesNamed("c", "a", "b")}.report(t)
			var pools, entries []string
			for _, p := range r.Pools {
				pools = append(pools, p.Name)
			}
			for _, n := range r.Nodes {
				entries = append(entries, n.Node+" "+n.Family)
				require.Equal(t, 20, n.BlocksLimit)
			}
			require.Equal(t, tc.byName, pools)
			require.Equal(t, tc.entries, entries)
			require.Equal(t, []string{"a", "b", "c"}, r.NodeNames)
		})
	}
}

func TestAnAccountOfNothingIsEmpty(t *testing.T) {
	r := New().Report(moment0)
	require.Empty(t, r.Pools)
	require.Empty(t, r.NoPool)
	require.Empty(t, r.Nodes)
	require.Empty(t, r.NodeNames)
	require.Empty(t, r.Namespaces)
	require.Zero(t, r.Orphaned)
	require.Empty(t, New().Blocks())
}
