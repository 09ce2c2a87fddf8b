package main

import (
	"os"
	"slices"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/promquery"
)

// resourceLabels are on every series: of the target, and those that configs/cluster.yaml promotes.
var resourceLabels = []string{"job", "instance", "k8s_cluster_name", "k8s_namespace_name", "k8s_node_name", "k8s_pod_name"}

func TestExamplesQueryWhatIsThere(t *testing.T) {
	known := promquery.Known{}
	var metrics []metric
	for _, file := range []string{"../../receiver/calicoreceiver/metadata.yaml", "../../processor/calicoipamprocessor/metadata.yaml"} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		c, err := parse(content)
		require.NoError(t, err, file)
		for _, m := range slices.Concat(c.metrics, c.internal) {
			require.NotContains(t, known, m.name, "one metric has one component")
			known[m.name] = slices.Concat(m.labels, resourceLabels)
			metrics = append(metrics, m)
		}
	}
	p := parser.NewParser(parser.Options{})
	for _, m := range metrics {
		t.Run(m.name, func(t *testing.T) {
			expr, err := p.ParseExpr(m.example)
			require.NoError(t, err, m.example)
			_, err = known.Labels(expr)
			require.NoError(t, err, m.example)
			require.Contains(t, promquery.Selected(expr), m.name, "the example is one of the metric")
		})
	}
}
