package ipam

import (
	"net/netip"

	"go4.org/netipx"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/selector"
)

// ledger has the sums over the blocks of one pool.
type ledger struct {
	pool Pool
	// position is that among the ledgers of the account.
	position int
	selector selector.Selector
	// valid is false where the selector of nodes cannot be read: it picks none.
	valid    bool
	reserved *reservations

	// What the pool is without its blocks: its addresses, those that are reserved, the blocks that it can be divided into and those that are
	// reserved whole.
	size, reservedSize, slots, reservedSlots addresses.Count

	blocks     int
	allocated  int // not free in their block
	assignable int // free in their block, and not reserved
	uses       [uses]int
	nodes      map[name]*tally
	// unowned are the blocks of no node.
	unowned int
	// variable are the names of the blocks whose numbers change with the clock: those with addresses that cool down, and empty ones.
	variable map[string]*Block

	// What blocks take of the pool, those of smaller pools inside it among them.
	taken taken
	// odd are the blocks among them that have not the size of the pool's: two of them, or one and another, may take the same slot.
	odd int
}

// taken are the slots of a pool that blocks lie in: how many, how many of them are reserved whole, and how many of their addresses are reserved.
type taken struct{ slots, reservedSlots, reserved addresses.Count }

// change adds the slots of a range, or takes them out.
func (t *taken) change(slots netip.Prefix, l *ledger, sign int) {
	change := addresses.Count.Plus
	if sign < 0 {
		change = addresses.Count.Minus
	}
	reserved, reservedSlots := l.reserved.within(slots, l.pool.BlockSize)
	t.slots = change(t.slots, blocksIn(slots, l.pool.BlockSize))
	t.reserved = change(t.reserved, reserved)
	t.reservedSlots = change(t.reservedSlots, reservedSlots)
}

// tally is what a node has of a pool.
type tally struct {
	inUse, borrowed, lent, blocks, affinities int32
	// assignable are free addresses in blocks of the node.
	assignable int32
}

func newLedger(pool Pool, position int, reserved *reservations) *ledger {
	l := &ledger{pool: pool, position: position, reserved: reserved, nodes: map[name]*tally{}, variable: map[string]*Block{}}
	if pool.CIDR.IsValid() {
		l.size = addresses.Power(l.hostBits(pool.CIDR.Bits()))
		l.slots = blocksIn(pool.CIDR, pool.BlockSize)
		l.reservedSize, l.reservedSlots = reserved.within(pool.CIDR, pool.BlockSize)
	}
	parsed, err := selector.Parse(pool.NodeSelector)
	l.selector, l.valid = parsed, err == nil
	return l
}

func (l *ledger) hostBits(prefixLength int) int { return l.pool.CIDR.Addr().BitLen() - prefixLength }

func (l *ledger) selects(labels map[string]string) bool { return l.valid && l.selector.Matches(labels) }

// gives says whether addresses are given out of the pool for a use.
func (l *ledger) gives(use string) bool {
	return l.pool.State == calicometric.PoolEnabled && l.pool.allows(use)
}

func (l *ledger) automatic() bool { return l.pool.AssignmentMode == calicometric.AssignmentAutomatic }

// countBlock adds a block of the pool, or takes it out. So many of its addresses are neither allocated nor reserved.
func (l *ledger) countBlock(blockName string, b *Block, assignable, sign int) {
	allocated := b.size() - b.freeCount()
	l.blocks += sign
	l.allocated += sign * allocated
	l.assignable += sign * assignable
	l.uses[UseOther] += sign * int(b.lost)
	owner := b.host()
	if owner != unnamed {
		l.tally(owner, func(t *tally) {
			t.blocks += int32(sign)
			t.assignable += int32(sign * assignable)
		})
	} else {
		l.unowned += sign
	}
	for _, s := range b.shares {
		n := sign * int(s.count)
		l.uses[s.use] += n
		if !s.handled {
			continue
		}
		l.tally(s.node, func(t *tally) {
			t.inUse += int32(n)
			if s.node != unnamed && s.node != owner {
				t.borrowed += int32(n)
			}
		})
		if s.node != unnamed && owner != unnamed && s.node != owner {
			l.tally(owner, func(t *tally) { t.lent += int32(n) })
		}
	}
	switch {
	case sign < 0:
		delete(l.variable, blockName)
	case b.cooling != nil || b.empty(0):
		l.variable[blockName] = b
	}
}

// countAffinity adds an affinity of a node, or takes it out.
func (l *ledger) countAffinity(node name, sign int) {
	l.tally(node, func(t *tally) { t.affinities += int32(sign) })
}

// tally changes the tally of a node, and forgets one that is all zeros.
func (l *ledger) tally(node name, change func(*tally)) {
	t := l.nodes[node]
	if t == nil {
		t = &tally{}
		l.nodes[node] = t
	}
	change(t)
	if *t == (tally{}) {
		delete(l.nodes, node)
	}
}

// touch takes the slot of a block, or gives it back.
func (l *ledger) touch(block netip.Prefix, sign int) {
	if block.Bits() != l.pool.BlockSize {
		l.odd += sign
		return
	}
	l.taken.change(block, l, sign)
}

// takenBy are the slots that blocks of any size lie in, for a pool that has odd ones, as one has that was made anew with another block size.
func (l *ledger) takenBy(blocks map[string]*Block) taken {
	var slots netipx.IPSetBuilder
	for _, b := range blocks {
		slot := b.cidr
		if !l.pool.CIDR.Overlaps(slot) || slot.Bits() < l.pool.CIDR.Bits() {
			continue
		}
		if slot.Bits() > l.pool.BlockSize {
			slot, _ = slot.Addr().Prefix(l.pool.BlockSize)
		}
		slots.AddPrefix(slot)
	}
	var sum taken
	set, _ := slots.IPSet() // of prefixes that are valid
	for _, part := range set.Prefixes() {
		sum.change(part, l, +1)
	}
	return sum
}

// unclaimed are the slots that no block takes: those that can be claimed, their addresses that are not reserved, and the slots that are reserved
// whole.
func (l *ledger) unclaimed(t taken) (free, freeAddresses, reserved addresses.Count) {
	left := l.slots.Minus(t.slots)
	reserved = l.reservedSlots.Minus(t.reservedSlots)
	// What is reserved outside the slots that are taken lies in slots that are reserved whole or in part.
	return left.Minus(reserved), left.ShiftLeft(l.hostBits(l.pool.BlockSize)).Minus(l.reservedSize.Minus(t.reserved)), reserved
}
