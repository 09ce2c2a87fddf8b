package enrich

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

// scraped are points of one metric, one a word: "p/a=5" is the value of node a in pool p, and "p/a=end" the end of its series.
func scraped(name string, at pcommon.Timestamp, words string) pmetric.ResourceMetrics {
	rm := pmetric.NewResourceMetrics()
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	var points pmetric.NumberDataPointSlice
	if name == calicometric.AllocationsGCReclamations {
		metric.SetEmptySum().SetIsMonotonic(true)
		metric.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		points = metric.Sum().DataPoints()
	} else {
		points = metric.SetEmptyGauge().DataPoints()
	}
	for word := range strings.FieldsSeq(words) {
		series, value, _ := strings.Cut(word, "=")
		pool, node, _ := strings.Cut(series, "/")
		point := points.AppendEmpty()
		point.SetTimestamp(at)
		point.Attributes().PutStr(calicometric.LabelIPPool, pool)
		if node != "" {
			point.Attributes().PutStr(calicometric.LabelNode, node)
		}
		if value == "end" {
			point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
			continue
		}
		var number float64
		if _, err := fmt.Sscan(value, &number); err != nil {
			panic(err)
		}
		point.SetDoubleValue(number)
	}
	return rm
}

// told is each point of a resource in the words of scraped, with the labels that were added and its time, as in "p/a=5{10.0.0.0/24,IPv4}@1".
func told(t require.TestingT, rm pmetric.ResourceMetrics) []string {
	var words []string
	for _, scope := range rm.ScopeMetrics().All() {
		for _, metric := range scope.Metrics().All() {
			points, ok := ipampoints.Points(metric)
			require.True(t, ok)
			for _, point := range points.All() {
				labels := point.Attributes().AsRaw()
				word := fmt.Sprint(labels[calicometric.LabelIPPool])
				if node, ok := labels[calicometric.LabelNode]; ok {
					word += fmt.Sprint("/", node)
				}
				if ipampoints.IsMarker(point) {
					word += "=end"
				} else {
					word += fmt.Sprint("=", point.DoubleValue())
				}
				cidr, labelled := labels[calicometric.LabelCIDR]
				family, familied := labels[calicometric.LabelIPFamily]
				switch {
				case labelled && familied:
					word += fmt.Sprintf("{%s,%s}", cidr, family)
				case labelled:
					word += fmt.Sprintf("{%s}", cidr)
				case familied:
					word += fmt.Sprintf("{%s}", family)
				}
				words = append(words, fmt.Sprintf("%s@%d", word, point.Timestamp()))
			}
		}
	}
	return words
}

// cluster knows pools, one a word: "p=10.0.0.0/24" is pool p.
func cluster(words string) *poolinfo.Cluster {
	batch := ipampoints.InfoBatch{Timestamp: 1}
	for word := range strings.FieldsSeq(words) {
		name, cidr, _ := strings.Cut(word, "=")
		d := ipampoints.Described{Pool: name, CIDR: cidr, Family: calicometric.IPv4}
		if strings.Contains(cidr, ":") {
			d.Family = calicometric.IPv6
		}
		batch.Pools = append(batch.Pools, d.Info())
	}
	store := poolinfo.NewStore(1, 99, selection.Selection{}, nil)
	store.Update("", &batch)
	return store.Cluster("", 0)
}

// labelsNow are those of a pool's points of now, none where it is not remembered.
func labelsNow(source *Source, pool string) Labels {
	for i := range source.pools {
		if source.pools[i].name == pool {
			return source.pools[i].now
		}
	}
	return Labels{}
}

