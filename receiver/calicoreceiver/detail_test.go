package calicoreceiver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// told writes points as they are to be read in a table.
func told(shares []nodedetail.Share, q nodedetail.Quantity) (told []string) {
	for node, value := range nodedetail.Points(shares, q, false) {
		told = append(told, fmt.Sprintf("%s %d", node, value))
	}
	return told
}

// Which nodes have points of their own is the rule of nodedetail. Here is what of the account it is applied to.
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
			detail: nodeDetail{Mode: NodeDetailFull}, shares: shares, nodes: cluster,
			inUse:    []string{"a 5", "b 7", "c 0", "d 0", "unknown_node 3", "x 5"},
			borrowed: []string{"a 2", "b 0", "c 0", "d 0", "x 1"},
			blocks:   []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:     []string{"b 3"},
		},
		{
			name: "full of an unused pool is zeros", detail: nodeDetail{Mode: NodeDetailFull}, nodes: []string{"a", "b"},
			inUse: []string{"a 0", "b 0"}, borrowed: []string{"a 0", "b 0"},
		},
		{
			name: "nonzero has no zeros", detail: nodeDetail{Mode: NodeDetailNonzero}, shares: shares, nodes: cluster,
			inUse:    []string{"a 5", "b 7", "unknown_node 3", "x 5"},
			borrowed: []string{"a 2", "x 1"},
			blocks:   []string{"a 1", "b 2", "c 1", "no_affinity 4", "x 2"},
			lent:     []string{"b 3"},
		},
		{
			name: "none adds everything up", detail: nodeDetail{Mode: NodeDetailNone}, shares: shares, nodes: cluster,
			inUse: []string{"all_nodes 20"}, borrowed: []string{"all_nodes 3"}, blocks: []string{"all_nodes 10"}, lent: []string{"all_nodes 3"},
		},
		{
			name: "top nodes leave the others one", detail: nodeDetail{Mode: NodeDetailFull, Top: 2}, shares: shares, nodes: cluster,
			inUse:    []string{"b 7", "other_nodes 5", "unknown_node 3", "x 5"},
			borrowed: []string{"b 0", "other_nodes 2", "x 1"},
			blocks:   []string{"b 2", "no_affinity 4", "other_nodes 2", "x 2"},
			lent:     []string{"b 3"},
		},
		{
			name:   "nodes without a share fill up the top, and the rest is 0",
			detail: nodeDetail{Mode: NodeDetailFull, Top: 2}, shares: []ipam.NodeShare{{Node: "c", InUse: 1, Blocks: 1}}, nodes: cluster,
			inUse: []string{"a 0", "c 1", "other_nodes 0"}, borrowed: []string{"a 0", "c 0", "other_nodes 0"}, blocks: []string{"c 1"},
		},
		{
			name:   "as many top nodes as there are leave no others",
			detail: nodeDetail{Mode: NodeDetailFull, Top: 4}, nodes: cluster,
			inUse: []string{"a 0", "b 0", "c 0", "d 0"}, borrowed: []string{"a 0", "b 0", "c 0", "d 0"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seeds, tooMany := tc.detail.seeds(tc.nodes, 1)
			require.False(t, tooMany)
			got := tc.detail.shares(tc.shares, seeds)
			require.Equal(t, tc.inUse, told(got, nodedetail.InUse), "in use")
			require.Equal(t, tc.borrowed, told(got, nodedetail.Borrowed), "borrowed")
			require.Equal(t, tc.blocks, told(got, nodedetail.Blocks), "blocks")
			require.Equal(t, tc.lent, told(got, nodedetail.Lent), "lent")
		})
	}
}

func TestBlocksWithoutAPoolHavePointsOnlyWhileTheyAreThere(t *testing.T) {
	for _, mode := range []NodeDetail{NodeDetailFull, NodeDetailNonzero, NodeDetailNone} {
		require.Empty(t, nodeDetail{Mode: mode}.shares(nil, nil), mode)
	}
	got := nodeDetail{Mode: NodeDetailFull}.shares([]ipam.NodeShare{{Node: "a", InUse: 2, Blocks: 1}, {Node: "b", Blocks: 1}}, nil)
	require.Equal(t, []string{"a 2"}, told(got, nodedetail.InUse))
	require.Empty(t, told(got, nodedetail.Borrowed))
	require.Equal(t, []string{"a 1", "b 1"}, told(got, nodedetail.Blocks))
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
		{"as many pairs as there may be", nodeDetail{Mode: NodeDetailFull}, 50, 1000, false},
		{"one pool more", nodeDetail{Mode: NodeDetailFull}, 51, 0, true},
		{"few nodes one by one, and one for the others, are few pairs", nodeDetail{Mode: NodeDetailFull, Top: 9}, 5000, 1000, false},
		{"many of them are not", nodeDetail{Mode: NodeDetailFull, Top: 9}, 5001, 0, true},
		{"who asks for no zeros has none", nodeDetail{Mode: NodeDetailNonzero}, 51, 0, false},
		{"nor has who asks for no nodes", nodeDetail{Mode: NodeDetailNone}, 51, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seeds, tooMany := tc.detail.seeds(nodes, tc.pools)
			require.Len(t, seeds, tc.want)
			require.Equal(t, tc.tooMany, tooMany)
		})
	}
}
