package forecast

import (
	"math"
	"reflect"
	"time"
)

const (
	// fineSeconds and fineBuckets make eight hours of five minutes each: what a leak needs to be seen soon.
	fineSeconds = 5 * 60
	fineBuckets = 96
	// hourSeconds and hourBuckets make fifteen days of an hour each: two weeks, and the same hours one day before them.
	hourSeconds = 60 * 60
	hourBuckets = 15 * 24

	// recentBuckets make the half hour in which a limit must not have been reached for a pool to count as below it: one that hovers there gains and
	// loses its last address with every scrape.
	recentBuckets = 6

	// lastSecond is the end of the year 9999. What is later is no time of a sample.
	lastSecond = 253402300799
)

// History is what a pool had, downsampled to the maximum of each five minutes of the last eight hours and of each hour of the last fifteen days.
// It keeps the maximum because a pool is full when a peak reaches its limit. Its size does not depend on what is added.
//
// The zero value is an empty history. It is not safe for concurrent use.
type History struct {
	// newest is the time of the newest sample, in seconds since 1970; 0 where there is none.
	newest int64
	last   Sample
	// foretold is of which resources the last forecast told an end, so that the next one does not fall silent for little.
	foretold foretold
	fine     [fineBuckets]bucket
	hours    [hourBuckets]bucket
}

// bucket holds the maxima of an interval, NaN for what is not known. It stands at its number, counted from 1970, modulo the length of its ring.
// float32 tells every number of addresses up to 2^24 from the next one, and keeps seven digits of a larger one.
type bucket struct {
	allocated, blocks float32
}

// foretold is of which resources a forecast told an end.
type foretold struct {
	allocated, blocks bool
}

var unknown = float32(math.NaN())

// Add takes in what the pool had at a moment. A sample that is older than the newest one is ignored, as is one without a number of addresses.
// A time ahead of the clock would make all that follow older than the newest: the owner should not pass one.
func (h *History) Add(at time.Time, s Sample) {
	second := at.Unix()
	if second <= 0 || second > lastSecond || second < h.newest || !isCount(s.Allocated) {
		return
	}
	if !isCount(s.Blocks) {
		s.Blocks = math.NaN()
	}
	if h.newest == 0 {
		empty(h.fine[:])
		empty(h.hours[:])
	} else {
		advance(h.fine[:], h.newest/fineSeconds, second/fineSeconds)
		advance(h.hours[:], h.newest/hourSeconds, second/hourSeconds)
	}
	h.newest, h.last = second, s
	sample := bucket{allocated: float32(s.Allocated), blocks: float32(s.Blocks)}
	h.fine[second/fineSeconds%fineBuckets].raise(sample)
	h.hours[second/hourSeconds%hourBuckets].raise(sample)
}

// Full reports whether the pool is full at a limit of addresses: it had as many in the last half hour. No sample or no limit is not full.
func (h *History) Full(limit float64) bool {
	return limit > 0 && h.recent(allocatedOf) >= float32(limit)
}

// recent returns the most that the pool had in the last half hour, NaN where that is not known.
func (h *History) recent(of resource) float32 {
	highest := unknown
	if h.newest == 0 {
		return highest
	}
	newest := h.newest/fineSeconds + fineBuckets // which is positive in the first minutes of 1970 too
	for i := range int64(recentBuckets) {
		if v := of(h.fine[(newest-i)%fineBuckets]); v == v && !(highest >= v) {
			highest = v
		}
	}
	return highest
}

// Size returns how much memory the history takes, in bytes. It is the same for every history.
func (h *History) Size() int { return int(reflect.TypeFor[History]().Size()) }

// isCount reports whether a value can be a number of addresses or blocks that float32 holds.
func isCount(v float64) bool { return v >= 0 && v <= math.MaxFloat32 }

// advance empties the buckets after number from, up to and with number to.
func advance(ring []bucket, from, to int64) {
	length := int64(len(ring))
	if to-from >= length {
		empty(ring)
		return
	}
	for i := from + 1; i <= to; i++ {
		ring[i%length] = bucket{unknown, unknown}
	}
}

func empty(ring []bucket) {
	for i := range ring {
		ring[i] = bucket{unknown, unknown}
	}
}

// raise makes the bucket hold a sample too.
func (b *bucket) raise(s bucket) {
	// A comparison with NaN is false, so that what is not known is replaced by what is.
	if !(b.allocated >= s.allocated) {
		b.allocated = s.allocated
	}
	if s.blocks == s.blocks && !(b.blocks >= s.blocks) {
		b.blocks = s.blocks
	}
}

// resource selects addresses or blocks of a bucket.
type resource func(bucket) float32

func allocatedOf(b bucket) float32 { return b.allocated }
func blocksOf(b bucket) float32    { return b.blocks }

// appendSeries appends the values of a ring to y, oldest first and from the oldest known on, NaN where nothing is known. newest is the number of the
// newest bucket.
func appendSeries(y []float64, ring []bucket, newest int64, of resource) []float64 {
	length := int64(len(ring))
	for i := int64(1); i <= length; i++ {
		v := float64(of(ring[(newest+i)%length]))
		if len(y) > 0 || !math.IsNaN(v) {
			y = append(y, v)
		}
	}
	return y
}
