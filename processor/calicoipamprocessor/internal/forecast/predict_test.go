package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// checkForecast fails unless a forecast is one that may be published.
func checkForecast(tb testing.TB, f Forecast, now time.Time) {
	tb.Helper()
	require.False(tb, math.IsNaN(f.Growth) || math.IsInf(f.Growth, 0), "%v", f)
	if f.Refusal != "" {
		require.Contains(tb, Refusals(), f.Refusal)
		require.Zero(tb, f.Earliest)
		require.Zero(tb, f.Expected)
		require.Zero(tb, f.Latest)
		require.Empty(tb, f.Binding)
		return
	}
	require.Contains(tb, []Binding{BindingAddresses, BindingBlocks}, f.Binding)
	require.False(tb, f.Earliest.Before(now), "%v", f)
	require.False(tb, f.Expected.Before(f.Earliest), "%v", f)
	require.True(tb, f.Latest.IsZero() || !f.Latest.Before(f.Expected), "%v", f)
	require.LessOrEqual(tb, f.Latest.Sub(now).Hours(), latestFactor*holdHorizon*horizonFactor*hourBuckets)
	require.Equal(tb, f.Earliest.Equal(now), f.Latest.Equal(now), "one moment is now where all are")
}

func TestPredictRefuses(t *testing.T) {
	limits := Limits{Addresses: 1000, Blocks: math.NaN()}
	noise := drifting(rand.New(rand.NewPCG(1, 1)), 90, 24)
	seen := map[Refusal]bool{}
	for name, tc := range map[string]struct {
		days    int
		at      func(t float64) float64
		limits  Limits
		later   time.Duration
		refusal Refusal
		// growth is that which is known all the same, in addresses an hour; NaN for none.
		growth float64
	}{
		"a pool of which all is reserved":       {5, func(t float64) float64 { return t }, Limits{}, 0, RefusalNoLimit, math.NaN()},
		"a limit that is not known":             {5, func(t float64) float64 { return t }, Limits{Addresses: math.NaN()}, 0, RefusalNoLimit, math.NaN()},
		"a limit that is none":                  {5, func(t float64) float64 { return t }, Limits{Addresses: math.Inf(1)}, 0, RefusalNoLimit, math.NaN()},
		"growth in the first day":               {1, func(t float64) float64 { return 900 + 3*t }, limits, 0, RefusalShortHistory, math.NaN()},
		"the first sample":                      {0, func(float64) float64 { return 500 }, limits, 0, RefusalShortHistory, math.NaN()},
		"samples that ended two hours ago":      {5, func(t float64) float64 { return 5 * t }, limits, 2 * time.Hour, RefusalStale, math.NaN()},
		"samples of the future":                 {5, func(t float64) float64 { return 5 * t }, limits, -time.Hour, RefusalStale, math.NaN()},
		"addresses that get fewer":              {5, func(t float64) float64 { return 900 - 2*t }, limits, 0, RefusalFalling, -2},
		"addresses that stay":                   {5, func(float64) float64 { return 900 }, limits, 0, RefusalFlat, 0},
		"a pool that is nearly full, and stays": {5, func(float64) float64 { return 999 }, limits, 0, RefusalFlat, 0},
		"a day's wave":                          {5, func(t float64) float64 { return 700 + 200*wave(t) }, limits, 0, RefusalFlat, 0},
		"a single step":                         {6, step(100, 300), limits, 0, RefusalFlat, 4},
		"a step of an hour ago":                 {6, step(143, 300), limits, 0, RefusalFlat, 0},
		"a batch that runs now":                 {6, func(t float64) float64 { return 300 + 500*nightly(t+2.5) }, limits, 0, RefusalFlat, 0},
		"growth among large ups and downs":      {12, func(t float64) float64 { return 300 + t + noise() }, limits, 0, RefusalPoorFit, 1},
		"growth that takes years":               {6, func(t float64) float64 { return 300 + 0.1*t }, limits, 0, RefusalBeyondHorizon, 0.1},
		"growth of a pool of IPv6":              {6, func(t float64) float64 { return 300 + 10*t }, Limits{Addresses: 0x1p80}, 0, RefusalBeyondHorizon, 10},
	} {
		t.Run(name, func(t *testing.T) {
			h, now := watched(tc.days, func(t float64) Sample { return Sample{Allocated: count(tc.at(t)), Blocks: math.NaN()} })
			var f Forecaster
			now = now.Add(tc.later)
			got := f.Predict(h, now, tc.limits)
			require.Equal(t, tc.refusal, got.Refusal)
			checkForecast(t, got, now)
			require.Equal(t, !math.IsNaN(tc.growth), got.Grows)
			if got.Grows {
				require.InDelta(t, tc.growth, got.Growth, math.Max(0.1, math.Abs(tc.growth)/2))
			}
		})
		seen[tc.refusal] = true
	}
	for _, refusal := range Refusals() {
		require.True(t, seen[refusal], "%s is shown above", refusal)
	}
}

