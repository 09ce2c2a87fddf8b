package addresses

import (
	"math"
	"math/big"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/require"
)

// ipv6Space is 2^128, the number of all IPv6 addresses.
var ipv6Space = Count{hi: 1}

func TestFromFloatTakesOnlyNumbersOfAddresses(t *testing.T) {
	for name, tc := range map[string]struct {
		value float64
		want  string
	}{
		"none":                            {0, "0"},
		"negative zero":                   {math.Copysign(0, -1), "0"},
		"one":                             {1, "1"},
		"all of IPv4":                     {0x1p32, "4294967296"},
		"the largest float below 2^64":    {0x1p64 - 2048, "18446744073709549568"},
		"a /64 of IPv6":                   {0x1p64, "18446744073709551616"},
		"a /48 of IPv6":                   {1.2089258196146292e+24, "1208925819614629174706176"},
		"the largest float below 2^128":   {math.Nextafter(0x1p128, 0), "340282366920938425684442744474606501888"},
		"all of IPv6":                     {0x1p128, "340282366920938463463374607431768211456"},
		"more than IPv6":                  {math.Nextafter(0x1p128, math.Inf(1)), ""},
		"negative":                        {-1, ""},
		"the smallest negative":           {-math.SmallestNonzeroFloat64, ""},
		"a half":                          {0.5, ""},
		"one and a bit":                   {math.Nextafter(1, 2), ""},
		"not a number":                    {math.NaN(), ""},
		"infinite":                        {math.Inf(1), ""},
		"negative infinite":               {math.Inf(-1), ""},
		"the largest fraction of a float": {0x1p52 - 0.5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := FromFloat(tc.value)
			require.Equal(t, tc.want != "", ok)
			if ok {
				require.Equal(t, tc.want, got.BigInt().String())
			}
		})
	}
}

func TestFromIntRefusesNegatives(t *testing.T) {
	got, ok := FromInt(math.MaxInt64)
	require.True(t, ok)
	require.Equal(t, "9223372036854775807", got.BigInt().String())
	_, ok = FromInt(-1)
	require.False(t, ok)
}

func TestFloat64RoundsToEvenAtTheEdges(t *testing.T) {
	allOnes := Count{lo: math.MaxUint64, mid: math.MaxUint64}
	for name, tc := range map[string]struct {
		value Count
		want  float64
	}{
		"2^128 - 1 rounds up":              {allOnes, 0x1p128},
		"2^80 - 5 rounds up":               {Count{mid: 1 << 16}.Minus(Count{lo: 5}), 0x1p80},
		"2^53 + 1 is half way, to even":    {Count{lo: 1<<53 + 1}, 0x1p53},
		"2^53 + 3 is half way, to even":    {Count{lo: 1<<53 + 3}, 0x1p53 + 4},
		"2^64 + 2^11 is half way, to even": {Count{mid: 1, lo: 1 << 11}, 0x1p64},
		"one more than half way goes up":   {Count{mid: 1, lo: 1<<11 + 1}, 0x1p64 + 0x1p12},
		"a bit far below half way counts":  {Count{hi: 1, mid: 1 << 11, lo: 1}, 0x1p128 + 0x1p76},
		"half way of the third word":       {Count{hi: 1, mid: 1 << 11}, 0x1p128},
	} {
		t.Run(name, func(t *testing.T) { require.InDelta(t, tc.want, tc.value.Float64(), 0) })
	}
}

func TestExceedsIPv4(t *testing.T) {
	require.False(t, Count{lo: 1 << 32}.ExceedsIPv4())
	require.True(t, Count{lo: 1<<32 + 1}.ExceedsIPv4())
	require.True(t, Count{mid: 1}.ExceedsIPv4())
}

// Generate makes numbers of every width up to 2^128, half of them with long runs of zeros or ones, where carries and rounding go wrong.
func (Count) Generate(rng *rand.Rand, _ int) reflect.Value {
	a := Count{lo: rng.Uint64(), mid: rng.Uint64()}.ShiftRight(rng.Intn(129))
	switch rng.Intn(4) {
	case 0:
		a = a.ShiftRight(rng.Intn(64)).ShiftLeft(rng.Intn(64))
	case 1:
		a = Count{lo: 1}.ShiftLeft(rng.Intn(128)).Minus(Count{lo: uint64(rng.Intn(3))})
	}
	if a.Compare(ipv6Space) > 0 {
		a = ipv6Space
	}
	return reflect.ValueOf(a)
}

// sure checks a property on many numbers.
func sure(t *testing.T, property any) {
	t.Helper()
	require.NoError(t, quick.Check(property, &quick.Config{MaxCount: 20_000, Rand: rand.New(rand.NewSource(1))}))
}

func TestArithmeticIsThatOfBigIntegers(t *testing.T) {
	t.Run("sum", func(t *testing.T) {
		sure(t, func(a, b, c Count) bool {
			want := new(big.Int).Add(a.BigInt(), b.BigInt())
			return a.Plus(b).Plus(c).BigInt().Cmp(want.Add(want, c.BigInt())) == 0
		})
	})
	t.Run("difference, never below none", func(t *testing.T) {
		sure(t, func(a, b Count) bool {
			want := new(big.Int).Sub(a.BigInt(), b.BigInt())
			if want.Sign() < 0 {
				want.SetInt64(0)
			}
			return a.Minus(b).BigInt().Cmp(want) == 0
		})
	})
	t.Run("order", func(t *testing.T) {
		sure(t, func(a, b Count) bool { return a.Compare(b) == a.BigInt().Cmp(b.BigInt()) })
	})
	t.Run("rounding", func(t *testing.T) {
		sure(t, func(a, b, c Count) bool {
			sum := a.Plus(b).Plus(c)
			want, _ := new(big.Float).SetInt(sum.BigInt()).Float64()
			return sum.Float64() == want
		})
	})
	t.Run("a float goes there and back", func(t *testing.T) {
		sure(t, func(a Count) bool {
			f := a.Float64()
			back, ok := FromFloat(f)
			return ok && back.Float64() == f && a.IsFloat64() == (back == a)
		})
	})
}
