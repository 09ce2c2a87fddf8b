package assembly

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// whole is everything that a scrape says, in an order of its own.
func whole(scrape *Scrape) string {
	var pools, states []string
	for i := range scrape.Pools {
		pool := &scrape.Pools[i]
		count, counted := scrape.Count(pool)
		claimed, claimable, known := scrape.Blocks(pool)
		pools = append(pools, fmt.Sprint(pool.Name, count, counted, claimed, claimable, known))
	}
	for i := range scrape.Nodes {
		state, known := scrape.Nodes[i].State()
		states = append(states, fmt.Sprint(scrape.Nodes[i].Family, state, known))
	}
	slices.Sort(pools)
	slices.Sort(states)
	return strings.Join([]string{
		told(scrape), strings.Join(pools, " "), strings.Join(states, " "), fmt.Sprint(scrape.Values, scrape.Ended, scrape.Conflicts, scrape.State()),
	}, "\n")
}

// split cuts samples after those whose bits are set in gaps.
func split(samples []sample, gaps int) [][]sample {
	var pieces [][]sample
	begin := 0
	for i := range samples {
		if i == len(samples)-1 || gaps&(1<<i) != 0 {
			pieces = append(pieces, samples[begin:i+1])
			begin = i + 1
		}
	}
	return pieces
}

// permutations yields all orders of n things.
func permutations(n int, yield func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(int)
	permute = func(from int) {
		if from == n {
			yield(order)
			return
		}
		for i := from; i < n; i++ {
			order[from], order[i] = order[i], order[from]
			permute(from + 1)
			order[from], order[i] = order[i], order[from]
		}
	}
	permute(0)
}

// TestAScrapeIsTheSameHoweverItIsSplit splits a scrape of six points at every subset of the gaps between them, and takes the pieces in every order.
func TestAScrapeIsTheSameHoweverItIsSplit(t *testing.T) {
	const size, uses = calicometric.IPPoolSize, calicometric.AllocationsInUse
	for name, samples := range map[string][]sample{
		"two pools":                      {{size, "p", "", 256.0}, {uses, "p", "a", 3.0}, {uses, "p", "b", 4.0}, {size, "q", "", 64.0}, {uses, "q", "a", 0.0}, {uses, "q", "b", nil}},
		"a pool without use":             {{size, "p", "", 256.0}, {uses, "p", "a", nil}, {uses, "p", "b", nil}, {size, "q", "", 64.0}, {uses, "q", "a", 0.0}, {uses, "q", "b", 1.0}},
		"a target that is gone":          {{size, "p", "", nil}, {uses, "p", "a", nil}, {uses, "p", "b", nil}, {size, "q", "", nil}, {uses, "q", "a", nil}, {uses, "q", "b", nil}},
		"one series twice, one with two": {{size, "p", "", 256.0}, {uses, "p", "a", 3.0}, {uses, "p", "a", 3.0}, {size, "q", "", 64.0}, {uses, "q", "a", 0.0}, {size, "q", "", 65.0}},
	} {
		t.Run(name, func(t *testing.T) {
			source := Source{Pod: "one"}
			unsplit := newBench(settings(0))
			unsplit.take(source, 20, samples...)
			scrapes := unsplit.Due(unsplit.now)
			require.Len(t, scrapes, 1)
			want := whole(scrapes[0])
			series := scrapes[0].Series()

			var before []sample // a scrape of as many series
			for i := range series {
				before = append(before, sample{uses, "p", strconv.Itoa(i), 1.0})
			}
			tried := 0
			for gaps := range 1 << (len(samples) - 1) {
				pieces := split(samples, gaps)
				permutations(len(pieces), func(order []int) {
					tried++
					if got := settled(t, source, pieces, order); got != want {
						require.Equal(t, want, got, "settled: gaps %b, order %v", gaps, order)
					}
					if series < len(samples) {
						return // with a point twice a scrape is whole before its last piece
					}
					if got := atOnce(t, source, before, pieces, order); got != want {
						require.Equal(t, want, got, "at once: gaps %b, order %v", gaps, order)
					}
				})
			}
			require.Equal(t, 1631, tried)
		})
	}
}

