package calicoreceiver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// told writes points as they are to be read in a table.
func told(points []nodeValue) (told []string) {
	for _, p := range points {
		told = append(told, fmt.Sprintf("%s %d", p.node, p.value))
	}
	return told
}

func TestNodeDetailOfAPool(t *testing.T) {
	cluster := []string{"a", "b", "c", "d"}
	// Node x has left the cluster; its block and addresses have not. Node d has nothing.
	shares := []ipam.NodeShare{
		{Node: "a", InUse: 5, Borrowed: 2, Blocks: 1},
		{Node: "b", InUse: 7, Blocks: 2, Lent: 3},
		{Node: "c", Blocks: 1},
		{Node: "no_affinity", Blocks: 4},
		{Node: "unknown_node", InUse: 3},
		{Node: "x", InUse: 5, Borrowed: 1, Blocks: 2},
	}
	for _, tc := range []struct {
		name                          string
		detail                        nodeDetail
		shares                        []ipam.NodeShare
		nodes                         []string
		inUse, borrowed, blocks, lent []string
	}{
		{
			name:   "full has what kube-controllers has: zeros for every node of the cluster, but of blocks",
			detail: nodeDetail{mode: NodeDetailFull}, shares: shares, nodes: cluster,
			inUse:    []string{"a 5", "b 7", "c 0", "d 0", "unknown_node 3", "x 5"},
			borrowed: []string{"a 2", "b 0", "c 0", "d 0", "x 1"},
			blocks:   []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:     []string{"b 3"},
		},
		{
			name: "full of an unused pool is zeros", detail: nodeDetail{mode: NodeDetailFull}, nodes: []string{"a", "b"},
			inUse: []string{"a 0", "b 0"}, borrowed: []string{"a 0", "b 0"},
		},
		{
			name: "full without the cluster's nodes says of an unused pool that it is", detail: nodeDetail{mode: NodeDetailFull},
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name:   "nonzero leaves out zeros",
			detail: nodeDetail{mode: NodeDetailNonzero}, shares: shares, nodes: cluster,
			inUse:    []string{"a 5", "b 7", "unknown_node 3", "x 5"},
			borrowed: []string{"a 2", "x 1"},
			blocks:   []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:     []string{"b 3"},
		},
		{
			name: "nonzero says of an unused pool that it is", detail: nodeDetail{mode: NodeDetailNonzero}, nodes: cluster,
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name:   "nonzero says of a pool with blocks alone that no address is in use",
			detail: nodeDetail{mode: NodeDetailNonzero}, shares: []ipam.NodeShare{{Node: "a", Blocks: 1}},
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"a 1"},
		},
		{
			name:   "none adds everything up",
			detail: nodeDetail{mode: NodeDetailNone}, shares: shares, nodes: cluster,
			inUse: []string{"all_nodes 20"}, borrowed: []string{"all_nodes 3"}, blocks: []string{"all_nodes 10"}, lent: []string{"all_nodes 3"},
		},
		{
			name: "none of an unused pool is 0", detail: nodeDetail{mode: NodeDetailNone}, nodes: cluster,
			inUse: []string{"all_nodes 0"}, borrowed: []string{"all_nodes 0"},
		},
		{
			name:   "the top nodes are those with the most addresses, then blocks, and the others are one",
			detail: nodeDetail{mode: NodeDetailFull, top: 2}, shares: shares, nodes: cluster,
			inUse:    []string{"b 7", "other_nodes 5", "unknown_node 3", "x 5"},
			borrowed: []string{"b 0", "other_nodes 2", "x 1"},
			blocks:   []string{"b 2", "no_affinity 4", "other_nodes 2", "x 2"},
			lent:     []string{"b 3"},
		},
		{
			name:   "a tie is broken by name",
			detail: nodeDetail{mode: NodeDetailNonzero, top: 1},
			shares: []ipam.NodeShare{{Node: "a", InUse: 1, Blocks: 1}, {Node: "b", InUse: 1, Blocks: 1}},
			inUse:  []string{"a 1", "other_nodes 1"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"a 1", "other_nodes 1"},
		},
		{
			name:   "nodes without a share fill up the top, and the rest is 0",
			detail: nodeDetail{mode: NodeDetailFull, top: 2}, shares: []ipam.NodeShare{{Node: "c", InUse: 1, Blocks: 1}}, nodes: cluster,
			inUse: []string{"a 0", "c 1", "other_nodes 0"}, borrowed: []string{"a 0", "c 0", "other_nodes 0"}, blocks: []string{"c 1"},
		},
		{
			name:   "nonzero with top nodes leaves out zeros all the same",
			detail: nodeDetail{mode: NodeDetailNonzero, top: 2}, shares: []ipam.NodeShare{{Node: "c", InUse: 1, Blocks: 1}}, nodes: cluster,
			inUse: []string{"c 1"}, borrowed: []string{"all_nodes 0"}, blocks: []string{"c 1"},
		},
		{
			name:   "as many top nodes as there are leave no others",
			detail: nodeDetail{mode: NodeDetailFull, top: 4}, nodes: cluster,
			inUse: []string{"a 0", "b 0", "c 0", "d 0"}, borrowed: []string{"a 0", "b 0", "c 0", "d 0"},
		},
		{
			name:   "more top nodes than there are change nothing",
			detail: nodeDetail{mode: NodeDetailFull, top: 9}, shares: shares, nodes: cluster,
			inUse:    []string{"a 5", "b 7", "c 0", "d 0", "unknown_node 3", "x 5"},
			borrowed: []string{"a 2", "b 0", "c 0", "d 0", "x 1"},
			blocks:   []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:     []string{"b 3"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seeds, tooMany := tc.detail.seeds(tc.nodes, 1)
			require.False(t, tooMany)
			got := tc.detail.pool(tc.shares, seeds)
			require.Equal(t, tc.inUse, told(got.inUse), "in use")
			require.Equal(t, tc.borrowed, told(got.borrowed), "borrowed")
			require.Equal(t, tc.blocks, told(got.blocks), "blocks")
			require.Equal(t, tc.lent, told(got.lent), "lent")
		})
	}
}

