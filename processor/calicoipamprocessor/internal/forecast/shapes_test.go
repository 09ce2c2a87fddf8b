package forecast

import (
	"math"
	"math/rand/v2"
	"time"
)

// shapeStep is the time between two samples of a synthetic shape.
const shapeStep = 5 * time.Minute

// shape is a way a pool may go. Each seed gives another pool of it.
type shape struct {
	name string
	// days is how long the shape is followed at most.
	days int
	// fills is set for shapes that reach their limit.
	fills bool
	// make returns the pool, of which the time of day and week is c when it begins.
	make func(r *rand.Rand, c clock) pool
}

// pool is one pool of a shape.
type pool struct {
	limits Limits
	// at returns what the pool has after t hours. It is called with rising t.
	at func(t float64) Sample
	// onset is the hour from which on the pool can be known to fill. A forecast before it is a false alarm.
	onset float64
	// away reports that nothing is scraped at hour t.
	away func(t float64) bool
}

// addressesOnly is a pool of which the blocks are not known.
func addressesOnly(limit float64, at func(t float64) float64) pool {
	return pool{
		limits: Limits{Addresses: limit, Blocks: math.NaN()},
		at:     func(t float64) Sample { return Sample{Allocated: count(at(t)), Blocks: math.NaN()} },
	}
}

func count(v float64) float64 { return math.Max(0, math.Round(v)) }

// wave is a day's wave between −1 and 1, lowest at 3 o'clock.
func wave(t float64) float64 { return -math.Cos((t - 3) * math.Pi / 12) }

// weekday is 1 from Monday to Friday and 0 at the weekend. The hours count from a Wednesday.
func weekday(t float64) float64 {
	if d := (int(t/24) + 2) % 7; d >= 5 {
		return 0
	}
	return 1
}

// hourly is a batch that takes more and more addresses for forty minutes of each hour and then gives all back.
func hourly(t float64) float64 {
	if part := t - math.Floor(t); part < 2.0/3 {
		return part * 1.5
	}
	return 0
}

// nightly is a batch that runs from two to half past three.
func nightly(t float64) float64 {
	if h := math.Mod(t, 24); h >= 2 && h < 3.5 {
		return 1
	}
	return 0
}

// clock is at how many hours after the beginning of a Wednesday a pool begins. Its methods are what an hour of the pool is at that time of day or week.
type clock float64

func (c clock) wave(t float64) float64    { return wave(float64(c) + t) }
func (c clock) weekday(t float64) float64 { return weekday(float64(c) + t) }
func (c clock) nightly(t float64) float64 { return nightly(float64(c) + t) }

// steps returns a number that rises at random moments, every mean hours, by least to most.
func steps(r *rand.Rand, mean, least, most float64) func(t float64) float64 {
	next, level := r.ExpFloat64()*mean, 0.0
	return func(t float64) float64 {
		for t >= next {
			level += least + r.Float64()*(most-least)
			next += r.ExpFloat64() * mean
		}
		return level
	}
}

// drifting returns noise of the given spread that forgets itself within memory hours.
func drifting(r *rand.Rand, spread, memory float64) func() float64 {
	keep := math.Exp(-shapeStep.Hours() / memory)
	v := r.NormFloat64() * spread
	return func() float64 {
		v = v*keep + r.NormFloat64()*spread*math.Sqrt(1-keep*keep)
		return v
	}
}

// between returns a number from least to most.
func between(r *rand.Rand, least, most float64) float64 { return least + r.Float64()*(most-least) }

