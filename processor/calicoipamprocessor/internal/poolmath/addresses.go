// Package poolmath holds the arithmetic of IP pools on exact integers: how full a pool is, how much is left.
// A float appears only as the final result, so that an IPv6 pool of 2^80 addresses loses none on the way (rule 2 of the design).
package poolmath

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
)

// Addresses is an exact number of IP addresses. The zero value is none.
//
// It has 192 bits where the whole of IPv6 needs 129: the sum of as many pools as a scrape can hold cannot overflow,
// so that sums need no error path.
type Addresses struct {
	lo, mid, hi uint64
}

// ipv4Space is 2^32, the number of all IPv4 addresses.
var ipv4Space = Addresses{lo: 1 << 32}

// float64Bits is how many significant bits a float64 holds exactly.
const float64Bits = 53

// FromInt returns n addresses, false if n is negative.
func FromInt(n int64) (Addresses, bool) {
	if n < 0 {
		return Addresses{}, false
	}
	return Addresses{lo: uint64(n)}, true
}

// FromFloat returns f addresses, false where f is no number of addresses: negative, fractional, NaN, or more than IPv6 has.
func FromFloat(f float64) (Addresses, bool) {
	// The comparison is false for NaN.
	if !(f >= 0 && f <= 0x1p128) || f != math.Trunc(f) {
		return Addresses{}, false
	}
	if f < 0x1p64 {
		return Addresses{lo: uint64(f)}, true
	}
	fraction, exponent := math.Frexp(f)
	return Addresses{lo: uint64(fraction * 0x1p64)}.shiftLeft(exponent - 64), true
}

// shiftLeft returns a·2^n for 0 <= n < 128.
func (a Addresses) shiftLeft(n int) Addresses {
	if n >= 64 {
		a, n = Addresses{mid: a.lo, hi: a.mid}, n-64
	}
	return Addresses{
		lo:  a.lo << n,
		mid: a.mid<<n | a.lo>>(64-n),
		hi:  a.hi<<n | a.mid>>(64-n),
	}
}

// Plus returns a + b.
func (a Addresses) Plus(b Addresses) Addresses {
	var sum Addresses
	var carry uint64
	sum.lo, carry = bits.Add64(a.lo, b.lo, 0)
	sum.mid, carry = bits.Add64(a.mid, b.mid, carry)
	sum.hi, _ = bits.Add64(a.hi, b.hi, carry)
	return sum
}

// Minus returns a − b, and none where b is the greater.
func (a Addresses) Minus(b Addresses) Addresses {
	var rest Addresses
	var borrow uint64
	rest.lo, borrow = bits.Sub64(a.lo, b.lo, 0)
	rest.mid, borrow = bits.Sub64(a.mid, b.mid, borrow)
	rest.hi, borrow = bits.Sub64(a.hi, b.hi, borrow)
	if borrow != 0 {
		return Addresses{}
	}
	return rest
}

// Compare returns −1, 0 or +1 as a is less than, equal to or greater than b.
func (a Addresses) Compare(b Addresses) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.mid, b.mid), cmp.Compare(a.lo, b.lo))
}

// IsZero reports whether there is no address.
func (a Addresses) IsZero() bool { return a == Addresses{} }

// ExceedsIPv4 reports whether a pool of this size can only be an IPv6 one.
func (a Addresses) ExceedsIPv4() bool { return a.Compare(ipv4Space) > 0 }

// Float64 returns the float64 nearest to a, half to even: it rounds once.
func (a Addresses) Float64() float64 {
	width := a.width()
	if width <= 64 {
		return float64(a.lo)
	}
	// The top 64 bits, with a sticky lowest bit for what is cut off, round as the whole number would.
	cut := width - 64
	top := a.shiftRight(cut)
	if top.shiftLeft(cut) != a {
		top.lo |= 1
	}
	return math.Ldexp(float64(top.lo), cut)
}

// shiftRight returns the integer part of a/2^n for 0 <= n <= 128.
func (a Addresses) shiftRight(n int) Addresses {
	for ; n >= 64; n -= 64 {
		a = Addresses{lo: a.mid, mid: a.hi}
	}
	return Addresses{
		lo:  a.lo>>n | a.mid<<(64-n),
		mid: a.mid>>n | a.hi<<(64-n),
		hi:  a.hi >> n,
	}
}

// width is the number of bits needed to write a down.
func (a Addresses) width() int {
	switch {
	case a.hi != 0:
		return 128 + bits.Len64(a.hi)
	case a.mid != 0:
		return 64 + bits.Len64(a.mid)
	default:
		return bits.Len64(a.lo)
	}
}

// trailingZeros is the number of zero bits below the lowest one; 192 for none.
func (a Addresses) trailingZeros() int {
	switch {
	case a.lo != 0:
		return bits.TrailingZeros64(a.lo)
	case a.mid != 0:
		return 64 + bits.TrailingZeros64(a.mid)
	default:
		return 128 + bits.TrailingZeros64(a.hi)
	}
}

// isFloat64 reports whether a float64 holds a without rounding, as it does every IPv4 number and every size of a whole CIDR.
func (a Addresses) isFloat64() bool {
	return a.width()-a.trailingZeros() <= float64Bits
}

// bigInt returns a as an integer of math/big.
func (a Addresses) bigInt() *big.Int {
	n := new(big.Int).SetUint64(a.hi)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.mid))
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.lo))
}
