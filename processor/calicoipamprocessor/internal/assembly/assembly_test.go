package assembly

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
)

const settle = 10 * time.Second

// step is a piece that comes, after the clock has moved, and what leaves then.
type step struct {
	wait  time.Duration
	at    pcommon.Timestamp
	nodes string
	want  []string
}

func leaves(words ...string) []string { return words }

func TestWhatLeaves(t *testing.T) {
	for name, tc := range map[string]struct {
		settle  time.Duration
		steps   []step
		counts  Counts
		waiting int
	}{
		"one batch is whole at once": {
			steps: []step{{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a=2 b c", want: leaves("20: a=2 b c")}},
		},
		"the second in pieces waits, as it has fewer series than the first": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")},
				{at: 20, nodes: "c"}, {at: 20, nodes: "a"}, {at: 20, nodes: "b", want: leaves("20: a b c")},
				{at: 30, nodes: "a b"}, {at: 30, nodes: "c", want: leaves("30: a b c")},
			},
		},
		"a piece that is not complete is waited for": {
			steps: []step{{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a b"}}, waiting: 1,
		},
		"what comes of the first beyond its first piece is late, and the second is measured by it": {
			steps: []step{
				{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 10, nodes: "c"},
				{at: 20, nodes: "a b"}, {at: 20, nodes: "c", want: leaves("20: a b c")},
			},
			counts: Counts{Late: 1},
		},
		"a series that ended with a marker is there": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a -b c", want: leaves("20: a c -1")},
				{at: 30, nodes: "a c", want: leaves("30: a c")},
			},
		},
		"a marker is waited for like a value": {
			steps: []step{{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a c"}, {at: 20, nodes: "-b", want: leaves("20: a c -1")}},
		},
		"markers alone are whole": {
			steps: []step{{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 20, nodes: "-a -b", want: leaves("20: -2")}, {at: 30, nodes: "a", want: leaves("30: a")}},
		},
		"more series than before are whole": {
			steps: []step{{at: 10, nodes: "a", want: leaves("10: a")}, {at: 20, nodes: "a b c", want: leaves("20: a b c")}},
		},
		"a scrape whose rest never comes is given up when the next begins, and after two of them the next is whole with as much": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a b"},
				{at: 30, nodes: "a b"}, {at: 40, nodes: "a b", want: leaves("40: a b")}, {at: 50, nodes: "a b", want: leaves("50: a b")},
			},
			counts: Counts{Incomplete: 2},
		},
		"a piece that comes twice each time, by itself too, costs one scrape at most": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 10, nodes: "c"}, {at: 20, nodes: "a b c"}, {at: 20, nodes: "c"},
				{at: 30, nodes: "a b c", want: leaves("30: a b c")}, {at: 30, nodes: "c"}, {at: 40, nodes: "a b c", want: leaves("40: a b c")},
				{at: 40, nodes: "c"}, {at: 50, nodes: "a b c", want: leaves("50: a b c")},
			},
			counts: Counts{Incomplete: 1, Late: 3},
		},
		"an older piece does not make the newer one whole": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 30, nodes: "a b"}, {at: 20, nodes: "a"},
				{at: 30, nodes: "c", want: leaves("30: a b c")},
			},
			counts: Counts{Incomplete: 1},
		},
		"a scrape that is sent again in pieces is late and changes nothing": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 10, nodes: "a b"}, {at: 10, nodes: "c"},
				{at: 20, nodes: "a b c", want: leaves("20: a b c")},
			},
			counts: Counts{Late: 2},
		},
		"a scrape whose rest never comes is given up after a minute": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a b"},
				{wait: patience, at: 10, nodes: "a b c"}, {at: 20, nodes: "c"},
			},
			counts: Counts{Incomplete: 1, Late: 2},
		},
		"the rest of a scrape that was given up is late, and the next is measured by all of it": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a"},
				{wait: patience, nodes: ""}, {at: 20, nodes: "b c"}, {at: 20, nodes: "b c"},
				{at: 30, nodes: "a b"}, {at: 30, nodes: "c", want: leaves("30: a b c")},
			},
			counts: Counts{Incomplete: 1, Late: 2},
		},
		"a scrape that is sent again is late and changes nothing": {
			steps: []step{
				{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 10, nodes: "a b"}, {at: 10, nodes: "b a"},
				{at: 20, nodes: "a b", want: leaves("20: a b")}, {at: 10, nodes: "a b c d"}, {at: 30, nodes: "a b", want: leaves("30: a b")},
			},
			counts: Counts{Late: 3},
		},
		"a piece that is sent again after the scrape has left is late and changes nothing": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a b"}, {at: 20, nodes: "c", want: leaves("20: a b c")},
				{at: 20, nodes: "c"}, {at: 20, nodes: "a b"}, {at: 30, nodes: "a b c", want: leaves("30: a b c")},
			},
			counts: Counts{Late: 2},
		},
		"a scrape in pieces that is sent again in one is late and changes nothing": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a b"}, {at: 20, nodes: "a b"},
				{at: 20, nodes: "c", want: leaves("20: a b c")}, {at: 20, nodes: "c b a"}, {at: 30, nodes: "a b c", want: leaves("30: a b c")},
			},
			counts: Counts{Late: 1},
		},
		"a piece that is sent again while the scrape waits changes nothing": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 20, nodes: "a b"}, {at: 20, nodes: "a b"}, {at: 20, nodes: "b a a"},
				{at: 20, nodes: "c", want: leaves("20: a b c")}, {at: 30, nodes: "a b c", want: leaves("30: a b c")},
			},
		},
		"a late piece of markers does not raise the measure": {
			steps: []step{
				{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 10, nodes: "-c -d"}, {at: 20, nodes: "a b", want: leaves("20: a b")},
			},
			counts: Counts{Late: 1},
		},
		"a late new piece raises the measure once": {
			steps: []step{
				{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 10, nodes: "c"}, {at: 10, nodes: "c"},
				{at: 20, nodes: "a b"}, {at: 20, nodes: "c", want: leaves("20: a b c")},
			},
			counts: Counts{Late: 2},
		},
		"a late piece of an older scrape does not raise the measure": {
			steps: []step{
				{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 20, nodes: "a b", want: leaves("20: a b")}, {at: 10, nodes: "c"},
				{at: 30, nodes: "a b", want: leaves("30: a b")},
			},
			counts: Counts{Late: 1},
		},
		"an older scrape is late": {
			steps:  []step{{at: 20, nodes: "a b", want: leaves("20: a b")}, {at: 10, nodes: "a b"}, {at: 30, nodes: "a b", want: leaves("30: a b")}},
			counts: Counts{Late: 1},
		},
		"an older scrape that is whole leaves before a newer one that waits": {
			steps: []step{
				{at: 10, nodes: "a b c", want: leaves("10: a b c")}, {at: 30, nodes: "a b"}, {at: 20, nodes: "a b c", want: leaves("20: a b c")},
				{at: 30, nodes: "c", want: leaves("30: a b c")},
			},
		},
		"two values for one series are one series, and leave the shares without a sum": {
			steps: []step{{at: 10, nodes: "a b", want: leaves("10: a b")}, {at: 20, nodes: "a a=2"}, {at: 20, nodes: "b", want: leaves("20:")}},
		},
		"a piece without points is none": {
			steps: []step{{at: 10, nodes: "", want: nil}},
		},

		"with a settling time nothing leaves before it is over, and all that came then": {
			settle: settle,
			steps: []step{
				{at: 10, nodes: "a b"}, {wait: settle / 2, at: 10, nodes: "c"}, {wait: settle/2 - 1, at: 20, nodes: "a"},
				{wait: 1, at: 20, nodes: "b c", want: leaves("10: a b c")}, {wait: settle - 2, at: 30, nodes: "a b c"},
				{wait: 1, at: 30, nodes: "d", want: leaves("20: a b c")}, {wait: settle, at: 40, nodes: "a b c d", want: leaves("30: a b c d")},
			},
			waiting: 1,
		},
		"with a settling time the rest of a scrape is waited for no longer": {
			settle: settle,
			steps: []step{
				{at: 10, nodes: "a b c"}, {wait: settle, at: 20, nodes: "a b", want: leaves("10: a b c")}, {wait: settle, at: 30, nodes: "a b"},
				{wait: settle, at: 40, nodes: "a b"}, {wait: settle, at: 20, nodes: "c", want: leaves("40: a b")},
			},
			counts: Counts{Incomplete: 2, Late: 1},
		},
		"with a settling time pieces that lag by more than two scrapes make no half one whole": {
			settle: settle,
			steps: []step{
				{at: 10, nodes: "a b"}, {wait: settle, at: 20, nodes: "a", want: leaves("10: a b")}, {wait: settle, at: 30, nodes: "a"},
				{wait: settle, at: 20, nodes: "b"}, {at: 40, nodes: "a"}, {wait: settle, at: 30, nodes: "b"}, {at: 50, nodes: "a"},
				{wait: settle, at: 60, nodes: "a b"}, {wait: settle, nodes: "", want: leaves("60: a b")},
			},
			counts: Counts{Incomplete: 4, Late: 2},
		},
		"with a settling time the half of a scrape does not pass for a whole one after another half did not": {
			settle: settle,
			steps: []step{
				{at: 10, nodes: "a b c d"}, {wait: settle, at: 20, nodes: "a b", want: leaves("10: a b c d")}, {wait: settle, at: 30, nodes: "c d"},
				{wait: settle, at: 40, nodes: "a b c d"}, {wait: settle, nodes: "", want: leaves("40: a b c d")},
			},
			counts: Counts{Incomplete: 2},
		},
		"with a settling time the rest of a scrape that was given up is late, and makes no other scrape": {
			settle: settle,
			steps: []step{
				{at: 10, nodes: "a b c d"}, {wait: settle, at: 20, nodes: "a", want: leaves("10: a b c d")}, {wait: settle, at: 10, nodes: "a b c d"},
				{at: 20, nodes: "b c d"}, {wait: settle, at: 30, nodes: "a b c"}, {wait: settle, at: 30, nodes: "a b c"}, {at: 40, nodes: "a b c"},
			},
			counts: Counts{Incomplete: 2, Late: 3}, waiting: 1,
		},
		"with a settling time a scrape that began later leaves with the newer one": {
			settle: settle,
			steps: []step{
				{at: 20, nodes: "a b"}, {wait: settle - 1, at: 10, nodes: "a b"},
				{wait: 1, at: 30, nodes: "a b", want: leaves("10: a b", "20: a b")}, {at: 10, nodes: "a b"}, {at: 20, nodes: "a b"},
			},
			counts: Counts{Late: 2}, waiting: 1,
		},
		"with a settling time pieces of two scrapes may mix": {
			settle: settle,
			steps: []step{
				{at: 10, nodes: "a"}, {at: 20, nodes: "b"}, {at: 10, nodes: "b"}, {at: 20, nodes: "a"},
				{wait: settle, at: 30, nodes: "a b", want: leaves("10: a b", "20: a b")},
			},
			waiting: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(settings(tc.settle))
			for i, s := range tc.steps {
				b.now = b.now.Add(s.wait)
				if tc.settle > 0 {
					// As the loop does, which wakes when the time is over.
					got := b.due()
					b.take(Source{Pod: "one"}, s.at, nodes(s.nodes)...)
					require.Equal(t, s.want, append(got, b.due()...), "step %d", i)
					continue
				}
				b.take(Source{Pod: "one"}, s.at, nodes(s.nodes)...)
				require.Equal(t, s.want, b.due(), "step %d", i)
			}
			require.Equal(t, tc.counts, b.total)
			require.Equal(t, tc.waiting, b.Waiting())
			if tc.waiting == 0 {
				b.requireEmpty(t)
			}
		})
	}
}

