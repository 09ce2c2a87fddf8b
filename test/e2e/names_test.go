//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

var (
	// leftOut is what the profile essential leaves out of what the lab's components publish, as the receiver's README has it.
	leftOut = []struct{ job, names *regexp.Regexp }{
		{regexp.MustCompile(`^.*$`), regexp.MustCompile(`^(go|process|promhttp)_.*$`)},
		{regexp.MustCompile(`^calico-kube-controllers$`), regexp.MustCompile(`^ipam_(allocations|allocations_borrowed|blocks)_per_node$`)},
	}
	// moved is what the account of addresses provides in place of kube-controllers.
	moved = regexp.MustCompile(`^ipam_(ippool_size|allocations_in_use|allocations_borrowed|blocks)$`)
	// added is what only the distribution has: kube-controllers of the lab's release publishes no reservations.
	added = regexp.MustCompile(`^(calico_.*|ipam_ippool_reserved)$`)
	// momentary is what scrapes themselves change, so that one between two others may see another value.
	momentary = regexp.MustCompile(`^(go_(goroutines|threads|memstats_.*)|process_(open_fds|.*_bytes)|promhttp_metric_handler_requests_in_flight|scrape_duration_seconds)$`)
)

// TestNamesAreThoseThatPrometheusScrapes compares what a Prometheus has that scrapes the lab by itself with what comes by each route, to the last label
// and value. docs/names.md has the differences that it allows.
func TestNamesAreThoseThatPrometheusScrapes(t *testing.T) {
	// Until it starts anew kube-controllers publishes the pools of other tests.
	lab.Command(t, "part", "restart", "calico-kube-controllers")
	// No component of the lab's release has a histogram, as Goldmane has.
	components := append(slices.Clone(lab.Components),
		inPlaceOf(t, "calico-goldmane", "goldmane", "testdata/goldmane.prom", "PROMETHEUS_PORT"))
	if !felixRuns() {
		components = append(components, inPlaceOf(t, "calico-felix", "calico-node", "../../receiver/calicoreceiver/internal/scrape/testdata/felix.prom",
			"FELIX_PROMETHEUSMETRICSPORT", corev1.EnvVar{Name: "FELIX_PROMETHEUSMETRICSENABLED", Value: "true"}))
	}
	scraped := labtest.PrometheusAPI(t, labtest.StartPrometheus(t, scrapeConfig(components)))
	for _, c := range []struct {
		name      string
		configs   []string
		essential bool
	}{
		{name: "everything that is scraped", configs: []string{"testdata/names-all.yaml"}},
		{name: "what is passed on by default", essential: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newExpectation(t, components, c.essential)
			routes := startRoutes(t, e.cluster, c.configs)
			for _, r := range routes {
				t.Run("by "+r.name, func(t *testing.T) {
					e.awaitSame(t, scraped, r)
					sameAnswers(t, scraped, r.prom)
					targetInfo(t, r, components)
				})
			}
			t.Run("what is added is the same by every route", func(t *testing.T) { sameAdditions(t, routes) })
		})
	}
}

// inPlaceOf is a component that serves a file in place of one that the lab does not have.
func inPlaceOf(t *testing.T, job, app, file, portVariable string, env ...corev1.EnvVar) labtest.Component {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		http.ServeFile(w, r, file)
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	pod := lab.RunningPod(t, app, at.Hostname(), corev1.Container{Env: append(env, corev1.EnvVar{Name: portVariable, Value: at.Port()})})
	return labtest.Component{Job: job, Namespace: pod.Namespace, Pod: pod.Name, Node: pod.Spec.NodeName, Address: at.Host}
}

// scrapeConfig has a Prometheus scrape components by itself.
func scrapeConfig(components []labtest.Component) string {
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: %[1]s, scrape_timeout: %[1]s}\nscrape_configs:\n", interval)
	for _, c := range components {
		fmt.Fprintf(&config, "  - {job_name: %s, static_configs: [{targets: [%q]}]}\n", c.Job, c.Address)
	}
	return config.String()
}

// otlpSettings are those that configs/backends/prometheus-otlp.yaml asks of Prometheus.
func otlpSettings(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../configs/backends/prometheus-otlp.yaml")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(content), "\n#   otlp:\n#   ")
	require.True(t, found)
	settings, _, found := strings.Cut(after, "\n#\n")
	require.True(t, found)
	return "otlp:\n" + strings.ReplaceAll(settings, "\n#   ", "\n") + "\n"
}

// route is a way to a Prometheus.
type route struct {
	name string
	prom promv1.API
	// targetInfo says that this Prometheus makes the metric of that name.
	targetInfo bool
}

