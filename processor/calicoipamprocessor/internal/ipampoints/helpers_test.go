package ipampoints

import (
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// sample is one point of a test scrape. first and second are the labels that tell its series apart, as in Metric.labels; an empty one is missing.
// A nil value is a staleness marker, a string is no value at all.
type sample struct {
	metric, first, second string
	value                 any
}

// at makes a point of a sample.
func (s sample) at(timestamp pcommon.Timestamp) pmetric.NumberDataPoint {
	point := pmetric.NewNumberDataPoint()
	point.SetTimestamp(timestamp)
	first, second := calicometric.LabelIPPool, calicometric.LabelNode
	switch s.metric {
	case calicometric.PoolBlocks:
		second = calicometric.LabelState
	case calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable:
		first = calicometric.LabelIPFamily
	}
	if s.first != "" {
		point.Attributes().PutStr(first, s.first)
	}
	if s.second != "" {
		point.Attributes().PutStr(second, s.second)
	}
	switch value := s.value.(type) {
	case nil:
		point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	case int:
		point.SetIntValue(int64(value))
	case float64:
		point.SetDoubleValue(value)
	}
	return point
}

var seed = maphash.MakeSeed()

var roomy = Limits{Pools: 100, Series: 1000}

// added returns a scrape that has taken in samples.
func added(limits Limits, exact bool, samples ...sample) *Scrape {
	scrape := NewScrape(limits, seed, true)
	scrape.Reset(7, exact)
	add(scrape, samples...)
	return scrape
}

func add(scrape *Scrape, samples ...sample) {
	for _, s := range samples {
		scrape.Add(MetricOf(s.metric), s.metric, s.at(7))
	}
}

// pool returns what a scrape says of a pool, nothing where it does not name it.
func pool(scrape *Scrape, name string) *Pool {
	for i := range scrape.Pools {
		if scrape.Pools[i].Name == name {
			return &scrape.Pools[i]
		}
	}
	return &Pool{Name: name}
}

// resource holds samples, each as a metric of its own.
func resource(timestamp pcommon.Timestamp, samples ...sample) pmetric.ResourceMetrics {
	rm := pmetric.NewResourceMetrics()
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for _, s := range samples {
		metric := metrics.AppendEmpty()
		metric.SetName(s.metric)
		s.at(timestamp).CopyTo(metric.SetEmptyGauge().DataPoints().AppendEmpty())
	}
	return rm
}

// told is all that a scrape says, but for the order in which it says it.
type told struct {
	pools         map[string]string
	nodes         map[string]int
	values, ended int
	conflicts     int
	state         State
}

func tell(s *Scrape) told {
	all := told{
		pools: make(map[string]string), nodes: make(map[string]int), values: s.Values, ended: s.Ended, conflicts: s.Conflicts, state: s.State(),
	}
	for i := range s.Pools {
		count, counted := s.Count(&s.Pools[i])
		claimed, claimable, known := s.Blocks(&s.Pools[i])
		all.pools[s.Pools[i].Name] = fmt.Sprint(count, counted, claimed, claimable, known)
	}
	for i := range s.Nodes {
		state, known := s.Nodes[i].State()
		all.nodes[fmt.Sprint(s.Nodes[i].Family, state, known)]++
	}
	return all
}

func exactly(t *testing.T, f float64) addresses.Count {
	t.Helper()
	count, ok := addresses.FromFloat(f)
	require.True(t, ok)
	return count
}
