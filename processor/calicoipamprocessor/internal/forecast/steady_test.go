package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pageWithin and pageAfter make the alert that docs/forecast.md shows: the pool is expected to be full within a day, for half an hour.
const (
	pageWithin = 24 * time.Hour
	pageAfter  = 30 * time.Minute
)

func TestAFreshInstallPagesOnNoOrdinaryDay(t *testing.T) {
	var f Forecaster
	for _, peak := range []float64{0.65, 0.8, 0.9} {
		t.Run(fmt.Sprintf("that takes %.0f %% of the pool", 100*peak), func(t *testing.T) {
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(firstSeed+seed, 36))
				begins, height, noise := clock(r.IntN(day)), between(r, 100, 500), drifting(r, 15, 2)
				var h History
				var since time.Time
				for at := began; at.Sub(began) <= 2*day*time.Hour; at = at.Add(shapeStep) {
					allocated := count(2000*peak - height + height*begins.wave(at.Sub(began).Hours()) + noise())
					h.Add(at, Sample{Allocated: allocated, Blocks: math.NaN()})
					got := f.Predict(&h, at, Limits{Addresses: 2000, Blocks: math.NaN()})
					if got.Refusal != "" || got.Expected.Sub(at) >= pageWithin {
						since = time.Time{}
						continue
					}
					if since.IsZero() {
						since = at
					}
					require.Less(t, at.Sub(since), pageAfter, "%v after an install at %v o'clock", at.Sub(began), begins)
				}
			}
		})
	}
}

func TestPredictHoldsItsWordWhileAPoolHoversAtALimit(t *testing.T) {
	const scrape = 30 * time.Second
	for name, tc := range map[string]struct {
		limits Limits
		at     func(n int) Sample
		full   bool
	}{
		"of addresses": {Limits{Addresses: 1024, Blocks: math.NaN()}, func(n int) Sample {
			return Sample{Allocated: 1020 + float64(n%5), Blocks: math.NaN()}
		}, true},
		"of blocks": {Limits{Addresses: 1024, Blocks: 16}, func(n int) Sample {
			return Sample{Allocated: 500, Blocks: math.Min(15+float64(n%2), 4+math.Floor(float64(n)/700))}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var f Forecaster
			var h History
			var before Forecast
			changes := 0
			for n := range int(4 * day * time.Hour / scrape) {
				at := began.Add(time.Duration(n) * scrape)
				h.Add(at, tc.at(n))
				full := h.Full(tc.limits.Addresses)
				require.Equal(t, tc.full && n >= 4, full)
				if n%61 > 0 { // of all parts of an hour, and of both samples
					continue
				}
				got := f.Predict(&h, at, tc.limits)
				if n > 0 && (got.Refusal != before.Refusal || got.Binding != before.Binding) {
					changes++
				}
				before = got
			}
			require.LessOrEqual(t, changes, 4)
		})
	}
}

func TestAPoolIsFullForHalfAnHour(t *testing.T) {
	var h History
	require.False(t, h.Full(0), "nothing is known")
	h.Add(began, Sample{Allocated: 1000, Blocks: math.NaN()})
	for minute := range 45 {
		h.Add(began.Add(time.Duration(minute)*time.Minute), Sample{Allocated: 990, Blocks: math.NaN()})
		require.Equal(t, minute < 30, h.Full(1000), "after %d minutes", minute)
		require.True(t, h.Full(990), "a limit that is lowered counts at once")
	}
	require.False(t, h.Full(math.NaN()))
	require.False(t, h.Full(0), "a pool that can have none is not full but has no limit")
}

func TestAnOutageOfTheCollectorSilencesNoTrend(t *testing.T) {
	var f Forecaster
	asked, silent := 0, 0
	for from := 8 * day; from < 9*day; from += 6 {
		var h History
		for at := began; at.Sub(began).Hours() < float64(from+day); at = at.Add(shapeStep) {
			hour := at.Sub(began).Hours()
			if hour >= float64(from) && hour < float64(from+6) {
				continue
			}
			h.Add(at, Sample{Allocated: count(500 + 3*hour + 80*wave(hour)), Blocks: math.NaN()})
			if hour < float64(from) {
				continue
			}
			if asked++; f.Predict(&h, at, Limits{Addresses: 2000, Blocks: math.NaN()}).Refusal != "" {
				silent++
			}
		}
	}
	require.Zero(t, silent, "of %d", asked)
}

