package calicoreceiver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/kubeclient"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

func init() {
	// The generated lifecycle tests start the receiver: against an API server that is not there, never the one of who runs the tests.
	if err := os.Setenv("KUBECONFIG", filepath.Join("testdata", "kubeconfig.yaml")); err != nil {
		panic(err)
	}
}

// statusHost keeps the status events that a component reports.
type statusHost struct {
	component.Host
	mu     sync.Mutex
	events []*componentstatus.Event
}

func (h *statusHost) Report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

func (h *statusHost) last() *componentstatus.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == 0 {
		return nil
	}
	return h.events[len(h.events)-1]
}

func TestUnreachableAPIServerIsAStatusAndNotAFailureToStart(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.AuthType = kubeclient.KubeConfig
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	host := &statusHost{Host: componenttest.NewNopHost()}
	require.NoError(t, r.Start(t.Context(), host))
	require.Eventually(t, func() bool {
		event := host.last()
		return event != nil && event.Status() == componentstatus.StatusRecoverableError
	}, 10*time.Second, 50*time.Millisecond)
	require.ErrorContains(t, host.last().Err(), "127.0.0.1:1")
	require.NoError(t, r.Shutdown(t.Context()))
}

func TestMissingKubeconfigFailsTheStartAndNamesTheKey(t *testing.T) {
	for _, tc := range []struct {
		name, kubeconfig, context string
		auth                      kubeclient.AuthType
	}{
		{name: "no kubeconfig", auth: kubeclient.KubeConfig, kubeconfig: "testdata/none.yaml"},
		{name: "no such context", auth: kubeclient.KubeConfig, kubeconfig: "testdata/kubeconfig.yaml", context: "prod"},
		{name: "not in a cluster", auth: kubeclient.ServiceAccount},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", tc.kubeconfig)
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			cfg := createDefaultConfig().(*Config)
			cfg.AuthType, cfg.Context = tc.auth, tc.context
			r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
			require.NoError(t, err)
			require.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "auth_type")
			require.NoError(t, r.Shutdown(t.Context()))
		})
	}
}

// electing is an extension that elects when it is told to.
type electing struct {
	component.StartFunc
	component.ShutdownFunc
	lead func(context.Context)
	rest func()
}

func (e *electing) SetCallBackFuncs(lead func(context.Context), rest func()) {
	e.lead, e.rest = lead, rest
}

// extended is a host with extensions.
type extended struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h extended) GetExtensions() map[component.ID]component.Component { return h.extensions }

// extendedStatusHost is a host with extensions that keeps status events.
type extendedStatusHost struct {
	*statusHost
	extended
}

func (h *extendedStatusHost) GetExtensions() map[component.ID]component.Component {
	return h.extended.GetExtensions()
}

func TestOnlyTheLeaderObserves(t *testing.T) {
	id := component.MustNewID("k8s_leader_elector")
	cfg := createDefaultConfig().(*Config)
	cfg.AuthType, cfg.K8sLeaderElector = kubeclient.KubeConfig, &id
	started := func(host component.Host) (*calicoReceiver, error) {
		r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
		require.NoError(t, err)
		return r.(*calicoReceiver), r.Start(t.Context(), host)
	}
	_, err := started(componenttest.NewNopHost())
	require.ErrorContains(t, err, "k8s_leader_elector")
	require.ErrorContains(t, err, "service.extensions")
	_, err = started(extended{componenttest.NewNopHost(), map[component.ID]component.Component{id: &struct {
		component.StartFunc
		component.ShutdownFunc
	}{}}})
	require.ErrorContains(t, err, "elects no leader")

	elector := &electing{}
	host := &statusHost{}
	r, err := started(&extendedStatusHost{host, extended{componenttest.NewNopHost(), map[component.ID]component.Component{id: elector}}})
	require.NoError(t, err)
	observes := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.stop != nil
	}
	require.False(t, observes(), "it stands by")
	for range 2 {
		elector.lead(t.Context())
		require.True(t, observes())
		elector.lead(t.Context())
		require.Eventually(t, func() bool {
			event := host.last()
			return event != nil && event.Status() == componentstatus.StatusRecoverableError
		}, 10*time.Second, 10*time.Millisecond, "its API server does not answer")
		elector.rest()
		require.False(t, observes())
		require.Equal(t, componentstatus.StatusOK, host.last().Status(), "who stands by is well")
		elector.rest()
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	elector.lead(over)
	require.False(t, observes(), "a leadership that is over is none")
	elector.lead(t.Context())
	require.NoError(t, r.Shutdown(t.Context()))
	elector.lead(t.Context())
	require.False(t, observes(), "nothing begins after the end")
	elector.rest()
}

