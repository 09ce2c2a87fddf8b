package calicoipamprocessor

import (
	"context"
	"math"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

func TestSourcesBeyondTheBoundForgetTheLeastRecentlySeen(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	p := unit(zap.New(core), limits{clusters: 4, pools: 4, sources: 2})
	scrape := func(instance string, timestamp pcommon.Timestamp) int {
		return len(derived(pass(t, p, func(md pmetric.Metrics) {
			lab{instance: instance, pools: 1, nodes: 1}.scrape(md, timestamp)
		}), calicometric.PoolAvailable))
	}
	require.Equal(t, 1, scrape("a", 10))
	require.Equal(t, 1, scrape("b", 10))
	require.Equal(t, 1, scrape("a", 20))
	require.Equal(t, 2, p.sources.Len())
	require.Zero(t, logs.Len())

	require.Equal(t, 1, scrape("c", 10))
	require.Equal(t, 2, p.sources.Len())
	require.Equal(t, 1, logs.Len())
	require.Zero(t, scrape("a", 20), "a was seen after b, so it must be remembered")
	require.Equal(t, 1, scrape("b", 10), "b was forgotten, so its scrape is new")
}

func TestClustersBeyondTheBoundForgetTheLeastRecentlySeen(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	p := unit(zap.New(core), limits{clusters: 1, pools: 4, sources: 4})
	first, second := lab{cluster: "1", pools: 1, nodes: 1}, lab{cluster: "2", pools: 1, nodes: 1}
	pass(t, p, func(md pmetric.Metrics) { first.info(md, 10) })
	require.Zero(t, logs.Len())
	pass(t, p, func(md pmetric.Metrics) { second.info(md, 10) })
	require.Equal(t, 1, logs.Len())

	out := pass(t, p, func(md pmetric.Metrics) { first.scrape(md, 10); second.scrape(md, 10) })
	require.Len(t, derived(out, calicometric.ClusterUtilization), 1)
	_, known := derived(out, calicometric.PoolAvailable)[0].Attributes().Get(calicometric.LabelCIDR)
	require.False(t, known)
}

func TestPoolsBeyondTheBoundMakeTheClusterRatioUnknown(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	p := unit(zap.New(core), limits{clusters: 4, pools: 2, sources: 4})
	fits, tooMany := lab{pools: 2, nodes: 3}, lab{pools: 3, nodes: 3}

	out := pass(t, p, func(md pmetric.Metrics) { fits.info(md, 10); fits.scrape(md, 10) })
	require.Len(t, derived(out, calicometric.ClusterUtilization), 1)
	require.Zero(t, logs.Len())

	out = pass(t, p, func(md pmetric.Metrics) { tooMany.info(md, 20); fits.scrape(md, 20) })
	ended := derived(out, calicometric.ClusterUtilization)
	require.Len(t, ended, 1)
	require.True(t, ended[0].Flags().NoRecordedValue())
	require.Len(t, logs.FilterMessageSnippet("remembers").All(), 1)

	out = pass(t, p, func(md pmetric.Metrics) { fits.info(md, 30); tooMany.scrape(md, 30) })
	require.Len(t, derived(out, calicometric.PoolAvailable), 2)
	require.Len(t, logs.FilterMessageSnippet("in a scrape").All(), 1)
}

func TestStateOfAVanishedTargetIsFreed(t *testing.T) {
	p := unit(zap.NewNop(), defaultLimits)
	pass(t, p, func(md pmetric.Metrics) { lab{pools: 2, nodes: 1}.scrape(md, 10) })
	require.Equal(t, 1, p.sources.Len())
	out := pass(t, p, func(md pmetric.Metrics) {
		lab{pools: 2, nodes: 1}.scrape(md, 20)
		eachPoint(md, func(point pmetric.NumberDataPoint) {
			point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		})
	})
	require.Len(t, derived(out, calicometric.PoolAvailable), 2)
	require.Zero(t, p.sources.Len())
}

func TestUnreadableValuesAreLoggedOnceAMetricAndCounted(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	p := unit(zap.New(core), defaultLimits)
	for timestamp := range pcommon.Timestamp(5) {
		out := pass(t, p, func(md pmetric.Metrics) {
			lab{pools: 1, nodes: 2}.scrape(md, timestamp+1)
			eachPoint(md, func(point pmetric.NumberDataPoint) { point.SetDoubleValue(math.NaN()) })
		})
		require.Empty(t, derived(out, calicometric.PoolAvailable))
	}
	// After 1, 2 and 4 points, and after 2, 4 and 8.
	sizes := logs.FilterField(zap.String("metric", calicometric.IPPoolSize)).All()
	require.Len(t, sizes, 3)
	require.EqualValues(t, 4, sizes[2].ContextMap()["points"])
	inUse := logs.FilterField(zap.String("metric", calicometric.AllocationsInUse)).All()
	require.Len(t, inUse, 3)
	require.EqualValues(t, 8, inUse[2].ContextMap()["points"])
}

func TestForeignMetricsCostNoAllocation(t *testing.T) {
	p := unit(zap.NewNop(), defaultLimits)
	md := foreign(10, 100)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = p.process(t.Context(), md) }))
}

// TestTheLockIsNotHeldWhileTheNextConsumerRuns feeds the processor from within the next consumer: with the lock held it would wait for ever.
func TestTheLockIsNotHeldWhileTheNextConsumerRuns(t *testing.T) {
	var next reentrant
	p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), createDefaultConfig(), &next)
	require.NoError(t, err)
	next.again = func(ctx context.Context) error {
		md := pmetric.NewMetrics()
		lab{instance: "inner", pools: 1, nodes: 1}.scrape(md, 10)
		return p.ConsumeMetrics(ctx, md)
	}
	md := pmetric.NewMetrics()
	lab{instance: "outer", pools: 1, nodes: 1}.scrape(md, 10)
	require.NoError(t, p.ConsumeMetrics(t.Context(), md))
	require.Equal(t, 2, next.calls)
}

type reentrant struct {
	calls int
	again func(context.Context) error
}

func (*reentrant) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (r *reentrant) ConsumeMetrics(ctx context.Context, _ pmetric.Metrics) error {
	if r.calls++; r.calls > 1 {
		return nil
	}
	return r.again(ctx)
}

// TestConcurrentBatches is for the race detector, and checks that no batch loses or gains a point through another.
func TestConcurrentBatches(t *testing.T) {
	p, sink := started(t)
	const workers, scrapes, pools = 8, 20, 3
	var running sync.WaitGroup
	for worker := range workers {
		running.Go(func() {
			cluster := lab{cluster: strconv.Itoa(worker % 2), instance: strconv.Itoa(worker), pools: pools, nodes: 4}
			for n := range pcommon.Timestamp(scrapes) {
				md := pmetric.NewMetrics()
				cluster.info(md, n+1)
				cluster.scrape(md, n+1)
				if err := p.ConsumeMetrics(t.Context(), md); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	require.Len(t, sink.AllMetrics(), workers*scrapes)
	for _, md := range sink.AllMetrics() {
		points := derived(md, calicometric.PoolUtilization)
		require.Len(t, points, pools)
		for _, point := range points {
			require.InDelta(t, 4.0/256, point.DoubleValue(), 0)
		}
		require.Len(t, derived(md, calicometric.ClusterUtilization), 1)
	}
}

func eachPoint(md pmetric.Metrics, do func(pmetric.NumberDataPoint)) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, scope := range rm.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				for _, point := range metric.Gauge().DataPoints().All() {
					do(point)
				}
			}
		}
	}
}
