package metricrelabel_test

import (
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape/metricrelabel"
)

// rules reads rules from YAML as the Collector does.
func rules(t *testing.T, text string) []map[string]any {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte("rules: " + text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	var out struct {
		Rules []map[string]any `mapstructure:"rules"`
	}
	require.NoError(t, conf.Unmarshal(&out))
	return out.Rules
}

func TestErrorsNameTheirPlace(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		errs       []string // empty is valid
	}{
		{name: "nothing", yaml: "[]"},
		{name: "what Prometheus takes", yaml: `
- {source_labels: [__name__], regex: 'felix_bpf_.*', action: drop}
- {source_labels: [node, ippool], separator: '/', target_label: both, regex: '(.*)/(.*)', replacement: '$2-${1}'}
- {regex: 'a|b', action: labeldrop}
- {source_labels: [node], modulus: 8, target_label: shard, action: hashmod}
- {source_labels: [port], regex: 9091, action: KEEP}
- {target_label: cluster, replacement: true}
- {target_label: node, replacement: ''}
`},
		{
			name: "several errors at once",
			yaml: `[{action: drp}, {action: drop, regex: '('}, {action: drop, regexp: x}]`,
			errs: []string{
				`metric_relabel_configs[0].action: unknown relabel action "drp"`,
				"metric_relabel_configs[1].regex: error parsing regexp: missing closing )",
				"metric_relabel_configs[2].regexp: unknown key, not one of: action, modulus, regex, replacement, separator, source_labels, target_label",
			},
		},
		{name: "an action that lacks its label", yaml: `[{source_labels: [a]}]`, errs: []string{"metric_relabel_configs[0]: relabel configuration for replace action requires 'target_label' value"}},
		{name: "a modulus that is none", yaml: `[{modulus: x}]`, errs: []string{"metric_relabel_configs[0].modulus: cannot unmarshal !!str `x` into uint64"}},
		{name: "a rule without keys", yaml: `[{}]`, errs: []string{"metric_relabel_configs[0]: must not be empty"}},
		{name: "a rule that is null", yaml: `[null]`, errs: []string{"metric_relabel_configs[0]: must not be empty"}},
		{name: "a number that YAML has rewritten", yaml: `[{target_label: version, replacement: 1.10}]`, errs: []string{"metric_relabel_configs[0].replacement: must be put into quotes"}},
		{name: "a map for a text", yaml: `[{target_label: {a: b}}]`, errs: []string{"metric_relabel_configs[0].target_label: must be put into quotes"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := metricrelabel.Parse(rules(t, tc.yaml))
			if len(tc.errs) == 0 {
				require.NoError(t, err)
			}
			for _, want := range tc.errs {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"- {source_labels: [__name__], regex: 'felix_bpf_.*', action: drop}",
		"- {source_labels: [a, b], separator: '/', target_label: '${1}', regex: '(.*)/(.*)', replacement: '$2-${1}'}",
		"- {source_labels: [a], modulus: 8, target_label: shard, action: hashmod}",
		"- {regex: 'a|b', action: labeldrop}",
		"- {regex: '(.*)', replacement: 'x_$1', action: labelmap}",
		"- {source_labels: [a], target_label: b, action: keepequal}",
		"- {source_labels: a, target_label: 1.5, modulus: -1}",
		"- null\n- {}\n- {regex: null}",
		"- {target_label: \"\\xff\", replacement: 2020-01-01}",
		"- {\"replacement\": \"\\u0085\\u2028\", target_label: a}",
	} {
		f.Add(seed)
	}
	series := labels.FromStrings(model.MetricNameLabel, "felix_ipsets_calico", "a", "1", "b", "2", "node", "node-1")
	f.Fuzz(func(t *testing.T, text string) {
		var raw []map[string]any
		if yaml.Unmarshal([]byte(text), &raw) != nil {
			t.Skip()
		}
		configs, err := metricrelabel.Parse(raw)
		if err != nil {
			require.ErrorContains(t, err, "metric_relabel_configs[")
			return
		}
		require.Len(t, configs, len(raw))
		for i, config := range configs {
			for key, value := range raw[i] {
				// What passes is what was written.
				if text, ok := value.(string); ok && key == "replacement" {
					require.Equal(t, text, config.Replacement)
				}
				if text, ok := value.(string); ok && key == "regex" {
					require.Equal(t, text, config.Regex.String())
				}
			}
		}
		relabel.ProcessBuilder(labels.NewBuilder(series), configs...)
	})
}
