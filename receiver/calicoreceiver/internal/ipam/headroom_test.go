package ipam

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// assignable are those of every pool and node by name, of a node with its family where there are pools of both.
func assignable(r Report) map[string]string {
	all := map[string]string{}
	families := map[string]bool{}
	for _, p := range r.Pools {
		all[p.Name] = p.Assignable.BigInt().String()
		families[p.Family()] = true
	}
	for _, n := range r.Nodes {
		key := n.Node
		if len(families) > 1 {
			key += " " + n.Family
		}
		all[key] = n.Assignable.BigInt().String()
	}
	return all
}

func manual(p Pool) Pool {
	p.AssignmentMode = calicometric.AssignmentManual
	return p
}

var (
	labelled   = map[string]map[string]string{"a": {"rack": "1"}, "b": {"rack": "2"}}
	strictWith = func(limit int) *Config {
		return &Config{AutoAllocateBlocks: true, StrictAffinity: true, MaxBlocksPerHost: limit}
	}
	lentWith = func(limit int) *Config { return &Config{AutoAllocateBlocks: true, MaxBlocksPerHost: limit} }
)

// The rules are those of libcalico-go/lib/ipam/ipam.go: determinePools, prepareAffinityBlocksForHost, findOrClaimBlock and autoAssign.
func TestWhatPoolsAndNodesCanGive(t *testing.T) {
	const tunnel, workload, balancer = calicometric.UseTunnel, calicometric.UseWorkload, calicometric.UseLoadBalancer
	pool := automatic("pool", "10.0.0.0/28", 30) // four blocks of four
	for name, tc := range map[string]struct {
		world
		want map[string]string
	}{
		"a pool without blocks": {
			world{pools: []Pool{pool}, nodes: nodesNamed("a", "b")}, map[string]string{"pool": "16", "a": "16", "b": "16"},
		},
		"a pool without nodes": {
			world{pools: []Pool{pool}, blocks: []BlockSpec{spec("10.0.0.0/30", "host:gone", "gone")}}, map[string]string{"pool": "0"},
		},
		"nodes without a pool": {
			world{nodes: nodesNamed("a")}, map[string]string{},
		},
		"each has its own, and what is left to claim": {
			world{
				pools: []Pool{pool}, nodes: nodesNamed("a", "b"), config: strictWith(0),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a"), spec("10.0.0.4/30", "host:b", "b b")},
			}, map[string]string{"pool": "13", "a": "11", "b": "10"},
		},
		"each may borrow of the other": {
			world{
				pools: []Pool{pool}, nodes: nodesNamed("a", "b"),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a"), spec("10.0.0.4/30", "host:b", "b b")},
			}, map[string]string{"pool": "13", "a": "13", "b": "13"},
		},
		"all is in use": {
			world{
				pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("a", "b"),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a b b"), spec("10.0.0.4/30", "host:b", "b b b b")},
			}, map[string]string{"pool": "0", "a": "0", "b": "0"},
		},
		"a node that is starved has nothing left, others have": {
			world{
				pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("a", "b", "c"), config: strictWith(0),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a a a"), spec("10.0.0.4/30", "host:b", "b")},
			}, map[string]string{"pool": "3", "a": "0", "b": "3", "c": "0"},
		},
		"a node at its limit gives of its own blocks alone": {
			world{
				pools: []Pool{pool}, nodes: nodesNamed("a", "b"), config: strictWith(1),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "7", "a": "3", "b": "4"},
		},
		"a node at its limit does not borrow either": {
			world{
				pools: []Pool{pool}, nodes: nodesNamed("a", "b"), config: lentWith(1),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a a a"), spec("10.0.0.4/30", "host:b", "b"), spec("10.0.0.8/30", "", "a")},
			}, map[string]string{"pool": "3", "a": "0", "b": "3"},
		},
		"a node over its limit is as one at it": {
			world{
				pools: []Pool{pool}, nodes: nodesNamed("a", "b"), config: strictWith(1),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a"), spec("10.0.0.4/30", "host:a", "a")},
			}, map[string]string{"pool": "10", "a": "6", "b": "4"},
		},
		"where nodes claim no blocks they give of their own alone": {
			world{
				pools: []Pool{pool}, nodes: nodesNamed("a", "b"), config: &Config{},
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a"), spec("10.0.0.4/30", "", "a")},
			}, map[string]string{"pool": "3", "a": "3", "b": "0"},
		},
		"without strict affinity what a node left behind is borrowed": {
			world{
				pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("a"),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:gone", "gone"), spec("10.0.0.4/30", "", "a")},
			}, map[string]string{"pool": "6", "a": "6"},
		},
		"with strict affinity it is stranded": {
			world{
				pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("a"), config: strictWith(0),
				blocks: []BlockSpec{claimed(spec("10.0.0.0/30", "host:gone", "gone"), time.Hour), spec("10.0.0.4/30", "", "a")},
			}, map[string]string{"pool": "0", "a": "0"},
		},
		"a disabled pool gives nothing": {
			world{
				pools: []Pool{in(calicometric.PoolDisabled, pool)}, nodes: nodesNamed("a"), blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "0", "a": "0"},
		},
		"nor does one that terminates": {
			world{
				pools: []Pool{in(calicometric.PoolTerminating, pool)}, nodes: nodesNamed("a"), blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "0", "a": "0"},
		},
		"a node claims blocks pool by pool, in the order of their names": {
			world{
				pools: []Pool{automatic("a-small", "10.0.1.0/29", 31), pool, automatic("z-small", "10.0.2.0/29", 32)}, nodes: nodesNamed("a"),
				config: strictWith(6),
			}, map[string]string{"a-small": "8", "pool": "16", "z-small": "6", "a": "16"},
		},
		"a pool of some nodes is not of the others": {
			world{
				pools: []Pool{selecting("rack == '1'", pool)}, nodes: labelled, blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "15", "a": "15", "b": "0"},
		},
		"a pool of no node gives to who asks for it by name": {
			world{
				pools: []Pool{selecting("rack == '3'", pool)}, nodes: labelled, blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "15", "a": "0", "b": "0"},
		},
		"so does a pool whose selector cannot be read": {
			world{pools: []Pool{selecting("rack ==", pool)}, nodes: labelled}, map[string]string{"pool": "16", "a": "0", "b": "0"},
		},
		"a pool of some namespaces gives to their pods, and no node to all": {
			world{pools: []Pool{ofNamespaces("team == 'x'", pool)}, nodes: labelled}, map[string]string{"pool": "16", "a": "0", "b": "0"},
		},
		"a pool of all namespaces is like any other": {
			world{pools: []Pool{ofNamespaces("all()", pool)}, nodes: labelled}, map[string]string{"pool": "16", "a": "16", "b": "16"},
		},
		"an empty block is taken over before a node borrows, and counts against its limit": {
			world{
				pools: []Pool{automatic("pool", "10.0.0.0/28", 30)}, nodes: nodesNamed("a", "b"), config: lentWith(1),
				blocks: []BlockSpec{
					claimed(spec("10.0.0.0/30", "host:b", ""), time.Hour), spec("10.0.0.4/30", "host:b", "b"),
					spec("10.0.0.8/30", "host:b", "b"), spec("10.0.0.12/30", "host:b", "b"),
				},
			}, map[string]string{"pool": "13", "a": "4", "b": "13"},
		},
		"what a node has in a pool that is not its own any longer is stranded": {
			world{
				pools: []Pool{selecting("rack == '2'", pool)}, nodes: labelled, config: strictWith(0), blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "12", "a": "0", "b": "12"},
		},
		"or borrowed": {
			world{
				pools: []Pool{selecting("rack == '2'", pool)}, nodes: labelled, blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "15", "a": "0", "b": "15"},
		},
		"or taken over, once it is empty": {
			world{
				pools: []Pool{selecting("rack == '2'", pool)}, nodes: labelled, config: strictWith(0),
				blocks: []BlockSpec{claimed(spec("10.0.0.0/30", "host:a", ""), time.Hour)},
			}, map[string]string{"pool": "16", "a": "0", "b": "16"},
		},
		"a node counts the blocks of all its pools against its limit": {
			world{
				pools: []Pool{pool, automatic("other", "10.0.1.0/29", 30)}, nodes: nodesNamed("a"), config: strictWith(2),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a"), spec("10.0.1.0/30", "host:a", "a")},
			}, map[string]string{"pool": "2", "other": "3", "a": "5"},
		},
		"but not those of pools that are not its own": {
			world{
				pools: []Pool{pool, selecting("rack == '2'", automatic("other", "10.0.1.0/29", 30))}, nodes: labelled, config: strictWith(2),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a"), spec("10.0.1.0/30", "host:a", "a")},
			}, map[string]string{"pool": "14", "other": "4", "a": "6", "b": "8"},
		},
		"nor those of disabled pools": {
			world{
				pools: []Pool{pool, in(calicometric.PoolDisabled, automatic("other", "10.0.1.0/29", 30))}, nodes: nodesNamed("a"), config: strictWith(2),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a"), spec("10.0.1.0/30", "host:a", "a")},
			}, map[string]string{"pool": "6", "other": "0", "a": "6"},
		},
		"nor those of the other family": {
			world{
				pools: []Pool{pool, automatic("six", "fd00::/125", 126)}, nodes: nodesNamed("a"), config: strictWith(2),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a"), spec("fd00::/126", "host:a", "a")},
			}, map[string]string{"pool": "6", "six": "7", "a IPv4": "6", "a IPv6": "7"},
		},
		"nor those of manual pools": {
			world{
				pools: []Pool{pool, manual(automatic("other", "10.0.1.0/29", 30))}, nodes: nodesNamed("a"), config: strictWith(2),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a a"), spec("10.0.1.0/30", "host:a", "a")},
			}, map[string]string{"pool": "6", "other": "7", "a": "6"},
		},
		"a manual pool is of all nodes: its selector is not asked": {
			world{
				pools: []Pool{selecting("rack == '3'", manual(pool))}, nodes: labelled, blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
			}, map[string]string{"pool": "15", "a": "0", "b": "0"},
		},
		"even one that cannot be read": {
			world{pools: []Pool{selecting("rack ==", manual(pool))}, nodes: labelled}, map[string]string{"pool": "16", "a": "0", "b": "0"},
		},
		"a manual pool counts its own blocks against the limit": {
			world{
				pools: []Pool{manual(pool), automatic("other", "10.0.1.0/29", 30)}, nodes: nodesNamed("a"), config: strictWith(1),
				blocks: []BlockSpec{spec("10.0.1.0/30", "host:a", "a a")},
			}, map[string]string{"pool": "4", "other": "2", "a": "2"},
		},
		"a manual pool for tunnels is one as well": {
			world{pools: []Pool{forUses(manual(pool), tunnel)}, nodes: nodesNamed("a")}, map[string]string{"pool": "16", "a": "0"},
		},
		"a pool for tunnels gives them, and nothing to pods": {
			world{
				pools: []Pool{forUses(pool, tunnel)}, nodes: nodesNamed("a", "b"), blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "tunnel:a")},
			}, map[string]string{"pool": "15", "a": "0", "b": "0"},
		},
		"the blocks of a pool for tunnels do not count for pods": {
			world{
				pools: []Pool{forUses(pool, tunnel), forUses(automatic("pods", "10.0.1.0/29", 30), workload)}, nodes: nodesNamed("a"), config: strictWith(1),
				blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "tunnel:a")},
			}, map[string]string{"pool": "3", "pods": "4", "a": "4"},
		},
		"the blocks of pods do count for tunnels where the pool is for both": {
			world{
				pools: []Pool{forUses(pool, tunnel), automatic("both", "10.0.1.0/29", 30)}, nodes: nodesNamed("a"), config: strictWith(1),
				blocks: []BlockSpec{spec("10.0.1.0/30", "host:a", "a")},
			}, map[string]string{"pool": "0", "both": "3", "a": "3"},
		},
		"a pool for load balancers gives nothing to pods": {
			world{
				pools: []Pool{forUses(pool, balancer)}, nodes: nodesNamed("a"), blocks: []BlockSpec{spec("10.0.0.0/30", "virtual:load-balancer", "lb")},
			}, map[string]string{"pool": "15", "a": "0"},
		},
		"what is left of it is the same where there is no node": {
			world{pools: []Pool{forUses(pool, balancer)}, config: strictWith(2)}, map[string]string{"pool": "8"},
		},
		"load balancers at their limit give of their blocks alone": {
			world{
				pools: []Pool{forUses(pool, balancer)}, config: strictWith(2),
				blocks: []BlockSpec{spec("10.0.0.0/30", "virtual:load-balancer", "lb lb lb"), spec("10.0.0.4/30", "virtual:load-balancer", "lb lb lb lb")},
			}, map[string]string{"pool": "1"},
		},
		"where blocks are not claimed, load balancers give of their own": {
			world{
				pools: []Pool{forUses(pool, balancer)}, config: &Config{}, blocks: []BlockSpec{spec("10.0.0.0/30", "virtual:load-balancer", "lb lb lb")},
			}, map[string]string{"pool": "1"},
		},
		"a manual pool for load balancers is one": {
			world{pools: []Pool{forUses(manual(pool), balancer)}, nodes: nodesNamed("a")}, map[string]string{"pool": "16", "a": "0"},
		},
		"a disabled pool for load balancers gives nothing": {
			world{pools: []Pool{forUses(in(calicometric.PoolDisabled, pool), balancer)}}, map[string]string{"pool": "0"},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, assignable(tc.report(t))) })
	}
}

