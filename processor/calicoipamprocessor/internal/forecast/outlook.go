package forecast

import (
	"math"
	"slices"
)

const (
	// grownHours is how long a pool must have been watched: a day, and as many hours of the next as a trend takes pairs. Before a day is known, an
	// ordinary morning cannot be told from growth that will fill the pool by noon.
	grownHours = day + leastPairs

	// horizonFactor is how many times as far ahead as it looks back a forecast looks. Until sureHours it looks as far ahead as back: a single step in
	// the middle of two days is in all differences between them.
	horizonFactor = 3
	sureHours     = 3 * day
	// latestFactor is how many times the horizon the latest moment may be away. It is not given where it is later.
	latestFactor = 2

	// bendDoubt is the part of its slope by which a trend is allowed to change over as long a time as it was watched.
	bendDoubt = 0.15
	// bendLeast and bendScatter are how different the slopes of the first and the last third are where growth gets faster or slower: as a part of
	// their sum, and of the distance between the slow and the fast end of the whole.
	bendLeast, bendScatter = 0.12, 0.65
	// bendUsual is the part of such a change that is expected to go on.
	bendUsual = 0.5
	// bendThird is the least length of a third, in hours.
	bendThird = day + leastPairs

	// A forecast that was given is not given up for little, so that it does not come and go while the pool is at the edge of one. Its horizon is
	// holdHorizon times as far. Growth that gets faster counts by holdBend as much more, and growth that gets slower is carried on by as much less.
	holdHorizon, holdBend = 1.25, 1.5

	// weeklyAgrees is how near the usual growth from day to day must be to that from week to week, as a ratio, 0..1.
	weeklyAgrees = 0.75
)

// outlook is a forecast for one resource. Times are in hours after the newest sample.
type outlook struct {
	refusal                    Refusal
	earliest, expected, latest float64
	growth                     float64
	grows                      bool
}

// outlook makes the forecast for a resource of a history. foretold is whether there was one before, and then whether there is one now.
func (f *Forecaster) outlook(h *History, of resource, limit float64, foretold *bool) outlook {
	f.held = *foretold
	f.fine = appendSeries(f.fine[:0], h.fine[:], h.newest/fineSeconds, of)
	f.hours = appendSeries(f.hours[:0], h.hours[:], h.newest/hourSeconds, of)
	f.into = float64(h.newest%hourSeconds) / hourSeconds
	o := f.grown(f.hours, f.fine, limit)
	if after := afterGap(f.hours); o.refusal == RefusalShortHistory && len(after) < len(f.hours) {
		o = f.grown(after, f.fine, limit)
	}
	*foretold = o.refusal == ""
	return o
}

// afterGap returns what is known after the last gap of a day or longer. What was before one is often of no use: no pair of hours spans it.
func afterGap(y []float64) []float64 {
	gap := 0
	for i, v := range slices.Backward(y) {
		if gap++; !math.IsNaN(v) {
			gap = 0
		}
		if gap == day {
			return y[i+day:]
		}
	}
	return y
}

// grown makes a forecast from the hours of a history of some days. fine holds its last hours in intervals of five minutes.
func (f *Forecaster) grown(y, fine []float64, limit float64) outlook {
	if len(y) < grownHours {
		return outlook{refusal: RefusalShortHistory}
	}
	t, ok := f.fit(y, 1, day)
	if !ok {
		return outlook{refusal: RefusalShortHistory}
	}
	surge, surges := f.surge(y, fine, t, limit)
	if surges && surge.refusal == "" {
		return surge
	}
	// A surge that would fill the pool later than it can be followed tells less than a trend that does.
	if trend := f.trend(y, t, limit); trend.refusal == "" || !surges {
		return trend
	}
	return surge
}