func TestStaticModeScrapesAndSaysWhatBecameOfIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("# TYPE felix_resyncs_started counter\nfelix_resyncs_started 7\n# TYPE go_goroutines gauge\ngo_goroutines 3\n"))
	}))
	defer server.Close()
	cfg := createDefaultConfig().(*Config)
	cfg.Mode, cfg.AuthType, cfg.CollectionInterval = ModeStatic, kubeclient.ServiceAccount, time.Second
	cfg.Felix.Endpoints, cfg.Typha.Endpoints = []string{server.URL + "/metrics"}, []string{"http://127.0.0.1:1"}
	require.NoError(t, confmap.Validate(cfg))
	sink := &consumertest.MetricsSink{}
	r, err := NewFactory().CreateMetrics(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, r.Shutdown(context.Background())) }()
	states := func() map[string]bool {
		found := map[string]bool{}
		for _, md := range sink.AllMetrics() {
			for _, p := range gauges(md, "calico_component_endpoints") {
				a := p.Attributes().AsRaw()
				found[fmt.Sprintf("%v %v %v", a["component"], a["state"], a["reason"])] = !p.Flags().NoRecordedValue()
			}
		}
		return found
	}
	require.Eventually(t, func() bool {
		now := states()
		return now["felix scraped ok"] && now["typha unreachable scrape_failed"]
	}, 20*time.Second, 50*time.Millisecond)
	names := map[string]bool{}
	require.Eventually(t, func() bool {
		for _, md := range sink.AllMetrics() {
			for _, rm := range md.ResourceMetrics().All() {
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					names[m.Name()] = true
				}
			}
		}
		return names["felix_resyncs_started"]
	}, 20*time.Second, 50*time.Millisecond)
	require.False(t, names["go_goroutines"], "the essential profile has no metrics of the runtime")
}

// gauges are the points of one metric.
func gauges(md pmetric.Metrics, name string) []pmetric.NumberDataPoint {
	var points []pmetric.NumberDataPoint
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() == name {
				for _, p := range m.Gauge().DataPoints().All() {
					points = append(points, p)
				}
			}
		}
	}
	return points
}

func TestEveryResourceCarriesTheIdentityOfTheCluster(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	next := &identified{next: sink, clusterName: "prod"}
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty()
	md.ResourceMetrics().AppendEmpty()

	require.NoError(t, next.ConsumeMetrics(t.Context(), md))
	next.setUID("4711")
	second := pmetric.NewMetrics()
	second.ResourceMetrics().AppendEmpty()
	require.NoError(t, next.ConsumeMetrics(t.Context(), second))

	got := sink.AllMetrics()
	for _, rm := range got[0].ResourceMetrics().All() {
		require.Equal(t, map[string]any{"k8s.cluster.name": "prod"}, rm.Resource().Attributes().AsRaw(), "a UID that is not known is left out")
	}
	require.Equal(t, map[string]any{"k8s.cluster.name": "prod", "k8s.cluster.uid": "4711"}, got[1].ResourceMetrics().At(0).Resource().Attributes().AsRaw())
}