var shapes = []shape{
	{"linear growth with noise", 90, true, func(r *rand.Rand, _ clock) pool {
		slope, noise := between(r, 1.5, 5), drifting(r, between(r, 5, 20), 1)
		return addressesOnly(2000, func(t float64) float64 { return 300 + slope*t + noise() })
	}},
	{"growth and a day's wave", 90, true, func(r *rand.Rand, c clock) pool {
		slope, height, noise := between(r, 1.5, 4), between(r, 80, 250), drifting(r, 8, 1)
		return addressesOnly(2000, func(t float64) float64 { return 500 + slope*t + height*c.wave(t) + noise() })
	}},
	{"growth and a weekly pattern", 90, true, func(r *rand.Rand, c clock) pool {
		slope, height, noise := between(r, 1.2, 3), between(r, 60, 150), drifting(r, 8, 1)
		return addressesOnly(2000, func(t float64) float64 {
			return 400 + slope*t + height*c.weekday(t)*(1+0.6*c.wave(t)) + noise()
		})
	}},
	{"growth under hourly and nightly batches", 90, true, func(r *rand.Rand, c clock) pool {
		slope, batch, night := between(r, 1.5, 4), between(r, 30, 90), between(r, 100, 250)
		noise := drifting(r, 6, 0.5)
		return addressesOnly(2000, func(t float64) float64 {
			return 400 + slope*t + batch*hourly(t) + night*c.nightly(t) + noise()
		})
	}},
	{"growth with large steps up and down", 90, true, func(r *rand.Rand, c clock) pool {
		slope, height, noise := between(r, 1.5, 4), between(r, 40, 120), drifting(r, 8, 1)
		down, up := between(r, 60, 160), between(r, 200, 320)
		fall, rise := between(r, 150, 300), between(r, 100, 300)
		p := addressesOnly(2000, func(t float64) float64 {
			v := 500 + slope*t + height*c.wave(t) + noise()
			if t > down {
				v -= fall
			}
			if t > up {
				v += rise
			}
			return v
		})
		return p
	}},
	{"a small pool that grows by single addresses", 90, true, func(r *rand.Rand, _ clock) pool {
		slope, noise := between(r, 0.08, 0.3), drifting(r, between(r, 0.3, 1.5), 2)
		return addressesOnly(62, func(t float64) float64 { return 10 + slope*t + noise() })
	}},
	{"a staircase of deployments", 90, true, func(r *rand.Rand, _ clock) pool {
		stair, noise := steps(r, between(r, 5, 12), 10, 50), drifting(r, 4, 1)
		return addressesOnly(2000, func(t float64) float64 { return 300 + stair(t) + noise() })
	}},
	{"nodes that join, blocks bind", 90, true, func(r *rand.Rand, _ clock) pool {
		nodes, pods, noise := steps(r, between(r, 4, 9), 1, 1), between(r, 25, 40), drifting(r, 10, 2)
		return pool{limits: Limits{Addresses: 8192, Blocks: 128}, at: func(t float64) Sample {
			n := 40 + math.Floor(nodes(t))
			return Sample{Allocated: count(n*pods + noise()), Blocks: n}
		}}
	}},
	{"growth that accelerates", 90, true, func(r *rand.Rand, c clock) pool {
		slope, bend, noise := between(r, 0.3, 1), between(r, 0.002, 0.006), drifting(r, 10, 1)
		return addressesOnly(2000, func(t float64) float64 { return 400 + slope*t + bend*t*t + 60*c.wave(t) + noise() })
	}},
	{"growth that slows down", 90, true, func(r *rand.Rand, c clock) pool {
		pace, noise := between(r, 150, 300), drifting(r, 10, 1)
		return addressesOnly(1700, func(t float64) float64 { return 400 + 1600*(1-math.Exp(-t/pace)) + 40*c.wave(t) + noise() })
	}},
	{"a leak after a flat week", 90, true, func(r *rand.Rand, c clock) pool {
		onset, slope, noise := between(r, 168, 240), between(r, 8, 25), drifting(r, 8, 1)
		p := addressesOnly(2000, func(t float64) float64 { return 500 + 150*c.wave(t) + noise() + slope*math.Max(0, t-onset) })
		p.onset = onset
		return p
	}},
	{"a fast leak after a flat week", 20, true, func(r *rand.Rand, c clock) pool {
		onset, slope, noise := between(r, 168, 240), between(r, 40, 150), drifting(r, 8, 1)
		p := addressesOnly(2000, func(t float64) float64 { return 500 + 150*c.wave(t) + noise() + slope*math.Max(0, t-onset) })
		p.onset = onset
		return p
	}},
	{"growth with gaps of hours and days", 90, true, func(r *rand.Rand, c clock) pool {
		slope, height, noise := between(r, 1.5, 4), between(r, 50, 150), drifting(r, 8, 1)
		p := addressesOnly(2000, func(t float64) float64 { return 500 + slope*t + height*c.wave(t) + noise() })
		from, to := between(r, 20, 60), 0.0
		to = from + between(r, 2, 36)
		p.away = func(t float64) bool {
			for t > to {
				from = to + between(r, 20, 60)
				to = from + between(r, 2, 36)
			}
			return t >= from
		}
		return p
	}},
	{"a single step, then flat", 20, false, func(r *rand.Rand, _ clock) pool {
		at, height, noise := between(r, 24, 200), between(r, 100, 600), drifting(r, 6, 1)
		return addressesOnly(2000, func(t float64) float64 {
			if t >= at {
				return 600 + height + noise()
			}
			return 600 + noise()
		})
	}},
	{"flat with churn", 20, false, func(r *rand.Rand, c clock) pool {
		batch, night, noise := between(r, 30, 90), between(r, 100, 250), drifting(r, 20, 3)
		return addressesOnly(2000, func(t float64) float64 { return 900 + batch*hourly(t) + night*c.nightly(t) + noise() })
	}},
	{"flat with slow ups and downs", 20, false, func(r *rand.Rand, _ clock) pool {
		noise := drifting(r, 60, 24)
		return addressesOnly(2000, func(float64) float64 { return 900 + noise() })
	}},
	{"flat with rollouts of some hours", 20, false, func(r *rand.Rand, c clock) pool {
		noise, mean := drifting(r, 8, 1), between(r, 60, 120)
		next, until, level, pace := r.ExpFloat64()*mean, 0.0, 600.0, 0.0
		return addressesOnly(2000, func(t float64) float64 {
			if t >= next {
				next, until = t+12+r.ExpFloat64()*mean, t+between(r, 1, 5)
				pace = between(r, 100, 300) / (until - t)
				if level > 900 {
					pace = -pace
				}
			}
			if t < until {
				level += pace * shapeStep.Hours()
			}
			return level + 60*c.wave(t) + noise()
		})
	}},
	{"falling", 20, false, func(r *rand.Rand, c clock) pool {
		slope, noise := between(r, 0.5, 2), drifting(r, 8, 1)
		return addressesOnly(2000, func(t float64) float64 { return 1500 - slope*t + 80*c.wave(t) + noise() })
	}},
	{"a day's wave without trend", 20, false, func(r *rand.Rand, c clock) pool {
		height, noise := between(r, 100, 300), drifting(r, 15, 2)
		return addressesOnly(2000, func(t float64) float64 { return 1000 + height*c.wave(t) + noise() })
	}},
	{"a weekly pattern without trend", 35, false, func(r *rand.Rand, c clock) pool {
		height, noise := between(r, 100, 300), drifting(r, 15, 2)
		return addressesOnly(2000, func(t float64) float64 { return 800 + height*c.weekday(t)*(1+0.6*c.wave(t)) + noise() })
	}},
}

