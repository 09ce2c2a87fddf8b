package forecast

import (
	"math"
	"testing"
	"time"
)

// watched returns the history of a pool at a moment, when it was watched for some days.
func watched(days int, at func(t float64) Sample) (*History, time.Time) {
	var h History
	now := began
	for ; now.Sub(began) <= time.Duration(days)*24*time.Hour; now = now.Add(shapeStep) {
		h.Add(now, at(now.Sub(began).Hours()))
	}
	return &h, now
}

func BenchmarkPredict(b *testing.B) {
	limits := Limits{Addresses: 4000, Blocks: 200}
	for name, at := range map[string]func(t float64) float64{
		"growth":       func(t float64) float64 { return 500 + 4*t + 150*wave(t) + 60*hourly(t) },
		"weekly":       func(t float64) float64 { return 500 + 4*t + 400*weekday(t) },
		"leak":         func(t float64) float64 { return 500 + 150*wave(t) + 60*math.Max(0, t-350) },
		"without end":  func(t float64) float64 { return 500 + 150*wave(t) },
		"of three hrs": nil,
	} {
		b.Run(name, func(b *testing.B) {
			days := 16
			if at == nil {
				days, at = 0, func(t float64) float64 { return t }
			}
			h, now := watched(days, func(t float64) Sample { return Sample{Allocated: count(at(t)), Blocks: count(at(t) / 30)} })
			var f Forecaster
			f.Predict(h, now, limits)
			b.ReportAllocs()
			for b.Loop() {
				f.Predict(h, now, limits)
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	var h History
	at := began
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(15 * time.Second)
		h.Add(at, Sample{Allocated: 700, Blocks: 20})
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	h, _ := watched(16, func(t float64) Sample { return Sample{Allocated: count(500 + 4*t + 150*wave(t)), Blocks: count(t / 4)} })
	var data []byte
	b.ReportAllocs()
	for b.Loop() {
		data, _ = h.AppendBinary(data[:0])
	}
	b.ReportMetric(float64(len(data)), "bytes")
}
