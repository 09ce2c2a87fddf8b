package calicoreceiver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// maxZeroPairs bounds how many pairs of a pool and a node have series with 0: of 200 pools and 5,000 nodes there are a million.
const maxZeroPairs = 50_000

// nodeDetail makes points of the nodes' shares of a pool, as many as there shall be.
type nodeDetail struct {
	mode NodeDetail
	// top is how many nodes of a pool have points of their own; 0 is all.
	top int
}

// nodeValue is a point: what a node has.
type nodeValue struct {
	node  string
	value int
}

// poolPoints are the points of one pool, each list in the order of the nodes.
type poolPoints struct {
	inUse, borrowed, lent, blocks []nodeValue
}

// seeds are the nodes that have points in every pool, with 0 where they have no share: all of the cluster, or none where that is not asked for or
// there are too many of them.
func (d nodeDetail) seeds(nodes []string, pools int) (seeds []string, tooMany bool) {
	if d.mode != NodeDetailFull {
		return nil, false
	}
	points := len(nodes)
	if d.top > 0 {
		points = min(points, d.top+1)
	}
	if points*pools > maxZeroPairs {
		return nil, true
	}
	return nodes, false
}

// pool are the points of a pool. Where none is left of the addresses in use or of those that are borrowed, there is one with 0 for all nodes: that
// nothing is in use is known, and no point at all would say that it is not.
func (d nodeDetail) pool(shares []ipam.NodeShare, seeds []string) poolPoints {
	found := d.points(shares, seeds)
	none := []nodeValue{{node: calicometric.AllNodes}}
	if len(found.inUse) == 0 {
		found.inUse = none
	}
	if len(found.borrowed) == 0 {
		found.borrowed = none
	}
	return found
}

// noPool are the points of blocks without a pool. There are none where there is no such block.
func (d nodeDetail) noPool(shares []ipam.NodeShare) poolPoints { return d.points(shares, nil) }

func (d nodeDetail) points(shares []ipam.NodeShare, seeds []string) poolPoints {
	var all []share
	switch {
	case d.mode == NodeDetailNone:
		all = []share{sum(calicometric.AllNodes, merge(shares, nil, 0))}
	case d.top > 0:
		// One more than may be among the first, which tells that there are others.
		all = most(merge(shares, seeds, d.top+1), d.top)
	default:
		all = merge(shares, seeds, len(seeds))
	}
	return poolPoints{
		inUse:    nodeValues(all, true, func(s share) int { return s.InUse }),
		borrowed: nodeValues(all, true, func(s share) int { return s.Borrowed }),
		lent:     nodeValues(all, false, func(s share) int { return s.Lent }),
		blocks:   nodeValues(all, false, func(s share) int { return s.Blocks }),
	}
}

// share is that of a node. Where it is seeded, it has points with 0.
type share struct {
	ipam.NodeShare
	seeded bool
}

// merge are the shares and, of the seeds that have none, the first. All are ordered by node.
func merge(shares []ipam.NodeShare, seeds []string, first int) []share {
	all := make([]share, 0, len(shares)+min(first, len(seeds)))
	add := func(seed string) {
		if first > 0 {
			all = append(all, share{NodeShare: ipam.NodeShare{Node: seed}, seeded: true})
			first--
		}
	}
	for _, s := range shares {
		for len(seeds) > 0 && seeds[0] < s.Node {
			add(seeds[0])
			seeds = seeds[1:]
		}
		isSeed := len(seeds) > 0 && seeds[0] == s.Node
		if isSeed {
			seeds = seeds[1:]
		}
		all = append(all, share{NodeShare: s, seeded: isSeed})
	}
	for _, seed := range seeds {
		add(seed)
	}
	return all
}

// most are the shares of the nodes with the most addresses in use, and the sum of the others. Shares of no node stay beside them.
func most(all []share, top int) []share {
	var kept, nodes []share
	for _, s := range all {
		if s.Node == calicometric.UnknownNode || s.Node == calicometric.NoAffinity {
			kept = append(kept, s)
		} else {
			nodes = append(nodes, s)
		}
	}
	slices.SortFunc(nodes, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.InUse, a.InUse), cmp.Compare(b.Blocks, a.Blocks), strings.Compare(a.Node, b.Node))
	})
	split := min(top, len(nodes))
	kept = append(kept, nodes[:split]...)
	if others := nodes[split:]; len(others) > 0 {
		kept = append(kept, sum(calicometric.OtherNodes, others))
	}
	slices.SortFunc(kept, func(a, b share) int { return strings.Compare(a.Node, b.Node) })
	return kept
}

// sum adds shares up, under a name. It is seeded where one of them is.
func sum(name string, shares []share) share {
	total := share{NodeShare: ipam.NodeShare{Node: name}}
	for _, s := range shares {
		total.InUse += s.InUse
		total.Borrowed += s.Borrowed
		total.Lent += s.Lent
		total.Blocks += s.Blocks
		total.seeded = total.seeded || s.seeded
	}
	return total
}

// nodeValues are those of the shares that are not 0, and with zeros also the 0 of those that are seeded.
func nodeValues(all []share, zeros bool, of func(share) int) []nodeValue {
	var found []nodeValue
	for _, s := range all {
		if value := of(s); value > 0 || zeros && s.seeded {
			found = append(found, nodeValue{node: s.Node, value: value})
		}
	}
	return found
}
