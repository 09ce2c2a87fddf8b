package calicoipamprocessor

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// update rewrites the golden outputs from what the processor does now: go test ./processor/calicoipamprocessor -update
var update = flag.Bool("update", false, "rewrite the golden outputs")

// started returns a processor made by the factory, and the sink behind it. Its configuration is the default with changes.
func started(t testing.TB, changes ...func(*Config)) (processor.Metrics, *consumertest.MetricsSink) {
	t.Helper()
	config, ok := createDefaultConfig().(*Config)
	require.True(t, ok)
	for _, change := range changes {
		change(config)
	}
	require.NoError(t, confmap.Validate(config))
	sink := &consumertest.MetricsSink{}
	p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), config, sink)
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, p.Shutdown(context.WithoutCancel(t.Context()))) })
	return p, sink
}

// consume passes a batch through p and returns what left for it, nothing where all of it is held back.
func consume(t testing.TB, p processor.Metrics, sink *consumertest.MetricsSink, input pmetric.Metrics) pmetric.Metrics {
	t.Helper()
	sink.Reset()
	require.NoError(t, p.ConsumeMetrics(t.Context(), input))
	if len(sink.AllMetrics()) == 0 {
		return pmetric.NewMetrics()
	}
	require.Len(t, sink.AllMetrics(), 1)
	return sink.AllMetrics()[0]
}

func copyOf(md pmetric.Metrics) pmetric.Metrics {
	twin := pmetric.NewMetrics()
	md.CopyTo(twin)
	return twin
}

// requireGolden compares metrics with a file, or writes the file where the flag -update says so.
// The order of resources, metrics and points counts.
func requireGolden(t *testing.T, path string, actual pmetric.Metrics) {
	t.Helper()
	if *update {
		encoded, err := golden.MarshalMetricsYAML(actual)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, encoded, 0o600))
		return
	}
	expected, err := golden.ReadMetrics(path)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(expected, actual), path)
}

// lab is a cluster with numbered pools that tests build batches of.
type lab struct {
	cluster, instance string
	pools, nodes      int
}

// scrape appends the scrape of kube-controllers at a timestamp, in which every node uses one address of every pool of 256.
func (l lab) scrape(md pmetric.Metrics, timestamp pcommon.Timestamp) {
	rm := l.resource(md, calicometric.JobKubeControllers)
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	sizes, inUse := gauge(metrics, calicometric.IPPoolSize), gauge(metrics, calicometric.AllocationsInUse)
	for pool := range l.pools {
		point := number(sizes, timestamp, 256)
		point.Attributes().PutStr(calicometric.LabelIPPool, poolName(pool))
		for node := range l.nodes {
			point := number(inUse, timestamp, 1)
			point.Attributes().PutStr(calicometric.LabelIPPool, poolName(pool))
			point.Attributes().PutStr(calicometric.LabelNode, nodeName(node))
		}
	}
}

// info appends what the receiver says of the pools at a timestamp.
func (l lab) info(md pmetric.Metrics, timestamp pcommon.Timestamp) {
	rm := l.resource(md, calicometric.JobIPAM)
	points := gauge(rm.ScopeMetrics().AppendEmpty().Metrics(), calicometric.PoolInfo)
	for pool := range l.pools {
		attributes := number(points, timestamp, 1).Attributes()
		attributes.PutStr(calicometric.LabelIPPool, poolName(pool))
		attributes.PutStr(calicometric.LabelCIDR, "10.0.0.0/24")
		attributes.PutStr(calicometric.LabelIPFamily, calicometric.IPv4)
		attributes.PutStr(calicometric.LabelState, calicometric.PoolEnabled)
		attributes.PutStr(calicometric.LabelAllowedUses, calicometric.UseWorkload)
	}
}

func (l lab) resource(md pmetric.Metrics, service string) pmetric.ResourceMetrics {
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(calicometric.AttrServiceName, service)
	rm.Resource().Attributes().PutStr(calicometric.AttrServiceInstanceID, l.instance)
	rm.Resource().Attributes().PutStr(calicometric.AttrClusterUID, l.cluster)
	return rm
}

func gauge(metrics pmetric.MetricSlice, name string) pmetric.NumberDataPointSlice {
	metric := metrics.AppendEmpty()
	metric.SetName(name)
	return metric.SetEmptyGauge().DataPoints()
}

func number(points pmetric.NumberDataPointSlice, timestamp pcommon.Timestamp, value float64) pmetric.NumberDataPoint {
	point := points.AppendEmpty()
	point.SetTimestamp(timestamp)
	point.SetDoubleValue(value)
	return point
}

func poolName(n int) string { return "pool-" + string(rune('a'+n)) }

func nodeName(n int) string { return fmt.Sprintf("node-%04d", n) }

// unit returns a processor without the helper around it. Its configuration is the default with changes.
func unit(t testing.TB, logger *zap.Logger, changes ...func(*Config)) *ipamProcessor {
	t.Helper()
	config, ok := createDefaultConfig().(*Config)
	require.True(t, ok)
	for _, change := range changes {
		change(config)
	}
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = logger
	p, err := newIPAMProcessor(set, config, consumertest.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.shutdown(context.WithoutCancel(t.Context()))) })
	return p
}

// pass runs a batch through p and returns it.
func pass(t testing.TB, p *ipamProcessor, build func(md pmetric.Metrics)) pmetric.Metrics {
	t.Helper()
	md := pmetric.NewMetrics()
	build(md)
	out, err := p.process(t.Context(), md)
	require.NoError(t, err)
	return out
}

// derived returns the points that were added to a batch under a metric name.
func derived(md pmetric.Metrics, name string) []pmetric.NumberDataPoint {
	var found []pmetric.NumberDataPoint
	for _, rm := range md.ResourceMetrics().All() {
		for _, scope := range rm.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				if metric.Name() != name {
					continue
				}
				for _, point := range metric.Gauge().DataPoints().All() {
					found = append(found, point)
				}
			}
		}
	}
	return found
}
