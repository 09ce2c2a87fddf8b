package forecast

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// samples draws what a pool may be given, good and bad.
var samples = rapid.Custom(func(t *rapid.T) Sample {
	count := rapid.OneOf(
		rapid.Float64Range(0, 70000).AsAny(), rapid.IntRange(0, 70000).AsAny(),
		rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 0x1p24, 0x1p80, math.MaxFloat64}).AsAny(),
	)
	number := func(name string) float64 {
		switch v := count.Draw(t, name).(type) {
		case int:
			return float64(v)
		default:
			return v.(float64)
		}
	}
	return Sample{Allocated: number("allocated"), Blocks: number("blocks")}
})

// histories draws histories with gaps of seconds to months.
var histories = rapid.Custom(func(t *rapid.T) *History {
	var h History
	at := began
	for range rapid.IntRange(0, 60).Draw(t, "samples") {
		at = at.Add(time.Duration(rapid.OneOf(
			rapid.Int64Range(0, 60), rapid.Int64Range(0, 2*3600), rapid.Int64Range(-3600, 40*86400),
		).Draw(t, "gap")) * time.Second)
		h.Add(at, samples.Draw(t, "sample"))
	}
	return &h
})

func TestHistoryKeepsTheMaximumOfEachInterval(t *testing.T) {
	var h History
	for minute, allocated := range []float64{10, 30, 20, 25, 15, 40, 5} {
		h.Add(began.Add(time.Duration(minute)*time.Minute), Sample{Allocated: allocated, Blocks: allocated / 5})
	}
	require.Equal(t, []float64{30, 40}, appendSeries(nil, h.fine[:], h.newest/fineSeconds, allocatedOf))
	require.Equal(t, []float64{40}, appendSeries(nil, h.hours[:], h.newest/hourSeconds, allocatedOf))
	require.Equal(t, []float64{6, 8}, appendSeries(nil, h.fine[:], h.newest/fineSeconds, blocksOf))
	require.Equal(t, Sample{Allocated: 5, Blocks: 1}, h.last)
}

func TestHistoryForgetsWhatIsOlderThanItsRings(t *testing.T) {
	h, _ := watched(40, func(t float64) Sample { return Sample{Allocated: math.Floor(t), Blocks: math.NaN()} })
	hours := appendSeries(nil, h.hours[:], h.newest/hourSeconds, allocatedOf)
	require.Len(t, hours, 15*24)
	require.InDelta(t, 40*24, hours[len(hours)-1], 0)
	require.InDelta(t, 40*24-15*24+1, hours[0], 0)
	require.Len(t, appendSeries(nil, h.fine[:], h.newest/fineSeconds, allocatedOf), 96)
}

func TestHistoryKnowsNothingOfAGap(t *testing.T) {
	var h History
	h.Add(began, Sample{Allocated: 10, Blocks: 1})
	h.Add(began.Add(3*time.Hour), Sample{Allocated: 20, Blocks: math.NaN()})
	hours := appendSeries(nil, h.hours[:], h.newest/hourSeconds, allocatedOf)
	require.Len(t, hours, 4)
	require.True(t, math.IsNaN(hours[1]) && math.IsNaN(hours[2]))
	require.Equal(t, 1, countKnown(appendSeries(nil, h.hours[:], h.newest/hourSeconds, blocksOf)))

	h.Add(began.Add(100*24*time.Hour), Sample{Allocated: 30, Blocks: math.NaN()})
	require.Equal(t, []float64{30}, appendSeries(nil, h.hours[:], h.newest/hourSeconds, allocatedOf))
}

func TestHistoryIgnores(t *testing.T) {
	for name, tc := range map[string]struct {
		at     time.Time
		sample Sample
	}{
		"a sample that is older than the newest":  {began.Add(-time.Second), Sample{Allocated: 99, Blocks: 9}},
		"a number of addresses that is not known": {began.Add(time.Hour), Sample{Allocated: math.NaN(), Blocks: 9}},
		"infinitely many addresses":               {began.Add(time.Hour), Sample{Allocated: math.Inf(1), Blocks: 9}},
		"fewer addresses than none":               {began.Add(time.Hour), Sample{Allocated: -1, Blocks: 9}},
		"more addresses than IPv6 has by far":     {began.Add(time.Hour), Sample{Allocated: math.MaxFloat64, Blocks: 9}},
		"a time after the year 9999":              {time.Unix(lastSecond+1, 0), Sample{Allocated: 99, Blocks: 9}},
		"a time before 1970":                      {time.Unix(-1, 0), Sample{Allocated: 99, Blocks: 9}},
		"the zero time":                           {time.Time{}, Sample{Allocated: 99, Blocks: 9}},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			h.Add(began, Sample{Allocated: 10, Blocks: 1})
			before := encoded(t, &h)
			h.Add(tc.at, tc.sample)
			require.Equal(t, before, encoded(t, &h))
		})
	}
}

func TestHistoryTakesBlocksThatAreNoNumberForUnknown(t *testing.T) {
	for _, blocks := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1} {
		var h History
		h.Add(began, Sample{Allocated: 10, Blocks: blocks})
		require.Empty(t, appendSeries(nil, h.fine[:], h.newest/fineSeconds, blocksOf))
		require.Len(t, appendSeries(nil, h.fine[:], h.newest/fineSeconds, allocatedOf), 1)
	}
}

func TestHistoryHasABoundedSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := histories.Draw(t, "history")
		require.LessOrEqual(t, h.Size(), 4096)
		data, err := h.AppendBinary(nil)
		require.NoError(t, err)
		// Per bucket and resource a code and the four bytes of a number, and the head.
		require.LessOrEqual(t, len(data), 2*5*(fineBuckets+hourBuckets)+32)
	})
}

func TestHistoryIsTheSameAfterARestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := histories.Draw(t, "history")
		if before.newest > 0 {
			before.foretold = foretold{allocated: rapid.Bool().Draw(t, "allocated foretold"), blocks: rapid.Bool().Draw(t, "blocks foretold")}
		}
		data, err := before.AppendBinary([]byte("what was there"))
		require.NoError(t, err)
		var after History
		require.NoError(t, after.UnmarshalBinary(data[len("what was there"):]))

		again, err := after.AppendBinary([]byte("what was there"))
		require.NoError(t, err)
		require.Equal(t, data, again)

		// Both go on in the same way.
		at := time.Unix(before.newest, 0).Add(time.Duration(rapid.IntRange(0, 90000).Draw(t, "later")) * time.Second)
		next := samples.Draw(t, "next")
		before.Add(at, next)
		after.Add(at, next)
		var f Forecaster
		limits := Limits{Addresses: 80000, Blocks: 80000}
		require.Equal(t, f.Predict(before, at, limits), f.Predict(&after, at, limits))
	})
}

func TestAddDoesNotAllocate(t *testing.T) {
	var h History
	at := began
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		at = at.Add(time.Minute)
		h.Add(at, Sample{Allocated: 10, Blocks: 2})
	}))
}
