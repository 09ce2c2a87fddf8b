package poolmath

import "math/big"

// Pool is what one scrape says of one pool, in addresses.
type Pool struct {
	// Size is the number of addresses of the pool's CIDR (ipam_ippool_size); Calico sets none aside for network or broadcast.
	Size Addresses
	// Reserved is how many of them an IPReservation covers (ipam_ippool_reserved); none before Calico 3.33, which does not publish it.
	Reserved Addresses
	// Allocated is how many are in use on all nodes together (the sum of ipam_allocations_in_use).
	Allocated Addresses
}

// Usable returns size − reserved: the addresses the pool may ever hand out.
func (p Pool) Usable() Addresses { return p.Size.Minus(p.Reserved) }

// Available returns size − reserved − allocated, in addresses, and none where that is negative:
// an address may be reserved after it was allocated, and then counts in both.
func (p Pool) Available() Addresses { return p.Usable().Minus(p.Allocated) }

// Utilization returns allocated / (size − reserved), 0..1. It reports false where no address is usable: there is no honest ratio then.
func (p Pool) Utilization() (float64, bool) { return ratio(p.Allocated, p.Usable()) }

// Total is a number of pools taken together, in addresses. The zero value is no pool.
type Total struct {
	// Usable is Σ(size − reserved).
	Usable Addresses
	// Allocated is Σ allocated.
	Allocated Addresses
}

// Plus returns the total with one more pool.
func (t Total) Plus(p Pool) Total {
	return Total{Usable: t.Usable.Plus(p.Usable()), Allocated: t.Allocated.Plus(p.Allocated)}
}

// Utilization returns Σ allocated / Σ(size − reserved), 0..1. It reports false where no address is usable.
func (t Total) Utilization() (float64, bool) { return ratio(t.Allocated, t.Usable) }

// ratio returns the float64 nearest to part/whole, at most 1, and false for a whole of none.
func ratio(part, whole Addresses) (float64, bool) {
	switch {
	case whole.IsZero():
		return 0, false
	case part.Compare(whole) >= 0:
		return 1, true
	case part.isFloat64() && whole.isFloat64():
		// IEEE 754 division of exact operands rounds once.
		return part.Float64() / whole.Float64(), true
	default:
		// An IPv6 pool with a reservation: rare enough to pay for big numbers.
		quotient, _ := new(big.Rat).SetFrac(part.bigInt(), whole.bigInt()).Float64()
		return quotient, true
	}
}
