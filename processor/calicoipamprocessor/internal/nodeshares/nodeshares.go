package nodeshares

import (
	"cmp"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

// Point is one that replaces others: the value of a series.
type Point struct {
	Metric Metric
	// Pool is the ippool label, empty for a metric that has none.
	Pool string
	// Node is the node label.
	Node string
	// Value is in addresses or blocks.
	Value int
}

// Shares are what the nodes have in one scrape. They are reused from scrape to scrape, and the zero value is ready.
// What was seen in the last scrape is remembered, so that the next one of the same pools and nodes allocates nothing.
type Shares struct {
	// pools are ordered by name where settled.
	pools []*pool
	index map[string]*pool
	last  *pool
	// perNode has what is counted over all pools.
	perNode pool
	settled bool
	// kept are the shares that have points, of all pools one after the other.
	kept []nodedetail.Share
}

// Reset begins a new scrape. It forgets the nodes and pools that the last one did not have.
func (s *Shares) Reset() {
	s.settle()
	s.last = nil
	s.perNode.reset()
	kept := s.pools[:0]
	for _, p := range s.pools {
		if p.known == 0 && p.refused == 0 {
			delete(s.index, p.name)
			continue
		}
		p.reset()
		kept = append(kept, p)
	}
	clear(s.pools[len(kept):])
	s.pools = kept
}

// Add takes the value of one live series, which is not negative; sums over all nodes must fit into an int. Each series has one value in a scrape: of
// two the last is taken. The pool of a metric that counts over all pools is not looked at.
func (s *Shares) Add(m Metric, pool, node string, value int) {
	of := &metrics[m]
	p := s.last
	switch {
	case of.perNode:
		p = &s.perNode
	case p == nil || p.name != pool:
		p = s.pool(pool)
	}
	share := p.share(m, node)
	share.Values[of.quantity] = value
	share.Seeded = share.Seeded.With(of.quantity)
	p.known |= share.Seeded
}

// Refuse leaves a metric of a pool without points in this scrape: one of its values is not known, and a sum without it would be wrong.
func (s *Shares) Refuse(m Metric, pool string) {
	p := &s.perNode
	if !metrics[m].perNode {
		p = s.pool(pool)
	}
	p.refused = p.refused.With(metrics[m].quantity)
}

// Points appends the points that replace those of the scrape, ordered by metric, pool and node.
//
// They add up, for every metric and pool, to what was added. A metric and pool without a point in the scrape has none, and one with a point has at
// least one, that of all nodes where nothing is left. Of blocks without a pool that 0 is left out.
func (s *Shares) Points(detail nodedetail.Detail, dst []Point) []Point {
	s.settle()
	s.kept = s.kept[:0]
	for _, p := range s.pools {
		s.keep(detail, p)
	}
	s.keep(detail, &s.perNode)
	for m := range Metrics {
		if metrics[m].perNode {
			dst = s.points(m, &s.perNode, dst)
			continue
		}
		for _, p := range s.pools {
			dst = s.points(m, p, dst)
		}
	}
	return dst
}

// keep puts what has points of a pool behind what is kept already.
func (s *Shares) keep(detail nodedetail.Detail, p *pool) {
	p.from = len(s.kept)
	for i := range p.shares {
		if p.shares[i].Seeded != 0 {
			s.kept = append(s.kept, p.shares[i])
		}
	}
	s.kept = s.kept[:p.from+len(detail.Apply(s.kept[p.from:]))]
	p.to = len(s.kept)
}

func (s *Shares) points(m Metric, p *pool, dst []Point) []Point {
	quantity := metrics[m].quantity
	if !p.known.Has(quantity) || p.refused.Has(quantity) {
		return dst
	}
	for node, value := range nodedetail.Points(s.kept[p.from:p.to], quantity, p.name != calicometric.NoPool) {
		dst = append(dst, Point{Metric: m, Pool: p.name, Node: node, Value: value})
	}
	return dst
}

// pool returns the pool of a name.
func (s *Shares) pool(name string) *pool {
	p, found := s.index[name]
	if !found {
		if s.index == nil {
			s.index = make(map[string]*pool)
		}
		p = &pool{name: strings.Clone(name)}
		s.index[p.name] = p
		s.pools = append(s.pools, p)
		s.settled = false
	}
	s.last = p
	return p
}

// settle orders the pools.
func (s *Shares) settle() {
	if !s.settled {
		slices.SortFunc(s.pools, func(a, b *pool) int { return strings.Compare(a.name, b.name) })
		s.settled = true
	}
}

// Ended appends those of the points emitted last whose series is not among the points of now. Both are ordered as Points orders them.
func Ended(last, now, dst []Point) []Point {
	for _, p := range last {
		for len(now) > 0 && compare(&now[0], &p) < 0 {
			now = now[1:]
		}
		if len(now) == 0 || compare(&now[0], &p) != 0 {
			dst = append(dst, p)
		}
	}
	return dst
}

// compare orders points by series.
func compare(a, b *Point) int {
	return cmp.Or(cmp.Compare(a.Metric, b.Metric), strings.Compare(a.Pool, b.Pool), strings.Compare(a.Node, b.Node))
}
