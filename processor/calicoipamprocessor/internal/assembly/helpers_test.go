package assembly

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
)

// sample is one point: of a metric, a pool and, where it is not empty, a node. A nil value is a staleness marker.
type sample struct {
	metric, pool, node string
	value              any
}

// nodes are points of the use of nodes in pool p, one a word: "a" has an address in use, "a=7" has seven, and "-a" is the end of its series.
func nodes(words string) []sample {
	var samples []sample
	for word := range strings.FieldsSeq(words) {
		s := sample{metric: calicometric.AllocationsInUse, pool: "p", value: 1.0}
		name, number, numbered := strings.Cut(word, "=")
		if numbered {
			var value float64
			if _, err := fmt.Sscan(number, &value); err != nil {
				panic(err)
			}
			s.value = value
		}
		if ended, ends := strings.CutPrefix(name, "-"); ends {
			name, s.value = ended, nil
		}
		s.node = name
		samples = append(samples, s)
	}
	return samples
}

// resource holds points of one moment.
func resource(at pcommon.Timestamp, samples ...sample) pmetric.ResourceMetrics {
	rm := pmetric.NewResourceMetrics()
	put(rm, at, samples...)
	return rm
}

// put adds points of one moment to a resource.
func put(rm pmetric.ResourceMetrics, at pcommon.Timestamp, samples ...sample) {
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for _, s := range samples {
		metric := metrics.AppendEmpty()
		metric.SetName(s.metric)
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetTimestamp(at)
		point.Attributes().PutStr(calicometric.LabelIPPool, s.pool)
		if s.node != "" {
			point.Attributes().PutStr(calicometric.LabelNode, s.node)
		}
		if s.value == nil {
			point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
			continue
		}
		point.SetDoubleValue(s.value.(float64))
	}
}

// told is all that follows from a scrape, in words.
func told(scrape *Scrape) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%d:", scrape.Timestamp)
	for _, point := range scrape.Shares.Points(nodedetail.Detail{Mode: nodedetail.Full}, nil) {
		b.WriteString(" " + point.Node)
		if point.Value != 1 {
			_, _ = fmt.Fprintf(&b, "=%d", point.Value)
		}
	}
	if scrape.Ended > 0 {
		_, _ = fmt.Fprintf(&b, " -%d", scrape.Ended)
	}
	return b.String()
}

// settings are those of a test, with room for all that it does.
func settings(settle time.Duration) Settings {
	return Settings{Settle: settle, Sources: 9, Limits: ipampoints.Limits{Pools: 9, Series: 99}, Series: 999, Shares: true}
}

// bench is an Assembly with a clock that moves where it is told to.
type bench struct {
	*Assembly
	now   time.Time
	total Counts
}

func newBench(settings Settings) *bench {
	return &bench{Assembly: New(settings), now: time.Unix(1_800_000_000, 0)}
}

func (b *bench) take(source Source, at pcommon.Timestamp, samples ...sample) {
	b.Take(source, resource(at, samples...), b.now)
}

// due returns what leaves now, in words, and gives it back.
func (b *bench) due() []string { return b.said(b.Due(b.now)) }

func (b *bench) said(scrapes []*Scrape) []string {
	var words []string
	for _, scrape := range scrapes {
		words = append(words, told(scrape))
		b.Release(scrape)
	}
	b.count()
	return words
}

func (b *bench) count() {
	counts := b.Counts()
	b.total.Late += counts.Late
	b.total.Incomplete += counts.Incomplete
	b.total.DroppedSources += counts.DroppedSources
	b.total.DroppedSeries += counts.DroppedSeries
}

// requireEmpty checks that nothing waits, and that the account of what waits says so.
func (b *bench) requireEmpty(t require.TestingT) {
	if h, ok := t.(*testing.T); ok {
		h.Helper()
	}
	require.Zero(t, b.Waiting())
	require.Empty(t, b.waiting)
	require.Zero(t, b.held, "series that wait")
	_, waits := b.Next()
	require.False(t, waits)
}