func TestPoints(t *testing.T) {
	const (
		known   = "p=10.0.0.0/24 q=fd00::/48"
		changed = "p=10.9.0.0/24 q=fd00::/48"
		p, p9   = "{10.0.0.0/24,IPv4}", "{10.9.0.0/24,IPv4}"
		q       = "{fd00::/48,IPv6}"
	)
	// step is a piece of a scrape, with what is known when it comes.
	type step struct {
		known string // empty is nothing
		at    pcommon.Timestamp
		piece string
		want  []string
	}
	for name, steps := range map[string][]step{
		"points of known pools are labelled": {
			{known, 1, "p/a=5 q/a=7 p/b=0", []string{"p/a=5" + p + "@1", "q/a=7" + q + "@1", "p/b=0" + p + "@1"}},
			{known, 2, "p/a=6 q/a=7 p/b=0", []string{"p/a=6" + p + "@2", "q/a=7" + q + "@2", "p/b=0" + p + "@2"}},
		},
		"points of unknown pools stay as they are": {
			{known, 1, "r/a=5 p/a=5", []string{"r/a=5@1", "p/a=5" + p + "@1"}},
			{"", 2, "r/a=5", []string{"r/a=5@2"}},
		},
		"points of no pool stay as they are": {
			{known, 1, "no_ippool/a=5 /a=5", []string{"no_ippool/a=5@1", "/a=5@1"}},
		},
		"points without a node are labelled": {
			{known, 1, "p=256", []string{"p=256" + p + "@1"}},
		},
		"markers are labelled like the series they end": {
			{known, 1, "p/a=5", []string{"p/a=5" + p + "@1"}},
			{known, 2, "p/a=end", []string{"p/a=end" + p + "@2"}},
		},
		"markers of the first scrape are labelled": {
			{known, 1, "p/a=end", []string{"p/a=end" + p + "@1"}},
		},
		"a pool that becomes known ends the old series of each point once": {
			{"", 1, "p/a=5 p/b=6", []string{"p/a=5@1", "p/b=6@1"}},
			{known, 2, "p/a=5 p/b=6", []string{"p/a=5" + p + "@2", "p/b=6" + p + "@2", "p/a=end@2", "p/b=end@2"}},
			{known, 3, "p/a=5 p/b=6", []string{"p/a=5" + p + "@3", "p/b=6" + p + "@3"}},
		},
		"also where that scrape comes in two pieces": {
			{"", 1, "p/a=5 p/b=6", []string{"p/a=5@1", "p/b=6@1"}},
			{known, 2, "p/a=5", []string{"p/a=5" + p + "@2", "p/a=end@2"}},
			{known, 2, "p/b=6", []string{"p/b=6" + p + "@2", "p/b=end@2"}},
			{known, 3, "p/a=5", []string{"p/a=5" + p + "@3"}},
		},
		"what becomes known within a scrape counts from the next on": {
			{"", 1, "p/a=5", []string{"p/a=5@1"}},
			{known, 1, "p/b=6", []string{"p/b=6@1"}},
			{known, 2, "p/a=5 p/b=6", []string{"p/a=5" + p + "@2", "p/b=6" + p + "@2", "p/a=end@2", "p/b=end@2"}},
		},
		"but for pools that the scrape had not named yet": {
			{"", 1, "p/a=5", []string{"p/a=5@1"}},
			{known, 1, "q/a=6", []string{"q/a=6" + q + "@1"}},
		},
		"a changed range ends the series of the old one": {
			{known, 1, "p/a=5 q/a=1", []string{"p/a=5" + p + "@1", "q/a=1" + q + "@1"}},
			{changed, 2, "p/a=5 q/a=1", []string{"p/a=5" + p9 + "@2", "q/a=1" + q + "@2", "p/a=end" + p + "@2"}},
			{changed, 3, "p/a=5", []string{"p/a=5" + p9 + "@3"}},
			{known, 4, "p/a=5", []string{"p/a=5" + p + "@4", "p/a=end" + p9 + "@4"}},
		},
		"a range that is not told any more ends the series of the old one": {
			{known, 1, "p/a=5", []string{"p/a=5" + p + "@1"}},
			{"p=", 2, "p/a=5", []string{"p/a=5{IPv4}@2", "p/a=end" + p + "@2"}},
		},
		"a pool that is forgotten keeps its labels, and its markers end the right series": {
			{known, 1, "p/a=5 p/b=5", []string{"p/a=5" + p + "@1", "p/b=5" + p + "@1"}},
			{"q=fd00::/48", 2, "p/a=5 p/b=end", []string{"p/a=5" + p + "@2", "p/b=end" + p + "@2"}},
			{"", 3, "p/a=end", []string{"p/a=end" + p + "@3"}},
		},
		"a pool that is forgotten and comes back with the same labels has not changed": {
			{known, 1, "p/a=5", []string{"p/a=5" + p + "@1"}},
			{"", 2, "p/a=5", []string{"p/a=5" + p + "@2"}},
			{known, 3, "p/a=5", []string{"p/a=5" + p + "@3"}},
		},
		"a marker in the scrape of the change ends the old series": {
			{"", 1, "p/a=5 p/b=6", []string{"p/a=5@1", "p/b=6@1"}},
			{known, 2, "p/a=5 p/b=end", []string{"p/a=5" + p + "@2", "p/b=end@2", "p/a=end@2"}},
			{changed, 3, "p/a=end", []string{"p/a=end" + p + "@3"}},
		},
		"points of an older scrape get the older labels": {
			{"", 1, "p/a=5", []string{"p/a=5@1"}},
			{known, 3, "p/a=5", []string{"p/a=5" + p + "@3", "p/a=end@3"}},
			{known, 2, "p/a=5 p/b=end", []string{"p/a=5@2", "p/b=end@2"}},
			{known, 3, "p/b=5", []string{"p/b=5" + p + "@3", "p/b=end@3"}},
			{known, 4, "p/a=5", []string{"p/a=5" + p + "@4"}},
			{known, 3, "p/c=5", []string{"p/c=5" + p + "@3", "p/c=end@3"}},
		},
		"points of an older scrape do not look at what is known": {
			{known, 3, "p/a=5", []string{"p/a=5" + p + "@3"}},
			{changed, 2, "p/a=5", []string{"p/a=5" + p + "@2"}},
			{changed, 4, "p/a=5", []string{"p/a=5" + p9 + "@4", "p/a=end" + p + "@4"}},
		},
	} {
		for _, metric := range []string{calicometric.AllocationsInUse, calicometric.AllocationsGCReclamations, "ipam_of_tomorrow"} {
			t.Run(name+" of "+metric, func(t *testing.T) {
				var source Source
				for i, s := range steps {
					var knows *poolinfo.Cluster
					if s.known != "" {
						knows = cluster(s.known)
					}
					rm := scraped(metric, s.at, s.piece)
					source.Points(rm, knows, 9)
					require.Equal(t, s.want, told(t, rm), "step %d", i)
				}
			})
		}
	}
}

