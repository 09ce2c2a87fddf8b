package scrape

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape/metricrelabel"
)

func TestGroupsInMetricRelabelConfigsPassTheCollectorsOwnExpansion(t *testing.T) {
	t.Setenv("CALICO_TEST_LABEL", "from_environment")
	resolve := func(replacement string) (*Settings, error) {
		resolver, err := confmap.NewResolver(confmap.ResolverSettings{
			URIs: []string{"yaml:metric_relabel_configs: [{source_labels: [node], regex: '(a)(.*)', target_label: t, replacement: '" + replacement + "'}]"},
			ProviderFactories: []confmap.ProviderFactory{
				yamlprovider.NewFactory(), envprovider.NewFactory(),
			},
			DefaultScheme: "env", // as the distribution has it
		})
		require.NoError(t, err)
		conf, err := resolver.Resolve(t.Context())
		if err != nil {
			return nil, err
		}
		settings := &Settings{}
		return settings, conf.Unmarshal(settings)
	}
	for _, tc := range []struct{ written, want string }{
		{"$1", "a"},
		{"$$1", "a"},
		{"$${1}", "a"},
		{"x-$2-$1", "x-bc-a"},
		{"$${2}_total", "bc_total"},
		{"${env:CALICO_TEST_LABEL}", "from_environment"},
		{"${env:CALICO_TEST_LABEL}-$1", "from_environment-a"},
	} {
		t.Run(tc.written, func(t *testing.T) {
			settings, err := resolve(tc.written)
			require.NoError(t, err)
			configs, err := metricrelabel.Parse(settings.MetricRelabelConfigs)
			require.NoError(t, err)
			lb := labels.NewBuilder(labels.FromStrings("node", "abc"))
			require.True(t, relabel.ProcessBuilder(lb, configs...))
			require.Equal(t, tc.want, lb.Get("t"))
		})
	}
	_, err := resolve("${1}")
	require.ErrorContains(t, err, `"1" has invalid name`, "braces are the Collector's: it does not start, rather than to replace by nothing")
}

func TestMetricRelabelConfigsRunAsInPrometheus(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, `# TYPE felix_ipsets_calico gauge
felix_ipsets_calico{ip_version="4",secret="x",a="1",b="2"} 3
felix_ipsets_calico{ip_version="6",secret="x",a="1",b="2"} 4
# TYPE felix_log_errors counter
felix_log_errors 5
# TYPE go_goroutines gauge
go_goroutines 6
`)
	s, sink := startJobs(t, nopSettings(), job("calico-felix", Settings{MetricRelabelConfigs: rules(t, `
metric_relabel_configs:
- {source_labels: [__name__], regex: 'felix_log_.*', action: drop}
- {source_labels: [ip_version], regex: '6', action: drop}
- {target_label: secret, replacement: ''}
- {source_labels: [a, b], separator: '', target_label: joined}
- {source_labels: [a, b], regex: '(.*);(.*)', target_label: swapped, replacement: '$2-${1}'}
- {target_label: braces, replacement: "x: #{}\n'\""}
- {source_labels: [__name__], regex: go_goroutines, target_label: __name__, replacement: kept}
`)}))
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address}}))
	require.Eventually(t, func() bool { p, _ := newest(sink, address, "felix_ipsets_calico"); return value(p) == 3 }, patience, interval/10)
	point, _ := newest(sink, address, "felix_ipsets_calico")
	require.Equal(t, map[string]any{"ip_version": "4", "a": "1", "b": "2", "joined": "12", "swapped": "2-1", "braces": "x: #{}\n'\""}, point.Attributes().AsRaw())
	names := namesOf(sink, address)
	require.NotContains(t, names, "felix_log_errors")
	require.NotContains(t, names, "kept", "the profile runs first")
	require.True(t, s.Up("calico-felix")[address])
}

// rules reads metric_relabel_configs from YAML as the Collector does.
func rules(t *testing.T, text string) []map[string]any {
	t.Helper()
	c, err := decode(t, text)
	require.NoError(t, err)
	return c.Scrape.MetricRelabelConfigs
}
