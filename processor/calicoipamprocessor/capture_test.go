package calicoipamprocessor

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// TestCaptures runs what real kube-controllers served. testdata/captures/<version> holds the exposition as it was served,
// pools.yaml with the IPPools of that moment as the receiver tells of them, and expected.yaml with what leaves the processor.
func TestCaptures(t *testing.T) {
	for _, version := range []string{"v3.28.5", "v3.32.1"} {
		t.Run(version, func(t *testing.T) {
			dir := filepath.Join("testdata", "captures", version)
			input, err := golden.ReadMetrics(filepath.Join(dir, "pools.yaml"))
			require.NoError(t, err)
			scraped(t, input, filepath.Join(dir, "kube-controllers.prom"), 30_000_000_000)
			p, sink := started(t)
			left := consume(t, p, sink, input)
			requireGolden(t, filepath.Join(dir, "expected.yaml"), left)

			// What calicoctl ipam show said of the same moment: ipam-show.txt of the capture.
			utilization := make(map[string]float64)
			for _, point := range derived(left, calicometric.PoolUtilization) {
				pool, _ := point.Attributes().Get(calicometric.LabelIPPool)
				utilization[pool.Str()] = point.DoubleValue()
			}
			require.Len(t, utilization, 4)
			require.InDelta(t, map[string]float64{"v3.28.5": 0.12, "v3.32.1": 0.09}[version], utilization["default-ipv4-ippool"], 0.005)
			require.InDelta(t, 1, utilization["small-pool"], 0)
		})
	}
}

// scraped appends an exposition as a Prometheus scrape makes a resource of it. Histograms and summaries, which mean nothing to the processor,
// keep only their sample count. The parser has no order of its own; metrics are sorted by name, points are as in the file.
func scraped(t *testing.T, md pmetric.Metrics, path string, timestamp pcommon.Timestamp) {
	t.Helper()
	exposition, err := os.ReadFile(path)
	require.NoError(t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(exposition))
	require.NoError(t, err)
	names := make([]string, 0, len(families))
	for name := range families {
		names = append(names, name)
	}
	slices.Sort(names)

	rm := lab{cluster: "c1", instance: "10.0.0.7:9094"}.resource(md, calicometric.JobKubeControllers)
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for _, name := range names {
		metric := metrics.AppendEmpty()
		metric.SetName(name)
		metric.SetDescription(families[name].GetHelp())
		points := metricPoints(metric, families[name].GetType())
		for _, sample := range families[name].GetMetric() {
			value := sample.GetGauge().GetValue() + sample.GetCounter().GetValue() + sample.GetUntyped().GetValue()
			value += float64(sample.GetHistogram().GetSampleCount() + sample.GetSummary().GetSampleCount())
			require.False(t, math.IsNaN(value))
			point := number(points, timestamp, value)
			for _, label := range sample.GetLabel() {
				point.Attributes().PutStr(label.GetName(), label.GetValue())
			}
		}
	}
}

func metricPoints(metric pmetric.Metric, kind dto.MetricType) pmetric.NumberDataPointSlice {
	if kind != dto.MetricType_COUNTER {
		return metric.SetEmptyGauge().DataPoints()
	}
	sum := metric.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return sum.DataPoints()
}
