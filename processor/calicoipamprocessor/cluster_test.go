package calicoipamprocessor

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/staleness"
)

// TestWhichSourceOfAClusterCounts plays what comes of the sources a, b and c of one cluster, each of which uses another number of addresses, and the
// account, exact, or ? where it does not know what is reserved. It is written as source@seconds, with a minus where the source is gone; what follows is the source that the number comes from, a minus
// for the end of the series, and a dot for nothing.
func TestWhichSourceOfAClusterCounts(t *testing.T) {
	for name, tc := range map[string]struct{ comes, follows string }{
		"one":                     {"a@0 a@30 a@60 -a@90", "a a a -"},
		"two, near to each other": {"a@0 b@3 a@30 b@33 a@60 b@63", "a . a . a ."},
		"two, the other of which is always older":    {"a@10 b@9 a@40 b@39 -a@70 b@71", "a . a . . b"},
		"the other goes on when one is overdue":      {"a@0 a@30 b@40 b@70 b@80 b@110", "a a . . b b"},
		"the other goes on when one is gone":         {"a@0 b@10 -a@30 b@40 -b@70", "a . . b -"},
		"all are gone, the other first":              {"a@0 b@10 -b@20 -a@30", "a . . -"},
		"all are gone, the other last":               {"a@0 b@10 -a@20 -b@30", "a . . -"},
		"one that is gone comes back":                {"a@0 -a@30 a@60", "a - a"},
		"the account comes before others":            {"a@0 exact@5 a@30 exact@35 -a@40 exact@65", "a e . e . e"},
		"the account goes, and the other goes on":    {"a@0 exact@5 a@30 exact@35 -exact@40 a@60", "a e . e . a"},
		"an account that knows nothing does not":     {"a@0 ?@5 a@30 ?@35 a@60", "a . a . a"},
		"the account loses what it knew":             {"exact@0 a@10 ?@30 a@40 ?@60 a@70 exact@90", "e . . a . a e"},
		"a gap of ten minutes does not make patient": {"a@0 a@30 a@630 a@660 a@690 b@700 b@760 b@790", "a a a a a . b b"},
		"far apart, and one is gone":                 {"a@0 a@300 b@310 a@600 b@610 -a@900 b@910", "a a . a . . b"},
		"far apart, at half the distance":            {"a@0 a@300 b@450 a@600 b@750 a@900 b@1050", "a a . a . a ."},
		"a moment that was is not again":             {"a@30 a@30 a@0 b@20 a@60", "a . . . a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := unit(t, zap.NewNop())
			var follows []string
			for word := range strings.FieldsSeq(tc.comes) {
				follows = append(follows, played(t, p, word))
			}
			require.Equal(t, tc.follows, strings.Join(follows, " "))
		})
	}
}

// played passes one scrape of a source, and returns what follows.
func played(t *testing.T, p *ipamProcessor, word string) string {
	t.Helper()
	source, seconds, _ := strings.Cut(word, "@")
	source, gone := strings.CutPrefix(source, "-")
	after, err := time.ParseDuration(seconds + "s")
	require.NoError(t, err)
	at := pcommon.NewTimestampFromTime(epoch.Add(after))
	uses := map[string]float64{"a": 1, "b": 2, "exact": 3, "?": 3}[source]
	points := derived(pass(t, p, func(md pmetric.Metrics) {
		service := calicometric.JobKubeControllers
		instance := source
		if source == "exact" || source == "?" {
			service, instance = calicometric.JobIPAM, "exact"
		}
		metrics := lab{cluster: "c1", instance: instance}.resource(md, service).ScopeMetrics().AppendEmpty().Metrics()
		for name, value := range map[string]float64{calicometric.IPPoolSize: 256, calicometric.IPPoolReserved: 0, calicometric.PoolAllocated: uses} {
			point := number(gauge(metrics, name), at, value)
			point.Attributes().PutStr(calicometric.LabelIPPool, "pool-a")
			if gone || source == "?" && name == calicometric.IPPoolReserved {
				staleness.EndOf(point, at).MoveTo(point)
			}
		}
	}), calicometric.PoolUtilization)
	switch {
	case len(points) == 0:
		return "."
	case points[0].Flags().NoRecordedValue():
		return "-"
	default:
		return map[float64]string{1: "a", 2: "b", 3: "e"}[points[0].DoubleValue()*256]
	}
}
