package nodedetail

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// seeds are what kube-controllers and the receiver publish with 0 too.
var seeds = SetOf(InUse, Borrowed)

// told writes points as they are to be read in a table.
func told(shares []Share, q Quantity, known bool) (told []string) {
	for node, value := range Points(shares, q, known) {
		told = append(told, fmt.Sprintf("%s %d", node, value))
	}
	return told
}

// seeded are shares of nodes, each of them seeded, and of those that have none.
func seeded(shares []Share, nodes ...string) []Share {
	all := slices.Clone(shares)
	for _, node := range nodes {
		at := slices.IndexFunc(all, func(s Share) bool { return s.Node == node })
		if at < 0 {
			at = len(all)
			all = append(all, Share{Node: node})
		}
		all[at].Seeded = seeds
	}
	return all
}

func TestDetailOfAPool(t *testing.T) {
	// Node x has left the cluster; its block and addresses have not. Node d has nothing.
	shares := []Share{
		{Node: "a", Values: Values{InUse: 5, Borrowed: 2, Blocks: 1}},
		{Node: "b", Values: Values{InUse: 7, Blocks: 2, Lent: 3, GCCandidates: 1}},
		{Node: "c", Values: Values{Blocks: 1}},
		{Node: "no_affinity", Values: Values{Blocks: 4}},
		{Node: "unknown_node", Values: Values{InUse: 3}},
		{Node: "x", Values: Values{InUse: 5, Borrowed: 1, Blocks: 2, GCCandidates: 5}},
	}
	cluster := seeded(shares, "a", "b", "c", "d")
	unused := seeded(nil, "a", "b", "c", "d")
	for _, tc := range []struct {
		name                                      string
		detail                                    Detail
		shares                                    []Share
		inUse, borrowed, blocks, lent, candidates []string
	}{
		{
			name:   "full has what kube-controllers has: zeros for every node of the cluster, but of blocks",
			detail: Detail{Mode: Full}, shares: cluster,
			inUse:      []string{"a 5", "b 7", "c 0", "d 0", "unknown_node 3", "x 5"},
			borrowed:   []string{"a 2", "b 0", "c 0", "d 0", "x 1"},
			blocks:     []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:       []string{"b 3"},
			candidates: []string{"b 1", "x 5"},
		},
		{
			name: "full of an unused pool is zeros", detail: Detail{Mode: Full}, shares: seeded(nil, "a", "b"),
			inUse: []string{"a 0", "b 0"}, borrowed: []string{"a 0", "b 0"},
		},
		{
			name: "full without the cluster's nodes says of an unused pool that it is", detail: Detail{Mode: Full},
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name:   "nonzero leaves out zeros",
			detail: Detail{Mode: Nonzero}, shares: cluster,
			inUse:      []string{"a 5", "b 7", "unknown_node 3", "x 5"},
			borrowed:   []string{"a 2", "x 1"},
			blocks:     []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:       []string{"b 3"},
			candidates: []string{"b 1", "x 5"},
		},
		{
			name: "nonzero says of an unused pool that it is", detail: Detail{Mode: Nonzero}, shares: unused,
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name:   "nonzero says of a pool with blocks alone that no address is in use",
			detail: Detail{Mode: Nonzero}, shares: []Share{{Node: "a", Values: Values{Blocks: 1}}},
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"a 1"},
		},
		{
			name:   "none adds everything up",
			detail: Detail{Mode: None}, shares: cluster,
			inUse: []string{"all_nodes 20"}, borrowed: []string{"all_nodes 3"}, blocks: []string{"all_nodes 10"}, lent: []string{"all_nodes 3"},
			candidates: []string{"all_nodes 6"},
		},
		{
			name: "none of an unused pool is 0", detail: Detail{Mode: None}, shares: unused,
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name: "none adds up what is a sum already", detail: Detail{Mode: None},
			shares: []Share{
				{Node: "a", Values: Values{InUse: 1}}, {Node: "all_nodes", Values: Values{Blocks: 2}},
				{Node: "other_nodes", Values: Values{InUse: 3, Blocks: 4}},
			},
			inUse: []string{"all_nodes 4"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"all_nodes 6"},
		},
		{
			name:   "the top nodes are those with the most addresses, then blocks, and the others are one",
			detail: Detail{Mode: Full, Top: 2}, shares: cluster,
			inUse:      []string{"b 7", "other_nodes 5", "unknown_node 3", "x 5"},
			borrowed:   []string{"b 0", "other_nodes 2", "x 1"},
			blocks:     []string{"b 2", "no_affinity 4", "other_nodes 2", "x 2"},
			lent:       []string{"b 3"},
			candidates: []string{"b 1", "x 5"},
		},
		{
			name:   "a tie is broken by name",
			detail: Detail{Mode: Nonzero, Top: 1},
			shares: []Share{{Node: "b", Values: Values{InUse: 1, Blocks: 1}}, {Node: "a", Values: Values{InUse: 1, Blocks: 1}}},
			inUse:  []string{"a 1", "other_nodes 1"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"a 1", "other_nodes 1"},
		},
		{
			name:   "nodes without a share fill up the top, and the rest is 0",
			detail: Detail{Mode: Full, Top: 2}, shares: seeded([]Share{{Node: "c", Values: Values{InUse: 1, Blocks: 1}}}, "a", "b", "c", "d"),
			inUse: []string{"a 0", "c 1", "other_nodes 0"}, borrowed: []string{"a 0", "c 0", "other_nodes 0"}, blocks: []string{"c 1"},
		},
		{
			name:   "nonzero with top nodes leaves out zeros all the same",
			detail: Detail{Mode: Nonzero, Top: 2}, shares: seeded([]Share{{Node: "c", Values: Values{InUse: 1, Blocks: 1}}}, "a", "b", "c", "d"),
			inUse: []string{"c 1"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"c 1"},
		},
		{
			name:   "as many top nodes as there are leave no others",
			detail: Detail{Mode: Full, Top: 4}, shares: unused,
			inUse: []string{"a 0", "b 0", "c 0", "d 0"}, borrowed: []string{"a 0", "b 0", "c 0", "d 0"},
		},
		{
			name:   "more top nodes than there are change nothing",
			detail: Detail{Mode: Full, Top: 9}, shares: cluster,
			inUse:      []string{"a 5", "b 7", "c 0", "d 0", "unknown_node 3", "x 5"},
			borrowed:   []string{"a 2", "b 0", "c 0", "d 0", "x 1"},
			blocks:     []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:       []string{"b 3"},
			candidates: []string{"b 1", "x 5"},
		},
		{
			name: "nodes that are cut are added to the others that were cut before", detail: Detail{Mode: Full, Top: 1},
			shares: []Share{
				{Node: "a", Values: Values{InUse: 1}, Seeded: seeds}, {Node: "b", Values: Values{InUse: 2}, Seeded: seeds},
				{Node: "other_nodes", Values: Values{InUse: 30, Borrowed: 4, Blocks: 5}},
			},
			inUse: []string{"b 2", "other_nodes 31"}, borrowed: []string{"b 0", "other_nodes 4"}, blocks: []string{"other_nodes 5"},
		},
		{
			name: "others that were cut before are no node among the top", detail: Detail{Mode: Nonzero, Top: 1},
			shares: []Share{{Node: "a", Values: Values{InUse: 1}}, {Node: "other_nodes", Values: Values{InUse: 30}}},
			inUse:  []string{"a 1", "other_nodes 30"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name: "a sum of all nodes stays one beside the top", detail: Detail{Mode: Full, Top: 1},
			shares: []Share{
				{Node: "all_nodes", Values: Values{InUse: 9}, Seeded: seeds},
				{Node: "a", Values: Values{Blocks: 1}}, {Node: "b", Values: Values{Blocks: 2}},
			},
			inUse: []string{"all_nodes 9"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"b 2", "other_nodes 1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.detail.Apply(slices.Clone(tc.shares))
			require.Equal(t, tc.inUse, told(got, InUse, true), "in use")
			require.Equal(t, tc.borrowed, told(got, Borrowed, true), "borrowed")
			require.Equal(t, tc.blocks, told(got, Blocks, false), "blocks")
			require.Equal(t, tc.lent, told(got, Lent, false), "lent")
			require.Equal(t, tc.candidates, told(got, GCCandidates, false), "candidates")
		})
	}
}