// startRoutes starts a collector that sends to three Prometheis, to one of them through a gateway.
func startRoutes(t *testing.T, cluster string, configs []string) []route {
	t.Helper()
	remoteWrite, otlp, behind := labtest.StartPrometheus(t, ""), labtest.StartPrometheus(t, otlpSettings(t)), labtest.StartPrometheus(t, "")
	port := labtest.FreePort(t)
	labtest.StartCollector(t, []string{"../../configs/gateway.yaml", "../../configs/backends/remote-write.yaml", "testdata/gateway.yaml"},
		"STORAGE_DIRECTORY="+t.TempDir(), "OTLP_GRPC_PORT="+port,
		"REMOTE_WRITE_ENDPOINT="+behind+"/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:"+labtest.FreePort(t))
	startCollector(t, collector{
		cluster: cluster,
		configs: append([]string{"../../configs/backends/prometheus-otlp.yaml", "../../configs/backends/otlp-grpc.yaml", "testdata/names-agent.yaml"}, configs...),
		env: []string{
			"REMOTE_WRITE_ENDPOINT=" + remoteWrite + "/api/v1/write",
			"PROMETHEUS_OTLP_ENDPOINT=" + otlp + "/api/v1/otlp",
			"OTLP_ENDPOINT=localhost:" + port,
		},
	})
	routes := []route{
		{name: "remote write", prom: labtest.PrometheusAPI(t, remoteWrite)},
		{name: "OTLP into Prometheus", prom: labtest.PrometheusAPI(t, otlp), targetInfo: true},
		{name: "OTLP to a gateway, and from there remote write", prom: labtest.PrometheusAPI(t, behind)},
	}
	for _, r := range routes {
		awaitValue(t, r.prom, `count(up{job="calico-typha"})`, 1)
	}
	return routes
}

// expectation knows what becomes of a series that Prometheus scrapes by itself.
type expectation struct {
	cluster, uid string
	components   map[model.LabelValue]labtest.Component // by instance
	ranges       map[model.LabelValue]string            // of pools
	essential    bool
}

func newExpectation(t *testing.T, components []labtest.Component, essential bool) *expectation {
	t.Helper()
	e := &expectation{cluster: "names", components: map[model.LabelValue]labtest.Component{}, ranges: map[model.LabelValue]string{}, essential: essential}
	for _, c := range components {
		e.components[model.LabelValue(c.Address)] = c
	}
	system, err := lab.Kube(t).CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	e.uid = string(system.UID)
	pools, err := lab.Dynamic(t).Resource(crdGroup.WithResource("ippools")).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pool := range pools.Items {
		cidr, _, err := unstructured.NestedString(pool.Object, "spec", "cidr")
		require.NoError(t, err)
		e.ranges[model.LabelValue(pool.GetName())] = cidr
	}
	return e
}

// of is what a series is that Prometheus scrapes by itself; ok is false where it does not come.
func (e *expectation) of(scraped model.Metric) (series model.Metric, ok bool) {
	series = scraped.Clone()
	name, job := string(series[model.MetricNameLabel]), string(series[model.JobLabel])
	component := e.components[series[model.InstanceLabel]]
	if e.essential {
		for _, entry := range leftOut {
			if entry.job.MatchString(job) && entry.names.MatchString(name) {
				return nil, false
			}
		}
	}
	series["k8s_cluster_name"] = model.LabelValue(e.cluster)
	if e.essential && moved.MatchString(name) {
		series[model.JobLabel], series[model.InstanceLabel] = "calico-ipam", model.LabelValue(e.uid)
	} else {
		series["k8s_namespace_name"] = model.LabelValue(component.Namespace)
		series["k8s_pod_name"] = model.LabelValue(component.Pod)
		series["k8s_node_name"] = model.LabelValue(component.Node)
	}
	if cidr, ok := e.ranges[series["ippool"]]; ok && strings.HasPrefix(name, "ipam_") {
		series["cidr"], series["ip_family"] = model.LabelValue(cidr), "IPv4"
		if strings.Contains(cidr, ":") {
			series["ip_family"] = "IPv6"
		}
	}
	// Calico writes le="1"; a Prometheus that scrapes makes it le="1.0" since version 3.
	for _, boundary := range []model.LabelName{model.BucketLabel, model.QuantileLabel} {
		if value, ok := series[boundary]; ok {
			series[boundary] = model.LabelValue(strings.TrimSuffix(string(value), ".0"))
		}
	}
	return series, true
}

