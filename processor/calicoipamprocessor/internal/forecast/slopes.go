package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

const (
	day  = 24
	week = 7 * day

	// leastPairs is how many pairs of values a trend takes.
	leastPairs = 12
	// Pairs are near where their distance is from a fifth to a third of the window. A single step lies between at most half of them, so that it
	// moves neither their median nor the share that rises to where a trend has them.
	nearLeast, nearMost = 5, 3
	// tail is the quantile of the slopes of near pairs that is taken for the slow end of a trend, and 1−tail for the fast one.
	tail = 0.05
	// even is the share of near pairs that rise, or fall, in a trend.
	even = 0.8
	// uneven is the share from which on growth is there, but too uneven. It is flat below.
	uneven = 0.65
	// unevenSlope is the least slope of such growth, as a part of the distance between the slow and the fast end.
	unevenSlope = 0.15
)

// trend is what the slopes between pairs of values say, all in units an hour.
type trend struct {
	// slope is the median of the slopes of pairs that lie far apart: the estimator of Theil (1950) and Sen (1968).
	slope float64
	// low, near and high are the lower tail, the median and the upper tail of the slopes of near pairs: how fast parts of the window grew.
	low, near, high float64
	// rises and falls are the shares of near pairs that do, 0..1.
	rises, falls float64
}

// fit returns the trend of values of which there are perHour in an hour, NaN where not known, and false where too few are known.
// Only pairs whose distance is a multiple of season count, as in the seasonal slope of Hirsch, Slack and Smith (1982): what repeats from one
// season to the next cancels.
func (f *Forecaster) fit(y []float64, perHour float64, season int) (t trend, ok bool) {
	n := len(y)
	near := f.collect(y, perHour, season, roundTo(n/nearLeast, season), roundTo(n/nearMost, season))
	if len(near) < leastPairs {
		return t, false
	}
	t.low, t.near, t.high = sortedQuantile(tail, near), sortedQuantile(0.5, near), sortedQuantile(1-tail, near)
	// A change by less than one over the whole window is none.
	still := perHour / float64(n)
	up, _ := slices.BinarySearch(near, still)
	down, _ := slices.BinarySearch(near, -still)
	t.rises = float64(len(near)-up) / float64(len(near))
	t.falls = float64(down) / float64(len(near))

	far := f.collect(y, perHour, season, roundTo(n/2, season), n)
	if len(far) == 0 {
		return t, false
	}
	t.slope = sortedQuantile(0.5, far)
	return t, true
}

// collect returns the slopes of the pairs whose distance is from least to most, sorted. They are valid until the next call.
func (f *Forecaster) collect(y []float64, perHour float64, season, least, most int) []float64 {
	f.slopes = f.slopes[:0]
	for lag := least; lag <= most && lag < len(y); lag += season {
		each := perHour / float64(lag)
		for i := lag; i < len(y); i++ {
			if d := y[i] - y[i-lag]; !math.IsNaN(d) {
				f.slopes = append(f.slopes, d*each)
			}
		}
	}
	slices.Sort(f.slopes)
	return f.slopes
}

// judge says why a trend allows no forecast; empty where it does.
func (t trend) judge() Refusal {
	switch {
	case t.rises >= even && t.slope > 0:
		return ""
	case t.falls >= even:
		return RefusalFalling
	case t.rises >= uneven && t.slope > 0 && t.near > unevenSlope*(t.high-t.low):
		return RefusalPoorFit
	default:
		return RefusalFlat
	}
}

// sortedQuantile returns a quantile of sorted values, NaN where there is none.
func sortedQuantile(p float64, sorted []float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return stat.Quantile(p, stat.Empirical, sorted, nil)
}

// quantile returns a quantile of values in any order, those that are NaN left out, and NaN where there is none. It changes the order.
func quantile(p float64, values []float64) float64 {
	values = slices.DeleteFunc(values, math.IsNaN)
	slices.Sort(values)
	return sortedQuantile(p, values)
}

// roundTo returns the multiple of season nearest to n, at least one season.
func roundTo(n, season int) int { return max(season, (n+season/2)/season*season) }