func TestSourcesAreMeasuredEachForItself(t *testing.T) {
	b := newBench(settings(0))
	one, two := Source{Cluster: "c", Service: "s", Instance: "i", Namespace: "n", Pod: "p"}, Source{Cluster: "c", Service: "s", Instance: "i", Namespace: "n", Pod: "q"}
	b.take(one, 10, nodes("a b c")...)
	require.Equal(t, leaves("10: a b c"), b.due())
	b.take(one, 20, nodes("a b")...)
	b.take(two, 10, nodes("a")...)
	require.Equal(t, leaves("10: a"), b.due(), "another pod at the same address has other series")
	b.take(two, 20, nodes("a")...)
	b.take(one, 20, nodes("c")...)
	scrapes := b.Due(b.now)
	require.Len(t, scrapes, 2)
	require.ElementsMatch(t, []Source{one, two}, []Source{scrapes[0].Source, scrapes[1].Source})
	b.said(scrapes)
	b.requireEmpty(t)
}

func TestScrapesOfAllSourcesLeaveInTheOrderOfTheirTimes(t *testing.T) {
	b := newBench(settings(settle))
	for i, at := range []pcommon.Timestamp{50, 20, 40, 10, 30} {
		b.take(Source{Pod: string(rune('a' + i))}, at, nodes("a")...)
		b.take(Source{Pod: string(rune('a' + i))}, at+100, nodes("a")...)
	}
	b.now = b.now.Add(settle)
	require.Equal(t, leaves("10: a", "20: a", "30: a", "40: a", "50: a", "110: a", "120: a", "130: a", "140: a", "150: a"), b.due())
}

