package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzEndpoints gives every component the same strings for settings, and policies, and has all scrapes fail.
func FuzzEndpoints(f *testing.F) {
	f.Add("FELIX_PROMETHEUSMETRICSENABLED", "true", "FELIX_PROMETHEUSMETRICSPORT", "9091", "", "127.0.0.1", "has(a)", int64(9091), uint8(0))
	f.Add("TYPHA_PROMETHEUSMETRICSENABLED", "yes", "typha_prometheusmetricshost", "::1", "get configmaps/x", "", "", int64(0), uint8(1))
	f.Add("PROMETHEUS_PORT", "0x10", "METRICS_PORT", "", "", "none", "all()", int64(-1), uint8(2))
	f.Add("METRICS_ENABLED", "TRUE", "METRICS_SCHEME", "https", "", "/ca", "k8s-app != 'x'", int64(70000), uint8(255))
	f.Add("FELIX_PROMETHEUSMETRICSKEYFILE", "none", "CALICO_NETWORKING_BACKEND", "none", "", "x\ny", "a in {", int64(1), uint8(77))
	f.Fuzz(func(t *testing.T, name, value, name2, value2, missing, text, selector string, port int64, bits uint8) {
		bit := func(n uint) bool { return bits>>n&1 == 1 }
		env := []EnvVar{{Name: name, Value: value}, {Name: name2, Value: value2, Unreadable: missing}}
		in := Input{
			Scope: append(Components(), IPAM),
			FelixConfigurations: Readable[map[string]FelixConfiguration]{Value: map[string]FelixConfiguration{
				"default":     {PrometheusMetricsPort: &port, PrometheusMetricsHost: text, Overrides: map[string]string{name: value}},
				"node.node-1": {PrometheusMetricsEnabled: ptr(bit(0)), PrometheusMetricsCAFile: text, PrometheusMetricsKeyFile: value},
				name:          {NodeSelector: &selector, PrometheusMetricsCertFile: value, PrometheusMetricsClientAuth: value2},
			}},
			NodeLabels:      Readable[map[string]map[string]string]{Value: map[string]map[string]string{"node-1": {text: value}}},
			KubeControllers: Readable[*KubeControllersConfiguration]{Value: &KubeControllersConfiguration{PrometheusMetricsPort: &port}},
			CalicoInstalled: bit(1),
			Pools:           Readable[int]{Value: int(bits)},
			Clients:         map[Component]Client{Felix: {Verifies: bit(2), Certificate: bit(3)}, Operator: {Verifies: bit(2), Certificate: bit(3)}},
		}
		if bit(4) {
			in.Installation = &Installation{CNI: text, IPAM: value, NodeMetricsPort: &port, TyphaMetricsPort: &port}
		}
		if bit(5) {
			in.NodeLabels = Readable[map[string]map[string]string]{Missing: missing}
		}
		if bit(6) {
			in.FelixConfigurations = Readable[map[string]FelixConfiguration]{Missing: missing}
		}
		if !bit(7) {
			in.Pods = []Pod{felixPod(env...), typhaPod(env...), kubeControllersPod(), goldmanePod(env...), operatorPod(env...)}
		}
		endpoints := Endpoints(in)
		require.Equal(t, endpoints, Endpoints(in), "the same input has the same endpoints")
		require.Len(t, endpoints, len(in.Scope))
		up := map[string]bool{}
		for _, e := range endpoints {
			requireSound(t, e)
			up[e.Address] = false
		}
		policy := Policy{Name: "calico-system.x", Namespace: "calico-system", Tier: text, Selector: selector, Ingress: bit(0), AllowsIngress: bit(1)}
		for _, e := range Judge(endpoints, up, Policies{Missing: missing, Known: bit(2), List: []Policy{policy}}) {
			requireSound(t, e)
		}
	})
}

// requireSound checks what holds for every endpoint.
func requireSound(t *testing.T, e Endpoint) {
	t.Helper()
	require.NotEmpty(t, e.Reason)
	require.NotEmpty(t, e.Detail)
	requireDocumented(t, e)
	target := e.State == Scraped || e.State == Unreachable || e.State == Blocked && e.Reason == ReasonCalicoSystemTier
	require.Equal(t, target && e.Component != IPAM, e.IsTarget(), "%s %s", e.State, e.Reason)
	require.Equal(t, e.IsTarget(), e.Scheme != "")
}