func TestPoolsAreOfTheNodesThatTheySelectNow(t *testing.T) {
	pool := automatic("pool", "10.0.0.0/28", 30)
	a := world{
		pools: []Pool{selecting("rack == '1'", pool)}, nodes: labelled, config: strictWith(0), blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")},
	}.account(t)
	require.Equal(t, map[string]string{"pool": "15", "a": "15", "b": "0"}, assignable(a.Report(moment0)))
	a.SetNodes(map[string]map[string]string{"a": {"rack": "2"}, "b": {"rack": "1"}})
	require.Equal(t, map[string]string{"pool": "12", "a": "0", "b": "12"}, assignable(a.Report(moment0)), "labels change")
	a.SetPools([]Pool{selecting("rack == '2'", pool)})
	require.Equal(t, map[string]string{"pool": "15", "a": "15", "b": "0"}, assignable(a.Report(moment0)), "the selector changes")
	a.SetPools([]Pool{selecting("rack == '2'", pool), selecting("has(rack)", automatic("other", "10.0.1.0/30", 30))})
	require.Equal(t, map[string]string{"pool": "15", "other": "4", "a": "19", "b": "4"}, assignable(a.Report(moment0)), "another pool comes")
	a.SetNodes(map[string]map[string]string{"b": {"rack": "2"}})
	require.Equal(t, map[string]string{"pool": "12", "other": "4", "b": "16"}, assignable(a.Report(moment0)), "a node goes")
	a.SetNodes(nil)
	require.Equal(t, map[string]string{"pool": "0", "other": "0"}, assignable(a.Report(moment0)), "all go")
}
