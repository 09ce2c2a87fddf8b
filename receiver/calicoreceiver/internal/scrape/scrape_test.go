package scrape

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/discovery"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// A dependency of the Prometheus receiver starts OpenCensus' worker and nothing can stop it.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// Prometheus looks for new targets every five seconds, and ends the series of an old one two intervals later.
const patience = 30 * time.Second

const interval = time.Second

// serve serves an exposition that can be changed, and returns its host:port.
func serve(t *testing.T, exposition string) (address string, body *atomic.Pointer[string]) {
	t.Helper()
	body = &atomic.Pointer[string]{}
	body.Store(&exposition)
	return serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, *body.Load()) }), body
}

// serveAt serves an exposition at one path.
func serveAt(t *testing.T, path, exposition string) (address string) {
	t.Helper()
	return serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, exposition)
	})
}

func serveFunc(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// start starts a Scraper of jobs that have one interval, and stops it with the test.
func start(t *testing.T, jobs ...string) (*Scraper, *consumertest.MetricsSink) {
	t.Helper()
	var all []Job
	for _, name := range jobs {
		all = append(all, job(name, Settings{}))
	}
	return startJobs(t, nopSettings(), all...)
}

func startJobs(t *testing.T, set receiver.Settings, jobs ...Job) (*Scraper, *consumertest.MetricsSink) {
	t.Helper()
	sink := &consumertest.MetricsSink{}
	s, err := New(t.Context(), set, jobs, sink)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	require.NoError(t, s.Start(t.Context(), componenttest.NewNopHost()))
	return s, sink
}

func job(name string, settings Settings) Job {
	return Job{Name: name, Interval: interval, Timeout: interval, Settings: settings}
}

func nopSettings() receiver.Settings {
	return receivertest.NewNopSettings(component.MustNewType("calico"))
}

// newest finds the newest point of a metric under a service.instance.id, nil where there is none.
func newest(sink *consumertest.MetricsSink, instance, metric string) (point *pmetric.NumberDataPoint, resource map[string]any) {
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			id, _ := rm.Resource().Attributes().Get("service.instance.id")
			if id.AsString() != instance {
				continue
			}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != metric {
						continue
					}
					var p pmetric.NumberDataPoint
					if m.Type() == pmetric.MetricTypeSum {
						p = m.Sum().DataPoints().At(0)
					} else {
						p = m.Gauge().DataPoints().At(0)
					}
					point, resource = &p, rm.Resource().Attributes().AsRaw()
				}
			}
		}
	}
	return point, resource
}

func value(p *pmetric.NumberDataPoint) float64 {
	if p == nil || p.Flags().NoRecordedValue() {
		return -1
	}
	return p.DoubleValue()
}

func TestTargetsComeAndGoWithoutRestart(t *testing.T) {
	t.Parallel()
	s, sink := start(t, "calico-felix")
	one, _ := serve(t, "# TYPE felix_resyncs_started counter\nfelix_resyncs_started 1\n")
	two, _ := serve(t, "# TYPE felix_resyncs_started counter\nfelix_resyncs_started 2\n")

	require.NoError(t, s.Update("calico-felix", []Target{{Address: one}}))
	require.Eventually(t, func() bool { p, _ := newest(sink, one, "felix_resyncs_started"); return value(p) == 1 }, patience, interval/10)

	require.NoError(t, s.Update("calico-felix", []Target{{Address: two}}))
	require.Eventually(t, func() bool { p, _ := newest(sink, two, "felix_resyncs_started"); return value(p) == 2 }, patience, interval/10)
	require.Eventually(t, func() bool {
		p, _ := newest(sink, one, "felix_resyncs_started")
		return p.Flags().NoRecordedValue()
	}, patience, interval/10, "the series of a target that went away end")
}