// settled returns the first scrape of a source that comes in pieces and is waited for.
func settled(t *testing.T, source Source, pieces [][]sample, order []int) string {
	t.Helper()
	b := newBench(settings(settle))
	for _, i := range order {
		b.take(source, 20, pieces[i]...)
		if len(b.Due(b.now)) != 0 {
			require.Fail(t, "before the time")
		}
	}
	b.now = b.now.Add(settle)
	return single(t, b)
}

// atOnce returns the second scrape of a source, which comes in pieces and leaves with the last.
func atOnce(t *testing.T, source Source, before []sample, pieces [][]sample, order []int) string {
	t.Helper()
	b := newBench(settings(0))
	b.take(source, 10, before...)
	b.due()
	for n, i := range order {
		if b.take(source, 20, pieces[i]...); n < len(order)-1 && len(b.Due(b.now)) != 0 {
			require.Fail(t, "before the last piece")
		}
	}
	return single(t, b)
}

func single(t *testing.T, b *bench) string {
	t.Helper()
	scrapes := b.Due(b.now)
	if len(scrapes) != 1 || b.Counts() != (Counts{}) || b.held != 0 {
		require.Fail(t, "one scrape and nothing else", "%d %v %d", len(scrapes), b.Counts(), b.held)
	}
	return whole(scrapes[0])
}

// arrival is a piece of a scrape of a source, and when it comes.
type arrival struct {
	at      time.Duration
	source  int
	scrape  int
	samples []sample
	again   bool
}

const interval = 30 * time.Second

func timestamp(scrape int) pcommon.Timestamp { return pcommon.Timestamp(scrape + 1) }

// drawn are scrapes of some sources, cut into pieces, and what each scrape says if it is whole.
type drawn struct {
	arrivals []arrival
	want     []map[pcommon.Timestamp]string
}

// draw cuts scrapes of some sources into pieces that come within spread of when they were scraped. Whoever scrapes ends each series that vanishes.
func draw(t *rapid.T, spread time.Duration) drawn {
	var all drawn
	names := []string{"a", "b", "c", "d", "e"}
	for source := range rapid.IntRange(1, 3).Draw(t, "sources") {
		all.want = append(all.want, make(map[pcommon.Timestamp]string))
		live := make(map[string]bool)
		for scrape := range rapid.IntRange(1, 6).Draw(t, "scrapes") {
			before := live
			live = make(map[string]bool)
			samples := []sample{{calicometric.IPPoolSize, "p", "", 256.0}}
			for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "nodes") {
				live[name] = true
				samples = append(samples, sample{calicometric.AllocationsInUse, "p", name, float64(rapid.IntRange(0, 9).Draw(t, "use"))})
			}
			for _, name := range slices.Sorted(maps.Keys(before)) {
				if !live[name] {
					samples = append(samples, sample{calicometric.AllocationsInUse, "p", name, nil})
				}
			}
			unsplit := newBench(settings(0))
			unsplit.take(Source{}, timestamp(scrape), samples...)
			all.want[source][timestamp(scrape)] = whole(unsplit.Due(unsplit.now)[0])

			samples = rapid.Permutation(samples).Draw(t, "order")
			moment := time.Duration(scrape)*interval + time.Duration(source)*time.Second
			delay := rapid.Custom(func(t *rapid.T) time.Duration {
				return time.Duration(rapid.Int64Range(0, int64(spread)-1).Draw(t, "delay"))
			})
			for _, piece := range split(samples, rapid.IntRange(0, 1<<(len(samples)-1)-1).Draw(t, "gaps")) {
				come := arrival{at: moment + delay.Draw(t, "delay"), source: source, scrape: scrape, samples: piece}
				all.arrivals = append(all.arrivals, come)
				if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
					come.again = true
					come.at += time.Duration(rapid.Int64Range(0, int64(4*interval)).Draw(t, "later"))
					all.arrivals = append(all.arrivals, come)
				}
			}
		}
	}
	slices.SortStableFunc(all.arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return all
}