func TestWhatIsOursStaysAsItIs(t *testing.T) {
	for _, name := range []string{calicometric.PoolAllocated, calicometric.AllocationsLent, calicometric.PoolInfo, calicometric.PoolAvailable, "up"} {
		t.Run(name, func(t *testing.T) {
			var source Source
			rm := scraped(name, 1, "p/a=5")
			source.Points(rm, cluster("p=10.0.0.0/24"), 9)
			require.Equal(t, []string{"p/a=5@1"}, told(t, rm))
			require.Zero(t, labelsNow(&source, "p"))
		})
	}
}

func TestAPointThatHasARangeStaysAsItIs(t *testing.T) {
	var source Source
	rm := scraped(calicometric.AllocationsInUse, 1, "p/a=5 p/b=5")
	point := rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0)
	point.Attributes().PutStr(calicometric.LabelCIDR, "10.7.0.0/24")
	source.Points(rm, cluster("p=10.0.0.0/24"), 9)
	require.Equal(t, []string{"p/a=5{10.7.0.0/24}@1", "p/b=5{10.0.0.0/24,IPv4}@1"}, told(t, rm))
}

func TestMetricsWithoutPointsAreLeftAlone(t *testing.T) {
	var source Source
	rm := pmetric.NewResourceMetrics()
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	metrics.AppendEmpty().SetName(calicometric.AllocationsInUse)
	metrics.AppendEmpty().SetName(calicometric.AllocationsInUse)
	metrics.At(1).SetEmptyHistogram().DataPoints().AppendEmpty().Attributes().PutStr(calicometric.LabelIPPool, "p")
	source.Points(rm, cluster("p=10.0.0.0/24"), 9)
	require.Equal(t, 1, metrics.At(1).Histogram().DataPoints().At(0).Attributes().Len())
}

func TestPoolsBeyondTheBoundStayAsTheyAre(t *testing.T) {
	var source Source
	knows := cluster("o=10.3.0.0/24 p=10.0.0.0/24 q=10.1.0.0/24 r=10.2.0.0/24")
	rm := scraped(calicometric.AllocationsInUse, 1, "q/a=1 r/a=1 p/a=1 p/b=1 o/a=1 q/b=1")
	source.Points(rm, knows, 2)
	require.Equal(t, []string{
		"q/a=1{10.1.0.0/24,IPv4}@1", "r/a=1{10.2.0.0/24,IPv4}@1", "p/a=1@1", "p/b=1@1", "o/a=1@1", "q/b=1{10.1.0.0/24,IPv4}@1",
	}, told(t, rm))
	require.Zero(t, labelsNow(&source, "p"))
	require.Equal(t, Labels{CIDR: "10.2.0.0/24", Family: calicometric.IPv4}, labelsNow(&source, "r"))
}

func TestASumIsEndedAsASum(t *testing.T) {
	var source Source
	source.Points(scraped(calicometric.AllocationsGCReclamations, 1, "p/a=5"), nil, 9)
	rm := scraped(calicometric.AllocationsGCReclamations, 2, "p/a=5")
	source.Points(rm, cluster("p=10.0.0.0/24"), 9)
	sum := rm.ScopeMetrics().At(0).Metrics().At(0).Sum()
	require.True(t, sum.IsMonotonic())
	require.Equal(t, pmetric.AggregationTemporalityCumulative, sum.AggregationTemporality())
	require.Equal(t, 2, sum.DataPoints().Len())
	require.Equal(t, pmetric.NumberDataPointValueTypeEmpty, sum.DataPoints().At(1).ValueType())
}
