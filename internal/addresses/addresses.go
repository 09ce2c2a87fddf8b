// Package addresses counts IP addresses in exact integers. A float appears only as the final result, so that an IPv6 pool of 2^80 addresses
// loses none on the way.
package addresses

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
)

// Count is an exact number of IP addresses. The zero value is none.
//
// It has 192 bits where the whole of IPv6 needs 129: the sum of as many pools as a scrape can hold cannot overflow,
// so that sums need no error path.
type Count struct {
	lo, mid, hi uint64
}

// ipv4Space is 2^32, the number of all IPv4 addresses.
var ipv4Space = Count{lo: 1 << 32}

// float64Bits is how many significant bits a float64 holds exactly.
const float64Bits = 53

// Power returns 2^n addresses for 0 <= n <= 128, as many as n host bits make.
func Power(n int) Count { return Count{lo: 1}.ShiftLeft(n) }

// Of returns n addresses, none where n is negative.
func Of(n int) Count { return Count{lo: uint64(max(n, 0))} }

// FromInt returns n addresses, false if n is negative.
func FromInt(n int64) (Count, bool) {
	if n < 0 {
		return Count{}, false
	}
	return Count{lo: uint64(n)}, true
}

// FromFloat returns f addresses, false where f is no number of addresses: negative, fractional, NaN, or more than IPv6 has.
func FromFloat(f float64) (Count, bool) {
	// The comparison is false for NaN.
	if !(f >= 0 && f <= 0x1p128) || f != math.Trunc(f) {
		return Count{}, false
	}
	if f < 0x1p64 {
		return Count{lo: uint64(f)}, true
	}
	fraction, exponent := math.Frexp(f)
	return Count{lo: uint64(fraction * 0x1p64)}.ShiftLeft(exponent - 64), true
}

// ShiftLeft returns a·2^n for 0 <= n <= 128.
func (a Count) ShiftLeft(n int) Count {
	for ; n >= 64; n -= 64 {
		a = Count{mid: a.lo, hi: a.mid}
	}
	return Count{
		lo:  a.lo << n,
		mid: a.mid<<n | a.lo>>(64-n),
		hi:  a.hi<<n | a.mid>>(64-n),
	}
}

// Plus returns a + b.
func (a Count) Plus(b Count) Count {
	var sum Count
	var carry uint64
	sum.lo, carry = bits.Add64(a.lo, b.lo, 0)
	sum.mid, carry = bits.Add64(a.mid, b.mid, carry)
	sum.hi, _ = bits.Add64(a.hi, b.hi, carry)
	return sum
}

// Minus returns a − b, and none where b is the greater.
func (a Count) Minus(b Count) Count {
	var rest Count
	var borrow uint64
	rest.lo, borrow = bits.Sub64(a.lo, b.lo, 0)
	rest.mid, borrow = bits.Sub64(a.mid, b.mid, borrow)
	rest.hi, borrow = bits.Sub64(a.hi, b.hi, borrow)
	if borrow != 0 {
		return Count{}
	}
	return rest
}

// Compare returns −1, 0 or +1 as a is less than, equal to or greater than b.
func (a Count) Compare(b Count) int {
	return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.mid, b.mid), cmp.Compare(a.lo, b.lo))
}

// Min returns the smaller of a and b.
func (a Count) Min(b Count) Count {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}

// IsZero reports whether there is no address.
func (a Count) IsZero() bool { return a == Count{} }

// ExceedsIPv4 reports whether a pool of this size can only be an IPv6 one.
func (a Count) ExceedsIPv4() bool { return a.Compare(ipv4Space) > 0 }

// Float64 returns the float64 nearest to a, half to even: it rounds once.
func (a Count) Float64() float64 {
	width := a.width()
	if width <= 64 {
		return float64(a.lo)
	}
	// The top 64 bits, with a sticky lowest bit for what is cut off, round as the whole number would.
	cut := width - 64
	top := a.ShiftRight(cut)
	if top.ShiftLeft(cut) != a {
		top.lo |= 1
	}
	return math.Ldexp(float64(top.lo), cut)
}

// ShiftRight returns the integer part of a/2^n for 0 <= n <= 128.
func (a Count) ShiftRight(n int) Count {
	for ; n >= 64; n -= 64 {
		a = Count{lo: a.mid, mid: a.hi}
	}
	return Count{
		lo:  a.lo>>n | a.mid<<(64-n),
		mid: a.mid>>n | a.hi<<(64-n),
		hi:  a.hi >> n,
	}
}

// width is the number of bits needed to write a down.
func (a Count) width() int {
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
func (a Count) trailingZeros() int {
	switch {
	case a.lo != 0:
		return bits.TrailingZeros64(a.lo)
	case a.mid != 0:
		return 64 + bits.TrailingZeros64(a.mid)
	default:
		return 128 + bits.TrailingZeros64(a.hi)
	}
}

// IsFloat64 reports whether a float64 holds a without rounding, as it does every IPv4 number and every size of a whole CIDR.
func (a Count) IsFloat64() bool {
	return a.width()-a.trailingZeros() <= float64Bits
}

// BigInt returns a as an integer of math/big.
func (a Count) BigInt() *big.Int {
	n := new(big.Int).SetUint64(a.hi)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.mid))
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.lo))
}