// step returns 300 addresses, and height more from an hour on.
func step(from, height float64) func(t float64) float64 {
	return func(t float64) float64 {
		if t >= from {
			return 300 + height
		}
		return 300
	}
}

func TestPredictSaysWhenASteadyPoolIsFull(t *testing.T) {
	for name, tc := range map[string]struct {
		hours  float64 // that it was watched
		at     func(t float64) float64
		within float64 // hours by which the expected time may be off
	}{
		"after a day and a half":               {36, func(t float64) float64 { return 400 + 10*t }, 1},
		"after three days":                     {72, func(t float64) float64 { return 400 + 5*t }, 2},
		"after three days, under a day's wave": {72, func(t float64) float64 { return 400 + 5*t + 100*wave(t) }, 2},
		"after two weeks":                      {336, func(t float64) float64 { return 100 + 2*t }, 2},
		"after a month, of which half is kept": {720, func(t float64) float64 { return 100 + t }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			for at := began; at.Sub(began).Hours() <= tc.hours; at = at.Add(shapeStep) {
				h.Add(at, Sample{Allocated: count(tc.at(at.Sub(began).Hours())), Blocks: math.NaN()})
			}
			now := began.Add(time.Duration(tc.hours * float64(time.Hour)))
			full := tc.hours
			for ; count(tc.at(full)) < 1000; full += shapeStep.Hours() {
			}
			var f Forecaster
			got := f.Predict(&h, now, Limits{Addresses: 1000, Blocks: math.NaN()})
			require.Empty(t, got.Refusal)
			checkForecast(t, got, now)
			require.Equal(t, BindingAddresses, got.Binding)
			require.InDelta(t, full, got.Expected.Sub(began).Hours(), tc.within)
			require.LessOrEqual(t, got.Earliest.Sub(began).Hours(), full)
			require.GreaterOrEqual(t, got.Latest.Sub(began).Hours(), full)
		})
	}
}

func TestPredictOfAFullPoolIsNow(t *testing.T) {
	for name, tc := range map[string]struct {
		days int
		at   func(t float64) float64
	}{
		"that was watched for days": {5, func(t float64) float64 { return 900 + t }},
		"that was always full":      {5, func(float64) float64 { return 1000 }},
		"that was seen once":        {0, func(float64) float64 { return 1000 }},
		"with more than it has":     {0, func(float64) float64 { return 1010 }},
	} {
		t.Run(name, func(t *testing.T) {
			h, now := watched(tc.days, func(t float64) Sample { return Sample{Allocated: tc.at(t), Blocks: 16} })
			var f Forecaster
			got := f.Predict(h, now, Limits{Addresses: 1000, Blocks: 16})
			require.Empty(t, got.Refusal)
			require.Equal(t, []time.Time{now, now, now}, []time.Time{got.Earliest, got.Expected, got.Latest})
			require.Equal(t, BindingAddresses, got.Binding)
		})
	}
}

func TestPredictTakesTheTighterLimit(t *testing.T) {
	grows := func(from, slope float64) func(t float64) float64 {
		return func(t float64) float64 { return math.Floor(from + slope*t) }
	}
	for name, tc := range map[string]struct {
		allocated, blocks func(t float64) float64
		limits            Limits
		binding           Binding
		refusal           Refusal
		hours             float64 // until the expected time
	}{
		"blocks run out before addresses":         {grows(100, 2), grows(10, 0.25), Limits{1000, 64}, BindingBlocks, "", 72},
		"addresses run out before blocks":         {grows(100, 5), grows(10, 0.05), Limits{1000, 64}, BindingAddresses, "", 36},
		"blocks run out while addresses are flat": {grows(100, 0), grows(10, 0.25), Limits{1000, 64}, BindingBlocks, "", 72},
		"all blocks are claimed, addresses go on": {grows(100, 5), grows(64, 0), Limits{1000, 64}, BindingAddresses, "", 36},
		"all blocks are claimed, addresses stay":  {grows(500, 0), grows(64, 0), Limits{1000, 64}, "", RefusalFlat, 0},
		"more blocks are claimed than there are":  {grows(100, 5), grows(70, 0.1), Limits{1000, 64}, BindingAddresses, "", 36},
		"the limit of blocks is not known":        {grows(100, 5), grows(10, 0.25), Limits{1000, math.NaN()}, BindingAddresses, "", 36},
		"blocks without a limit":                  {grows(100, 5), grows(10, 0.25), Limits{1000, math.Inf(1)}, BindingAddresses, "", 36},
		"the blocks are not known":                {grows(100, 5), func(float64) float64 { return math.NaN() }, Limits{1000, 64}, BindingAddresses, "", 36},
		"neither is near":                         {grows(100, 0.1), grows(10, 0), Limits{1000, 64}, "", RefusalBeyondHorizon, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h, now := watched(6, func(t float64) Sample { return Sample{Allocated: tc.allocated(t), Blocks: tc.blocks(t)} })
			var f Forecaster
			got := f.Predict(h, now, tc.limits)
			checkForecast(t, got, now)
			require.Equal(t, tc.refusal, got.Refusal)
			require.Equal(t, tc.binding, got.Binding)
			require.True(t, got.Grows)
			if tc.refusal == "" {
				require.InDelta(t, tc.hours, got.Expected.Sub(now).Hours(), 4)
			}
		})
	}
}