func TestAPoolThatWasAwayForLongSpeaksLikeAFreshOne(t *testing.T) {
	for _, watchedDays := range []int{3, 8, 14} {
		for _, awayDays := range []int{3, 7, 10, 12} {
			t.Run(fmt.Sprintf("%d days watched, %d away", watchedDays, awayDays), func(t *testing.T) {
				var f Forecaster
				var h History
				end := (watchedDays + awayDays + 3) * day
				now := began
				for ; now.Sub(began).Hours() <= float64(end); now = now.Add(shapeStep) {
					if hour := now.Sub(began).Hours(); hour < float64(watchedDays*day) || hour >= float64((watchedDays+awayDays)*day) {
						h.Add(now, Sample{Allocated: count(4 * hour), Blocks: math.NaN()})
					}
				}
				now = now.Add(-shapeStep)
				got := f.Predict(&h, now, Limits{Addresses: 4 * float64(end+48), Blocks: math.NaN()})
				require.Empty(t, got.Refusal)
				require.InDelta(t, 48, got.Expected.Sub(now).Hours(), 3)
			})
		}
	}
}

func TestExpectedOfAPoolThatIsNotFullIsNotNow(t *testing.T) {
	var f Forecaster
	for name, at := range map[string]func(t float64) float64{
		"nearly full":        func(t float64) float64 { return 994 + 10*(t-144) },
		"above it with wave": func(t float64) float64 { return 800 + 5*(t-144) + 199*wave(t) },
		"a leak at its end":  func(t float64) float64 { return 300 + 200*math.Max(0, t-140.6) },
	} {
		t.Run(name, func(t *testing.T) {
			spoke := false
			for minute := range 120 {
				var h History
				now := began.Add(143*time.Hour + time.Duration(minute)*time.Minute)
				for at5 := now.Add(-143 * time.Hour); !at5.After(now); at5 = at5.Add(shapeStep) {
					h.Add(at5, Sample{Allocated: count(math.Min(999, at(at5.Sub(began).Hours()))), Blocks: math.NaN()})
				}
				got := f.Predict(&h, now, Limits{Addresses: 1000, Blocks: math.NaN()})
				if got.Refusal != "" {
					continue
				}
				spoke = true
				require.False(t, got.Expected.Before(now.Truncate(time.Hour).Add(time.Hour)), "the rest of the hour")
				require.True(t, got.Earliest.After(now))
			}
			require.True(t, spoke)
		})
	}
}

func TestTheRangeOfTwoLimitsIsTheEarlierOfBoth(t *testing.T) {
	given := func(earliest, expected, latest float64) outlook {
		return outlook{earliest: earliest, expected: expected, latest: latest}
	}
	none := outlook{refusal: RefusalFlat}
	for name, tc := range map[string]struct {
		addresses, blocks, both outlook
		binding                 Binding
	}{
		"addresses first":                          {given(78, 82, 85), given(48, 96, 870), given(48, 82, 85), BindingAddresses},
		"blocks first":                             {given(48, 96, 870), given(78, 82, 85), given(48, 82, 85), BindingBlocks},
		"a latest moment of the one":               {given(1, 2, math.Inf(1)), given(1, 3, 9), given(1, 2, 9), BindingAddresses},
		"addresses alone":                          {given(1, 2, 3), none, given(1, 2, 3), BindingAddresses},
		"blocks alone":                             {none, given(1, 2, 3), given(1, 2, 3), BindingBlocks},
		"neither, for the reason of the addresses": {none, outlook{refusal: RefusalFalling}, none, BindingAddresses},
	} {
		t.Run(name, func(t *testing.T) {
			both, binding := tc.addresses.or(tc.blocks)
			require.Equal(t, tc.both, both)
			require.Equal(t, tc.binding, binding)
		})
	}
}

func TestLatestIsAbsentWhereTheSlowEndFillsNothing(t *testing.T) {
	// Growth that slows down so much that it may stop below the limit.
	h, now := watched(9, func(t float64) Sample {
		return Sample{Allocated: count(400 + 1600*(1-math.Exp(-t/200))), Blocks: math.NaN()}
	})
	var f Forecaster
	got := f.Predict(h, now, Limits{Addresses: 1600, Blocks: math.NaN()})
	checkForecast(t, got, now)
	require.Empty(t, got.Refusal)
	require.Zero(t, got.Latest)
}

func TestExpectedBeginsNoHigherThanThePoolEverWas(t *testing.T) {
	at := func(level, slope float64) *line { // a level of all hours but the newest, which had three hundred more on the days before
		l := line{slope: slope, period: day}
		l.raise(level)
		l.levels[0] += 300
		return &l
	}
	o := outlook{}.between(0.5, 100, 1000, 900, at(700, 20), at(700, 10), at(700, 5))
	require.InDelta(t, 24-0.5, o.expected, 0.5, "the next day at this hour")
	require.Zero(t, o.earliest)
}
