package calicoipamprocessor

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// FuzzBatches makes two batches of bytes and passes them through processors: points with and without labels, of any value and type, in any order.
// Whatever comes, nothing panics, what is derived is within its bounds, and no series goes back in time.
func FuzzBatches(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, change := range []func(*Config){
			func(*Config) {},
			func(c *Config) { c.Detail.Top = 1 },
			func(c *Config) { c.SettleTime, c.Detail.Mode = maxSettleTime, nodedetail.None },
		} {
			p, sink := started(t, change)
			for _, program := range [][]byte{first, second} {
				require.NoError(t, p.ConsumeMetrics(t.Context(), built(program)))
			}
			require.NoError(t, p.Shutdown(t.Context()))
			last := make(map[string]pcommon.Timestamp)
			for _, name := range []string{calicometric.PoolUtilization, calicometric.PoolBlockUtilization, calicometric.ClusterUtilization} {
				for _, point := range all(sink, name) {
					require.GreaterOrEqual(t, point.DoubleValue(), 0.0)
					require.LessOrEqual(t, point.DoubleValue(), 1.0)
				}
			}
			for _, point := range all(sink, calicometric.PoolAvailable) {
				require.GreaterOrEqual(t, point.DoubleValue(), 0.0)
				require.LessOrEqual(t, point.DoubleValue(), 0x1p128)
				_, named := point.Attributes().Get(calicometric.LabelIPPool)
				require.True(t, named)
			}
			for _, md := range sink.AllMetrics() {
				for _, rm := range md.ResourceMetrics().All() {
					requireNoStepBack(t, rm, last)
				}
			}
		}
	})
}

// requireNoStepBack checks that what is derived in a resource is newer than what was derived before under the same name.
func requireNoStepBack(t *testing.T, rm pmetric.ResourceMetrics, last map[string]pcommon.Timestamp) {
	t.Helper()
	for _, scope := range rm.ScopeMetrics().All() {
		if scope.Scope().Name() != metadata.ScopeName {
			continue
		}
		now := make(map[string]pcommon.Timestamp)
		for _, metric := range scope.Metrics().All() {
			for _, point := range metric.Gauge().DataPoints().All() {
				series := fmt.Sprint(rm.Resource().Attributes().AsRaw(), metric.Name(), point.Attributes().AsRaw())
				before, found := last[series]
				require.False(t, found && point.Timestamp() <= before, series)
				now[series] = point.Timestamp()
			}
		}
		maps.Copy(last, now)
	}
}

// fuzzSeeds are pairs of batches, of five bytes a point as built reads them.
var fuzzSeeds = [][2][]byte{
	// Size 256 and use 1 of pool a, twice.
	{{0, 0, 2, 1, 0, 2, 0, 1, 1, 0}, {0, 0, 2, 2, 0, 2, 0, 1, 2, 0}},
	// Info of pool a in a resource of its own before size 2^80 and use 32, then markers of both.
	{{3, 0, 1, 1, 0, 0, 0, 7, 1, 16, 2, 0, 3, 1, 0}, {0, 0, 0, 2, 8, 2, 0, 0, 2, 8, 3, 0, 0, 2, 8}},
	// Size 0.5, use NaN of pool a; size 2^128, reserved infinite, use 2^127 of pool b; a size without a pool; a histogram.
	{{0, 0, 12, 1, 0, 2, 0, 13, 1, 0, 0, 1, 9, 1, 0, 1, 1, 14, 1, 0, 2, 1, 8, 1, 0}, {0, 0, 2, 1, 64, 0, 0, 2, 1, 3}},
	{{}, {1}},
}

func TestFuzzSeedsReachTheComputation(t *testing.T) {
	p, sink := started(t)
	require.Len(t, derived(consume(t, p, sink, built(fuzzSeeds[0][0])), calicometric.PoolUtilization), 1)
	p, sink = started(t)
	require.Len(t, derived(consume(t, p, sink, built(fuzzSeeds[1][0])), calicometric.ClusterUtilization), 1)
	require.Len(t, derived(consume(t, p, sink, built(fuzzSeeds[1][1])), calicometric.ClusterUtilization), 1)
}

var fuzzValues = []float64{
	0, 1, 256, 32, 0x1p32, 0x1p33, 0x1p64, 0x1p80, 0x1p127, 0x1p128, 0x1p129, -1, 0.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64,
}

// built reads five bytes a point: metric, pool, value, timestamp, and bits for type and shape.
func built(program []byte) pmetric.Metrics {
	md := pmetric.NewMetrics()
	names := []string{
		calicometric.IPPoolSize, calicometric.IPPoolReserved, calicometric.AllocationsInUse, calicometric.PoolInfo, "up", "",
		calicometric.Blocks, calicometric.AllocationsGCCandidates, calicometric.AllocationsPerNode, calicometric.AllocationsGCReclamations,
		calicometric.PoolAllocated, calicometric.PoolBlocks, calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable,
	}
	pools := []string{"a", "b", "c", calicometric.NoPool, ""}
	for ; len(program) >= 5; program = program[5:] {
		name, pool, value := program[0], program[1], fuzzValues[int(program[2])%len(fuzzValues)]
		timestamp, shape := pcommon.Timestamp(program[3]%4), program[4]
		var rm pmetric.ResourceMetrics
		if last := md.ResourceMetrics().Len() - 1; last >= 0 && shape&16 == 0 {
			rm = md.ResourceMetrics().At(last)
		} else {
			rm = md.ResourceMetrics().AppendEmpty()
			if shape&32 == 0 {
				rm.Resource().Attributes().PutStr(calicometric.AttrClusterUID, "c1")
			} else {
				rm.Resource().Attributes().PutInt(calicometric.AttrClusterUID, 1)
			}
		}
		metric := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		metric.SetName(names[int(name)%len(names)])
		var points pmetric.NumberDataPointSlice
		switch shape & 3 {
		case 0, 1:
			points = metric.SetEmptyGauge().DataPoints()
		case 2:
			points = metric.SetEmptySum().DataPoints()
		default:
			metric.SetEmptyHistogram().DataPoints().AppendEmpty().SetTimestamp(timestamp)
			continue
		}
		point := points.AppendEmpty()
		point.SetTimestamp(timestamp)
		switch {
		case shape&8 != 0:
			point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		case shape&4 != 0:
			point.SetIntValue(int64(program[2]) - 16)
		case shape&128 == 0:
			point.SetDoubleValue(value)
		}
		if shape&64 != 0 {
			point.Attributes().PutInt(calicometric.LabelIPPool, 1)
			continue
		}
		point.Attributes().PutStr(calicometric.LabelIPPool, pools[int(pool)%len(pools)])
		point.Attributes().PutStr(calicometric.LabelNode, "node-1")
		switch metric.Name() {
		case calicometric.PoolBlocks:
			states := []string{calicometric.BlocksUsed, calicometric.BlocksEmpty, calicometric.BlocksUnclaimed, calicometric.BlocksReserved}
			point.Attributes().PutStr(calicometric.LabelState, states[int(program[3])%len(states)])
		case calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable:
			point.Attributes().PutStr(calicometric.LabelIPFamily, calicometric.IPv4)
		case calicometric.PoolInfo:
			point.Attributes().PutStr(calicometric.LabelIPFamily, []string{calicometric.IPv4, calicometric.IPv6, "IPv5"}[int(program[2])%3])
			point.Attributes().PutStr(calicometric.LabelState, calicometric.PoolEnabled)
			point.Attributes().PutStr(calicometric.LabelAllowedUses, calicometric.UseWorkload)
		}
	}
	return md
}
