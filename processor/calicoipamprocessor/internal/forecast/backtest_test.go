package forecast

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat"
)

const (
	// firstSeed and seeds are the pools of each synthetic shape that are followed. The constants of the method were chosen with other seeds,
	// below 400.
	firstSeed, seeds = 400, 8
	// askEvery and askRecorded are the times between two forecasts that are compared with the truth. They visit all times of day. In the first
	// askOften, which know little of a day, it is an hour.
	askEvery    = 7 * time.Hour
	askRecorded = 2 * time.Hour
	askOften    = 2 * day * time.Hour
	// steady is of how many pools of a shape it is counted how often a forecast comes and goes from one hour to the next.
	steady = 1
	// alarmWithin is how near an expected end must be to count as an alarm for a pool that does not fill.
	alarmWithin = 7 * 24 * time.Hour
)

// score is what the forecasts for pools of one shape were worth.
type score struct {
	// asked counts forecasts for pools that fill, known those of them for which the history was long enough, spoke those that were given, and covered
	// those whose range holds the truth.
	asked, known, spoke, covered int
	// wrong and naive are errors of the expected time, relative to the time that was left, at moments when both methods spoke.
	wrong, naive []float64
	// widths are those of the ranges that have a latest moment, relative to the time that was left.
	widths []float64
	// changes is how often a forecast came or went in so many hours of pools.
	changes, hours int
	// quiet counts forecasts for pools of which nothing is to be said; alarms and naiveAlarms are those that said they fill within a week.
	quiet, alarms, naiveAlarms int
}

// replay adds a pool to the score, as if it was watched from its beginning on. With changes it counts how often a forecast comes and goes.
func (s *score) replay(f *Forecaster, r run, every time.Duration, changes bool) {
	var h History
	begin := r.moments[0].at
	look, next, gave := begin, begin.Add(time.Hour), false
	for _, m := range r.moments {
		if m.missing {
			continue
		}
		h.Add(m.at, m.Sample)
		if !r.full.IsZero() && !m.at.Before(r.full) {
			return
		}
		compare := !m.at.Before(next)
		if !compare && (!changes || m.at.Before(look)) {
			continue
		}
		got := f.Predict(&h, m.at, r.limits)
		if changes && !m.at.Before(look) {
			look = m.at.Add(time.Hour)
			s.hours++
			if gives := got.Refusal == ""; gives != gave {
				s.changes, gave = s.changes+1, gives
			}
		}
		if !compare {
			continue
		}
		s.compare(&h, m.at, r, got)
		if next = m.at.Add(every); m.at.Sub(begin) < askOften {
			next = m.at.Add(time.Hour)
		}
	}
}

// compare adds what a forecast was worth.
func (s *score) compare(h *History, at time.Time, r run, got Forecast) {
	naive, naiveSpoke := predictNaively(h, at, r.limits)
	if r.full.IsZero() || at.Before(r.onset) {
		s.quiet++
		if got.Refusal == "" && got.Expected.Sub(at) < alarmWithin {
			s.alarms++
		}
		if naiveSpoke && naive.Sub(at) < alarmWithin {
			s.naiveAlarms++
		}
		return
	}
	s.asked++
	if got.Refusal != RefusalShortHistory {
		s.known++
	}
	if got.Refusal != "" {
		return
	}
	s.spoke++
	left := math.Max(1, r.full.Sub(at).Hours())
	if !got.Latest.IsZero() {
		s.widths = append(s.widths, got.Latest.Sub(got.Earliest).Hours()/left)
	}
	if !got.Earliest.After(r.full) && (got.Latest.IsZero() || !got.Latest.Before(r.full)) {
		s.covered++
	}
	if naiveSpoke {
		s.wrong = append(s.wrong, math.Abs(got.Expected.Sub(r.full).Hours())/left)
		s.naive = append(s.naive, math.Abs(naive.Sub(r.full).Hours())/left)
	}
}

// predictNaively is the least-squares line through the same buckets, as predict_linear of PromQL draws it through samples.
func predictNaively(h *History, now time.Time, limits Limits) (time.Time, bool) {
	of, limit := allocatedOf, limits.Addresses
	if h.last.Blocks < limits.Blocks {
		of, limit = blocksOf, limits.Blocks
	}
	perHour, y := 1.0, appendSeries(nil, h.hours[:], h.newest/hourSeconds, of)
	if len(y) <= fineBuckets*fineSeconds/hourSeconds {
		perHour, y = hourSeconds/fineSeconds, appendSeries(nil, h.fine[:], h.newest/fineSeconds, of)
	}
	var hours, values []float64
	for i, v := range y {
		if !math.IsNaN(v) {
			hours, values = append(hours, float64(i-len(y)+1)/perHour), append(values, v)
		}
	}
	if len(values) < 3 {
		return time.Time{}, false
	}
	level, slope := stat.LinearRegression(hours, values, nil, false)
	left := (limit - level) / slope
	if !(slope > 0) || left > 60*24 {
		return time.Time{}, false
	}
	return now.Add(time.Duration(math.Max(0, left) * float64(time.Hour))), true
}

// recorded are the files of testdata/recorded.
var recorded = []string{"churn", "nodes", "day", "leak", "step"}

