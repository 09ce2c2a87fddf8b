package calicoipamprocessor

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
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
	p := unit(b, zap.NewNop())
	md := foreign(10, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.process(b.Context(), md); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/metric")
}

// BenchmarkScrape is a scrape of a steady cluster whose pools are known. The copy of the input, which each round needs, is not timed.
func BenchmarkScrape(b *testing.B) {
	for _, size := range []struct{ nodes, pools int }{{100, 4}, {5000, 10}} {
		for name, change := range map[string]func(*Config){
			"enrich=false":     func(c *Config) { c.Enrich = false },
			"enrich=true":      func(*Config) {},
			"node_detail=none": func(c *Config) { c.Detail.Mode = nodedetail.None },
			"top_nodes=30":     func(c *Config) { c.Detail.Top = 30 },
			"forecast=off":     func(c *Config) { c.Enrich, c.Forecast.Enabled = false, false },
			"settle_time=1s":   func(c *Config) { c.Enrich, c.SettleTime = false, time.Second },
		} {
			b.Run(fmt.Sprintf("nodes=%d/pools=%d/%s", size.nodes, size.pools, name), func(b *testing.B) {
				benchmarkScrape(b, lab{cluster: "c1", instance: "10.0.0.7:9094", pools: size.pools, nodes: size.nodes}, change)
			})
		}
	}
}

func benchmarkScrape(b *testing.B, cluster lab, change func(*Config)) {
	p := unit(b, zap.NewNop(), change)
	info := pmetric.NewMetrics()
	cluster.info(info, 1)
	_, err := p.process(b.Context(), info)
	require.NoError(b, err)

	scrape := pmetric.NewMetrics()
	cluster.scrape(scrape, 1)
	points := scrape.DataPointCount()
	at := pcommon.Timestamp(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		md := copyOf(scrape)
		at += pcommon.Timestamp(30 * time.Second)
		eachPoint(md, func(point pmetric.NumberDataPoint) { point.SetTimestamp(at) })
		b.StartTimer()
		if _, err := p.process(b.Context(), md); err != nil {
			b.Fatal(err)
		}
		if p.config.SettleTime > 0 {
			md = pmetric.NewMetrics()
			p.compute(b.Context(), p.assembly.All(), md)
		}
		if len(derived(md, calicometric.PoolAvailable)) != cluster.pools {
			b.Fatal("not all was computed")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(points), "ns/point")
}
