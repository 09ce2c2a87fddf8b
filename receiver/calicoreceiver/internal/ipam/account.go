// Package ipam keeps the account of Calico's IP address management: how many addresses each pool, node and namespace has, and how many are left.
// It is computed from pools, blocks, affinities, reservations, nodes and the configuration alone, as they come and go, and asks nothing itself.
//
// A block and an affinity are added to the sums of their pool when they come and taken out of them when they go; what changes with the clock, and
// what is left for whom, is computed when it is asked for.
package ipam

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unique"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Account is the account of one cluster. It is not safe for concurrent use.
type Account struct {
	pools    []Pool
	reserved reservations
	config   Config
	nodes    nodes

	blocks     map[string]*Block
	affinities map[string]affinityEntry

	// ledgers of the pools, in the order of their names.
	ledgers []*ledger
	// orphans is the ledger of blocks that no pool covers.
	orphans *ledger
	// byCIDR finds the pools that cover a block, of which lengths are the prefix lengths, longest first. Of pools of the same CIDR the first one
	// has the blocks.
	byCIDR     map[netip.Prefix][]*ledger
	lengths    []int
	namespaces map[name]int
	// timed is how many blocks say when they were claimed, as all do that Calico 3.32 or a later one made.
	timed int
}

// affinityEntry is an affinity whose node has its name once, however many blocks it has.
type affinityEntry struct {
	cidr netip.Prefix
	node name // unnamed without one
}

// New makes an empty account.
func New() *Account {
	a := &Account{config: DefaultConfig(), blocks: map[string]*Block{}, affinities: map[string]affinityEntry{}}
	a.rebuild()
	return a
}

// SetPools replaces all pools.
func (a *Account) SetPools(pools []Pool) {
	pools = slices.SortedFunc(slices.Values(pools), func(p, q Pool) int { return strings.Compare(p.Name, q.Name) })
	if reflect.DeepEqual(a.pools, pools) {
		return
	}
	a.pools = pools
	a.rebuild()
}

// SetReservations replaces the ranges whose addresses are not given out; they may overlap.
func (a *Account) SetReservations(ranges []netip.Prefix) {
	ranges = slices.SortedFunc(slices.Values(ranges), netip.Prefix.Compare)
	if slices.Equal(a.reserved.ranges, ranges) {
		return
	}
	a.reserved = newReservations(ranges)
	a.rebuild()
}

// SetConfig replaces the configuration.
func (a *Account) SetConfig(config Config) { a.config = config }

// SetNodes replaces the labels of all nodes, by Calico's name of the node.
func (a *Account) SetNodes(labels map[string]map[string]string) { a.nodes.set(labels, a.ledgers) }

// Block is a block by the name of its object; nil where there is none.
func (a *Account) Block(name string) *Block { return a.blocks[name] }

// BlockNames are the names of the objects of all blocks.
func (a *Account) BlockNames() iter.Seq[string] { return maps.Keys(a.blocks) }

// PutBlock adds or replaces a block, by the name of its object.
func (a *Account) PutBlock(name string, b *Block) {
	a.DeleteBlock(name)
	a.blocks[name] = b
	a.count(name, b, +1)
}

// DeleteBlock removes a block, if it is there.
func (a *Account) DeleteBlock(name string) {
	if b, ok := a.blocks[name]; ok {
		a.count(name, b, -1)
		delete(a.blocks, name)
	}
}

// Affinity is an affinity by the name of its object, if it is there.
func (a *Account) Affinity(name string) (affinity Affinity, ok bool) {
	entry, ok := a.affinities[name]
	if entry.node != unnamed {
		affinity.Node = entry.node.Value()
	}
	affinity.CIDR = entry.cidr
	return affinity, ok
}

// AffinityNames are the names of the objects of all affinities.
func (a *Account) AffinityNames() iter.Seq[string] { return maps.Keys(a.affinities) }

// PutAffinity adds or replaces an affinity, by the name of its object. From the first on affinities, and not the blocks themselves, say how many
// blocks a node has claimed.
func (a *Account) PutAffinity(name string, affinity Affinity) {
	a.DeleteAffinity(name)
	entry := affinityEntry{cidr: affinity.CIDR}
	if affinity.Node != "" {
		entry.node = unique.Make(affinity.Node)
	}
	a.affinities[name] = entry
	a.countAffinity(entry, +1)
}

