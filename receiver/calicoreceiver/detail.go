package calicoreceiver

import (
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// maxZeroPairs bounds how many pairs of a pool and a node have series with 0: of 200 pools and 5,000 nodes there are a million.
const maxZeroPairs = 50_000

// seeded are the quantities that have points with 0, as in kube-controllers. Of blocks, and of addresses that are lent, there is no series for 0.
var seeded = nodedetail.SetOf(nodedetail.InUse, nodedetail.Borrowed)

// nodeDetail makes the nodes' shares of a pool those that have points, as many as there shall be.
type nodeDetail nodedetail.Detail

// seeds are the nodes that have points in every pool, with 0 where they have no share: all of the cluster, or none where that is not asked for or
// there are too many of them.
func (d nodeDetail) seeds(nodes []string, pools int) (seeds []string, tooMany bool) {
	if d.Mode != nodedetail.Full {
		return nil, false
	}
	points := len(nodes)
	if d.Top > 0 {
		points = min(points, d.Top+1)
	}
	if points*pools > maxZeroPairs {
		return nil, true
	}
	return nodes, false
}

// shares are those of a pool that have points. A pool that is none, of the blocks without one, has no seeds.
func (d nodeDetail) shares(shares []ipam.NodeShare, seeds []string) []nodedetail.Share {
	first := len(seeds)
	if d.Top > 0 {
		first = d.Top + 1 // one more than may be among the first, which tells that there are others
	}
	return nodedetail.Detail(d).Apply(merge(shares, seeds, first))
}

// merge are the shares and, of the seeds that have none, the first. All are ordered by node.
func merge(shares []ipam.NodeShare, seeds []string, first int) []nodedetail.Share {
	all := make([]nodedetail.Share, 0, len(shares)+min(first, len(seeds)))
	add := func(seed string) {
		if first > 0 {
			all = append(all, nodedetail.Share{Node: seed, Seeded: seeded})
			first--
		}
	}
	for _, s := range shares {
		for len(seeds) > 0 && seeds[0] < s.Node {
			add(seeds[0])
			seeds = seeds[1:]
		}
		found := nodedetail.Share{Node: s.Node, Values: nodedetail.Values{
			nodedetail.InUse: s.InUse, nodedetail.Borrowed: s.Borrowed, nodedetail.Lent: s.Lent, nodedetail.Blocks: s.Blocks,
		}}
		if len(seeds) > 0 && seeds[0] == s.Node {
			found.Seeded = seeded
			seeds = seeds[1:]
		}
		all = append(all, found)
	}
	for _, seed := range seeds {
		add(seed)
	}
	return all
}
