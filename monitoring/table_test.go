package monitoring

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-calico/otelcol-calico/internal/promquery"
)

// table is metrics.yaml.
type table struct {
	Versions   versions
	Components map[string]map[string]family
	Collector  map[string]map[string]family
}

// versions are minor versions of Calico, the first and the last one of something, as in v3.24.
type versions struct{ Since, Until string }

// family is what is published under a name.
type family struct {
	// Type is counter, gauge, histogram or summary.
	Type     string
	Labels   []string
	versions `yaml:",inline"`
}

// origin says who publishes a metric, and so which labels of a target it has.
type origin int

const (
	fromCalico origin = iota
	fromReceiver
	fromCollector
	fromPrometheus
	fromSite
)

// metric is what a query selects by a name: of histograms and summaries there are several.
type metric struct {
	origin origin
	// counter is whether it only grows, until it starts again.
	counter bool
	labels  []string
	// values are all those that a label can have, of labels of which that is known.
	values map[string][]string
	// only are the versions of Calico that have it, where these are not all of the supported ones.
	only *versions
}

// metrics are all that exist, by name.
type metrics map[string]metric

// labels are what a query can be checked against.
func (m metrics) labels() promquery.Known {
	known := promquery.Known{}
	for name, metric := range m {
		known[name] = metric.labels
	}
	return known
}

var (
	targetLabels = []string{"job", "instance"}
	// collectorLabels are of the collectors' own metrics. Where one Prometheus scrapes those of several clusters it is told the cluster's name.
	collectorLabels = append(slices.Clone(targetLabels), clusterLabel)
	// resourceLabels are of what goes the way of all metrics: configs/cluster.yaml promotes them.
	resourceLabels = slices.Concat(targetLabels, []string{clusterLabel, "k8s_namespace_name", "k8s_node_name", "k8s_pod_name"})
	// poolLabels are added by the processor to what is published about a pool.
	poolLabels = []string{"cidr", "ip_family"}
	scrapes    = []string{
		"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
	}
)

const (
	clusterLabel = "k8s_cluster_name"
	// optOut is what a site records for the pools that it wants no alerts of.
	optOut = "calico:ippool_alerts:off"
)

func readTable(t *testing.T) table {
	t.Helper()
	var from table
	content, err := os.ReadFile("metrics.yaml")
	require.NoError(t, err)
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&from))
	return from
}

// readMetrics returns all metrics that a query may select.
func readMetrics(t *testing.T) metrics {
	t.Helper()
	all := metrics{
		"ALERTS": {origin: fromPrometheus, labels: slices.Concat(resourceLabels, []string{"alertname", "alertstate", "severity"})},
		optOut:   {origin: fromSite, labels: []string{clusterLabel, "ippool"}},
	}
	for _, name := range scrapes {
		all[name] = metric{origin: fromPrometheus, labels: resourceLabels}
	}
	from := readTable(t)
	for _, families := range from.Components {
		for name, f := range families {
			labels := slices.Concat(f.Labels, resourceLabels)
			if strings.HasPrefix(name, "ipam_") && slices.Contains(f.Labels, "ippool") {
				labels = append(labels, poolLabels...)
			}
			all.add(name, f, metric{origin: fromCalico, labels: labels, only: from.Versions.without(f.versions)})
		}
	}
	for _, families := range from.Collector {
		for name, f := range families {
			all.add(name, f, metric{origin: fromCollector, labels: slices.Concat(f.Labels, collectorLabels)})
		}
	}
	for _, component := range []string{"../receiver/calicoreceiver", "../processor/calicoipamprocessor"} {
		all.addMetadata(readMetadata(t, component+"/metadata.yaml"))
	}
	return all
}

// add adds a family by all names that it has in queries.
func (m metrics) add(name string, f family, as metric) {
	with := func(suffix string, counter bool, labels ...string) {
		named := as
		named.counter, named.labels = counter, slices.Concat(as.labels, labels)
		m[name+suffix] = named
	}
	switch f.Type {
	case "histogram":
		with("_bucket", true, "le")
	case "summary":
		with("", false, "quantile")
	default:
		with("", f.Type == "counter")
		return
	}
	with("_sum", true)
	with("_count", true)
}

// addMetadata adds what a component of this repository publishes. What Calico publishes as well has the labels of both, and is there in every version.
func (m metrics) addMetadata(from metadata) {
	for name, f := range from.families("") {
		labels := slices.Concat(f.Labels, resourceLabels, m[name].labels)
		m.add(name, f, metric{origin: fromReceiver, labels: labels, values: from.values(name)})
	}
	for name, f := range from.families(internalPrefix) {
		m.add(name, f, metric{origin: fromCollector, labels: slices.Concat(f.Labels, collectorLabels)})
	}
}