// play has all arrivals come in, with whatever leaves in between, and calls left for each scrape that does, late for each piece that is late.
func play(b *bench, all drawn, left func(source int, scrape *Scrape), late func(arrival)) {
	begin := b.now
	due := func() {
		for _, scrape := range b.Due(b.now) {
			left(int(scrape.Source.Pod[0]-'0'), scrape)
			b.Release(scrape)
		}
		b.count()
	}
	until := func(now time.Time) {
		for {
			next, waits := b.Next()
			if !waits || next.After(now) {
				break
			}
			b.now = next
			due()
		}
		b.now = now
	}
	for _, come := range all.arrivals {
		until(begin.Add(come.at))
		before := b.total.Late
		b.take(Source{Pod: strconv.Itoa(come.source)}, timestamp(come.scrape), come.samples...)
		if b.count(); b.total.Late > before {
			late(come)
		}
		due()
	}
	until(b.now.Add(time.Hour))
}

// TestScrapesInPiecesLeaveOnceAndWhole has pieces of up to three sources mixed, some of them again, and none later than a scrape is waited for: also
// those of two scrapes of one source may mix.
func TestScrapesInPiecesLeaveOnceAndWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const spread = 2 * interval
		all := draw(t, spread)
		b := newBench(settings(spread))
		begin := b.now
		got := make([][]pcommon.Timestamp, len(all.want))
		play(b, all, func(source int, scrape *Scrape) {
			got[source] = append(got[source], scrape.Timestamp)
			require.Equal(t, all.want[source][scrape.Timestamp], whole(scrape))
			moment := begin.Add(time.Duration(scrape.Timestamp-1)*interval + time.Duration(source)*time.Second)
			require.False(t, b.now.Before(moment.Add(spread)), "before the time")
		}, func(come arrival) {
			require.True(t, come.again, "only what came before is late")
		})
		for source := range got {
			require.Equal(t, slices.Sorted(maps.Keys(all.want[source])), got[source])
		}
		require.Zero(t, b.total.Incomplete)
		b.requireEmpty(t)
	})
}

// TestScrapesWhosePiecesComeTooLateLeaveOnceOrAreIncomplete has pieces come at any time. What leaves may lack what came later, as only a scrape that is
// measured by a larger one before is known to; but each leaves once or is counted incomplete, in order, and with nothing that was not sent.
func TestScrapesWhosePiecesComeTooLateLeaveOnceOrAreIncomplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := draw(t, 4*interval)
		b := newBench(settings(interval / 2))
		last := make([]pcommon.Timestamp, len(all.want))
		inTime := make(map[string]int) // pieces of each scrape that came while it could still wait
		for _, come := range all.arrivals {
			inTime[fmt.Sprint(come.source, come.scrape)]++
		}
		left := 0
		play(b, all, func(source int, scrape *Scrape) {
			left++
			require.Greater(t, scrape.Timestamp, last[source], "older after newer")
			last[source] = scrape.Timestamp
			want := all.want[source][scrape.Timestamp]
			line, _, _ := strings.Cut(want, "\n")
			nodes, _, _ := strings.Cut(told(scrape), " -")
			for _, node := range strings.Fields(nodes) {
				require.Contains(t, strings.Fields(line), node)
			}
		}, func(come arrival) {
			id := fmt.Sprint(come.source, come.scrape)
			if inTime[id]--; inTime[id] == 0 {
				delete(inTime, id)
			}
		})
		require.Equal(t, len(inTime), left+b.total.Incomplete)
		b.requireEmpty(t)
	})
}
