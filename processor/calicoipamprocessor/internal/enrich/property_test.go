package enrich

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
)

// backend keeps what a backend does: the series whose last point is no marker, by what they are of ("p/a") and how they are labelled.
type backend map[string]map[string]bool

func (b backend) take(t require.TestingT, words []string) {
	for _, word := range words {
		of, rest, found := strings.Cut(word, "=")
		require.True(t, found)
		value, _, _ := strings.Cut(rest, "@")
		value, labels, _ := strings.Cut(value, "{")
		if b[of] == nil {
			b[of] = make(map[string]bool)
		}
		if value == "end" {
			delete(b[of], labels)
		} else {
			b[of][labels] = true
		}
	}
}

// TestAPointHasOneSeriesAtATime replays what comes of scrapes, while what is known of the pools changes at any time. Whoever scrapes ends each series
// that vanishes.
func TestAPointHasOneSeriesAtATime(t *testing.T) {
	drawKnown := rapid.Custom(func(t *rapid.T) *poolinfo.Cluster {
		if rapid.IntRange(0, 3).Draw(t, "nothing") == 0 {
			return nil
		}
		var words []string
		for _, pool := range []string{"p", "q"} {
			if cidr := rapid.SampledFrom([]string{"", "10.0.0.0/24", "10.9.0.0/24", "fd00::/48"}).Draw(t, pool); cidr != "" {
				words = append(words, pool+"="+cidr)
			}
		}
		return cluster(strings.Join(words, " "))
	})
	series := []string{"p", "p/a", "p/b", "q", "q/a", "q/b"}
	rapid.Check(t, func(t *rapid.T) {
		var source Source
		stored := make(backend)
		live := make(map[string]bool)
		known := drawKnown.Draw(t, "known")
		for scrape := range rapid.IntRange(1, 8).Draw(t, "scrapes") {
			before := live
			live = make(map[string]bool)
			var points []string
			for _, of := range rapid.SliceOfDistinct(rapid.SampledFrom(series), rapid.ID).Draw(t, "series") {
				live[of] = true
				points = append(points, of+"=1")
			}
			for _, of := range slices.Sorted(maps.Keys(before)) {
				if !live[of] {
					points = append(points, of+"=end")
				}
			}
			if len(points) == 0 {
				continue
			}
			points = rapid.Permutation(points).Draw(t, "order")
			cut := rapid.IntRange(0, len(points)).Draw(t, "cut")
			at := pcommon.Timestamp(scrape + 1)
			send := func(piece []string) {
				rm := scraped(calicometric.AllocationsInUse, at, strings.Join(piece, " "))
				source.Points(rm, known, 9)
				stored.take(t, told(t, rm))
			}
			for _, piece := range [][]string{points[:cut], points[cut:]} {
				if rapid.Bool().Draw(t, "changes") {
					known = drawKnown.Draw(t, "known")
				}
				send(piece)
				if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
					send(piece)
				}
			}
			for _, of := range series {
				want := []string{}
				if live[of] {
					pool, _, _ := strings.Cut(of, "/")
					want = append(want, labelsOf(labelsNow(&source, pool)))
				}
				require.Equal(t, want, slices.AppendSeq([]string{}, maps.Keys(stored[of])), "%s after scrape %d", of, at)
			}
		}
	})
}

// labelsOf are the labels as a backend has them of told.
func labelsOf(l Labels) string {
	if l == (Labels{}) {
		return ""
	}
	return fmt.Sprintf("%s,%s}", l.CIDR, l.Family)
}