// DeleteAffinity removes an affinity, if it is there.
func (a *Account) DeleteAffinity(name string) {
	if entry, ok := a.affinities[name]; ok {
		a.countAffinity(entry, -1)
		delete(a.affinities, name)
	}
}

// Blocks are all blocks, in the order of their CIDRs.
func (a *Account) Blocks() []BlockReport {
	reports := make([]BlockReport, 0, len(a.blocks))
	for _, b := range a.blocks {
		reports = append(reports, BlockReport{
			CIDR: b.cidr, Pool: a.ledgerOf(b.cidr).pool.Name, Affinity: b.affinity(), Size: b.size(), Allocated: b.size() - b.freeCount(),
		})
	}
	slices.SortFunc(reports, func(x, y BlockReport) int { return x.CIDR.Compare(y.CIDR) })
	return reports
}

// rebuild makes all sums anew: other pools or other reservations change what every block counts for.
func (a *Account) rebuild() {
	a.ledgers, a.byCIDR, a.lengths = nil, map[netip.Prefix][]*ledger{}, nil
	a.namespaces, a.timed = map[name]int{}, 0
	a.orphans = newLedger(Pool{}, -1, &a.reserved)
	for _, pool := range a.pools {
		l := newLedger(pool, len(a.ledgers), &a.reserved)
		a.ledgers = append(a.ledgers, l)
		a.byCIDR[pool.CIDR] = append(a.byCIDR[pool.CIDR], l)
		if length := pool.CIDR.Bits(); !slices.Contains(a.lengths, length) {
			a.lengths = append(a.lengths, length)
		}
	}
	slices.SortFunc(a.lengths, func(x, y int) int { return cmp.Compare(y, x) })
	for _, same := range a.byCIDR {
		// Stable: those of the same state stay in the order of their names.
		slices.SortStableFunc(same, func(x, y *ledger) int { return cmp.Compare(stateRank(x.pool), stateRank(y.pool)) })
	}
	for name, b := range a.blocks {
		a.count(name, b, +1)
	}
	for _, entry := range a.affinities {
		a.countAffinity(entry, +1)
	}
	a.nodes.classify(a.ledgers)
}

// stateRank decides between pools of the same CIDR: blocks belong to the one that gives out addresses.
func stateRank(p Pool) int {
	return slices.Index([]string{calicometric.PoolEnabled, calicometric.PoolDisabled, calicometric.PoolTerminating}, p.State)
}

// ledgerOf is that of the smallest pool that covers a block.
func (a *Account) ledgerOf(block netip.Prefix) *ledger {
	for l := range a.covering(block) {
		return l
	}
	return a.orphans
}

// covering are the ledgers of all pools that cover a block, the smallest first.
func (a *Account) covering(block netip.Prefix) iter.Seq[*ledger] {
	return func(yield func(*ledger) bool) {
		for _, length := range a.lengths {
			if length > block.Bits() {
				continue
			}
			// The error is that of a length that the family does not have, which is then none of a pool of it.
			pool, _ := block.Addr().Prefix(length)
			for _, l := range a.byCIDR[pool] {
				if !yield(l) {
					return
				}
			}
		}
	}
}

// count adds a block to all sums, or takes it out of them: what it counts for does not change in between, since other pools or reservations make all
// sums anew.
func (a *Account) count(name string, b *Block, sign int) {
	a.ledgerOf(b.cidr).countBlock(name, b, a.reserved.unreserved(b), sign)
	for l := range a.covering(b.cidr) {
		l.touch(b.cidr, sign)
	}
	if b.claimed != 0 {
		a.timed += sign
	}
	for _, s := range b.shares {
		if s.namespace == unnamed {
			continue
		}
		a.namespaces[s.namespace] += sign * int(s.count)
		if a.namespaces[s.namespace] == 0 {
			delete(a.namespaces, s.namespace)
		}
	}
}

// countAffinity adds an affinity to the sums, or takes it out of them.
func (a *Account) countAffinity(entry affinityEntry, sign int) {
	if entry.node != unnamed {
		a.ledgerOf(entry.cidr).countAffinity(entry.node, sign)
	}
}
