package ipam

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// The rules are those of kube-controllers/pkg/controllers/node/ipam.go, updateMetrics.
func TestSharesAreAsKubeControllersCountsThem(t *testing.T) {
	for name, tc := range map[string]struct {
		blocks    []BlockSpec
		allocated int
		want      []NodeShare
	}{
		"a node uses its own block": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "a a a")}, 3, []NodeShare{{Node: "a", InUse: 3, Blocks: 1}},
		},
		"what a node takes of another's block is borrowed, and lent by the other": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "a b b c")}, 4,
			[]NodeShare{{Node: "a", InUse: 1, Lent: 3, Blocks: 1}, {Node: "b", InUse: 2, Borrowed: 2}, {Node: "c", InUse: 1, Borrowed: 1}},
		},
		"two nodes borrow of each other": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "a b"), spec("10.0.0.8/29", "host:b", "b a a")}, 5,
			[]NodeShare{{Node: "a", InUse: 3, Borrowed: 2, Lent: 1, Blocks: 1}, {Node: "b", InUse: 2, Borrowed: 1, Lent: 2, Blocks: 1}},
		},
		"of a block without affinity everybody borrows, and nobody lends": {
			[]BlockSpec{spec("10.0.0.0/29", "", "a b b")}, 3,
			[]NodeShare{{Node: "a", InUse: 1, Borrowed: 1}, {Node: "b", InUse: 2, Borrowed: 2}, {Node: "no_affinity", Blocks: 1}},
		},
		"of a block of load balancers as well": {
			[]BlockSpec{spec("10.0.0.0/29", "virtual:load-balancer", "lb lb a")}, 3,
			[]NodeShare{{Node: "a", InUse: 1, Borrowed: 1}, {Node: "no_affinity", Blocks: 1}, {Node: "unknown_node", InUse: 2}},
		},
		"a block of load balancers is no node's, even of one that is called so": {
			[]BlockSpec{spec("10.0.0.0/29", "virtual:a", "a")}, 1,
			[]NodeShare{{Node: "a", InUse: 1, Borrowed: 1}, {Node: "no_affinity", Blocks: 1}},
		},
		"an address of an unknown node is neither borrowed nor lent": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "lb other win")}, 3,
			[]NodeShare{{Node: "a", Blocks: 1}, {Node: "unknown_node", InUse: 3}},
		},
		"an address without a handle is allocated and not in use": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "~a ~b a")}, 3, []NodeShare{{Node: "a", InUse: 1, Blocks: 1}},
		},
		"an address that was released is allocated and not in use": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "cold:1 cold:100 a")}, 3, []NodeShare{{Node: "a", InUse: 1, Blocks: 1}},
		},
		"a tunnel is in use": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "tunnel:a tunnel:b")}, 2,
			[]NodeShare{{Node: "a", InUse: 1, Lent: 1, Blocks: 1}, {Node: "b", InUse: 1, Borrowed: 1}},
		},
		"a node that is gone keeps its shares until its addresses are released": {
			[]BlockSpec{spec("10.0.0.0/29", "host:gone", "gone a")}, 2,
			[]NodeShare{{Node: "a", InUse: 1, Borrowed: 1}, {Node: "gone", InUse: 1, Lent: 1, Blocks: 1}},
		},
		"a node that has an empty block has that": {
			[]BlockSpec{spec("10.0.0.0/29", "host:a", "")}, 0, []NodeShare{{Node: "a", Blocks: 1}},
		},
		"nobody has anything": {nil, 0, []NodeShare{}},
		"blocks of all sizes are one each": {
			[]BlockSpec{
				spec("10.0.0.0/29", "host:a", "a"), spec("10.0.0.8/30", "host:a", "a"), spec("10.0.0.12/32", "host:a", "a"), spec("10.0.0.16/28", "", ""),
			}, 3,
			[]NodeShare{{Node: "a", InUse: 3, Blocks: 3}, {Node: "no_affinity", Blocks: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool := automatic("pool", "10.0.0.0/24", 29)
			w := world{pools: []Pool{pool}, nodes: nodesNamed("a", "b", "c"), blocks: tc.blocks}
			for _, state := range []string{calicometric.PoolEnabled, calicometric.PoolDisabled} {
				w.pools = []Pool{in(state, pool)}
				r := w.report(t)
				require.Equal(t, tc.want, r.Pools[0].Nodes, state)
				require.Equal(t, tc.allocated, r.Pools[0].Allocated, state)
				require.Empty(t, r.NoPool)
				require.Zero(t, r.Orphaned)
			}

			w.pools = []Pool{in(calicometric.PoolTerminating, pool)}
			r := w.report(t)
			require.Equal(t, tc.want, r.NoPool, "kube-controllers takes a pool that terminates for gone")
			require.Empty(t, r.Pools[0].Nodes)
			require.Equal(t, tc.allocated, r.Pools[0].Allocated)
			require.Zero(t, r.Orphaned)

			w.pools = nil
			r = w.report(t)
			require.Equal(t, tc.want, r.NoPool)
			require.Equal(t, tc.allocated, r.Orphaned)
		})
	}
}

