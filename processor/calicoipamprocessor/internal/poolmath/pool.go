// Package poolmath holds the arithmetic of IP pools: how full a pool is, how much is left.
package poolmath

import (
	"math/big"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

// Pool is what one scrape says of one pool, in addresses.
type Pool struct {
	// Size is the number of addresses of the pool's CIDR (ipam_ippool_size); Calico sets none aside for network or broadcast.
	Size addresses.Count
	// Reserved is how many of them an IPReservation covers (ipam_ippool_reserved); none before Calico 3.33, which does not publish it.
	Reserved addresses.Count
	// Allocated is how many are in use on all nodes together (the sum of ipam_allocations_in_use).
	Allocated addresses.Count
}

// Usable returns size − reserved: the addresses the pool may ever hand out.
func (p Pool) Usable() addresses.Count { return p.Size.Minus(p.Reserved) }

// Available returns size − reserved − allocated, in addresses, and none where that is negative:
// an address may be reserved after it was allocated, and then counts in both.
func (p Pool) Available() addresses.Count { return p.Usable().Minus(p.Allocated) }

// Utilization returns allocated / (size − reserved), 0..1. It reports false where no address is usable: there is no honest ratio then.
func (p Pool) Utilization() (float64, bool) { return ratio(p.Allocated, p.Usable()) }

// BlockUtilization returns claimed / claimable blocks, 0..1. It reports false where no block can be claimed: there is no honest ratio then.
func BlockUtilization(claimed, claimable addresses.Count) (float64, bool) {
	return ratio(claimed, claimable)
}

// Total is a number of pools taken together, in addresses. The zero value is no pool.
type Total struct {
	// Usable is Σ(size − reserved).
	Usable addresses.Count
	// Allocated is Σ allocated.
	Allocated addresses.Count
}

// Plus returns the total with one more pool.
func (t Total) Plus(p Pool) Total {
	return Total{Usable: t.Usable.Plus(p.Usable()), Allocated: t.Allocated.Plus(p.Allocated)}
}

// Utilization returns Σ allocated / Σ(size − reserved), 0..1. It reports false where no address is usable.
func (t Total) Utilization() (float64, bool) { return ratio(t.Allocated, t.Usable) }

// ratio returns the float64 nearest to part/whole, at most 1, and false for a whole of none.
func ratio(part, whole addresses.Count) (float64, bool) {
	switch {
	case whole.IsZero():
		return 0, false
	case part.Compare(whole) >= 0:
		return 1, true
	case part.IsFloat64() && whole.IsFloat64():
		// IEEE 754 division of exact operands rounds once.
		return part.Float64() / whole.Float64(), true
	default:
		// An IPv6 pool with a reservation: rare enough to pay for big numbers.
		quotient, _ := new(big.Rat).SetFrac(part.BigInt(), whole.BigInt()).Float64()
		return quotient, true
	}
}
