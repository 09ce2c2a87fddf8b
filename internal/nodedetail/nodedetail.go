// Package nodedetail holds the rule which nodes of a pool have points of their own: all, those with the most addresses in use, or none.
// The receiver applies it to the account that it keeps, and the processor to what was scraped of kube-controllers. It is a function of plain values.
package nodedetail

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Quantity is what is counted of a node in a pool.
type Quantity uint8

// The quantities. All but Blocks are in addresses.
const (
	// InUse is calicometric.AllocationsInUse.
	InUse Quantity = iota
	// Borrowed is calicometric.AllocationsBorrowed.
	Borrowed
	// Lent is calicometric.AllocationsLent.
	Lent
	// Blocks is calicometric.Blocks.
	Blocks
	// GCCandidates is calicometric.AllocationsGCCandidates.
	GCCandidates

	quantities
)

// Values are the numbers of a node, by quantity.
type Values [quantities]int

// Set is a set of quantities. The zero value is empty.
type Set uint8

// SetOf returns the set of some quantities.
func SetOf(members ...Quantity) Set {
	var set Set
	for _, q := range members {
		set = set.With(q)
	}
	return set
}

// With returns the set with one more quantity.
func (s Set) With(q Quantity) Set { return s | 1<<q }

// Has reports whether a quantity is in the set.
func (s Set) Has(q Quantity) bool { return s&(1<<q) != 0 }

// Share is what a node has of a pool.
type Share struct {
	// Node is its name, or what stands for it in Calico's metrics (unknown_node, no_affinity) or in ours (all_nodes, other_nodes).
	Node string
	// Values are its numbers.
	Values Values
	// Seeded are the quantities that have a point also where they are 0.
	Seeded Set
}

// Apply returns the shares of one pool that have points, ordered by node: of the nodes that have none of their own, the sum.
// Each node has one share. It works in place: the shares that it is given are lost, and the result is in their memory.
//
// The sum of each quantity over the shares stays what it is in every mode. So does what is a sum already: other_nodes are added to the others, and
// all_nodes stays as it is but where all are added up.
func (d Detail) Apply(shares []Share) []Share {
	if d.Mode != Full {
		shares = nonzero(shares)
	}
	switch {
	case len(shares) == 0:
		return shares
	case d.Mode == None:
		shares[0] = sum(calicometric.AllNodes, shares)
		return shares[:1]
	case d.Top > 0:
		shares = most(shares, d.Top)
	}
	slices.SortFunc(shares, byNode)
	return shares
}

// Points are the nodes and values of a quantity that have a point: what is not 0, and what is seeded. Where none is left of a quantity that is known,
// there is one with 0 for all nodes: that nothing is in use is known, and no point at all would say that it is not.
func Points(shares []Share, q Quantity, known bool) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		found := false
		for i := range shares {
			s := &shares[i]
			if s.Values[q] == 0 && !s.Seeded.Has(q) {
				continue
			}
			found = true
			if !yield(s.Node, s.Values[q]) {
				return
			}
		}
		if known && !found {
			yield(calicometric.AllNodes, 0)
		}
	}
}

// nonzero leaves out shares of nothing, and no 0 of the others has a point.
func nonzero(shares []Share) []Share {
	kept := shares[:0]
	for i := range shares {
		if shares[i].Values == (Values{}) {
			continue
		}
		kept = append(kept, shares[i])
		kept[len(kept)-1].Seeded = 0
	}
	return kept
}

// most are the shares of the nodes with the most addresses in use, and the sum of the others. Shares of no node stay beside them.
func most(shares []Share, top int) []Share {
	// Those that stay come first, then the nodes that they are chosen from.
	first := 0
	others := -1
	for i := range shares {
		switch shares[i].Node {
		case calicometric.OtherNodes:
			others = first
		case calicometric.UnknownNode, calicometric.NoAffinity, calicometric.AllNodes:
		default:
			continue
		}
		shares[first], shares[i] = shares[i], shares[first]
		first++
	}
	nodes := shares[first:]
	if len(nodes) <= top {
		return shares
	}
	slices.SortFunc(nodes, byUse)
	rest := sum(calicometric.OtherNodes, nodes[top:])
	shares = shares[:first+top]
	if others < 0 {
		return append(shares, rest)
	}
	shares[others].add(&rest)
	return shares
}

// sum adds shares up, under a name. It is seeded where one of them is.
func sum(name string, shares []Share) Share {
	total := Share{Node: name}
	for i := range shares {
		total.add(&shares[i])
	}
	return total
}

func (s *Share) add(other *Share) {
	for q, value := range other.Values {
		s.Values[q] += value
	}
	s.Seeded |= other.Seeded
}

func byNode(a, b Share) int { return strings.Compare(a.Node, b.Node) }

// byUse orders nodes from the most addresses in use to the fewest, then by blocks. A tie is broken by name, so that the same nodes stay.
func byUse(a, b Share) int {
	return cmp.Or(cmp.Compare(b.Values[InUse], a.Values[InUse]), cmp.Compare(b.Values[Blocks], a.Values[Blocks]), strings.Compare(a.Node, b.Node))
}
