package ipam

import (
	"net/netip"

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

	// What blocks take of the pool, those of smaller pools inside it among them: slots, and the addresses in them that are reserved. Blocks that are
	// smaller than a slot, as of a pool that was made anew with larger blocks, share one.
	taken, takenReserved, takenReservedSlots addresses.Count
	shared                                   map[netip.Prefix]int
}

// tally is what a node has of a pool.
type tally struct {
	inUse, borrowed, lent, blocks, affinities int32
	// assignable are free addresses in blocks of the node.
	assignable int32
}

func newLedger(pool Pool, position int, reserved *reservations) *ledger {
	l := &ledger{pool: pool, position: position, reserved: reserved, nodes: map[name]*tally{}, variable: map[string]*Block{}, shared: map[netip.Prefix]int{}}
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

// countBlock adds a block of the pool, or takes it out.
func (l *ledger) countBlock(blockName string, b blockEntry, sign int) {
	allocated := b.size() - b.freeCount()
	l.blocks += sign
	l.allocated += sign * allocated
	l.assignable += sign * b.assignable
	l.uses[UseOther] += sign * int(b.lost)
	owner := unnamed
	if b.ownerKind == ownerHost {
		owner = b.owner
		l.at(owner, func(t *tally) {
			t.blocks += int32(sign)
			t.assignable += int32(sign * b.assignable)
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
		l.at(s.node, func(t *tally) {
			t.inUse += int32(n)
			if s.node != unnamed && s.node != owner {
				t.borrowed += int32(n)
			}
		})
		if s.node != unnamed && owner != unnamed && s.node != owner {
			l.at(owner, func(t *tally) { t.lent += int32(n) })
		}
	}
	switch {
	case sign < 0:
		delete(l.variable, blockName)
	case b.cooling != nil || b.empty(0):
		l.variable[blockName] = b.Block
	}
}

// countAffinity adds an affinity of a node, or takes it out.
func (l *ledger) countAffinity(node name, sign int) {
	if node != unnamed {
		l.at(node, func(t *tally) { t.affinities += int32(sign) })
	}
}

// at changes the tally of a node, and forgets one that is all zeros.
func (l *ledger) at(node name, change func(*tally)) {
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

// touch takes the slots of a block, or gives them back.
func (l *ledger) touch(block netip.Prefix, sign int) {
	size := l.pool.BlockSize
	if size < l.pool.CIDR.Bits() {
		return // a disabled pool that is smaller than its blocks has no slot
	}
	if block.Bits() > size {
		block, _ = block.Addr().Prefix(size)
		before := l.shared[block]
		l.shared[block] = before + sign
		if l.shared[block] == 0 {
			delete(l.shared, block)
		}
		if before != 0 && before+sign != 0 {
			return
		}
	}
	change := addresses.Count.Plus
	if sign < 0 {
		change = addresses.Count.Minus
	}
	reserved, reservedSlots := l.reserved.within(block, size)
	l.taken = change(l.taken, blocksIn(block, size))
	l.takenReserved = change(l.takenReserved, reserved)
	l.takenReservedSlots = change(l.takenReservedSlots, reservedSlots)
}

// unclaimed are the slots that no block takes: those that can be claimed, their addresses that are not reserved, and the slots that are reserved whole.
func (l *ledger) unclaimed() (free, freeAddresses, reserved addresses.Count) {
	reserved = l.reservedSlots.Minus(l.takenReservedSlots)
	free = l.slots.Minus(l.taken).Minus(reserved)
	// What is reserved outside the slots that are taken lies in slots that are reserved whole or in part.
	outside := l.slots.Minus(l.taken).ShiftLeft(l.hostBits(l.pool.BlockSize))
	return free, outside.Minus(l.reservedSize.Minus(l.takenReserved)), reserved
}