// TestBacktest replays pools and prints what forecasts for them were worth, as docs/forecast.md shows it:
//
//	go test -run TestBacktest -v ./processor/calicoipamprocessor/internal/forecast
func TestBacktest(t *testing.T) {
	var f Forecaster
	var total score
	var table strings.Builder
	table.WriteString("| shape | asked | spoke | changes | range holds | latest | width | error | naive error | quiet | alarms | naive alarms |\n" +
		"| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n")
	check := func(name string, fills bool, s score) {
		table.WriteString(s.row(name))
		total.add(s)
		if fills {
			require.GreaterOrEqual(t, s.share(s.spoke, s.known), 0.45, "%s: forecasts given", name)
			require.GreaterOrEqual(t, s.share(s.covered, s.spoke), 0.7, "%s: ranges that hold the truth", name)
			require.LessOrEqual(t, median(s.wrong), 0.5, "%s: error", name)
		}
		require.LessOrEqual(t, s.share(s.alarms, s.quiet), 0.03, "%s: false alarms", name)
		require.LessOrEqual(t, day*s.share(s.changes, s.hours), 0.45, "%s: how often a forecast comes and goes in a day", name)
	}
	scores := make([]score, len(shapes))
	t.Run("replay", func(t *testing.T) {
		for i, shape := range shapes {
			t.Run(shape.name, func(t *testing.T) {
				t.Parallel()
				var f Forecaster
				for seed := range uint64(seeds) {
					scores[i].replay(&f, shape.run(firstSeed+seed), askEvery, seed < steady)
				}
			})
		}
	})
	for i, shape := range shapes {
		check(shape.name, shape.fills, scores[i])
	}
	for _, name := range recorded {
		r, title, fills := readRecorded(t, name)
		var s score
		s.replay(&f, r, askRecorded, true)
		check("recorded: "+title, fills, s)
	}
	table.WriteString(total.row("all"))
	t.Log("\n" + table.String())

	require.GreaterOrEqual(t, total.share(total.covered, total.spoke), 0.9)
	require.LessOrEqual(t, total.share(total.alarms, total.quiet), 0.005)
	require.Less(t, median(total.wrong), median(total.naive)/3, "better than least squares")
	require.Less(t, total.alarms, total.naiveAlarms/3, "fewer false alarms than least squares")
}

// TestALeakIsForecastSoon follows leaks after a flat week until the first forecast.
func TestALeakIsForecastSoon(t *testing.T) {
	var f Forecaster
	for _, tc := range []struct {
		name   string
		within float64 // of the time from the beginning of the leak until the pool is full
	}{
		{"a leak after a flat week", 0.35},
		{"a fast leak after a flat week", 0.35},
	} {
		t.Run(tc.name, func(t *testing.T) {
			shape := shapes[slices.IndexFunc(shapes, func(s shape) bool { return s.name == tc.name })]
			var delays, parts []float64
			for seed := range uint64(seeds) {
				r := shape.run(firstSeed + seed)
				var h History
				for _, m := range r.moments {
					h.Add(m.at, m.Sample)
					if !m.at.Before(r.onset) && f.Predict(&h, m.at, r.limits).Refusal == "" {
						delay := m.at.Sub(r.onset)
						delays = append(delays, delay.Hours())
						parts = append(parts, delay.Hours()/r.full.Sub(r.onset).Hours())
						break
					}
				}
			}
			require.Len(t, delays, seeds)
			t.Logf("hours until the first forecast: median %.1f, at most %.1f; of the time until the pool is full: median %.2f, at most %.2f",
				median(delays), slices.Max(delays), median(parts), slices.Max(parts))
			require.LessOrEqual(t, slices.Max(parts), tc.within)
		})
	}
}

func (s *score) add(o score) {
	s.asked += o.asked
	s.known += o.known
	s.spoke += o.spoke
	s.covered += o.covered
	s.wrong = append(s.wrong, o.wrong...)
	s.naive = append(s.naive, o.naive...)
	s.widths = append(s.widths, o.widths...)
	s.changes += o.changes
	s.hours += o.hours
	s.quiet += o.quiet
	s.alarms += o.alarms
	s.naiveAlarms += o.naiveAlarms
}

func (*score) share(part, whole int) float64 { return float64(part) / math.Max(1, float64(whole)) }

// row is the score as a row of a table; a dash stands for what a shape has nothing of.
func (s *score) row(name string) string {
	percent := func(part, whole int) string {
		if whole == 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f %%", 100*s.share(part, whole))
	}
	errors := func(values []float64) string {
		if len(values) == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f, %.2f", median(values), quantile(0.9, slices.Clone(values)))
	}
	width := "–"
	if len(s.widths) > 0 {
		width = fmt.Sprintf("%.2f", median(s.widths))
	}
	return fmt.Sprintf("| %s | %d | %s | %.2f | %s | %s | %s | %s | %s | %d | %s | %s |\n", name, s.asked, percent(s.spoke, s.known),
		day*s.share(s.changes, s.hours), percent(s.covered, s.spoke), percent(len(s.widths), s.spoke), width,
		errors(s.wrong), errors(s.naive), s.quiet, percent(s.alarms, s.quiet), percent(s.naiveAlarms, s.quiet))
}

func median(values []float64) float64 { return quantile(0.5, slices.Clone(values)) }
