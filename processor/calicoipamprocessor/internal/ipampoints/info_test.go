package ipampoints

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// infoPoint appends an info point of a pool that any pod can use, with some labels set otherwise; nil leaves one out.
func infoPoint(t *testing.T, rm pmetric.ResourceMetrics, pool string, at pcommon.Timestamp, labels map[string]any) pmetric.NumberDataPoint {
	t.Helper()
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(calicometric.PoolInfo)
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(at)
	point.SetIntValue(1)
	all := map[string]any{
		calicometric.LabelIPPool:         pool,
		calicometric.LabelCIDR:           "10.0.0.0/24",
		calicometric.LabelIPFamily:       calicometric.IPv4,
		calicometric.LabelBlockSize:      26,
		calicometric.LabelState:          calicometric.PoolEnabled,
		calicometric.LabelAllowedUses:    "Tunnel,Workload",
		calicometric.LabelAssignmentMode: calicometric.AssignmentAutomatic,
	}
	maps.Copy(all, labels)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if all[key] == nil {
			continue
		}
		require.NoError(t, point.Attributes().PutEmpty(key).FromRaw(all[key]))
	}
	return point
}

func TestWhatAPoolIsFor(t *testing.T) {
	for name, tc := range map[string]struct {
		labels           map[string]any
		enabled, forPods bool
	}{
		"enabled, for workloads":        {nil, true, true},
		"for workloads alone":           {map[string]any{calicometric.LabelAllowedUses: calicometric.UseWorkload}, true, true},
		"for tunnels alone":             {map[string]any{calicometric.LabelAllowedUses: calicometric.UseTunnel}, true, false},
		"for load balancers alone":      {map[string]any{calicometric.LabelAllowedUses: calicometric.UseLoadBalancer}, true, false},
		"for a use of a similar name":   {map[string]any{calicometric.LabelAllowedUses: "WorkloadX,XWorkload"}, true, false},
		"for nothing":                   {map[string]any{calicometric.LabelAllowedUses: ""}, true, false},
		"for what is not told":          {map[string]any{calicometric.LabelAllowedUses: nil}, true, false},
		"disabled":                      {map[string]any{calicometric.LabelState: calicometric.PoolDisabled}, false, false},
		"terminating":                   {map[string]any{calicometric.LabelState: calicometric.PoolTerminating}, false, false},
		"of a state that is not told":   {map[string]any{calicometric.LabelState: nil}, false, false},
		"assigned only where asked for": {map[string]any{calicometric.LabelAssignmentMode: calicometric.AssignmentManual}, true, false},
		"of Calico before the mode":     {map[string]any{calicometric.LabelAssignmentMode: nil}, true, true},
		"of a family that is not told":  {map[string]any{calicometric.LabelIPFamily: nil}, true, false},
		"of a family that is not one":   {map[string]any{calicometric.LabelIPFamily: "ipv4"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			rm := pmetric.NewResourceMetrics()
			infoPoint(t, rm, "a", 1, tc.labels)
			var batch InfoBatch
			batch.Read(rm)
			require.Len(t, batch.Pools, 1)
			require.Equal(t, tc.enabled, batch.Pools[0].Enabled)
			require.Equal(t, tc.forPods, batch.Pools[0].ForPods)
		})
	}
}

func TestBlocksOfAPool(t *testing.T) {
	const v4, v6 = "10.0.0.0/16", "fd00::/48"
	for name, tc := range map[string]struct {
		cidr, size any
		want       int // the power of two; -1 is unknown
	}{
		"a number":                          {v4, 26, 10},
		"a number as text":                  {v4, "26", 10},
		"of IPv6":                           {v6, 122, 74},
		"of IPv6, as text":                  {v6, "122", 74},
		"one block is all":                  {v4, 16, 0},
		"a block an address":                {v4, 32, 16},
		"of all addresses":                  {"::/0", 128, 128},
		"larger than the pool":              {v4, 15, -1},
		"smaller than an address":           {v4, 33, -1},
		"smaller than one of IPv6":          {v6, 129, -1},
		"much smaller":                      {v6, 200, -1},
		"much smaller, as text":             {v6, "200", -1},
		"beyond all bounds":                 {v6, int64(1) << 40, -1},
		"beyond all bounds, as text":        {v6, "1099511627776", -1},
		"negative":                          {v4, -26, -1},
		"negative, as text":                 {v4, "-26", -1},
		"a float":                           {v4, 26.0, -1},
		"other text":                        {v4, "/26", -1},
		"no text":                           {v4, "", -1},
		"not told":                          {v4, nil, -1},
		"not told, of all addresses":        {"0.0.0.0/0", nil, -1},
		"of a range that is not told":       {nil, 26, -1},
		"of a range that cannot be read":    {"10.0.0.0", 26, -1},
		"of a range that is not on the bit": {"10.0.0.7/16", 26, 10},
	} {
		t.Run(name, func(t *testing.T) {
			rm := pmetric.NewResourceMetrics()
			infoPoint(t, rm, "a", 1, map[string]any{calicometric.LabelCIDR: tc.cidr, calicometric.LabelBlockSize: tc.size})
			var batch InfoBatch
			batch.Read(rm)
			require.Len(t, batch.Pools, 1)
			var want addresses.Count
			if tc.want >= 0 {
				want = addresses.Power(tc.want)
			}
			require.Equal(t, want, batch.Pools[0].Blocks())
		})
	}
}

func TestReadTakesTheNewestInfo(t *testing.T) {
	rm := pmetric.NewResourceMetrics()
	infoPoint(t, rm, "older", 1, nil)
	infoPoint(t, rm, "a", 2, nil)
	infoPoint(t, rm, "late", 1, nil)
	infoPoint(t, rm, "b", 2, map[string]any{
		calicometric.LabelCIDR: "fd00::/48", calicometric.LabelIPFamily: calicometric.IPv6, calicometric.LabelBlockSize: "122",
	})
	infoPoint(t, rm, "gone", 2, nil).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	infoPoint(t, rm, calicometric.NoPool, 2, nil)
	rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName(calicometric.PoolInfo) // of no type
	other := infoPoint(t, rm, "other", 3, nil)
	require.EqualValues(t, 3, other.Timestamp())
	rm.ScopeMetrics().At(rm.ScopeMetrics().Len() - 1).Metrics().At(0).SetName("other")
	var batch InfoBatch
	batch.Read(rm)
	require.False(t, batch.Empty)
	require.EqualValues(t, 2, batch.Timestamp)
	require.Equal(t, []Info{
		{Pool: "a", CIDR: "10.0.0.0/24", Family: calicometric.IPv4, BlockSize: 26, Enabled: true, ForPods: true},
		{Pool: "b", CIDR: "fd00::/48", Family: calicometric.IPv6, BlockSize: 122, Enabled: true, ForPods: true},
	}, batch.Pools)

	batch.Read(pmetric.NewResourceMetrics())
	require.True(t, batch.Empty)
	require.Empty(t, batch.Pools)
}

func TestMarkersAloneSayThatThereIsNoPool(t *testing.T) {
	rm := pmetric.NewResourceMetrics()
	infoPoint(t, rm, "a", 3, nil).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	var batch InfoBatch
	batch.Read(rm)
	require.False(t, batch.Empty)
	require.EqualValues(t, 3, batch.Timestamp)
	require.Empty(t, batch.Pools)
}
