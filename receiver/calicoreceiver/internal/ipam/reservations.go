package ipam

import (
	"net/netip"

	"go4.org/netipx"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

// reservations are ranges of addresses that are not given out. The zero value is none.
type reservations struct {
	ranges []netip.Prefix // as they were set
	set    *netipx.IPSet  // nil is none
}

func newReservations(ranges []netip.Prefix) reservations {
	var b netipx.IPSetBuilder
	for _, r := range ranges {
		b.AddPrefix(r)
	}
	// The error is that of an invalid range, which is left out.
	set, _ := b.IPSet()
	return reservations{ranges: ranges, set: set}
}

func (r *reservations) touches(prefix netip.Prefix) bool {
	return r.set != nil && r.set.OverlapsPrefix(prefix)
}

// within counts the reserved addresses in a range, and how many of its blocks of a size are reserved whole.
func (r *reservations) within(prefix netip.Prefix, blockSize int) (reserved, blocks addresses.Count) {
	if !r.touches(prefix) {
		return reserved, blocks
	}
	hostBits := func(bits int) int { return prefix.Addr().BitLen() - bits }
	if r.set.ContainsPrefix(prefix) {
		return addresses.Power(hostBits(prefix.Bits())), blocksIn(prefix, blockSize)
	}
	var b netipx.IPSetBuilder
	b.AddPrefix(prefix)
	b.Intersect(r.set)
	both, _ := b.IPSet() // of two sets that are valid
	for _, part := range both.Prefixes() {
		reserved = reserved.Plus(addresses.Power(hostBits(part.Bits())))
		blocks = blocks.Plus(blocksIn(part, blockSize))
	}
	return reserved, blocks
}

// blocksIn is how many blocks of a size fit into a range.
func blocksIn(prefix netip.Prefix, blockSize int) addresses.Count {
	if blockSize < prefix.Bits() {
		return addresses.Count{}
	}
	return addresses.Power(blockSize - prefix.Bits())
}

// unreserved is how many addresses of a block are neither allocated nor reserved.
func (r *reservations) unreserved(b *Block) int {
	switch {
	case !r.touches(b.cidr):
		return b.freeCount()
	case r.set.ContainsPrefix(b.cidr):
		return 0
	}
	n := 0
	addr := b.cidr.Addr()
	for ordinal := range b.size() {
		if b.isFree(ordinal) && !r.set.Contains(addr) {
			n++
		}
		addr = addr.Next()
	}
	return n
}

// reserves says whether an address of a block is reserved.
func (r *reservations) reserves(b *Block, ordinal int) bool {
	if !r.touches(b.cidr) {
		return false
	}
	addr := b.cidr.Addr()
	for range ordinal {
		addr = addr.Next()
	}
	return r.set.Contains(addr)
}
