package calicoipamprocessor

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/forecast"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// counted returns a number of the processor's own telemetry, that with an attribute where key is not empty; 0 where there is none.
func counted(t *testing.T, telemetry *componenttest.Telemetry, name, key, value string) int64 {
	t.Helper()
	found, err := telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	var points []metricdata.DataPoint[int64]
	switch data := found.Data.(type) {
	case metricdata.Sum[int64]:
		points = data.DataPoints
	case metricdata.Gauge[int64]:
		points = data.DataPoints
	default:
		require.Failf(t, "unexpected type", "%T", data)
	}
	var total int64
	for _, point := range points {
		if is, ok := point.Attributes.Value(attribute.Key(key)); key == "" || ok && is.AsString() == value {
			total += point.Value
		}
	}
	return total
}

func TestTelemetryTellsWhatBecomesOfScrapes(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	config := createDefaultConfig().(*Config)
	config.MaxClusters, config.MaxPools = 2, 3
	p, err := newIPAMProcessor(set, config, consumertest.NewNop())
	require.NoError(t, err)
	outcome := func(outcome metadata.AttributeScrapeOutcome) int64 {
		return counted(t, telemetry, "otelcol_processor_calico_ipam_scrapes", "outcome", outcome.String())
	}
	dropped := func(kind metadata.AttributeDroppedKind) int64 {
		return counted(t, telemetry, "otelcol_processor_calico_ipam_dropped", "kind", kind.String())
	}
	cluster := lab{cluster: "c1", instance: "a", pools: 2, nodes: 2}
	scrape := func(at pcommon.Timestamp, change func(pmetric.MetricSlice)) {
		pass(t, p, func(md pmetric.Metrics) {
			cluster.scrape(md, at)
			if change != nil {
				change(md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics())
			}
		})
	}

	scrape(10, nil)
	require.EqualValues(t, 1, outcome(metadata.AttributeScrapeOutcomeComputed))
	require.EqualValues(t, 1, counted(t, telemetry, "otelcol_processor_calico_ipam_clusters", "", ""))
	require.EqualValues(t, 2, counted(t, telemetry, "otelcol_processor_calico_ipam_pools", "", ""))
	require.EqualValues(t, 2, counted(t, telemetry, "otelcol_processor_calico_ipam_forecasts", "outcome", string(forecast.RefusalShortHistory)))
	require.Positive(t, counted(t, telemetry, "otelcol_processor_calico_ipam_history_size", "", ""))

	scrape(10, nil)
	require.EqualValues(t, 1, outcome(metadata.AttributeScrapeOutcomeLate))

	scrape(20, func(metrics pmetric.MetricSlice) {
		metrics.RemoveIf(func(m pmetric.Metric) bool { return m.Name() == calicometric.AllocationsInUse })
	})
	require.EqualValues(t, 1, counted(t, telemetry, "otelcol_processor_calico_ipam_pending_scrapes", "", ""))
	require.Zero(t, outcome(metadata.AttributeScrapeOutcomeIncomplete))
	scrape(30, nil)
	require.EqualValues(t, 1, outcome(metadata.AttributeScrapeOutcomeIncomplete))
	require.Zero(t, counted(t, telemetry, "otelcol_processor_calico_ipam_pending_scrapes", "", ""))

	scrape(40, func(metrics pmetric.MetricSlice) {
		point := metrics.At(0).Gauge().DataPoints().AppendEmpty()
		metrics.At(0).Gauge().DataPoints().At(0).CopyTo(point)
		point.SetDoubleValue(512)
	})
	require.EqualValues(t, 1, outcome(metadata.AttributeScrapeOutcomeConflicting))

	scrape(50, func(metrics pmetric.MetricSlice) { metrics.At(0).Gauge().DataPoints().At(0).SetDoubleValue(math.NaN()) })
	require.EqualValues(t, 1, counted(t, telemetry, "otelcol_processor_calico_ipam_unreadable_points", "metric", calicometric.IPPoolSize))
	require.EqualValues(t, 4, outcome(metadata.AttributeScrapeOutcomeComputed))

	require.Zero(t, dropped(metadata.AttributeDroppedKindPool))
	pass(t, p, func(md pmetric.Metrics) { lab{cluster: "c2", pools: 4, nodes: 2}.scrape(md, 10) })
	require.EqualValues(t, 3, dropped(metadata.AttributeDroppedKindPool), "a size and two nodes of the fourth pool")
	require.Zero(t, dropped(metadata.AttributeDroppedKindCluster))
	pass(t, p, func(md pmetric.Metrics) { lab{cluster: "c3", pools: 1, nodes: 1}.scrape(md, 10) })
	require.EqualValues(t, 1, dropped(metadata.AttributeDroppedKindCluster))

	require.NoError(t, p.shutdown(t.Context()))
	require.NoError(t, telemetry.Shutdown(t.Context()))
}
