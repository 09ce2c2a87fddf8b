package calicoipamprocessor

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// foreign returns a batch of Felix metrics, none of which concerns the processor.
func foreign(targets, metrics int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for target := range targets {
		rm := lab{instance: strconv.Itoa(target)}.resource(md, calicometric.JobFelix)
		scope := rm.ScopeMetrics().AppendEmpty()
		for n := range metrics {
			number(gauge(scope.Metrics(), "felix_metric_"+strconv.Itoa(n)), 1, 1)
		}
	}
	return md
}

// BenchmarkForeignMetrics is a batch of 10 Felix targets of 100 metrics each: what everyone pays who runs the processor.
func BenchmarkForeignMetrics(b *testing.B) {
	p := unit(zap.NewNop(), defaultLimits)
	md := foreign(10, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.process(b.Context(), md); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/metric")
}

// BenchmarkScrape is a scrape of 100 nodes and 4 pools with known pools. The time includes dating 404 points anew and taking off what was added.
func BenchmarkScrape(b *testing.B) {
	cluster := lab{cluster: "c1", instance: "10.0.0.7:9094", pools: 4, nodes: 100}
	p := unit(zap.NewNop(), defaultLimits)
	info := pmetric.NewMetrics()
	cluster.info(info, 1)
	_, err := p.process(b.Context(), info)
	require.NoError(b, err)

	md := pmetric.NewMetrics()
	cluster.scrape(md, 1)
	points := md.DataPointCount()
	scopes := md.ResourceMetrics().At(0).ScopeMetrics()
	timestamp := pcommon.Timestamp(1)
	b.ReportAllocs()
	for b.Loop() {
		timestamp++
		for _, metric := range scopes.At(0).Metrics().All() {
			for _, point := range metric.Gauge().DataPoints().All() {
				point.SetTimestamp(timestamp)
			}
		}
		if _, err := p.process(b.Context(), md); err != nil {
			b.Fatal(err)
		}
		if scopes.Len() != 2 {
			b.Fatal("nothing was computed")
		}
		scopes.RemoveIf(func(scope pmetric.ScopeMetrics) bool { return scope.Scope().Name() == metadata.ScopeName })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}