// without returns the versions of a metric, or nil where they are all supported ones.
func (v versions) without(of versions) *versions {
	if of.Since == "" && of.Until == "" {
		return nil
	}
	return &of
}

// has is whether a version of Calico is one of them.
func (v versions) has(version string) bool {
	return (v.Since == "" || minor(v.Since) <= minor(version)) && (v.Until == "" || minor(version) <= minor(v.Until))
}

// String names them as a document does.
func (v versions) String() string {
	var said []string
	if v.Since != "" {
		said = append(said, "since Calico "+strings.TrimPrefix(v.Since, "v"))
	}
	if v.Until != "" {
		said = append(said, "until Calico "+strings.TrimPrefix(v.Until, "v"))
	}
	return strings.Join(said, " ")
}

// minor is 24 of v3.24 and of v3.24.1, and -1 of what is no version of Calico.
func minor(version string) int {
	after, ok := strings.CutPrefix(version, "v3.")
	after, _, _ = strings.Cut(after, ".")
	n, err := strconv.Atoi(after)
	if !ok || err != nil {
		return -1
	}
	return n
}

// problems are what is wrong, each with where.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// none fails with all problems, each once.
func (p problems) none(t *testing.T) {
	t.Helper()
	if found := slices.Compact(slices.Sorted(slices.Values(p))); len(found) > 0 {
		t.Fatalf("%d problems:\n%s", len(found), strings.Join(found, "\n"))
	}
}

func TestTableIsInOrder(t *testing.T) {
	from := readTable(t)
	var wrong problems
	names := map[string]string{}
	families := 0
	for component, of := range from.Components {
		for name, f := range of {
			families++
			if other, twice := names[name]; twice {
				wrong.add("%s is of %s and of %s", name, component, other)
			}
			names[name] = component
			if !slices.Contains([]string{"counter", "gauge", "histogram", "summary"}, f.Type) {
				wrong.add("%s: %s has type %q", component, name, f.Type)
			}
			for _, version := range []string{f.Since, f.Until} {
				if version != "" && !from.Versions.has(version) {
					wrong.add("%s: %s has version %s, which is none from %s to %s", component, name, version, from.Versions.Since, from.Versions.Until)
				}
			}
			if f.Since == from.Versions.Since || f.Until == from.Versions.Until {
				wrong.add("%s: %s names the first or the last supported version, which goes without saying", component, name)
			}
			if f.Since != "" && f.Until != "" && minor(f.Since) > minor(f.Until) {
				wrong.add("%s: %s ends before it begins", component, name)
			}
		}
	}
	wrong.none(t)
	t.Logf("metrics of Calico: %d families of %d components, %s to %s", families, len(from.Components), from.Versions.Since, from.Versions.Until)
}

func TestVersionsAreCompared(t *testing.T) {
	for said, expected := range map[versions][]bool{ // of v3.28 and v3.32.1
		{}:                               {true, true},
		{Since: "v3.28"}:                 {true, true},
		{Since: "v3.29"}:                 {false, true},
		{Until: "v3.31"}:                 {true, false},
		{Since: "v3.30", Until: "v3.30"}: {false, false},
	} {
		require.Equal(t, expected, []bool{said.has("v3.28"), said.has("v3.32.1")}, "%q", said.String())
	}
	require.Equal(t, "since Calico 3.30 until Calico 3.31", versions{Since: "v3.30", Until: "v3.31"}.String())
	require.Equal(t, -1, minor("main"))
}

func TestFamilyHasItsNamesInQueries(t *testing.T) {
	all := metrics{}
	all.add("h", family{Type: "histogram"}, metric{labels: []string{"x"}})
	all.add("s", family{Type: "summary"}, metric{})
	all.add("c", family{Type: "counter"}, metric{})
	require.Equal(t, metrics{
		"h_bucket": {counter: true, labels: []string{"x", "le"}}, "h_sum": {counter: true, labels: []string{"x"}}, "h_count": {counter: true, labels: []string{"x"}},
		"s": {labels: []string{"quantile"}}, "s_sum": {counter: true}, "s_count": {counter: true},
		"c": {counter: true},
	}, all)
	require.Subset(t, slices.Collect(maps.Keys(readMetrics(t))), []string{
		"felix_int_dataplane_apply_time_seconds", "felix_int_dataplane_apply_time_seconds_sum", "goldmane_collector_flow_process_latency_bucket",
		"calico_ipam_pool_info", "otelcol_processor_calico_ipam_scrapes", "otelcol_exporter_queue_size", "up", "ALERTS",
	})
}