func TestOneResourceCanHoldSeveralScrapes(t *testing.T) {
	b := newBench(settings(0))
	rm := pmetric.NewResourceMetrics()
	put(rm, 20, nodes("a b")...)
	put(rm, 10, nodes("a")...)
	put(rm, 20, nodes("c")...)
	put(rm, 10, nodes("b c")...)
	b.Take(Source{}, rm, b.now)
	require.Equal(t, leaves("10: a b c", "20: a b c"), b.due())
	b.requireEmpty(t)
}

func TestWhatIsNoPartOfAScrapeIsLeftAlone(t *testing.T) {
	b := newBench(settings(0))
	rm := resource(10, sample{"up", "", "", 1.0}, sample{calicometric.PoolAvailable, "p", "", 1.0},
		sample{calicometric.AllocationsGCReclamations, "p", "a", 1.0})
	rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName(calicometric.IPPoolSize) // of no type
	b.Take(Source{}, rm, b.now)
	require.Nil(t, b.due())
	require.Zero(t, b.total)
	b.requireEmpty(t)
}

func TestAScrapeTellsWhatItWasMadeOf(t *testing.T) {
	b := newBench(settings(0))
	for i := range 3 { // what a scrape held before must not show
		source := Source{Cluster: "c", Service: []string{calicometric.JobIPAM, calicometric.JobKubeControllers}[i%2]}
		at := pcommon.Timestamp(10 + i)
		rm := resource(at, append(nodes("a"), sample{calicometric.IPPoolSize, "p", "", 256.0})...)
		metric := rm.ScopeMetrics().At(0).Metrics().At(0)
		metric.SetDescription("Text.")
		metric.SetUnit("{address}")
		rm.Resource().Attributes().PutInt("scrape", int64(i))
		b.Take(source, rm, b.now)
		scrapes := b.Due(b.now)
		require.Len(t, scrapes, 1)
		scrape := scrapes[0]
		require.Equal(t, source, scrape.Source)
		require.Equal(t, source.Exact(), scrape.Exact)
		require.Equal(t, i%2 == 0, scrape.Exact)
		require.Equal(t, at, scrape.Timestamp)
		require.Equal(t, map[string]any{"scrape": int64(i)}, scrape.Resource.AsRaw())
		require.Equal(t, Description{"Text.", "{address}"}, scrape.Described[nodeshares.InUse])
		require.Equal(t, ipampoints.Live, scrape.State())
		require.Len(t, scrape.Pools, 1)
		rm.Resource().Attributes().PutStr("later", "")
		require.Equal(t, 1, scrape.Resource.Len(), "the batch is the next consumer's")
		b.Release(scrape)
	}
}

