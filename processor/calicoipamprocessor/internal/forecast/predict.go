package forecast

import (
	"math"
	"time"
)

const (
	// staleAfter is how old the newest sample may be. A pool that was not scraped for longer may be anywhere.
	staleAfter = time.Hour
	// aheadAtMost is how far the clock of the samples may be ahead of the one that asks.
	aheadAtMost = 5 * time.Minute
	// leastAhead is the least time until a pool is full that is not.
	leastAhead = time.Second
)

// Forecaster makes forecasts. It holds the memory that one takes, so that the next one allocates nothing.
// The zero value is ready. It is not safe for concurrent use; one serves any number of histories.
type Forecaster struct {
	// hours and fine are the history of the resource looked at, oldest first, NaN where not known.
	hours, fine []float64
	// into is how much of the newest hour had passed at the newest sample, 0..1.
	into float64
	// held is whether there was a forecast for it before.
	held bool
	// slopes, above and scratch are used again by each step.
	slopes, above, scratch []float64
}

// Predict says when the pool of a history will be full, seen from now.
//
// A pool whose addresses were all in use in the last half hour is full now. Blocks bind as long as one is left to claim. Once the last one is claimed
// the pool goes on to give out the addresses that are free in its blocks, so that the forecast is then that of the addresses alone.
//
// The history notes of what an end was told, as the next forecast holds on to it. Nothing else of it changes.
func (f *Forecaster) Predict(h *History, now time.Time, limits Limits) Forecast {
	newest := time.Unix(h.newest, 0).In(now.Location())
	switch {
	case !(limits.Addresses > 0) || math.IsInf(limits.Addresses, 0):
		return Forecast{Refusal: RefusalNoLimit}
	case h.newest == 0:
		return Forecast{Refusal: RefusalShortHistory}
	case now.Sub(newest) > staleAfter || newest.Sub(now) > aheadAtMost:
		return Forecast{Refusal: RefusalStale}
	}

	chosen, binding := f.outlook(h, allocatedOf, limits.Addresses, &h.foretold.allocated), BindingAddresses
	forecast := Forecast{Growth: chosen.growth, Grows: chosen.grows}
	full := h.Full(limits.Addresses)
	if !full && h.recent(blocksOf) < float32(limits.Blocks) && !math.IsInf(limits.Blocks, 0) {
		chosen, binding = chosen.or(f.outlook(h, blocksOf, limits.Blocks, &h.foretold.blocks))
	}
	switch {
	case full:
		forecast.Earliest, forecast.Expected, forecast.Latest = now, now, now
	case chosen.refusal != "":
		forecast.Refusal = chosen.refusal
		return forecast
	default:
		at := func(hours float64) time.Time {
			t := newest.Add(time.Duration(hours * float64(time.Hour)).Round(time.Second))
			if soon := now.Add(leastAhead); t.Before(soon) {
				return soon // as now means full
			}
			return t
		}
		forecast.Earliest, forecast.Expected = at(chosen.earliest), at(chosen.expected)
		if !math.IsInf(chosen.latest, 0) {
			forecast.Latest = at(chosen.latest)
		}
	}
	forecast.Binding = binding
	return forecast
}

// or returns the outlook of a pool that is held up by its addresses, of which o is, or by its blocks, and which of the two is expected first.
// Each of the three moments is the earlier one of both.
func (o outlook) or(blocks outlook) (outlook, Binding) {
	switch {
	case blocks.refusal != "":
		return o, BindingAddresses
	case o.refusal != "":
		return blocks, BindingBlocks
	}
	binding := BindingAddresses
	if blocks.expected < o.expected {
		binding = BindingBlocks
	}
	o.earliest, o.expected, o.latest = min(o.earliest, blocks.earliest), min(o.expected, blocks.expected), min(o.latest, blocks.latest)
	return o, binding
}
