package calicoipamprocessor

import (
	"context"
	"math"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

func TestSourcesOfNoClusterBeyondTheBoundForgetTheLeastRecentlySeen(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	p := unit(t, zap.New(core), func(c *Config) { c.MaxClusters = 2 })
	scrape := func(instance string, at pcommon.Timestamp) int {
		return len(derived(pass(t, p, func(md pmetric.Metrics) {
			lab{instance: instance, pools: 1, nodes: 1}.scrape(md, at)
		}), calicometric.PoolAvailable))
	}
	require.Equal(t, 1, scrape("a", 10))
	require.Equal(t, 1, scrape("b", 10))
	require.Equal(t, 1, scrape("a", 20))
	require.Equal(t, 2, p.clusters.Len())
	require.Zero(t, logs.Len())

	require.Equal(t, 1, scrape("c", 10))
	require.Equal(t, 2, p.clusters.Len())
	require.Equal(t, 1, logs.Len())
	remembered := func(instance string) bool {
		return p.clusters.Get(idOf(assembly.Source{Service: calicometric.JobKubeControllers, Instance: instance})) != nil
	}
	require.True(t, remembered("a"), "a was seen after b")
	require.False(t, remembered("b"))
}

func TestClustersBeyondTheBoundForgetTheLeastRecentlySeen(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	p := unit(t, zap.New(core), func(c *Config) { c.MaxClusters, c.MaxPools = 1, 4 })
	first, second := lab{cluster: "1", pools: 1, nodes: 1}, lab{cluster: "2", pools: 1, nodes: 1}
	pass(t, p, func(md pmetric.Metrics) { first.info(md, 10) })
	pass(t, p, func(md pmetric.Metrics) { second.info(md, 10) })
	require.Zero(t, logs.Len())

	out := pass(t, p, func(md pmetric.Metrics) { first.scrape(md, 10); second.scrape(md, 10) })
	require.Equal(t, 1, logs.Len())
	require.Len(t, derived(out, calicometric.ClusterUtilization), 1)
	_, known := derived(out, calicometric.PoolAvailable)[0].Attributes().Get(calicometric.LabelCIDR)
	require.False(t, known)
}

func TestPoolsBeyondTheBoundMakeTheClusterRatioUnknown(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	p := unit(t, zap.New(core), func(c *Config) { c.MaxClusters, c.MaxPools = 4, 2 })
	fits, tooMany := lab{pools: 2, nodes: 3}, lab{pools: 3, nodes: 3}

	out := pass(t, p, func(md pmetric.Metrics) { fits.info(md, 10); fits.scrape(md, 10) })
	require.Len(t, derived(out, calicometric.ClusterUtilization), 1)
	require.Zero(t, logs.Len())

	out = pass(t, p, func(md pmetric.Metrics) { tooMany.info(md, 20); fits.scrape(md, 20) })
	ended := derived(out, calicometric.ClusterUtilization)
	require.Len(t, ended, 1)
	require.True(t, ended[0].Flags().NoRecordedValue())
	require.Len(t, logs.FilterMessageSnippet("no cluster utilization").All(), 1)

	out = pass(t, p, func(md pmetric.Metrics) { fits.info(md, 30); tooMany.scrape(md, 30) })
	require.Len(t, derived(out, calicometric.PoolAvailable), 2)
	require.Len(t, logs.FilterMessageSnippet("a scrape has more pools").All(), 1)
}

func TestStateOfAVanishedTargetIsFreed(t *testing.T) {
	p := unit(t, zap.NewNop())
	pass(t, p, func(md pmetric.Metrics) { lab{pools: 2, nodes: 1}.scrape(md, 10) })
	out := pass(t, p, func(md pmetric.Metrics) {
		lab{pools: 2, nodes: 1}.scrape(md, 20)
		eachPoint(md, func(point pmetric.NumberDataPoint) {
			point.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		})
	})
	require.Len(t, derived(out, calicometric.PoolAvailable), 2)
	for _, cluster := range p.clusters.All() {
		require.True(t, cluster.series.None())
	}
}

func TestUnreadableValuesAreLoggedOnceAMetricAndCounted(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	p := unit(t, zap.New(core))
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
	p := unit(t, zap.NewNop())
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
			cluster := lab{cluster: strconv.Itoa(worker), instance: strconv.Itoa(worker), pools: pools, nodes: 4}
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

// TestConcurrentReplicas is for the race detector, and checks that a cluster has one number at a time whatever the number of its replicas.
func TestConcurrentReplicas(t *testing.T) {
	p, sink := started(t)
	const replicas, scrapes, pools = 4, 20, 3
	var running sync.WaitGroup
	for replica := range replicas {
		running.Go(func() {
			cluster := lab{cluster: "c1", instance: strconv.Itoa(replica), pools: pools, nodes: 4}
			for n := range pcommon.Timestamp(scrapes) {
				md := pmetric.NewMetrics()
				cluster.scrape(md, n+1)
				if err := p.ConsumeMetrics(t.Context(), md); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	seen := make(map[pcommon.Timestamp]int)
	for _, md := range sink.AllMetrics() {
		for _, point := range derived(md, calicometric.PoolUtilization) {
			seen[point.Timestamp()]++
		}
	}
	require.NotEmpty(t, seen)
	for at, points := range seen {
		require.Equal(t, pools, points, at)
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

// TestOneOfTwoReplicasLeadsThroughout has two replicas scraped at a few seconds' distance: the numbers come of one of them, however short that is.
func TestOneOfTwoReplicasLeadsThroughout(t *testing.T) {
	p := unit(t, zap.NewNop())
	for n := range 10 {
		for i, replica := range []lab{{cluster: "c1", instance: "a", pools: 1, nodes: 1}, {cluster: "c1", instance: "b", pools: 1, nodes: 2}} {
			at := pcommon.Timestamp(15*n+3*i+1) * pcommon.Timestamp(time.Second)
			points := derived(pass(t, p, func(md pmetric.Metrics) { replica.scrape(md, at) }), calicometric.PoolUtilization)
			require.Len(t, points, 1-i, "scrape %d of %s", n, replica.instance)
		}
	}
}

// TestShutdownKeepsItsDeadline has a next consumer that does not return: the shutdown does not wait for it longer than it may.
func TestShutdownKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var next stuck
		config := createDefaultConfig().(*Config)
		settling(config)
		p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), config, &next)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		md := pmetric.NewMetrics()
		lab{cluster: "c1", pools: 1, nodes: 1}.scrape(md, 30)
		require.NoError(t, p.ConsumeMetrics(t.Context(), md))
		<-time.After(config.SettleTime)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, p.Shutdown(ctx), context.DeadlineExceeded)
	})
}

// stuck takes the first batch, and holds every other until it is cancelled.
type stuck struct{ calls atomic.Int64 }

func (*stuck) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (s *stuck) ConsumeMetrics(ctx context.Context, _ pmetric.Metrics) error {
	if s.calls.Add(1) == 1 {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestWhatIsDerivedIsKnownWhereItComesFromAnotherProcessor holds the metrics of metadata.yaml against those that are taken for derived already.
func TestWhatIsDerivedIsKnownWhereItComesFromAnotherProcessor(t *testing.T) {
	names := reflect.ValueOf(metadata.MetricsInfo)
	require.Positive(t, names.NumField())
	for i := range names.NumField() {
		name := names.Field(i).FieldByName("Name").String()
		rm := pmetric.NewResourceMetrics()
		gauge(rm.ScopeMetrics().AppendEmpty().Metrics(), name)
		require.Equal(t, ipampoints.HasDerived, ipampoints.Look(rm), name)
	}
}
