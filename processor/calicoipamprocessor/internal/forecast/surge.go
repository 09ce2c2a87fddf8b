package forecast

import "math"

const (
	// surgeHorizon is how many times the length of its window a surge is followed.
	surgeHorizon = 8
	// surgeLeast is how many hours a pool must have been watched for a surge: two days, and as much of a third as makes it one. One morning alone does
	// not tell what is usual, less so where the day after is a Monday.
	surgeLeast = 2*day + knownHours
	// surgeFaster is how many times as fast as the whole history a surge grows at least.
	surgeFaster = 1.5
	// surgeEven is the least that near pairs grow, as a part of what far ones do: a single step is in few of the former and in all of the latter.
	surgeEven = 0.5
	// surgeLongest is the length of the longest window, in hours.
	surgeLongest = 48
	// surgeNoise is the quantile of what earlier days had above their usual level that a surge must exceed.
	surgeNoise = 0.98
)

// surgeWindows are the windows in which a surge is looked for: numbers of hours, and of intervals of five minutes.
var surgeWindows = [...]struct{ buckets, perHour int }{
	{surgeLongest, 1}, {24, 1}, {12, 1}, {96, 12}, {60, 12}, {36, 12}, {18, 12}, {12, 12},
}

// surge looks for growth that the days before do not explain, a leak or a rollout, and makes a forecast of it. What the same hours of earlier days
// had is taken away first, so that an ordinary morning is none.
//
// Of the windows that show one, that whose slow end is the fastest describes it: a longer one reaches back before the beginning, and the slopes of a
// shorter one scatter more.
func (f *Forecaster) surge(y, fine []float64, whole trend, limit float64) (outlook, bool) {
	if len(y) < surgeLeast || !isRecord(y) {
		return outlook{}, false
	}
	before := f.slopeBefore(y)
	var best surgeFit
	for _, w := range surgeWindows {
		window, hours := y, w.buckets/w.perHour
		if w.perHour > 1 {
			window = fine
		}
		skip := hours/day + 1
		if len(window) < w.buckets || len(y) < (skip+1)*day {
			continue
		}
		base := line{slope: before, period: day}
		f.levels(&base, y, before, 0.5, skip)
		noise := f.noise(&base, y, hours)
		if found, ok := f.surgeIn(&base, window[len(window)-w.buckets:], float64(w.perHour), noise); ok &&
			found.low > best.low && found.slope+before > surgeFaster*whole.slope {
			best = found
		}
	}
	if best.hours == 0 {
		return outlook{}, false
	}
	slow, fast := best.line, best.line
	slow.raise(-best.noise / 2)
	fast.raise(best.noise / 2)
	slow.slope, best.line.slope, fast.slope = before+best.low, before+best.slope, before+best.high
	o := outlook{growth: best.line.slope, grows: true}
	return o.between(f.into, f.holding(surgeHorizon*best.hours), limit, highest(y), &fast, &best.line, &slow), true
}

// surgeFit is a surge in one window.
type surgeFit struct {
	trend
	// line is what the days before had, at the level of now.
	line line
	// noise is how far above their usual level the days before were.
	noise float64
	// hours is the length of the window; 0 where there is no surge.
	hours float64
}

// surgeIn looks for a surge in a window of perHour values an hour, above a base.
func (f *Forecaster) surgeIn(base *line, window []float64, perHour, noise float64) (surgeFit, bool) {
	n := len(window)
	hours := float64(n) / perHour
	f.above = f.above[:0]
	for i, v := range window {
		f.above = append(f.above, v-f.baseAt(base, float64(n-1-i)/perHour, perHour))
	}
	f.scratch = append(f.scratch[:0], f.above[n-3:]...)
	if newest := quantile(0.5, f.scratch); math.IsNaN(noise) || !(newest > noise) {
		return surgeFit{}, false
	}
	t, ok := f.fit(f.above, perHour, 1)
	if !ok || t.judge() != "" || t.slope*hours < noise || t.near < surgeEven*t.slope {
		return surgeFit{}, false
	}
	f.scratch = f.scratch[:0]
	for i, v := range f.above {
		f.scratch = append(f.scratch, v+t.slope*float64(n-1-i)/perHour)
	}
	level := quantile(0.5, f.scratch)
	if perHour > 1 {
		// The newest interval is of now, the newest hour will have its maximum at its end.
		level += t.slope * (1 - f.into)
	}
	found := surgeFit{trend: t, line: *base, noise: max(noise, 0), hours: hours}
	found.line.raise(level)
	return found, true
}

// baseAt is what a base had some hours ago. Between two hours it goes straight from the maximum of one to that of the next.
func (f *Forecaster) baseAt(base *line, age, perHour float64) float64 {
	grown := func(hour int) float64 { return base.at(hour) + base.slope*float64(hour) }
	if perHour == 1 {
		return grown(-int(age))
	}
	since := f.into - age
	hour := int(math.Floor(since))
	part := since - float64(hour)
	return grown(hour-1)*(1-part) + grown(hour)*part
}

// noise is how far above a base the pool was on the days before the last hours.
func (f *Forecaster) noise(base *line, y []float64, hours int) float64 {
	f.scratch = f.scratch[:0]
	for age := hours; age < min(len(y), hours+profileDays*day); age++ {
		f.scratch = append(f.scratch, residual(y, base.slope, age)-base.at(-age))
	}
	return quantile(surgeNoise, f.scratch)
}

// slopeBefore is the trend before the longest window, which a surge has not bent yet; 0 where there was none.
func (f *Forecaster) slopeBefore(y []float64) float64 {
	if t, ok := f.fit(y[:len(y)-surgeLongest], 1, day); ok && t.judge() == "" {
		return t.slope
	}
	return 0
}

// isRecord reports whether the newest hour is above the same hour, and those beside it, of all days before.
func isRecord(y []float64) bool {
	n := len(y)
	for same := day; same < n; same += day {
		for age := same - 1; age <= min(same+1, n-1); age++ {
			if y[n-1-age] >= y[n-1] {
				return false
			}
		}
	}
	return true
}
