package ipampoints

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// infoPoint appends an info point of a pool that any pod can use, with some labels set otherwise.
func infoPoint(rm pmetric.ResourceMetrics, pool string, at pcommon.Timestamp, labels map[string]string) pmetric.NumberDataPoint {
	metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(calicometric.PoolInfo)
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(at)
	point.SetIntValue(1)
	all := map[string]string{
		calicometric.LabelIPPool:         pool,
		calicometric.LabelCIDR:           "10.0.0.0/24",
		calicometric.LabelIPFamily:       calicometric.IPv4,
		calicometric.LabelState:          calicometric.PoolEnabled,
		calicometric.LabelAllowedUses:    "Tunnel,Workload",
		calicometric.LabelAssignmentMode: "Automatic",
	}
	maps.Copy(all, labels)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		point.Attributes().PutStr(key, all[key])
	}
	return point
}

func TestForPods(t *testing.T) {
	for name, tc := range map[string]struct {
		labels  map[string]string
		forPods bool
	}{
		"enabled, for workloads":        {nil, true},
		"for workloads alone":           {map[string]string{calicometric.LabelAllowedUses: calicometric.UseWorkload}, true},
		"for tunnels alone":             {map[string]string{calicometric.LabelAllowedUses: calicometric.UseTunnel}, false},
		"for load balancers alone":      {map[string]string{calicometric.LabelAllowedUses: calicometric.UseLoadBalancer}, false},
		"for a use of a similar name":   {map[string]string{calicometric.LabelAllowedUses: "WorkloadX,XWorkload"}, false},
		"for nothing":                   {map[string]string{calicometric.LabelAllowedUses: ""}, false},
		"disabled":                      {map[string]string{calicometric.LabelState: calicometric.PoolDisabled}, false},
		"terminating":                   {map[string]string{calicometric.LabelState: calicometric.PoolTerminating}, false},
		"of a state that is not told":   {map[string]string{calicometric.LabelState: ""}, false},
		"assigned only where asked for": {map[string]string{calicometric.LabelAssignmentMode: "Manual"}, false},
		"of Calico before the mode":     {map[string]string{calicometric.LabelAssignmentMode: ""}, true},
		"of a family that is not told":  {map[string]string{calicometric.LabelIPFamily: ""}, false},
		"of a family that is not one":   {map[string]string{calicometric.LabelIPFamily: "ipv4"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			rm := pmetric.NewResourceMetrics()
			infoPoint(rm, "a", 1, tc.labels)
			var batch InfoBatch
			batch.Read(rm)
			require.Len(t, batch.Pools, 1)
			require.Equal(t, tc.forPods, batch.Pools[0].ForPods)
		})
	}
}

func TestReadTakesTheNewestInfo(t *testing.T) {
	rm := pmetric.NewResourceMetrics()
	infoPoint(rm, "older", 1, nil)
	infoPoint(rm, "a", 2, nil)
	infoPoint(rm, "late", 1, nil)
	infoPoint(rm, "b", 2, map[string]string{calicometric.LabelCIDR: "fd00::/48", calicometric.LabelIPFamily: calicometric.IPv6})
	infoPoint(rm, "gone", 2, nil).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	infoPoint(rm, calicometric.NoPool, 2, nil)
	var batch InfoBatch
	batch.Read(rm)
	require.False(t, batch.Empty)
	require.EqualValues(t, 2, batch.Timestamp)
	require.Equal(t, []Info{
		{Pool: "a", CIDR: "10.0.0.0/24", Family: calicometric.IPv4, ForPods: true},
		{Pool: "b", CIDR: "fd00::/48", Family: calicometric.IPv6, ForPods: true},
	}, batch.Pools)

	batch.Read(pmetric.NewResourceMetrics())
	require.True(t, batch.Empty)
	require.Empty(t, batch.Pools)
}