// trend makes a forecast from the trend of all hours of a history.
func (f *Forecaster) trend(y []float64, t trend, limit float64) outlook {
	period := day
	weekly, found := f.weekly(y, t)
	if found {
		t, period = weekly, week
	} else if refusal := t.judge(); refusal != "" {
		return outlook{refusal: refusal, growth: t.slope, grows: true}
	}

	doubt := bendDoubt * t.slope / float64(len(y))
	slow := line{slope: t.low, bend: -doubt, period: period}
	usual := line{slope: t.slope, period: period}
	fast := line{slope: t.high, bend: doubt, period: period}
	if bend, now, bends := f.bend(y, t); bends && period == day {
		usual.slope, usual.bend = now, bend*bendUsual
		if bend > 0 {
			fast.slope, fast.bend = max(now, t.high), max(bend, doubt)
		} else {
			slow.slope, slow.bend = min(now, max(t.low, 0)), min(bend, -doubt)
			if f.held {
				usual.bend /= holdBend
			}
		}
	}
	f.fillProfiles(&slow, &usual, &fast, y)
	horizon := float64(len(y))
	if len(y) >= sureHours {
		horizon *= horizonFactor
	}
	o := outlook{growth: usual.slope, grows: true}
	return o.between(f.into, f.holding(horizon), limit, highest(y), &fast, &usual, &slow)
}

// weekly returns the trend from one week to the next, and true where it tells more than the uneven one from day to day.
func (f *Forecaster) weekly(y []float64, daily trend) (t trend, found bool) {
	spread := daily.high - daily.low
	if len(y) < 2*week || daily.judge() == "" && spread < daily.slope {
		return t, false
	}
	weeks := f.collect(y, 1, week, week, week)
	if len(weeks) < week/2 {
		return t, false
	}
	t = trend{slope: sortedQuantile(0.5, weeks), low: sortedQuantile(tail, weeks), high: sortedQuantile(1-tail, weeks)}
	if !(t.low > 0) || t.high-t.low > spread/2 {
		return t, false
	}
	// A single step makes one week higher than the week before as well, but no usual day higher than the day before.
	usual := sortedQuantile(0.5, f.collect(y, 1, day, day, day))
	return t, usual > t.slope*weeklyAgrees && t.slope > usual*weeklyAgrees
}

// bend compares the thirds of a history. Where growth gets faster or slower from one to the next it returns by how much in an hour, and the slope now.
func (f *Forecaster) bend(y []float64, whole trend) (bend, now float64, bends bool) {
	third := len(y) / 3
	if third < bendThird {
		return 0, 0, false
	}
	var slopes [3]float64
	for i := range slopes {
		t, ok := f.fit(y[len(y)-(3-i)*third:len(y)-(2-i)*third], 1, day)
		if !ok {
			return 0, 0, false
		}
		slopes[i] = t.near
	}
	first, middle, last := slopes[0], slopes[1], slopes[2]
	change := math.Abs(last - first)
	if f.held && last > first {
		change *= holdBend
	}
	if (middle-first)*(last-middle) <= 0 || change < max(bendLeast*(math.Abs(first)+math.Abs(last)), bendScatter*(whole.high-whole.low)) {
		return 0, 0, false
	}
	bend = (last - first) / float64(2*third)
	return bend, last + bend*float64(third)/2, true
}

// between fills in when lines reach the limit. An hour of a line begins into hours before the newest sample: the earliest time is at the beginning of
// an hour and the latest at the end of one. What is expected in the hour that has begun comes at its end, as the pool is not full yet. Nor is it
// expected to go on from more than it ever had, however much growth takes what the days before had to be worth now.
func (o outlook) between(into, horizon, limit, highest float64, fast, usual, slow *line) outlook {
	usual.raise(min(0, highest+usual.slope*(1-into)-usual.at(0)))
	expected := max(1, usual.reach(limit, horizon)+0.5) - into
	if expected > horizon {
		o.refusal = RefusalBeyondHorizon
		return o
	}
	o.expected = expected
	o.earliest = min(max(0, fast.reach(limit, horizon)-into), expected)
	o.latest = max(slow.reach(limit, latestFactor*horizon)+1-into, expected)
	return o
}

// holding returns a horizon, further away where a forecast was given before.
func (f *Forecaster) holding(horizon float64) float64 {
	if f.held {
		return horizon * holdHorizon
	}
	return horizon
}

// highest returns the highest value that is known.
func highest(y []float64) float64 {
	most := math.Inf(-1)
	for _, v := range y {
		if v > most {
			most = v
		}
	}
	return most
}
