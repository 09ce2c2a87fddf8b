package poolmath

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

func TestPool(t *testing.T) {
	for name, tc := range map[string]struct {
		size, reserved, allocated float64
		available                 float64
		utilization               float64
		unrated                   bool
	}{
		"an empty pool is at none":                    {size: 256, available: 256, utilization: 0},
		"a full pool is at one":                       {size: 32, allocated: 32, available: 0, utilization: 1},
		"a third":                                     {size: 768, allocated: 256, available: 512, utilization: 1.0 / 3},
		"a reservation leaves less":                   {size: 256, reserved: 56, allocated: 50, available: 150, utilization: 0.25},
		"a reservation of all leaves no ratio":        {size: 256, reserved: 256, allocated: 0, available: 0, unrated: true},
		"nor where some were allocated before":        {size: 256, reserved: 256, allocated: 5, available: 0, unrated: true},
		"a reservation beyond the size is one of all": {size: 256, reserved: 300, available: 0, unrated: true},
		"reserved after allocated reads one at most":  {size: 256, reserved: 200, allocated: 100, available: 0, utilization: 1},
		"a pool without addresses has no ratio":       {size: 0, allocated: 0, available: 0, unrated: true},
		"one of a /48 is seen":                        {size: 0x1p80, allocated: 1, available: 0x1p80, utilization: 0x1p-80},
		"all of IPv6, half allocated":                 {size: 0x1p128, allocated: 0x1p127, available: 0x1p127, utilization: 0.5},
		"two roundings would lose a step":             {size: 0x1p64, reserved: 1023, allocated: 1023, available: 0x1p64 - 2048, utilization: 1023 / 0x1p64},
		"a nearly full /64 is not full":               {size: 0x1p64, reserved: 1, allocated: 0x1p64 - 2048, available: 2047, utilization: 0x1.ffffffffffffep-1 + 0x1p-53},
	} {
		t.Run(name, func(t *testing.T) {
			var pool Pool
			for to, from := range map[*addresses.Count]float64{&pool.Size: tc.size, &pool.Reserved: tc.reserved, &pool.Allocated: tc.allocated} {
				value, ok := addresses.FromFloat(from)
				require.True(t, ok)
				*to = value
			}
			require.InDelta(t, tc.available, pool.Available().Float64(), 0)
			utilization, rated := pool.Utilization()
			require.Equal(t, !tc.unrated, rated)
			require.InDelta(t, tc.utilization, utilization, 0)
		})
	}
}

// counts are numbers of every width up to 2^128, many of them near a power of two, where carries and rounding go wrong.
var counts = rapid.Custom(func(t *rapid.T) addresses.Count {
	near, _ := addresses.FromInt(rapid.Int64Range(0, 3).Draw(t, "near"))
	any, _ := addresses.FromInt(rapid.Int64Range(0, math.MaxInt64).Draw(t, "any"))
	width := rapid.IntRange(0, 64).Draw(t, "width")
	return rapid.SampledFrom([]addresses.Count{
		any.ShiftLeft(width), any.ShiftLeft(width).Plus(any), addresses.Power(2 * width).Minus(near), near,
	}).Draw(t, "count").Min(addresses.Power(128))
})

// eachPool checks a property on many pools.
func eachPool(t *testing.T, property func(Pool) bool) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		pool := Pool{Size: counts.Draw(t, "size"), Reserved: counts.Draw(t, "reserved"), Allocated: counts.Draw(t, "allocated")}
		require.True(t, property(pool), "%v", pool)
	})
}

func TestUtilizationIsTheNearestFloat(t *testing.T) {
	eachPool(t, func(pool Pool) bool {
		got, rated := pool.Utilization()
		if pool.Usable().IsZero() {
			return !rated
		}
		want, _ := new(big.Rat).SetFrac(pool.Allocated.BigInt(), pool.Usable().BigInt()).Float64()
		return rated && got == min(want, 1)
	})
}

func TestAvailableAndAllocatedAreTheUsable(t *testing.T) {
	eachPool(t, func(pool Pool) bool {
		if pool.Allocated.Compare(pool.Usable()) > 0 {
			return pool.Available().IsZero()
		}
		return pool.Available().Plus(pool.Allocated) == pool.Usable()
	})
}

func TestTotalOfOnePoolIsThePool(t *testing.T) {
	eachPool(t, func(pool Pool) bool {
		one, oneRated := Total{}.Plus(pool).Utilization()
		want, rated := pool.Utilization()
		return one == want && oneRated == rated
	})
}

func TestTotalOfManyOfTheLargestPoolsDoesNotOverflow(t *testing.T) {
	ipv6Space := addresses.Power(128)
	var total Total
	for range 1000 {
		total = total.Plus(Pool{Size: ipv6Space, Allocated: ipv6Space.ShiftRight(2)})
	}
	utilization, rated := total.Utilization()
	require.True(t, rated)
	require.InDelta(t, 0.25, utilization, 0)
	require.InDelta(t, 1000*0x1p128, total.Usable.Float64(), 0)
}

func TestBlockUtilization(t *testing.T) {
	for name, tc := range map[string]struct {
		claimed, claimable addresses.Count
		utilization        float64
		unrated            bool
	}{
		"none of some":               {claimable: addresses.Of(16), utilization: 0},
		"some":                       {claimed: addresses.Of(4), claimable: addresses.Of(16), utilization: 0.25},
		"a third":                    {claimed: addresses.Of(1), claimable: addresses.Of(3), utilization: 1.0 / 3},
		"all":                        {claimed: addresses.Of(16), claimable: addresses.Of(16), utilization: 1},
		"more than there can be":     {claimed: addresses.Of(17), claimable: addresses.Of(16), utilization: 1},
		"one of a /48":               {claimed: addresses.Of(1), claimable: addresses.Power(74), utilization: 0x1p-74},
		"none can be":                {unrated: true},
		"none can be, but some were": {claimed: addresses.Of(1), unrated: true},
	} {
		t.Run(name, func(t *testing.T) {
			utilization, rated := BlockUtilization(tc.claimed, tc.claimable)
			require.Equal(t, !tc.unrated, rated)
			require.InDelta(t, tc.utilization, utilization, 0)
		})
	}
}

func TestTotalOfNoPoolHasNoRatio(t *testing.T) {
	_, rated := Total{}.Utilization()
	require.False(t, rated)
}

func TestScrapeArithmeticDoesNotAllocate(t *testing.T) {
	size, _ := addresses.FromFloat(0x1p80)
	one, _ := addresses.FromInt(1)
	var available float64
	var utilization float64
	require.Zero(t, testing.AllocsPerRun(100, func() {
		pool := Pool{Size: size, Allocated: one.Plus(one)}
		available = pool.Available().Float64()
		utilization, _ = pool.Utilization()
	}))
	require.InDelta(t, 0x1p80, available, 0)
	require.InDelta(t, 0x1p-79, utilization, 0)
}
