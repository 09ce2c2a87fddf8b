package nodeshares

import (
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

// pool are the shares of the nodes in one pool, or over all of them.
type pool struct {
	name string
	// known are the quantities of which the scrape has a point.
	known nodedetail.Set
	// refused are those that a value is not known of.
	refused nodedetail.Set
	// shares are those of the scrape, and of the nodes that the last one had; a share without a point in this one has nothing seeded.
	// They are ordered by node but for those that are new.
	shares []nodedetail.Share
	index  map[string]int
	// grown is set where there is a new node.
	grown bool
	// The next point is expected to be of metric and of the node at next: those of a metric come together, mostly in the order of the nodes.
	metric Metric
	next   int
	// from and to say where in Shares.kept the shares are that have points.
	from, to int
}

// share returns that of a node.
func (p *pool) share(m Metric, node string) *nodedetail.Share {
	at := p.next
	if p.metric != m {
		p.metric, at = m, 0
	}
	if at >= len(p.shares) || p.shares[at].Node != node {
		at = p.find(node)
	}
	p.next = at + 1
	return &p.shares[at]
}

func (p *pool) find(node string) int {
	at, found := p.index[node]
	if found {
		return at
	}
	if p.index == nil {
		p.index = make(map[string]int)
	}
	// A name may be part of all labels of a series, which it would keep alive.
	node = strings.Clone(node)
	at = len(p.shares)
	p.shares = append(p.shares, nodedetail.Share{Node: node})
	p.index[node] = at
	p.grown = true
	return at
}

// reset forgets the nodes that had no point, and puts the others in order.
func (p *pool) reset() {
	before := len(p.shares)
	p.shares = slices.DeleteFunc(p.shares, func(s nodedetail.Share) bool { return s.Seeded == 0 })
	if p.grown || len(p.shares) < before {
		p.reindex()
	}
	for i := range p.shares {
		p.shares[i] = nodedetail.Share{Node: p.shares[i].Node}
	}
	p.known, p.refused, p.grown, p.next = 0, 0, false, 0
}

// reindex orders the shares by node and finds them by it. What it had room for is given up where little of it is left.
func (p *pool) reindex() {
	slices.SortFunc(p.shares, func(a, b nodedetail.Share) int { return strings.Compare(a.Node, b.Node) })
	if len(p.shares) < cap(p.shares)/4 {
		p.shares, p.index = slices.Clone(p.shares), make(map[string]int, len(p.shares))
	}
	clear(p.index)
	for i := range p.shares {
		p.index[p.shares[i].Node] = i
	}
}
