package nodeshares

import (
	"maps"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

func stringData(s string) *byte { return unsafe.StringData(s) }

// drawScrape is any scrape, each series once.
var drawScrape = rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Point {
	p := Point{
		Metric: Metric(rapid.IntRange(0, int(Metrics)-1).Draw(t, "metric")),
		Pool:   rapid.SampledFrom([]string{"p", "q", calicometric.NoPool}).Draw(t, "pool"),
		Node: rapid.SampledFrom([]string{
			"a", "b", "c", "d", "e", "f", calicometric.UnknownNode, calicometric.NoAffinity, calicometric.AllNodes, calicometric.OtherNodes,
		}).Draw(t, "node"),
		Value: rapid.IntRange(0, 3).Draw(t, "value"),
	}
	if p.Metric.PerNode() {
		p.Pool = ""
	}
	return p
}), 0, -1, func(p Point) Point { return Point{Metric: p.Metric, Pool: p.Pool, Node: p.Node} })

func drawDetail(t *rapid.T) nodedetail.Detail {
	detail := nodedetail.Detail{Mode: rapid.SampledFrom([]nodedetail.Mode{nodedetail.Full, nodedetail.Nonzero, nodedetail.None}).Draw(t, "mode")}
	if detail.Mode != nodedetail.None {
		detail.Top = rapid.IntRange(0, 5).Draw(t, "top")
	}
	return detail
}

func TestSumsAreExactAndPointsAreFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		detail := drawDetail(t)
		var s Shares // of several scrapes, none of which knows of another
		for range rapid.IntRange(1, 3).Draw(t, "scrapes") {
			points := drawScrape.Draw(t, "points")
			s.Reset()
			add(&s, points)
			got := s.Points(detail, nil)

			require.True(t, slices.IsSortedFunc(got, func(a, b Point) int { return compare(&a, &b) }))
			want := sums(points)
			if detail.Mode != nodedetail.Full {
				maps.DeleteFunc(want, func(p Point, sum int) bool { return p.Pool == calicometric.NoPool && sum == 0 })
			}
			require.Equal(t, want, sums(got), "a metric and pool has points where it had some, and no others")
			if detail.Mode == nodedetail.Full && detail.Top == 0 {
				require.ElementsMatch(t, points, got)
			}

			counts := make(map[Point]int)
			for _, p := range got {
				if p.Node != calicometric.AllNodes || detail.Mode == nodedetail.None {
					counts[Point{Metric: p.Metric, Pool: p.Pool}]++
				}
			}
			for series, count := range counts {
				switch {
				case detail.Mode == nodedetail.None:
					require.Equal(t, 1, count, series)
				case detail.Top > 0:
					require.LessOrEqual(t, count, detail.Top+3, series)
				}
			}

			shuffled := rapid.Permutation(points).Draw(t, "shuffled")
			require.Equal(t, got, replaced(detail, shuffled), "the order of a scrape is not that of its points")
		}
	})
}

func TestEndedAndWhatIsLeftAreTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		detail := drawDetail(t)
		last, now := replaced(detail, drawScrape.Draw(t, "last")), replaced(detail, drawScrape.Draw(t, "now"))
		var want []Point
		for _, p := range last {
			if !slices.ContainsFunc(now, func(q Point) bool { return compare(&p, &q) == 0 }) {
				want = append(want, p)
			}
		}
		require.Equal(t, want, Ended(last, now, nil))
	})
}
