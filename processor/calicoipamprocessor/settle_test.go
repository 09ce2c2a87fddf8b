package calicoipamprocessor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

func settling(c *Config) { c.SettleTime = 5 * time.Second }

// pieces cuts the points of a batch of one resource at cuts, the bits of which stand for the gaps between points.
func pieces(md pmetric.Metrics, cuts int) []pmetric.Metrics {
	var all []pmetric.Metrics
	rm := md.ResourceMetrics().At(0)
	at := 0
	var open pmetric.MetricSlice
	for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
		for _, point := range metric.Gauge().DataPoints().All() {
			if at == 0 || cuts&(1<<(at-1)) != 0 {
				piece := pmetric.NewMetrics()
				to := piece.ResourceMetrics().AppendEmpty()
				rm.Resource().CopyTo(to.Resource())
				open = to.ScopeMetrics().AppendEmpty().Metrics()
				all = append(all, piece)
			}
			point.CopyTo(gauge(open, metric.Name()).AppendEmpty())
			at++
		}
	}
	return all
}

// orders yields all orders of n things.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range orders(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

// TestEverySplitOfAScrapeIsThatScrape cuts a scrape of six points everywhere it can be cut, and sends the pieces in every order: what is derived is
// always the same, and derived once.
func TestEverySplitOfAScrapeIsThatScrape(t *testing.T) {
	cluster := lab{cluster: "c1", instance: "10.0.0.7:9094", pools: 2, nodes: 2}
	scrape := pmetric.NewMetrics()
	cluster.scrape(scrape, 30)
	points := scrape.DataPointCount()
	require.Equal(t, 6, points)

	p, sink := started(t)
	want := derived(consume(t, p, sink, copyOf(scrape)), calicometric.PoolUtilization)
	require.Len(t, want, 2)

	synctest.Test(t, func(t *testing.T) {
		sent := 0
		for cuts := range 1 << (points - 1) {
			for _, order := range orders(len(pieces(scrape, cuts))) {
				p, sink := started(t, settling)
				for _, i := range order {
					require.NoError(t, p.ConsumeMetrics(t.Context(), pieces(scrape, cuts)[i]))
					sent++
				}
				require.Empty(t, all(sink, calicometric.PoolUtilization), "nothing is computed before the time")
				<-time.After(5 * time.Second)
				synctest.Wait()
				got := all(sink, calicometric.PoolUtilization)
				require.Len(t, got, len(want), "cut at %b, in the order %v", cuts, order)
				for _, is := range got {
					require.True(t, slices.ContainsFunc(want, func(was pmetric.NumberDataPoint) bool {
						return was.DoubleValue() == is.DoubleValue() && was.Attributes().Equal(is.Attributes()) && was.Timestamp() == is.Timestamp()
					}), "cut at %b, in the order %v", cuts, order)
				}
				require.NoError(t, p.Shutdown(t.Context()))
			}
		}
		require.Greater(t, sent, 1<<points)
	})
}

// all returns the points of a metric in all that has arrived.
func all(sink *consumertest.MetricsSink, name string) []pmetric.NumberDataPoint {
	var found []pmetric.NumberDataPoint
	for _, md := range sink.AllMetrics() {
		found = append(found, derived(md, name)...)
	}
	return found
}

func TestInterleavedClustersSettleEachForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, sink := started(t, settling)
		var batches []pmetric.Metrics
		for cluster := range 3 {
			md := pmetric.NewMetrics()
			lab{cluster: fmt.Sprintf("c%d", cluster), pools: 2, nodes: cluster + 1}.scrape(md, pcommon.Timestamp(30+cluster))
			batches = append(batches, pieces(md, 0b1011)...)
		}
		for i := range batches {
			require.NoError(t, p.ConsumeMetrics(t.Context(), batches[i*5%len(batches)]))
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		values := make(map[float64]int)
		for _, point := range all(sink, calicometric.PoolUtilization) {
			values[point.DoubleValue()*256]++
		}
		require.Equal(t, map[float64]int{1: 2, 2: 2, 3: 2}, values)
	})
}

func TestShutdownComputesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, sink := started(t, settling)
		md := pmetric.NewMetrics()
		lab{cluster: "c1", pools: 1, nodes: 1}.scrape(md, 30)
		require.NoError(t, p.ConsumeMetrics(t.Context(), md))
		require.Empty(t, all(sink, calicometric.PoolUtilization))
		require.NoError(t, p.Shutdown(t.Context()))
		require.Len(t, all(sink, calicometric.PoolUtilization), 1)
	})
}

func TestShutdownIsSafe(t *testing.T) {
	config := createDefaultConfig()
	processortest.VerifyShutdown(t, NewFactory(), config)
	config.(*Config).SettleTime = time.Second
	processortest.VerifyShutdown(t, NewFactory(), config)
}

// TestWhatSettledAndIsRefusedIsCounted has a next consumer that refuses everything: what came gets the error, what was derived later is counted.
func TestWhatSettledAndIsRefusedIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		telemetry := componenttest.NewTelemetry()
		set := processortest.NewNopSettings(metadata.Type)
		set.TelemetrySettings = telemetry.NewTelemetrySettings()
		config := createDefaultConfig().(*Config)
		settling(config)
		refused := errors.New("refused")
		p, err := NewFactory().CreateMetrics(t.Context(), set, config, consumertest.NewErr(refused))
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
		md := pmetric.NewMetrics()
		lab{cluster: "c1", pools: 1, nodes: 1}.scrape(md, 30)
		require.ErrorIs(t, p.ConsumeMetrics(t.Context(), md), refused)
		<-time.After(5 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, counted(t, telemetry, "otelcol_processor_calico_ipam_emit_failures", "", ""))
		require.NoError(t, p.Shutdown(context.Background()))
		require.NoError(t, telemetry.Shutdown(context.Background()))
	})
}