func TestWhatIsNotKnownHasNoPoint(t *testing.T) {
	for _, mode := range modes {
		require.Empty(t, told(Detail{Mode: mode}.Apply(nil), InUse, false), mode)
		require.Equal(t, []string{"all_nodes 0"}, told(Detail{Mode: mode}.Apply(nil), InUse, true), mode)
	}
}

func TestPointsEndWhereTheReaderDoes(t *testing.T) {
	for node := range Points([]Share{{Node: "a", Values: Values{InUse: 1}}, {Node: "b", Values: Values{InUse: 2}}}, InUse, true) {
		require.Equal(t, "a", node)
		break
	}
}

// drawShares are a pool's, each node once.
var drawShares = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Share {
	s := Share{
		Node: rapid.SampledFrom([]string{
			"a", "b", "c", "d", "e", "f", calicometric.UnknownNode, calicometric.NoAffinity, calicometric.AllNodes, calicometric.OtherNodes,
		}).Draw(t, "node"),
		Seeded: Set(rapid.Uint8Range(0, 1<<quantities-1).Draw(t, "seeded")),
	}
	for q := range s.Values {
		s.Values[q] = rapid.IntRange(0, 3).Draw(t, "value")
	}
	return s
}), 0, -1, func(s Share) string { return s.Node })

func TestEveryDetailKeepsTheSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shares := drawShares.Draw(t, "shares")
		detail := Detail{Mode: rapid.SampledFrom(modes).Draw(t, "mode")}
		if detail.Mode != None {
			detail.Top = rapid.IntRange(0, 5).Draw(t, "top")
		}
		before := sum("", shares).Values
		shuffled := rapid.Permutation(shares).Draw(t, "shuffled")
		got := detail.Apply(slices.Clone(shares))

		require.Equal(t, before, sum("", got).Values)
		require.True(t, slices.Equal(got, detail.Apply(shuffled)), "the order of the shares is not that of the points")
		require.True(t, slices.IsSortedFunc(got, byNode))
		if detail.Top > 0 {
			nodes := 0
			for _, s := range got {
				switch s.Node {
				case calicometric.UnknownNode, calicometric.NoAffinity, calicometric.AllNodes, calicometric.OtherNodes:
				default:
					nodes++
				}
			}
			require.LessOrEqual(t, nodes, detail.Top)
		}
		require.True(t, slices.Equal(got, detail.Apply(slices.Clone(got))), "what was cut once is not cut again")
	})
}

func TestApplyAllocatesNothing(t *testing.T) {
	var shares []Share
	for n := range 1000 {
		shares = append(shares, Share{Node: fmt.Sprintf("node-%04d", n), Values: Values{InUse: n % 7}, Seeded: seeds})
	}
	work := make([]Share, len(shares))
	total := 0
	require.Zero(t, testing.AllocsPerRun(3, func() {
		copy(work, shares)
		for _, value := range Points(Detail{Mode: Full, Top: 30}.Apply(work), InUse, true) {
			total += value
		}
	}))
	require.Positive(t, total)
}
