package monitoring

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// captures are what components of Calico served in real clusters, by their version, and what stands for Goldmane in the lab, which was written after its
// code.
var captures = map[string][]string{
	"v3.28.5": {
		"../receiver/calicoreceiver/internal/scrape/testdata/felix.prom",
		"../receiver/calicoreceiver/internal/scrape/testdata/typha.prom",
		"../processor/calicoipamprocessor/testdata/captures/v3.28.5/kube-controllers.prom",
	},
	"v3.32.1": {
		"../processor/calicoipamprocessor/testdata/captures/v3.32.1/kube-controllers.prom",
	},
	"v3.30": {"../test/e2e/testdata/goldmane.prom"},
}

// compareCapture compares what a component served with the families of the table.
func compareCapture(families map[string]family, version, file string, served map[string]*dto.MetricFamily) problems {
	var wrong problems
	for name, of := range served {
		in, ok := families[name]
		if !ok {
			wrong.add("%s: metrics.yaml lacks %s", file, name)
			continue
		}
		if kind := strings.ToLower(of.GetType().String()); kind != in.Type {
			wrong.add("%s: %s is a %s, in metrics.yaml a %s", file, name, kind, in.Type)
		}
		if !in.has(version) {
			wrong.add("%s: %s is in Calico %s, in metrics.yaml only %s", file, name, version, in.versions)
		}
		for _, series := range of.GetMetric() {
			var labels []string
			for _, pair := range series.GetLabel() {
				labels = append(labels, pair.GetName())
			}
			if expected := slices.Sorted(slices.Values(in.Labels)); !slices.Equal(expected, slices.Sorted(slices.Values(labels))) {
				wrong.add("%s: %s has labels %v, in metrics.yaml %v", file, name, labels, expected)
			}
		}
	}
	return wrong
}

func readCapture(t *testing.T, from io.Reader) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	served, err := parser.TextToMetricFamilies(from)
	require.NoError(t, err)
	return served
}

func TestTableHasWhatWasServed(t *testing.T) {
	families := map[string]family{}
	for _, of := range readTable(t).Components {
		for name, f := range of {
			families[name] = f
		}
	}
	var wrong problems
	files, served := 0, map[string]bool{}
	for version, of := range captures {
		for _, path := range of {
			content, err := os.Open(filepath.FromSlash(path))
			require.NoError(t, err)
			capture := readCapture(t, content)
			require.NoError(t, content.Close())
			wrong = append(wrong, compareCapture(families, version, path, capture)...)
			files++
			for name := range capture {
				served[name] = true
			}
		}
	}
	wrong.none(t)
	t.Logf("captures: %d, which have %d of the %d families", files, len(served), len(families))
}

// TestTableHasWhatTheCollectorServes compares with the own metrics of a collector that received, and could not send.
func TestTableHasWhatTheCollectorServes(t *testing.T) {
	content, err := os.Open("testdata/collector.prom")
	require.NoError(t, err)
	served := readCapture(t, content)
	require.NoError(t, content.Close())
	all := readMetrics(t)
	var wrong problems
	for name, of := range served {
		if !strings.HasPrefix(name, internalPrefix) {
			continue
		}
		known, ok := all[name]
		if !ok {
			wrong.add("testdata/collector.prom: no %s is known", name)
			continue
		}
		if counter := of.GetType() == dto.MetricType_COUNTER; counter != known.counter {
			wrong.add("testdata/collector.prom: %s is a %s", name, of.GetType())
		}
		for _, series := range of.GetMetric() {
			for _, pair := range series.GetLabel() {
				if !slices.Contains(known.labels, pair.GetName()) {
					wrong.add("testdata/collector.prom: %s has a label %s", name, pair.GetName())
				}
			}
		}
	}
	wrong.none(t)
}

func TestCaptureThatTheTableDoesNotKnowIsFound(t *testing.T) {
	const file = "a.prom"
	for name, tc := range map[string]struct{ family, capture, problem string }{
		"as it is":       {"c", "# TYPE c counter\nc{x=\"1\"} 1\n", ""},
		"not there":      {"b", "# TYPE c counter\nc 1\n", "a.prom: metrics.yaml lacks c"},
		"another type":   {"c", "# TYPE c gauge\nc{x=\"1\"} 1\n", "a.prom: c is a gauge, in metrics.yaml a counter"},
		"another label":  {"c", "# TYPE c counter\nc{y=\"1\"} 1\n", "a.prom: c has labels [y], in metrics.yaml [x]"},
		"a label less":   {"c", "# TYPE c counter\nc 1\n", "a.prom: c has labels [], in metrics.yaml [x]"},
		"in other times": {"late", "# TYPE late counter\nlate{x=\"1\"} 1\n", "a.prom: late is in Calico v3.28.5, in metrics.yaml only since Calico 3.29"},
	} {
		t.Run(name, func(t *testing.T) {
			families := map[string]family{tc.family: {Type: "counter", Labels: []string{"x"}}}
			if tc.family == "late" {
				families["late"] = family{Type: "counter", Labels: []string{"x"}, versions: versions{Since: "v3.29"}}
			}
			wrong := compareCapture(families, "v3.28.5", file, readCapture(t, strings.NewReader(tc.capture)))
			if tc.problem == "" {
				require.Empty(t, wrong)
			} else {
				require.Equal(t, problems{tc.problem}, wrong)
			}
		})
	}
}
