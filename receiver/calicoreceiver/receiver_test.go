package calicoreceiver

import (
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
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

func TestPoolInfoEndsTheSeriesOfAPoolThatChangesOrGoesAway(t *testing.T) {
	info := newPoolInfo(metadata.DefaultMetricsConfig(), receivertest.NewNopSettings(metadata.Type))
	pool := func(name, cidr, state string) calicoapi.IPPool {
		return calicoapi.IPPool{
			Name: name, CIDR: netip.MustParsePrefix(cidr), BlockSize: 26, State: state,
			AllowedUses: []string{"Tunnel", "Workload"}, AssignmentMode: "Automatic", Encapsulation: "None",
		}
	}
	delivered := true
	write := func(pools ...calicoapi.IPPool) map[string]bool {
		now := pcommon.NewTimestampFromTime(time.Now())
		md := info.write(now, pcommon.NewResource(), pools)
		if delivered {
			info.sent(pools)
		}
		alive := map[string]bool{}
		for _, rm := range md.ResourceMetrics().All() {
			for _, p := range rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().All() {
				name, _ := p.Attributes().Get("ippool")
				state, _ := p.Attributes().Get("state")
				require.Equal(t, now, p.Timestamp())
				alive[name.Str()+" "+state.Str()] = !p.Flags().NoRecordedValue()
			}
		}
		return alive
	}

	require.Empty(t, write(), "no pools, no metric")
	require.True(t, info.unchanged(nil))
	a, b := pool("a", "10.0.0.0/16", "enabled"), pool("b", "fd00::/48", "enabled")
	require.Equal(t, map[string]bool{"a enabled": true, "b enabled": true}, write(a, b))
	require.True(t, info.unchanged([]calicoapi.IPPool{a, b}))
	require.False(t, info.unchanged([]calicoapi.IPPool{pool("a", "10.0.0.0/16", "disabled"), b}))
	require.Equal(t, map[string]bool{"a disabled": true, "a enabled": false, "b enabled": true}, write(pool("a", "10.0.0.0/16", "disabled"), b))
	require.Equal(t, map[string]bool{"b enabled": true, "a disabled": false}, write(b))
	delivered = false
	require.Equal(t, map[string]bool{"b enabled": false}, write(), "the last pool ends as well")
	delivered = true
	require.Equal(t, map[string]bool{"b enabled": false}, write(), "an end that the pipeline refused is sent again")
	require.Empty(t, write(), "a series ends once")
}

func TestPoolInfoCanBeSwitchedOff(t *testing.T) {
	cfg, err := load(t, map[string]any{"metrics": map[string]any{"calico_ipam_pool_info": map[string]any{"enabled": false}}})
	require.NoError(t, err)
	info := newPoolInfo(cfg.Metrics, receivertest.NewNopSettings(metadata.Type))
	md := info.write(1, pcommon.NewResource(), []calicoapi.IPPool{{Name: "a", CIDR: netip.MustParsePrefix("10.0.0.0/16")}})
	require.Zero(t, md.DataPointCount())
}

func TestPoolInfoLabels(t *testing.T) {
	info := newPoolInfo(metadata.DefaultMetricsConfig(), receivertest.NewNopSettings(metadata.Type))
	md := info.write(1, pcommon.NewResource(), []calicoapi.IPPool{{
		Name: "v6", CIDR: netip.MustParsePrefix("fd00:10:244::/48"), BlockSize: 122, State: "terminating",
		AllowedUses: []string{"LoadBalancer"}, AssignmentMode: "Manual", Encapsulation: "VXLAN",
	}})
	require.Equal(t, map[string]any{
		"ippool": "v6", "cidr": "fd00:10:244::/48", "ip_family": "IPv6", "block_size": int64(122), "state": "terminating",
		"allowed_uses": "LoadBalancer", "assignment_mode": "Manual", "encapsulation": "VXLAN",
	}, md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).Attributes().AsRaw())
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
