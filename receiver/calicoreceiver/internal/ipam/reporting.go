package ipam

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Report is the account at a moment.
func (a *Account) Report(now time.Time) Report {
	r := Report{Orphaned: a.orphans.allocated}
	moments := make([]*moment, len(a.ledgers))
	for i, l := range a.ledgers {
		moments[i] = a.momentOf(l, now)
	}
	assignable, nodes := a.headrooms(moments)
	r.Nodes = nodes
	noPool := map[name]*tally{}
	unowned := addTallies(noPool, a.orphans)
	for _, m := range moments {
		p := PoolReport{
			Pool: m.pool, Size: m.size, Reserved: m.reservedSize,
			Allocated: m.allocated, Cooling: m.stillCooling, Assignable: assignable[m], Uses: m.uses,
			Used: m.blocks - m.empty, Empty: m.empty, Unclaimed: m.unclaimed, ReservedBlocks: m.reservedSlots,
		}
		if m.pool.State == calicometric.PoolTerminating {
			unowned += addTallies(noPool, m.ledger)
		} else {
			p.Nodes = shares(m.nodes, m.unowned)
		}
		r.Pools = append(r.Pools, p)
	}
	r.NoPool = shares(noPool, unowned)
	for _, n := range a.nodes.ordered {
		r.NodeNames = append(r.NodeNames, n.name)
	}
	for _, namespace := range slices.SortedFunc(maps.Keys(a.namespaces), func(x, y name) int { return strings.Compare(x.Value(), y.Value()) }) {
		r.Namespaces = append(r.Namespaces, NamespaceReport{Namespace: namespace.Value(), Allocated: a.namespaces[namespace]})
	}
	return r
}

// addTallies adds those of a ledger to others, and returns the ledger's blocks of no node.
func addTallies(sum map[name]*tally, l *ledger) (unowned int) {
	for node, t := range l.nodes {
		if sum[node] == nil {
			sum[node] = &tally{}
		}
		sum[node].inUse += t.inUse
		sum[node].borrowed += t.borrowed
		sum[node].lent += t.lent
		sum[node].blocks += t.blocks
	}
	return l.unowned
}

// shares are tallies as kube-controllers counts them, ordered by node. What kube-controllers does not count makes no share.
func shares(nodes map[name]*tally, unowned int) []NodeShare {
	list := make([]NodeShare, 0, len(nodes)+1)
	for node, t := range nodes {
		share := NodeShare{Node: calicometric.UnknownNode, InUse: int(t.inUse), Borrowed: int(t.borrowed), Lent: int(t.lent), Blocks: int(t.blocks)}
		if node != unnamed {
			share.Node = node.Value()
		}
		if share != (NodeShare{Node: share.Node}) {
			list = append(list, share)
		}
	}
	if unowned > 0 {
		list = append(list, NodeShare{Node: calicometric.NoAffinity, Blocks: unowned})
	}
	slices.SortFunc(list, func(x, y NodeShare) int { return cmp.Compare(x.Node, y.Node) })
	return list
}
