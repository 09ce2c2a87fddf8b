package monitoring

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// metadata is what is read of a component's metadata.yaml.
type metadata struct {
	Attributes map[string]struct {
		NameOverride string `yaml:"name_override"`
		Enum         []string
	}
	Metrics   map[string]metadataMetric
	Telemetry struct{ Metrics map[string]metadataMetric }
}

type metadataMetric struct {
	Prefix     *string
	Attributes []string
	Sum        *struct{ Monotonic bool }
	Histogram  *struct{}
}

// internalPrefix is what is before the names of a collector's own metrics.
const internalPrefix = "otelcol_"

func readMetadata(t *testing.T, file string) metadata {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var from metadata
	require.NoError(t, yaml.Unmarshal(content, &from), file)
	return from
}

// families are what a component sends, or with the prefix of internal metrics those about itself.
func (m metadata) families(prefix string) map[string]family {
	from := m.Metrics
	if prefix != "" {
		from = m.Telemetry.Metrics
	}
	families := map[string]family{}
	for key, said := range from {
		name := prefix + key
		if said.Prefix != nil && prefix != "" {
			name = *said.Prefix + key
		}
		f := family{Type: "gauge"}
		switch {
		case said.Histogram != nil:
			f.Type = "histogram"
		case said.Sum != nil && said.Sum.Monotonic:
			f.Type = "counter"
		}
		for _, attribute := range said.Attributes {
			f.Labels = append(f.Labels, m.label(attribute))
		}
		families[name] = f
	}
	return families
}

// values are all those that the labels of a metric can have, of labels that are enumerated.
func (m metadata) values(name string) map[string][]string {
	all := map[string][]string{}
	for _, attribute := range m.Metrics[name].Attributes {
		if enum := m.Attributes[attribute].Enum; len(enum) > 0 {
			all[m.label(attribute)] = enum
		}
	}
	return all
}

func (m metadata) label(attribute string) string {
	if name := m.Attributes[attribute].NameOverride; name != "" {
		return name
	}
	return attribute
}

// moduleDirectory is where the Go module of a path is, in the version that the repository has.
func moduleDirectory(t *testing.T, path string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-json", path).Output()
	require.NoError(t, err, "go list -m %s", path)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(output, &module))
	require.NotEmpty(t, module.Dir, "%s is not in the module cache", path)
	return module.Dir
}

func TestCollectorsMetricsAreInTheirModules(t *testing.T) {
	var wrong problems
	families := 0
	for module, of := range readTable(t).Collector {
		published := readMetadata(t, filepath.Join(moduleDirectory(t, module), "metadata.yaml")).families(internalPrefix)
		for name, f := range of {
			families++
			described, ok := published[name]
			switch {
			case !ok:
				wrong.add("metrics.yaml: %s describes no %s", module, name)
			case described.Type != f.Type:
				wrong.add("metrics.yaml: %s is a %s, says %s, and no %s", name, described.Type, module, f.Type)
			}
		}
	}
	wrong.none(t)
	t.Logf("metrics of the collector itself: %d families", families)
}

func TestMetadataIsReadAsItIsPublished(t *testing.T) {
	var from metadata
	require.NoError(t, yaml.Unmarshal([]byte(`
attributes:
  a: {enum: [one, two]}
  b_state: {name_override: state}
metrics:
  gauge: {gauge: {value_type: int}, attributes: [a, b_state]}
  sum: {sum: {monotonic: false}}
telemetry:
  metrics:
    counter: {sum: {monotonic: true}, attributes: [a]}
    histogram: {histogram: {value_type: int}}
    named: {prefix: other_, gauge: {value_type: int}}
`), &from))
	require.Equal(t, map[string]family{"gauge": {Type: "gauge", Labels: []string{"a", "state"}}, "sum": {Type: "gauge"}}, from.families(""))
	require.Equal(t, map[string]family{
		"otelcol_counter": {Type: "counter", Labels: []string{"a"}}, "otelcol_histogram": {Type: "histogram"}, "other_named": {Type: "gauge"},
	}, from.families(internalPrefix))
	require.Equal(t, map[string][]string{"a": {"one", "two"}}, from.values("gauge"))
	require.True(t, slices.Contains(readMetadata(t, "../receiver/calicoreceiver/metadata.yaml").values("calico_ipam_pool_info")["state"], "terminating"))
}