func TestPodReplacedAtTheSameAddressEndsItsSeries(t *testing.T) {
	t.Parallel()
	s, sink := start(t, "calico-felix")
	address, _ := serve(t, "# TYPE felix_resyncs_started counter\nfelix_resyncs_started 1\n")
	newestOf := func(pod string) *pmetric.NumberDataPoint {
		var found *pmetric.NumberDataPoint
		for _, md := range sink.AllMetrics() {
			for _, rm := range md.ResourceMetrics().All() {
				if name, _ := rm.Resource().Attributes().Get("k8s.pod.name"); name.AsString() != pod {
					continue
				}
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					if m.Name() == "felix_resyncs_started" {
						p := m.Sum().DataPoints().At(0)
						found = &p
					}
				}
			}
		}
		return found
	}
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address, Pod: "old", PodUID: "u1"}}))
	require.Eventually(t, func() bool { return value(newestOf("old")) == 1 }, patience, interval/10)
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address, Pod: "new", PodUID: "u2"}}))
	require.Eventually(t, func() bool { return value(newestOf("new")) == 1 }, patience, interval/10)
	require.Eventually(t, func() bool { return newestOf("old").Flags().NoRecordedValue() }, patience, interval/10)
	require.InDelta(t, 1, value(newestOf("new")), 0, "the series of the new pod go on")
}

func TestNamesAndLabelsArriveUntouchedAndTheTargetIsNamed(t *testing.T) {
	t.Parallel()
	s, sink := start(t, "calico-typha")
	address, _ := serve(t, "# TYPE typha_updates counter\ntypha_updates{syncer=\"felix\"} 7\n")
	require.NoError(t, s.Update("calico-typha", []Target{{
		Address: address, Namespace: "calico-system", Pod: "calico-typha-1", PodUID: "u1", Node: "node-1", Container: "calico-typha",
		ControllerKind: "ReplicaSet", ControllerName: "calico-typha-7f8",
	}}))
	require.Eventually(t, func() bool { p, _ := newest(sink, address, "typha_updates"); return value(p) == 7 }, patience, interval/10)

	point, resource := newest(sink, address, "typha_updates")
	require.Equal(t, map[string]any{"syncer": "felix"}, point.Attributes().AsRaw())
	for attribute, want := range map[string]string{
		"service.name": "calico-typha", "service.instance.id": address, "k8s.namespace.name": "calico-system", "k8s.pod.name": "calico-typha-1",
		"k8s.pod.uid": "u1", "k8s.node.name": "node-1", "k8s.container.name": "calico-typha", "k8s.replicaset.name": "calico-typha-7f8",
	} {
		require.Equal(t, want, resource[attribute], attribute)
	}
}

func TestMalformedExpositionCostsThatScrapeOnly(t *testing.T) {
	t.Parallel()
	s, sink := start(t, "calico-felix", "calico-typha")
	broken, body := serve(t, "# TYPE felix_log_errors counter\nfelix_log_errors 3\n")
	sound, _ := serve(t, "# TYPE typha_log_errors counter\ntypha_log_errors 5\n")
	require.NoError(t, s.Update("calico-felix", []Target{{Address: broken}}))
	require.NoError(t, s.Update("calico-typha", []Target{{Address: sound}}))
	up := func(instance string) float64 { p, _ := newest(sink, instance, "up"); return value(p) }
	require.Eventually(t, func() bool { return up(broken) == 1 && up(sound) == 1 }, patience, interval/10)

	garbage, whole := "felix_log_errors {{{\n", *body.Load()
	body.Store(&garbage)
	require.Eventually(t, func() bool { return up(broken) == 0 }, patience, interval/10)
	sink.Reset()
	require.Eventually(t, func() bool { return up(sound) == 1 }, patience, interval/10, "the other target goes on")

	body.Store(&whole)
	require.Eventually(t, func() bool { return up(broken) == 1 }, patience, interval/10, "the next sound scrape counts again")
}

func TestUpdateOfAnUnknownJobIsRefused(t *testing.T) {
	s, err := New(t.Context(), nopSettings(), []Job{job("a", Settings{})}, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, s.Update("b", nil), `"b"`)
	require.NoError(t, s.Shutdown(t.Context()), "a scraper that never started can be shut down")
}

func TestDiscovererIsFoundByItsFeedOnly(t *testing.T) {
	f := newFeed("job")
	config := &sdConfig{Feed: f.name}
	_, err := config.NewDiscoverer(discovery.DiscovererOptions{})
	require.NoError(t, err)
	f.unregister()
	_, err = config.NewDiscoverer(discovery.DiscovererOptions{})
	require.ErrorContains(t, err, f.name)
}