func TestSharesAreGatheredOnlyWhereTheyAreAskedFor(t *testing.T) {
	s := settings(0)
	s.Shares = false
	a := New(s)
	a.Take(Source{}, resource(10, nodes("a b")...), time.Unix(1, 0))
	scrapes := a.Due(time.Unix(1, 0))
	require.Len(t, scrapes, 1)
	require.Nil(t, scrapes[0].Shares)
	require.Equal(t, 2, scrapes[0].Values)
}

func TestNoMoreScrapesOfASourceWaitThanTheBound(t *testing.T) {
	b := newBench(settings(settle))
	for i := range maxWaiting {
		b.take(Source{}, pcommon.Timestamp(100+i), nodes("a b")...)
	}
	require.Equal(t, maxWaiting, b.Waiting())

	b.take(Source{}, 99, nodes("a b")...)
	require.Equal(t, maxWaiting, b.Waiting(), "one older than all that wait finds no room")
	require.Nil(t, b.due())
	require.Equal(t, Counts{Late: 1}, b.total)

	b.take(Source{}, 1000, nodes("a b")...)
	b.take(Source{}, 100, nodes("b a")...)
	require.Equal(t, maxWaiting, b.Waiting(), "a newer one takes the place of the oldest")
	require.Nil(t, b.due())
	require.Equal(t, Counts{Late: 2, Incomplete: 1}, b.total)

	b.take(Source{Pod: "another"}, 99, nodes("a b")...)
	require.Equal(t, maxWaiting+1, b.Waiting())

	b.now = b.now.Add(settle)
	left := b.due()
	require.Equal(t, "99: a b", left[0])
	require.Equal(t, "101: a b", left[1])
	require.Equal(t, "1000: a b", left[len(left)-1])
	require.Len(t, left, maxWaiting+1)
	b.requireEmpty(t)
}