func TestWithoutAPoolAreTheSharesOfOrphansAndOfPoolsThatTerminate(t *testing.T) {
	r := world{
		pools: []Pool{
			in(calicometric.PoolTerminating, automatic("going", "10.0.0.0/28", 30)),
			in(calicometric.PoolTerminating, automatic("going-too", "fd00::/124", 126)),
			automatic("staying", "10.0.1.0/28", 30),
		},
		nodes: nodesNamed("a", "b"),
		blocks: []BlockSpec{
			spec("10.0.0.0/30", "host:a", "a b ~a"), spec("fd00::/126", "host:a", "a"), spec("10.0.2.0/30", "", "a b"), spec("fd00::4/126", "", "lb"),
			spec("10.0.1.0/30", "host:b", "b"),
		},
	}.report(t)
	require.Equal(t, []NodeShare{
		{Node: "a", InUse: 3, Borrowed: 1, Lent: 1, Blocks: 2}, {Node: "b", InUse: 2, Borrowed: 2}, {Node: "no_affinity", Blocks: 2},
		{Node: "unknown_node", InUse: 1},
	}, r.NoPool)
	require.Equal(t, 2, r.Orphaned, "what is allocated in pools that terminate still has a pool")
	require.Equal(t, []NodeShare{{Node: "b", InUse: 1, Blocks: 1}}, poolNamed(t, r, "staying").Nodes)
	going := poolNamed(t, r, "going")
	require.Equal(t, 3, going.Allocated)
	require.Equal(t, [uses]int{UseWorkload: 3}, going.Uses)
	require.Equal(t, "used 1, empty 0, unclaimed 3, reserved 0", blocksOf(going))
	require.True(t, going.Assignable.IsZero())
}

func TestUsesAreOfEveryAddressThatWasNotReleased(t *testing.T) {
	p := world{
		pools: []Pool{automatic("pool", "10.0.0.0/27", 28)}, config: &Config{AutoAllocateBlocks: true, Cooldown: 30e9},
		blocks: []BlockSpec{
			spec("10.0.0.0/28", "host:a", "win win win a a ~b tunnel:a lb other lost cold:1 cold:99 - - - win"),
			spec("10.0.0.16/28", "host:b", "b tunnel:b ~b"),
		},
	}.report(t).Pools[0]
	require.Equal(t, [uses]int{UseWorkload: 5, UseTunnel: 2, UseLoadBalancer: 1, UseWindowsReserved: 4, UseOther: 2}, p.Uses)
	require.Equal(t, 16, p.Allocated)
	require.Equal(t, 1, p.Cooling)
}

func TestNamespacesHaveWhatTheirPodsHave(t *testing.T) {
	pod := func(namespace string) Attribute {
		return Attribute{Handle: new("h"), Node: "a", Namespace: namespace, Pod: "p"}
	}
	block := func(cidr string, attributes ...Attribute) BlockSpec {
		s := spec(cidr, "host:a", "")
		for i, attribute := range attributes {
			s.Allocations[i], s.Attributes = i, append(s.Attributes, attribute)
		}
		s.Unallocated = s.Unallocated[len(attributes):]
		return s
	}
	released := Attribute{ReleasedAt: moment0}
	w := world{
		pools:      []Pool{automatic("pool", "10.0.0.0/29", 30), in(calicometric.PoolTerminating, automatic("going", "fd00::/125", 126))},
		namespaces: true,
		blocks: []BlockSpec{
			block("10.0.0.0/30", pod("web"), pod("web"), pod("db"), released),
			block("fd00::/126", pod("web"), Attribute{Namespace: "web", Pod: "no-handle"}),
			block("10.1.0.0/30", pod("batch"), Attribute{Handle: new("ipip-tunnel-addr-a"), Node: "a"}),
		},
	}
	a := w.account(t)
	require.Equal(t, []NamespaceReport{{"batch", 1}, {"db", 1}, {"web", 4}}, a.Report(moment0).Namespaces, "of all pools, and of none")
	a.DeleteBlock("10.0.0.0/30")
	require.Equal(t, []NamespaceReport{{"batch", 1}, {"web", 2}}, a.Report(moment0).Namespaces)
	a.SetPools(nil)
	require.Equal(t, []NamespaceReport{{"batch", 1}, {"web", 2}}, a.Report(moment0).Namespaces)

	w.namespaces = false
	require.Empty(t, w.report(t).Namespaces)
}

// Services have addresses of load balancers, and the attributes name the namespace of the service
// (kube-controllers/pkg/controllers/loadbalancer/loadbalancer_controller.go).
func TestTheAddressOfAServiceIsNoPodsOfItsNamespace(t *testing.T) {
	s := spec("10.0.0.0/30", "virtual:load-balancer", "lb a")
	s.Attributes[0].Namespace = "web"
	pool := forUses(automatic("pool", "10.0.0.0/29", 30), calicometric.UseLoadBalancer)
	r := world{pools: []Pool{pool}, blocks: []BlockSpec{s}, namespaces: true}.report(t)
	require.Equal(t, []NamespaceReport{{"default", 1}}, r.Namespaces)
}