func TestBlocksWithoutAPoolHavePointsOnlyWhileTheyAreThere(t *testing.T) {
	for _, mode := range []NodeDetail{NodeDetailFull, NodeDetailNonzero, NodeDetailNone} {
		require.Equal(t, poolPoints{}, nodeDetail{mode: mode}.noPool(nil), mode)
	}
	got := nodeDetail{mode: NodeDetailFull}.noPool([]ipam.NodeShare{{Node: "a", InUse: 2, Blocks: 1}, {Node: "b", Blocks: 1}})
	require.Equal(t, []string{"a 2"}, told(got.inUse))
	require.Empty(t, got.borrowed)
	require.Equal(t, []string{"a 1", "b 1"}, told(got.blocks))
}

func TestZerosAreBounded(t *testing.T) {
	nodes := make([]string, 1000)
	for _, tc := range []struct {
		name    string
		detail  nodeDetail
		pools   int
		want    int
		tooMany bool
	}{
		{"as many pairs as there may be", nodeDetail{mode: NodeDetailFull}, 50, 1000, false},
		{"one pool more", nodeDetail{mode: NodeDetailFull}, 51, 0, true},
		{"few nodes one by one, and one for the others, are few pairs", nodeDetail{mode: NodeDetailFull, top: 9}, 5000, 1000, false},
		{"many of them are not", nodeDetail{mode: NodeDetailFull, top: 9}, 5001, 0, true},
		{"who asks for no zeros has none", nodeDetail{mode: NodeDetailNonzero}, 51, 0, false},
		{"nor has who asks for no nodes", nodeDetail{mode: NodeDetailNone}, 51, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seeds, tooMany := tc.detail.seeds(nodes, tc.pools)
			require.Len(t, seeds, tc.want)
			require.Equal(t, tc.tooMany, tooMany)
		})
	}
}
