package soak

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// limit says how much more of something a process may have late in a run than in the middle of it: a part of what it had, and some on top.
type limit struct{ ratio, slack float64 }

// holds compares the median of the last third of a run with that of the third before, which it returns as well. The first third is left out: caches fill, and
// pools of memory and of connections get their size. Medians do not see what comes and goes with an outage.
func (l limit) holds(readings []float64) (middle, last float64, ok bool) {
	third := len(readings) / 3
	middle, last = median(readings[third:2*third]), median(readings[2*third:])
	return middle, last, last <= middle*l.ratio+l.slack
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

func TestLimitFindsGrowthAndNothingElse(t *testing.T) {
	readings := func(at func(i int) float64) []float64 {
		made := make([]float64, 90)
		for i := range made {
			made[i] = at(i)
		}
		return made
	}
	when := func(condition bool, then, otherwise float64) float64 {
		if condition {
			return then
		}
		return otherwise
	}
	for name, c := range map[string]struct {
		limit limit
		at    func(i int) float64
		holds bool
	}{
		"the same":                               {limit{1, 0}, func(int) float64 { return 40 }, true},
		"noise":                                  {limit{1.05, 0}, func(i int) float64 { return 40 + float64(i%7)/2 }, true},
		"a start that is long":                   {limit{1, 0}, func(i int) float64 { return min(float64(i), 30) }, true},
		"peaks, more of them later":              {limit{1, 0}, func(i int) float64 { return when(i%10 < i/25, 90, 40) }, true},
		"less":                                   {limit{1, 0}, func(i int) float64 { return 100 - float64(i) }, true},
		"one goroutine each reading":             {limit{1, 5}, func(i int) float64 { return 100 + float64(i) }, false},
		"a fifth more in a third of the run":     {limit{1.1, 0}, func(i int) float64 { return 50 + float64(i)/3 }, false},
		"growth that a part allows":              {limit{1.1, 0}, func(i int) float64 { return 500 + float64(i)/3 }, true},
		"growth that begins in the last third":   {limit{1, 5}, func(i int) float64 { return max(40, float64(i-20)) }, false},
		"a step, in what is there between peaks": {limit{1, 5}, func(i int) float64 { return when(i%10 == 0, 90, when(i > 60, 50, 40)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			middle, last, ok := c.limit.holds(readings(c.at))
			require.Equal(t, c.holds, ok, "%v, then %v", middle, last)
		})
	}
}
