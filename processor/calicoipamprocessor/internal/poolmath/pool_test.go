package poolmath

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
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
			for to, from := range map[*Addresses]float64{&pool.Size: tc.size, &pool.Reserved: tc.reserved, &pool.Allocated: tc.allocated} {
				value, ok := FromFloat(from)
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

func TestUtilizationIsTheNearestFloat(t *testing.T) {
	sure(t, func(size, reserved, allocated Addresses) bool {
		pool := Pool{Size: size, Reserved: reserved, Allocated: allocated}
		got, rated := pool.Utilization()
		if pool.Usable().IsZero() {
			return !rated
		}
		want, _ := new(big.Rat).SetFrac(allocated.bigInt(), pool.Usable().bigInt()).Float64()
		return rated && got == min(want, 1)
	})
}

func TestAvailableAndAllocatedAreTheUsable(t *testing.T) {
	sure(t, func(size, reserved, allocated Addresses) bool {
		pool := Pool{Size: size, Reserved: reserved, Allocated: allocated}
		if allocated.Compare(pool.Usable()) > 0 {
			return pool.Available().IsZero()
		}
		return pool.Available().Plus(allocated) == pool.Usable()
	})
}

func TestTotalOfOnePoolIsThePool(t *testing.T) {
	sure(t, func(size, reserved, allocated Addresses) bool {
		pool := Pool{Size: size, Reserved: reserved, Allocated: allocated}
		one, oneRated := Total{}.Plus(pool).Utilization()
		want, rated := pool.Utilization()
		return one == want && oneRated == rated
	})
}

func TestTotalOfManyOfTheLargestPoolsDoesNotOverflow(t *testing.T) {
	var total Total
	for range 1000 {
		total = total.Plus(Pool{Size: ipv6Space, Allocated: ipv6Space.shiftRight(2)})
	}
	utilization, rated := total.Utilization()
	require.True(t, rated)
	require.InDelta(t, 0.25, utilization, 0)
	require.InDelta(t, 1000*0x1p128, total.Usable.Float64(), 0)
}

func TestTotalOfNoPoolHasNoRatio(t *testing.T) {
	_, rated := Total{}.Utilization()
	require.False(t, rated)
}
