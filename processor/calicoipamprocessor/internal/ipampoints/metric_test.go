package ipampoints

import (
	"hash/maphash"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
)

var full = nodedetail.Detail{Mode: nodedetail.Full}

func TestWhatMetricsMean(t *testing.T) {
	const part, perNode, calicos = 1, 2, 4
	for name, want := range map[string]int{
		calicometric.IPPoolSize:                part | calicos,
		calicometric.IPPoolReserved:            part | calicos,
		calicometric.AllocationsInUse:          part | calicos,
		calicometric.AllocationsBorrowed:       part | calicos,
		calicometric.Blocks:                    part | calicos,
		calicometric.AllocationsGCCandidates:   part | calicos,
		calicometric.AllocationsPerNode:        part | calicos,
		calicometric.BlocksPerNode:             part | calicos,
		calicometric.AllocationsGCReclamations: calicos,
		"ipam_":                                calicos,
		calicometric.PoolAllocated:             part,
		calicometric.PoolBlocks:                part,
		calicometric.AllocationsLent:           part,
		calicometric.NodeBlocks:                part | perNode,
		calicometric.NodeBlocksLimit:           part | perNode,
		calicometric.NodeAssignable:            part | perNode,
		calicometric.PoolInfo:                  part,
		calicometric.PoolUtilization:           0,
		calicometric.PoolAvailable:             0,
		calicometric.Nodes:                     0,
		"up":                                   0,
		"ipam":                                 0,
		"felix_ipam_blocks":                    0,
		"":                                     0,
	} {
		t.Run(name, func(t *testing.T) {
			means := MetricOf(name)
			require.Equal(t, want&part != 0, means.PartOfScrape())
			require.Equal(t, want&perNode != 0, means.PerNode())
			require.Equal(t, want&calicos != 0, IsCalicos(name))
			share, shared := means.Share()
			wanted, known := nodeshares.MetricOf(name)
			require.Equal(t, known, shared)
			require.Equal(t, wanted, share)
		})
	}
}

func TestLook(t *testing.T) {
	for name, tc := range map[string]struct {
		metrics []string
		want    Content
	}{
		"nothing":               {nil, 0},
		"other metrics":         {[]string{"up", "felix_ipam_blocks"}, 0},
		"of kube-controllers":   {[]string{"up", calicometric.AllocationsInUse}, HasScrape | HasCalicos},
		"of the datastore":      {[]string{calicometric.PoolAllocated}, HasScrape},
		"pools":                 {[]string{calicometric.PoolInfo}, HasInfo | HasScrape},
		"counters alone":        {[]string{calicometric.AllocationsGCReclamations}, HasCalicos},
		"derived":               {[]string{calicometric.PoolAvailable}, HasDerived},
		"all that there can be": {[]string{calicometric.PoolInfo, calicometric.IPPoolSize, "up", calicometric.PoolAvailable}, HasScrape | HasInfo | HasCalicos | HasDerived},
		"derived, without the number of addresses": {[]string{calicometric.PoolUtilization, calicometric.Nodes}, HasDerived},
		"ours, without meaning":                    {[]string{"calico_ipam_orphaned_allocations"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rm := pmetric.NewResourceMetrics()
			for _, metric := range tc.metrics {
				rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName(metric)
			}
			require.Equal(t, tc.want, Look(rm))
			require.Zero(t, testing.AllocsPerRun(10, func() { Look(rm) }))
		})
	}
}

