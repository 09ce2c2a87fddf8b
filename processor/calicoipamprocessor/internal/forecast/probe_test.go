package forecast

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

func TestProbe(t *testing.T) {
	if os.Getenv("PROBE") == "" {
		t.Skip()
	}
	var f Forecaster
	for _, slope := range []float64{1.5, 3} {
		for _, height := range []float64{0, 80, 150, 300} {
			for _, days := range []int{3, 5, 8} {
				asked, silent := 0, 0
				for seed := range uint64(12) {
					r := rand.New(rand.NewPCG(firstSeed+seed, 6))
					noise := drifting(r, 8*float64(seed%2), 1)
					from := float64(days*day) + float64(seed*2)
					var h History
					for at := began; at.Sub(began).Hours() < from+5*day; at = at.Add(shapeStep) {
						hour := at.Sub(began).Hours()
						if hour >= from && hour < from+6 {
							continue
						}
						h.Add(at, Sample{Allocated: count(500 + slope*hour + height*wave(hour) + noise()), Blocks: math.NaN()})
						if hour < from || at.Minute()%15 > 0 {
							continue
						}
						if asked++; f.Predict(&h, at, Limits{Addresses: 500 + height + slope*(from+150), Blocks: math.NaN()}).Refusal != "" {
							silent++
						}
					}
				}
				t.Logf("slope %v height %v days %v: %d of %d", slope, height, days, silent, asked)
			}
		}
	}
}
