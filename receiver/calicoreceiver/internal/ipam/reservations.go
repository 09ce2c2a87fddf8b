package ipam

import (
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

// reservations are ranges of addresses that are not given out. The zero value is none.
type reservations struct {
	ranges []netip.Prefix // as they were set
	// parts are the same addresses in as few ranges as there can be, in order: none overlaps another.
	parts []netip.Prefix
}

func newReservations(ranges []netip.Prefix) reservations {
	var b netipx.IPSetBuilder
	for _, r := range ranges {
		b.AddPrefix(r)
	}
	// The error is that of an invalid range, which is left out.
	set, _ := b.IPSet()
	return reservations{ranges: ranges, parts: set.Prefixes()}
}

// inside are the parts of a range, or whole where it lies in one of them.
func (r *reservations) inside(prefix netip.Prefix) (parts []netip.Prefix, whole bool) {
	begin, _ := slices.BinarySearchFunc(r.parts, prefix.Addr(), func(part netip.Prefix, addr netip.Addr) int { return part.Addr().Compare(addr) })
	if begin > 0 && r.parts[begin-1].Contains(prefix.Addr()) {
		return nil, true
	}
	end := begin
	for end < len(r.parts) && prefix.Contains(r.parts[end].Addr()) {
		end++
	}
	parts = r.parts[begin:end]
	return parts, len(parts) > 0 && parts[0].Bits() <= prefix.Bits()
}

// within counts the reserved addresses in a range, and how many of its blocks of a size are reserved whole.
func (r *reservations) within(prefix netip.Prefix, blockSize int) (reserved, blocks addresses.Count) {
	parts, whole := r.inside(prefix)
	if whole {
		parts = []netip.Prefix{prefix}
	}
	for _, part := range parts {
		reserved = reserved.Plus(addresses.Power(prefix.Addr().BitLen() - part.Bits()))
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
	parts, whole := r.inside(b.cidr)
	if whole {
		return 0
	}
	n := b.freeCount()
	for _, part := range parts {
		first := b.ordinal(part.Addr())
		for ordinal := range 1 << (part.Addr().BitLen() - part.Bits()) {
			if b.isFree(first + ordinal) {
				n--
			}
		}
	}
	return n
}

// reserves says whether an address of a block is reserved.
func (r *reservations) reserves(b *Block, ordinal int) bool {
	parts, whole := r.inside(b.cidr)
	return whole || slices.ContainsFunc(parts, func(part netip.Prefix) bool {
		first := b.ordinal(part.Addr())
		return first <= ordinal && ordinal < first+1<<(part.Addr().BitLen()-part.Bits())
	})
}
