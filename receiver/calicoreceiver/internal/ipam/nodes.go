package ipam

import (
	"maps"
	"slices"
	"unique"
)

// nodes are those of the cluster, ordered by name, each with the class of those that may use the same pools.
type nodes struct {
	ordered []*node
	byName  map[name]*node
	classes map[string]*class
}

type node struct {
	index  int
	name   string
	labels map[string]string
	class  *class
}

func (n *nodes) set(labels map[string]map[string]string, ledgers []*ledger) {
	same := len(labels) == len(n.ordered)
	for _, known := range n.ordered {
		now, ok := labels[known.name]
		same = same && ok && maps.Equal(now, known.labels)
	}
	if same {
		return
	}
	n.ordered, n.byName = make([]*node, 0, len(labels)), make(map[name]*node, len(labels))
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		added := &node{index: len(n.ordered), name: name, labels: labels[name]}
		n.ordered = append(n.ordered, added)
		n.byName[unique.Make(name)] = added
	}
	n.classify(ledgers)
}

// selectedBy says whether a pool selects a node.
func (n *nodes) selectedBy(l *ledger) bool {
	for _, c := range n.classes {
		if c.selected[l.position] {
			return true
		}
	}
	return false
}

// class is a set of nodes that the same pools select.
type class struct {
	// selected has the ledgers of the pools, by their position.
	selected []bool
}

// classify finds which pools select which nodes. Most pools of a cluster have one of few selectors.
func (n *nodes) classify(ledgers []*ledger) {
	bySelector := map[string][]int{}
	for i, l := range ledgers {
		bySelector[l.pool.NodeSelector] = append(bySelector[l.pool.NodeSelector], i)
	}
	n.classes = map[string]*class{}
	for _, member := range n.ordered {
		key := make([]byte, len(ledgers))
		for _, positions := range bySelector {
			if ledgers[positions[0]].selects(member.labels) {
				for _, i := range positions {
					key[i] = 1
				}
			}
		}
		if n.classes[string(key)] == nil {
			c := &class{selected: make([]bool, len(key))}
			for i, selected := range key {
				c.selected[i] = selected == 1
			}
			n.classes[string(key)] = c
		}
		member.class = n.classes[string(key)]
	}
}