// TestScrapesMayComeOftenWithinTheSettlingTime has one every ten seconds and waits for each for ten minutes, the longest that can be configured.
func TestScrapesMayComeOftenWithinTheSettlingTime(t *testing.T) {
	b := newBench(settings(10 * time.Minute))
	left := 0
	for i := range 200 {
		left += len(b.due())
		b.take(Source{}, pcommon.Timestamp(i+1), nodes("a b")...)
		b.now = b.now.Add(10 * time.Second)
	}
	require.Equal(t, 140, left)
	require.Zero(t, b.total)
}

func TestAScrapeOfTooManySeriesIsNotWhole(t *testing.T) {
	s := settings(0)
	s.Limits.Series = 3
	b := newBench(s)
	b.take(Source{}, 10, nodes("a b c d e")...)
	require.Nil(t, b.due())
	b.take(Source{}, 20, nodes("a b c")...)
	require.Equal(t, leaves("20: a b c"), b.due())
	require.Equal(t, Counts{Incomplete: 1, DroppedSeries: 2}, b.total)
	b.requireEmpty(t)
}

func TestSeriesOfAllThatWaitsAreBounded(t *testing.T) {
	s := settings(settle)
	s.Series = 5
	b := newBench(s)
	b.take(Source{Pod: "one"}, 10, nodes("a b c")...)
	b.take(Source{Pod: "two"}, 10, nodes("a b c")...)
	require.Equal(t, 5, b.held)
	b.take(Source{Pod: "one"}, 10, nodes("a b c")...)
	require.Equal(t, 5, b.held, "what is there needs no room")
	b.now = b.now.Add(settle)
	require.Equal(t, leaves("10: a b c"), b.due())
	require.Equal(t, Counts{Incomplete: 1, DroppedSeries: 1}, b.total)
	b.requireEmpty(t)

	b.take(Source{Pod: "two"}, 20, nodes("a b c d e")...)
	b.now = b.now.Add(settle)
	require.Equal(t, leaves("20: a b c d e"), b.due(), "there is room again")
	b.requireEmpty(t)
}

func TestSourcesBeyondTheBoundAreForgotten(t *testing.T) {
	s := settings(0)
	s.Sources = 2
	b := newBench(s)
	for _, pod := range []string{"one", "two", "one", "three"} {
		b.take(Source{Pod: pod}, 10, nodes("a b")...)
		b.due()
	}
	b.total.Late = 0 // the second of one
	require.Equal(t, Counts{DroppedSources: 1}, b.total, "the source not seen for the longest time had to go")
	b.take(Source{Pod: "one"}, 10, nodes("a b")...)
	require.Nil(t, b.due())
	require.Equal(t, 1, b.total.Late, "this one is remembered")
	b.take(Source{Pod: "two"}, 10, nodes("a b")...)
	require.Equal(t, leaves("10: a b"), b.due(), "this one is new")
	require.Equal(t, Counts{DroppedSources: 2, Late: 1}, b.total)
}

func TestWhatWaitsOfASourceThatIsForgottenIsGivenUp(t *testing.T) {
	s := settings(settle)
	s.Sources = 1
	b := newBench(s)
	b.take(Source{Pod: "one"}, 10, nodes("a b")...)
	b.take(Source{Pod: "two"}, 20, nodes("a b")...)
	b.now = b.now.Add(settle)
	require.Equal(t, leaves("20: a b"), b.due(), "the rest of the other would be taken for all of it")
	require.Equal(t, Counts{DroppedSources: 1, Incomplete: 1}, b.total)
	b.requireEmpty(t)
}

func TestASourceThatIsGoneIsNoLoss(t *testing.T) {
	s := settings(0)
	s.Sources = 1
	b := newBench(s)
	b.take(Source{Pod: "one"}, 10, nodes("a b")...)
	b.take(Source{Pod: "one"}, 20, nodes("-a -b")...)
	require.Len(t, b.due(), 2)
	b.take(Source{Pod: "two"}, 20, nodes("a b")...)
	require.Equal(t, leaves("20: a b"), b.due())
	require.Zero(t, b.total)
}

