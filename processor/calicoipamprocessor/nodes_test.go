package calicoipamprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

// perNode are the metrics of kube-controllers that have a series for each pool and node.
var perNode = []string{
	calicometric.AllocationsInUse, calicometric.AllocationsBorrowed, calicometric.AllocationsGCCandidates, calicometric.Blocks,
}

// fullScrape is a scrape of kube-controllers where every node has something of every pool.
func fullScrape(cluster lab, at pcommon.Timestamp) pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := cluster.resource(md, calicometric.JobKubeControllers).ScopeMetrics().AppendEmpty().Metrics()
	sizes := gauge(metrics, calicometric.IPPoolSize)
	for pool := range cluster.pools {
		number(sizes, at, 65536).Attributes().PutStr(calicometric.LabelIPPool, poolName(pool))
	}
	for i, name := range perNode {
		points := gauge(metrics, name)
		for pool := range cluster.pools {
			for node := range cluster.nodes {
				attributes := number(points, at, float64((node*7+pool+i)%11)).Attributes()
				attributes.PutStr(calicometric.LabelIPPool, poolName(pool))
				attributes.PutStr(calicometric.LabelNode, nodeName(node))
			}
		}
	}
	return md
}

// sums returns the sum of a metric for each pool.
func sums(md pmetric.Metrics, name string) map[string]float64 {
	total := make(map[string]float64)
	for _, point := range derived(md, name) {
		pool, _ := point.Attributes().Get(calicometric.LabelIPPool)
		total[pool.Str()] += point.DoubleValue()
	}
	return total
}

func TestSeriesOfALargeClusterAreFewAndTheirSumsExact(t *testing.T) {
	cluster := lab{cluster: "c1", instance: "10.0.0.7:9094", pools: 10, nodes: 5000}
	came := fullScrape(cluster, 30)
	require.Greater(t, came.DataPointCount(), 200_000)
	p, sink := started(t)
	full := consume(t, p, sink, copyOf(came))

	for name, change := range map[string]func(*Config){
		"node_detail: none": func(c *Config) { c.Detail.Mode = nodedetail.None },
		"top_nodes: 30":     func(c *Config) { c.Detail.Top = 30 },
	} {
		t.Run(name, func(t *testing.T) {
			p, sink := started(t, change)
			left := consume(t, p, sink, copyOf(came))
			t.Logf("%d points came, %d left", came.DataPointCount(), left.DataPointCount())
			require.LessOrEqual(t, left.DataPointCount(), 2000)
			for _, metric := range perNode {
				require.Equal(t, sums(came, metric), sums(left, metric), metric)
			}
			require.Equal(t, sums(full, calicometric.PoolUtilization), sums(left, calicometric.PoolUtilization))
		})
	}
}