// began is the beginning of a Wednesday.
var began = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// moment is a pool at one time. What is missing was not scraped.
type moment struct {
	at time.Time
	Sample
	missing bool
}

// run is a pool from its beginning on.
type run struct {
	moments []moment
	limits  Limits
	// full is when the pool is full, zero if never; onset is from when on that can be known.
	full, onset time.Time
}

// add takes in the next moment and notes when the pool is full. Blocks that are all claimed from the beginning on bind no more.
func (r *run) add(m moment) {
	r.moments = append(r.moments, m)
	full := m.Allocated >= r.limits.Addresses || m.Blocks >= r.limits.Blocks && r.moments[0].Blocks < r.limits.Blocks
	if full && r.full.IsZero() {
		r.full = m.at
	}
}

// run follows one pool of the shape until it is full.
func (s shape) run(seed uint64) run {
	r := rand.New(rand.NewPCG(seed, 2025))
	begins := clock(r.IntN(week))
	p := s.make(r, begins)
	begin := began.Add(time.Duration(begins) * time.Hour)
	after := func(hours float64) time.Time { return begin.Add(time.Duration(hours * float64(time.Hour))) }
	followed := run{limits: p.limits, onset: after(p.onset)}
	for at := begin; at.Sub(begin) < time.Duration(s.days)*24*time.Hour && followed.full.IsZero(); at = at.Add(shapeStep) {
		t := at.Sub(begin).Hours()
		followed.add(moment{at: at, Sample: p.at(t), missing: p.away != nil && p.away(t)})
	}
	return followed
}