func TestDerivedIsTheNewestValue(t *testing.T) {
	const available = calicometric.PoolAvailable
	for name, tc := range map[string]struct {
		rms  []pmetric.ResourceMetrics
		want pcommon.Timestamp
		ok   bool
	}{
		"nothing":            {nil, 0, false},
		"other metrics":      {[]pmetric.ResourceMetrics{resource(3, sample{calicometric.PoolAllocated, "a", "", 1.0})}, 0, false},
		"one":                {[]pmetric.ResourceMetrics{resource(3, sample{available, "a", "", 1.0})}, 3, true},
		"two":                {[]pmetric.ResourceMetrics{resource(3, sample{available, "a", "", 1.0}), resource(2, sample{available, "b", "", 1.0})}, 3, true},
		"an end is no value": {[]pmetric.ResourceMetrics{resource(2, sample{available, "a", "", 1.0}), resource(3, sample{available, "b", "", nil})}, 2, true},
		"ends alone":         {[]pmetric.ResourceMetrics{resource(3, sample{available, "a", "", nil})}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			rm := pmetric.NewResourceMetrics()
			rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName(available) // of no type
			for _, part := range tc.rms {
				part.ScopeMetrics().MoveAndAppendTo(rm.ScopeMetrics())
			}
			got, ok := Derived(rm)
			require.Equal(t, tc.ok, ok)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestPointsAreThoseOfGaugesAndSums(t *testing.T) {
	metric := pmetric.NewMetric()
	_, ok := Points(metric)
	require.False(t, ok)
	metric.SetEmptyHistogram()
	_, ok = Points(metric)
	require.False(t, ok)
	metric.SetEmptyGauge().DataPoints().AppendEmpty()
	points, ok := Points(metric)
	require.True(t, ok)
	require.Equal(t, 1, points.Len())
	metric.SetEmptySum().DataPoints().AppendEmpty()
	points, ok = Points(metric)
	require.True(t, ok)
	require.Equal(t, 1, points.Len())
}

func TestPoolOf(t *testing.T) {
	for name, tc := range map[string]struct {
		value any
		pool  bool
	}{
		"a name":               {"a", true},
		"no name":              {"", false},
		"blocks without one":   {calicometric.NoPool, false},
		"a number is no name":  {1, false},
		"the label is missing": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			point := pmetric.NewNumberDataPoint()
			if tc.value != nil {
				require.NoError(t, point.Attributes().FromRaw(map[string]any{calicometric.LabelIPPool: tc.value}))
			}
			_, ok := PoolOf(point)
			require.Equal(t, tc.pool, ok)
		})
	}
}

func TestIdentityIsThatOfTheSeries(t *testing.T) {
	of := func(s sample) uint64 { return Identity(seed, MetricOf(s.metric), s.at(1)) }
	series := sample{uses, "a", "n1", 1.0}
	require.Equal(t, of(series), of(sample{uses, "a", "n1", nil}), "of a value as of its end")
	require.Equal(t, of(series), added(roomy, false).Add(MetricOf(uses), uses, series.at(9)))

	relabelled := series.at(1)
	relabelled.Attributes().PutStr(calicometric.LabelCIDR, "10.0.0.0/24")
	require.Equal(t, of(series), Identity(seed, MetricOf(uses), relabelled), "whatever a processor adds")
	require.NotEqual(t, of(series), Identity(maphash.MakeSeed(), MetricOf(uses), series.at(1)))

	seen := make(map[uint64]sample)
	metrics := []string{
		sizes, reserves, uses, allocates, calicometric.Blocks, calicometric.AllocationsBorrowed, calicometric.AllocationsLent,
		calicometric.AllocationsGCCandidates, calicometric.AllocationsPerNode, calicometric.AllocationsBorrowedPerNode, calicometric.BlocksPerNode,
		calicometric.PoolBlocks, calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable,
	}
	for _, metric := range metrics {
		for _, first := range []string{"", "a", "b", "ab"} {
			for _, second := range []string{"", "a", "b", "ab"} {
				s := sample{metric, first, second, 1.0}
				if means := MetricOf(metric); second != "" && !means.PerNode() && !means.shared && metric != calicometric.PoolBlocks {
					require.Equal(t, of(sample{metric, first, "", 1.0}), of(s), "a label that the series are not told apart by")
					continue
				}
				require.NotContains(t, seen, of(s), "%v", s)
				seen[of(s)] = s
			}
		}
	}
}
