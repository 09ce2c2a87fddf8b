package forecast

import (
	"math"
	"slices"
)

const (
	// profileDays is how many days tell how a day goes.
	profileDays = 7
	// usualLevel is the quantile of the levels of an hour on these days that is expected of a day to come. It is above the middle because the first
	// of many hours that reaches the limit counts.
	usualLevel = 0.8
	// knownHours is how many hours of a day must be known for it to have a level of its own.
	knownHours = 18
)

// line is a trend from now on over a profile: the level of each hour of the day or of the week. Hour 0 is the one of the newest sample.
type line struct {
	// slope is the growth now, in units an hour, and bend by how much it changes in an hour.
	slope, bend float64
	// period is how many hours the profile has: day or week.
	period int
	levels [week]float64
}

// profile is the level of each hour from the newest one on, until they repeat.
func (l *line) profile() []float64 { return l.levels[:l.period] }

// at returns the level of an hour, counted from the newest one, without growth.
func (l *line) at(hour int) float64 { return l.levels[(hour%l.period+l.period)%l.period] }

// raise lifts the profile.
func (l *line) raise(by float64) {
	for i := range l.profile() {
		l.levels[i] += by
	}
}

// reach returns the first hour whose level is at the limit, infinity where that is beyond the horizon.
func (l *line) reach(limit, horizon float64) float64 {
	for t := 0; float64(t) <= horizon; t++ {
		ahead := float64(t)
		if l.at(t)+(l.slope+l.bend*ahead/2)*ahead >= limit {
			return ahead
		}
	}
	return math.Inf(1)
}

// residual is the value some hours ago, with the growth since then.
func residual(y []float64, slope float64, age int) float64 {
	return y[len(y)-1-age] + slope*float64(age)
}

// levels fills in a quantile p of the levels that each hour had on some days, growth added: with 1 the highest there was, with 0 the lowest.
// The newest skip days are left out.
func (f *Forecaster) levels(l *line, y []float64, slope, p float64, skip int) {
	to := min(len(y), max((skip+profileDays)*day, 2*l.period))
	for hour := range l.profile() {
		f.scratch = f.scratch[:0]
		for age := (l.period-hour)%l.period + skip*day; age < to; age += l.period {
			f.scratch = append(f.scratch, residual(y, slope, age))
		}
		l.levels[hour] = quantile(p, f.scratch)
	}
}

// fillProfiles fills in what is expected of each hour, and what it has at least and at most.
//
// How a day goes is taken from the days before, how much there is from the newest day alone: after a large step nothing else tells it. The range
// also holds what the days before had as it was, in case the step is taken back.
func (f *Forecaster) fillProfiles(slow, usual, fast *line, y []float64) {
	slope := usual.slope
	f.splitDays(y, slope, usual.period)
	var middle [week]float64
	for hour := range usual.profile() {
		f.scratch = f.scratch[:0]
		for age := (usual.period - hour) % usual.period; age < len(f.above); age += usual.period {
			if v := f.above[age]; !math.IsNaN(v) {
				f.scratch = append(f.scratch, v)
			}
		}
		slices.Sort(f.scratch)
		slow.levels[hour], fast.levels[hour] = sortedQuantile(0, f.scratch), sortedQuantile(1, f.scratch)
		usual.levels[hour], middle[hour] = sortedQuantile(usualLevel, f.scratch), sortedQuantile(0.5, f.scratch)
	}
	f.scratch = f.scratch[:0]
	for age := range day {
		f.scratch = append(f.scratch, residual(y, slope, age)-middle[(usual.period-age)%usual.period])
	}
	level := quantile(0.5, f.scratch)
	if math.IsNaN(level) {
		f.levels(slow, y, slope, 0, 0)
		f.levels(usual, y, slope, usualLevel, 0)
		f.levels(fast, y, slope, 1, 0)
		return
	}
	for _, l := range []*line{slow, usual, fast} {
		l.raise(level)
	}
	if usual.period == week {
		return // Of a week there are only two to compare.
	}
	least, most := line{period: day}, line{period: day}
	f.levels(&least, y, slope, 0, 0)
	f.levels(&most, y, slope, 1, 0)
	for hour := range day {
		slow.levels[hour] = min(slow.levels[hour], least.levels[hour])
		fast.levels[hour] = max(fast.levels[hour], most.levels[hour])
	}
}

// splitDays fills above with what each hour had over the level of its day, newest first, growth added. The days of a week are compared as they are:
// that a Sunday is lower belongs to how a week goes.
func (f *Forecaster) splitDays(y []float64, slope float64, period int) {
	f.above = f.above[:0]
	for first := 0; first < min(len(y)/day, max(profileDays, 2*period/day))*day; first += day {
		level := 0.0
		if period == day {
			f.scratch = f.scratch[:0]
			for age := first; age < first+day; age++ {
				f.scratch = append(f.scratch, residual(y, slope, age))
			}
			if level = quantile(0.5, f.scratch); countKnown(y[len(y)-first-day:len(y)-first]) < knownHours {
				level = math.NaN()
			}
		}
		for age := first; age < first+day; age++ {
			f.above = append(f.above, residual(y, slope, age)-level)
		}
	}
}

// countKnown counts the values that are not NaN.
func countKnown(values []float64) int {
	known := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			known++
		}
	}
	return known
}