func TestTheFirstScrapeMayHaveBegunBeforeTheStart(t *testing.T) {
	s := settings(settle)
	s.Started = time.Unix(100, 0)
	b := newBench(s)
	b.now = s.Started
	take := func(seconds int64) { b.take(Source{}, pcommon.Timestamp(seconds*int64(time.Second)), nodes("a b")...) }
	take(99)
	b.now = b.now.Add(settle)
	require.Nil(t, b.due(), "the instance before may have got the rest")
	take(101)
	b.now = b.now.Add(settle)
	require.Len(t, b.due(), 1)
	require.Equal(t, Counts{Incomplete: 1}, b.total)
}

func TestNextIsWhenTheFirstOfAllHasToLeave(t *testing.T) {
	b := newBench(settings(settle))
	_, waits := b.Next()
	require.False(t, waits)
	begin := b.now
	b.take(Source{Pod: "one"}, 20, nodes("a")...)
	b.now = begin.Add(time.Second)
	b.take(Source{Pod: "one"}, 10, nodes("a")...)
	b.take(Source{Pod: "one"}, 20, nodes("b")...)
	b.now = begin.Add(2 * time.Second)
	b.take(Source{Pod: "two"}, 5, nodes("a")...)
	next, waits := b.Next()
	require.True(t, waits)
	require.Equal(t, begin.Add(settle), next, "the time of a scrape begins with its first piece")

	b.now = next
	require.Equal(t, leaves("10: a", "20: a b"), b.due())
	next, waits = b.Next()
	require.True(t, waits)
	require.Equal(t, begin.Add(settle+2*time.Second), next)
	b.now = next
	require.Equal(t, leaves("5: a"), b.due())
	b.requireEmpty(t)
}

func TestAllLeavesWithoutWaiting(t *testing.T) {
	b := newBench(settings(settle))
	b.take(Source{Pod: "two"}, 10, nodes("a b c")...)
	b.now = b.now.Add(settle)
	require.Len(t, b.due(), 1)
	b.take(Source{Pod: "one"}, 30, nodes("a")...)
	b.take(Source{Pod: "one"}, 15, nodes("a")...)
	b.take(Source{Pod: "two"}, 20, nodes("a b")...)
	require.Equal(t, leaves("15: a", "30: a"), b.said(b.All()), "what is known not to be whole does not")
	require.Equal(t, Counts{Incomplete: 1}, b.total)
	b.requireEmpty(t)
	require.Nil(t, b.said(b.All()))
}

func TestCountsAreThoseSinceTheLastTime(t *testing.T) {
	a := New(settings(0))
	require.Zero(t, a.Counts())
	for range 3 {
		a.Take(Source{}, resource(10, nodes("a")...), time.Unix(1, 0))
		a.Due(time.Unix(1, 0))
	}
	require.Equal(t, Counts{Late: 2}, a.Counts())
	require.Zero(t, a.Counts())
}

// TestSteadySourcesAllocateNothing has a small source and a large one in turn, which each use again what was made for its size.
func TestSteadySourcesAllocateNothing(t *testing.T) {
	s := settings(0)
	s.Limits.Series, s.Series = 1000, 1000
	b := newBench(s)
	var many []sample
	for i := range 300 {
		many = append(many, sample{calicometric.AllocationsInUse, "p", strconv.Itoa(i), 1.0})
	}
	small, large := make([]pmetric.ResourceMetrics, 200), make([]pmetric.ResourceMetrics, 200)
	for i := range small {
		small[i] = resource(pcommon.Timestamp(i+1), nodes("a b c d")...)
		large[i] = resource(pcommon.Timestamp(i+1), many...)
	}
	next, left := 0, 0
	run := func() {
		for pod, rms := range map[string][]pmetric.ResourceMetrics{"small": small, "large": large} {
			b.Take(Source{Pod: pod}, rms[next], b.now)
			for _, scrape := range b.Due(b.now) {
				left++
				b.Release(scrape)
			}
		}
		next++
	}
	for range 5 {
		run()
	}
	kept := func() (n int) {
		for _, free := range b.free {
			n += len(free)
		}
		return n
	}
	require.LessOrEqual(t, kept(), 3, "one of each size, and that of the first scrape, whose size was not known")
	require.Zero(t, testing.AllocsPerRun(100, run))
	require.Equal(t, 2*next, left)
}