// awaitSame waits until all that is expected has come by a route, and nothing else, with the values that Prometheus scraped.
func (e *expectation) awaitSame(t *testing.T, scraped promv1.API, r route) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		theirs, err := recent(t.Context(), scraped)
		require.NoError(c, err)
		ours, err := recent(t.Context(), r.prom)
		require.NoError(c, err)
		want := map[string]*model.SampleStream{}
		for _, stream := range theirs {
			if series, ok := e.of(stream.Metric); ok {
				want[series.String()] = stream
			}
		}
		var wrong []string
		got, unchanged := map[string]bool{}, 0
		for _, stream := range ours {
			name, key := string(stream.Metric[model.MetricNameLabel]), stream.Metric.String()
			if added.MatchString(name) || r.targetInfo && name == "target_info" {
				continue
			}
			got[key] = true
			switch their, ok := want[key]; {
			case !ok:
				wrong = append(wrong, "not expected: "+key)
			case !momentary.MatchString(name) && (!e.essential || name != "scrape_samples_post_metric_relabeling"):
				compared, difference := compare(their.Values, stream.Values)
				if compared {
					unchanged++
				}
				if difference != "" {
					wrong = append(wrong, key+" "+difference)
				}
			}
		}
		for key := range want {
			if !got[key] {
				wrong = append(wrong, "missing: "+key)
			}
		}
		slices.Sort(wrong)
		require.Empty(c, wrong[:min(len(wrong), 10)], "%d are wrong, for example these", len(wrong))
		require.Greater(c, unchanged, len(want)*2/3, "series that did not change")
		t.Logf("%d series are the same, %d of them were compared by value", len(want), unchanged)
	}, patience, interval)
}

// recent are the samples of the last few scrapes.
func recent(ctx context.Context, prom promv1.API) (model.Matrix, error) {
	value, _, err := prom.Query(ctx, fmt.Sprintf(`{__name__=~".+"}[%s]`, 6*interval), time.Now())
	if err != nil {
		return nil, err
	}
	return value.(model.Matrix), nil
}

// compare looks at our values that are between two of theirs that are the same: whether there are any, and one that is another.
func compare(theirs, ours []model.SamplePair) (compared bool, difference string) {
	for _, our := range ours {
		after := slices.IndexFunc(theirs, func(their model.SamplePair) bool { return their.Timestamp >= our.Timestamp })
		if after < 1 || !theirs[after-1].Value.Equal(theirs[after].Value) {
			continue
		}
		compared = true
		if !our.Value.Equal(theirs[after].Value) {
			difference = fmt.Sprintf("is %v, not %v", our.Value, theirs[after].Value)
		}
	}
	return compared, difference
}

// sameAnswers asks what one asks of a Calico that Prometheus scrapes.
func sameAnswers(t *testing.T, scraped, prom promv1.API) {
	t.Helper()
	for _, expression := range []string{
		`sum by (job, instance) (up)`,
		`sum by (ippool) (ipam_allocations_in_use) / on (ippool) ipam_ippool_size`,
		`sum by (node) (ipam_blocks)`,
		`sum by (syncer) (typha_cache_size)`,
		`histogram_quantile(0.999, sum by (le) (goldmane_collector_flow_process_latency_bucket))`,
		`count(goldmane_collector_flow_process_latency_bucket{le=~"1(\\.0)?"})`,
	} {
		want, err := query(t.Context(), scraped, expression)
		require.NoError(t, err)
		require.NotEmpty(t, want, expression)
		got, err := query(t.Context(), prom, expression)
		require.NoError(t, err)
		answers := func(vector model.Vector) map[string]model.SampleValue {
			by := map[string]model.SampleValue{}
			for _, sample := range vector {
				by[sample.Metric.String()] = sample.Value
			}
			return by
		}
		require.Equal(t, answers(want), answers(got), expression)
	}
	// Types and help texts are of those that are scraped.
	metadata, err := prom.Metadata(t.Context(), "", "")
	require.NoError(t, err)
	require.Empty(t, metadata)
}

// targetInfo is there for every component where Prometheus makes it, and nowhere else.
func targetInfo(t *testing.T, r route, components []labtest.Component) {
	t.Helper()
	if !r.targetInfo {
		awaitNothing(t, r.prom, `target_info`)
		return
	}
	for _, c := range components {
		awaitValue(t, r.prom, fmt.Sprintf(`count(target_info{job=%q,instance=%q,k8s_pod_name=%q,k8s_pod_uid=~".+"})`, c.Job, c.Address, c.Pod), 1)
	}
}

// sameAdditions compares what is added on the routes with each other.
func sameAdditions(t *testing.T, routes []route) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var first []string
		for i, r := range routes {
			streams, err := recent(t.Context(), r.prom)
			require.NoError(c, err)
			var all []string
			for _, stream := range streams {
				if added.MatchString(string(stream.Metric[model.MetricNameLabel])) {
					all = append(all, stream.Metric.String())
				}
			}
			slices.Sort(all)
			if i == 0 {
				first = all
			}
			require.NotEmpty(c, all)
			require.Equal(c, first, all, r.name)
		}
	}, patience, interval)
}