func TestPredictFollowsAChangeOfLimits(t *testing.T) {
	h, now := watched(6, func(t float64) Sample { return Sample{Allocated: math.Floor(100 + 5*t), Blocks: math.NaN()} })
	var f Forecaster
	before := f.Predict(h, now, Limits{Addresses: 1000, Blocks: math.NaN()})
	larger := f.Predict(h, now, Limits{Addresses: 1500, Blocks: math.NaN()})
	require.InDelta(t, 100, larger.Expected.Sub(before.Expected).Hours(), 2)
	full := f.Predict(h, now, Limits{Addresses: 800, Blocks: math.NaN()})
	require.True(t, full.Expected.Equal(now))
}

func TestPredictSaysNothingOfTheBeginningOfADay(t *testing.T) {
	// A wave that is a little higher each day than on the day before would be full, if a morning went on.
	for hour := range 24 {
		var h History
		now := began.Add(time.Duration(5*24+hour) * time.Hour)
		for at := began; !at.After(now); at = at.Add(shapeStep) {
			h.Add(at, Sample{Allocated: count(500 + 0.1*at.Sub(began).Hours() + 300*wave(at.Sub(began).Hours())), Blocks: math.NaN()})
		}
		var f Forecaster
		got := f.Predict(&h, now, Limits{Addresses: 1000, Blocks: math.NaN()})
		require.Equal(t, RefusalBeyondHorizon, got.Refusal, "at %d o'clock", hour)
		require.InDelta(t, 0.1, got.Growth, 0.05)
	}
}

func TestPredictIsAlwaysOneThatMayBePublished(t *testing.T) {
	var f Forecaster
	rapid.Check(t, func(t *rapid.T) {
		h := histories.Draw(t, "history")
		now := time.Unix(h.newest, 0).Add(time.Duration(rapid.IntRange(-600, 7200).Draw(t, "later")) * time.Second)
		limit := rapid.OneOf(rapid.Float64Range(-1, 80000), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), 0x1p80}))
		limits := Limits{Addresses: limit.Draw(t, "addresses"), Blocks: limit.Draw(t, "blocks")}
		got := f.Predict(h, now, limits)
		if got.Refusal == "" {
			require.False(t, got.Earliest.Before(now) || got.Expected.Before(got.Earliest), "%v", got)
			require.True(t, got.Latest.IsZero() || !got.Latest.Before(got.Expected), "%v", got)
			require.Equal(t, h.Full(limits.Addresses), got.Expected.Equal(now), "now means full")
		}
		require.False(t, math.IsNaN(got.Growth) || math.IsInf(got.Growth, 0))
	})
}

func TestPredictDoesNotDependOnWhatWasPredictedBefore(t *testing.T) {
	limits := Limits{Addresses: 2000, Blocks: 100}
	leak, now := watched(12, func(t float64) Sample {
		return Sample{Allocated: 500 + 150*wave(t) + 60*math.Max(0, t-276), Blocks: 30}
	})
	weekly, _ := watched(12, func(t float64) Sample { return Sample{Allocated: 500 + 2*t + 150*weekday(t), Blocks: t / 10} })
	var fresh, used Forecaster
	used.Predict(weekly, now, limits)
	require.Equal(t, fresh.Predict(leak, now, limits), used.Predict(leak, now, limits))
}

func TestPredictDoesNotAllocate(t *testing.T) {
	h, now := watched(16, func(t float64) Sample { return Sample{Allocated: 500 + 2*t + 150*wave(t), Blocks: t / 10} })
	var f Forecaster
	f.Predict(h, now, Limits{Addresses: 2000, Blocks: 100})
	require.Zero(t, testing.AllocsPerRun(10, func() { f.Predict(h, now, Limits{Addresses: 2000, Blocks: 100}) }))
}

func TestRefusalsAreTheCallers(t *testing.T) {
	Refusals()[0] = "changed"
	require.Equal(t, RefusalNoLimit, Refusals()[0])
}
