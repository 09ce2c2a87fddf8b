package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func ptr[T any](v T) *T { return &v }

// felixPod is a calico-node pod that runs on node-1 with some environment.
func felixPod(env ...EnvVar) Pod {
	return Pod{
		Namespace: "calico-system", Name: "calico-node-abcde", UID: "u1", App: "calico-node",
		Node: "node-1", IP: "192.0.2.10", Running: true,
		ControllerKind: "DaemonSet", ControllerName: "calico-node",
		Containers: []Container{{Name: "calico-node", Env: env}},
	}
}

func typhaPod(env ...EnvVar) Pod {
	pod := felixPod()
	pod.Name, pod.App = "calico-typha-7f8-xyz", "calico-typha"
	pod.Containers = []Container{{Name: "calico-typha", Env: env}}
	return pod
}

func kubeControllersPod() Pod {
	pod := felixPod()
	pod.Name, pod.App, pod.IP = "calico-kube-controllers-6d5-qwe", "calico-kube-controllers", "10.0.0.7"
	pod.Containers = []Container{{Name: "calico-kube-controllers"}}
	return pod
}

func TestEndpoint(t *testing.T) {
	enabled := EnvVar{"FELIX_PROMETHEUSMETRICSENABLED", "true"}
	for _, tc := range []struct {
		name  string
		pod   Pod
		felix map[string]FelixConfiguration
		kube  *KubeControllersConfiguration
		// unreadable FelixConfigurations may not be listed; otherwise there are those of felix, or none.
		unreadable bool
		state      State
		address    string
	}{
		{name: "Felix is off by default", pod: felixPod(), state: Disabled},
		{
			name: "Felix whose settings may not be read is not taken for off", pod: felixPod(), unreadable: true,
			state: Forbidden,
		},
		{
			name: "the environment decides where the other settings may not be read", pod: felixPod(enabled), unreadable: true,
			state: Scraped, address: "192.0.2.10:9091",
		},
		{name: "a loopback address would be the scraper's own", pod: felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSHOST", "127.0.0.1"}), state: Blocked},
		{name: "localhost would be the scraper's own", pod: felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSHOST", "localhost"}), state: Blocked},
		{
			name: "a loopback address that is the pod's is its own",
			pod: func() Pod {
				p := felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSHOST", "127.0.0.1"})
				p.IP = "127.0.0.1"
				return p
			}(),
			state: Scraped, address: "127.0.0.1:9091",
		},
		{
			name:  "ports are read as Calico reads them",
			pod:   felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSPORT", "0x2384"}),
			state: Scraped, address: "192.0.2.10:9092",
		},
		{name: "a port that is chosen at random cannot be known", pod: felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSPORT", "0"}), state: Disabled},
		{name: "Felix is switched on by its environment", pod: felixPod(enabled), state: Scraped, address: "192.0.2.10:9091"},
		{
			name:  "names of environment variables are case-insensitive",
			pod:   felixPod(EnvVar{"FELIX_PrometheusMetricsEnabled", "Yes"}, EnvVar{"felix_prometheusmetricsport", "9191"}),
			state: Scraped, address: "192.0.2.10:9191",
		},
		{
			name:  "FelixConfiguration default switches Felix on",
			pod:   felixPod(),
			felix: map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true), PrometheusMetricsPort: ptr(int64(9999))}},
			state: Scraped, address: "192.0.2.10:9999",
		},
		{
			name: "FelixConfiguration of the node beats default",
			pod:  felixPod(),
			felix: map[string]FelixConfiguration{
				"default":     {PrometheusMetricsEnabled: ptr(true), PrometheusMetricsPort: ptr(int64(9999))},
				"node.node-1": {PrometheusMetricsPort: ptr(int64(9292))},
				"node.node-2": {PrometheusMetricsPort: ptr(int64(9393))},
			},
			state: Scraped, address: "192.0.2.10:9292",
		},
		{
			name:  "the environment beats FelixConfiguration",
			pod:   felixPod(EnvVar{"FELIX_PROMETHEUSMETRICSENABLED", "false"}),
			felix: map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true)}},
			state: Disabled,
		},
		{
			name:  "a value that Felix cannot parse is its default, not the next source's",
			pod:   felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSPORT", "many"}),
			felix: map[string]FelixConfiguration{"default": {PrometheusMetricsPort: ptr(int64(9999))}},
			state: Scraped, address: "192.0.2.10:9091",
		},
		{
			name:  "none is the zero value, so that nothing is served",
			pod:   felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSPORT", "none"}),
			state: Disabled,
		},
		{
			name:  "Felix may listen on one address only",
			pod:   felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSHOST", "198.51.100.4"}),
			state: Scraped, address: "198.51.100.4:9091",
		},
		{
			name:  "all addresses are the pod's",
			pod:   felixPod(enabled, EnvVar{"FELIX_PROMETHEUSMETRICSHOST", "0.0.0.0"}),
			state: Scraped, address: "192.0.2.10:9091",
		},
		{
			name:  "an IPv6 address is put in brackets",
			pod:   func() Pod { p := felixPod(enabled); p.IP = "2001:db8::1"; return p }(),
			state: Scraped, address: "[2001:db8::1]:9091",
		},
		{name: "a pod without an address is not ready", pod: func() Pod { p := felixPod(enabled); p.IP = ""; return p }(), state: NotReady},
		{name: "a pod that does not run is not ready", pod: func() Pod { p := felixPod(enabled); p.Running = false; return p }(), state: NotReady},
		{name: "Felix of canal", pod: func() Pod { p := felixPod(enabled); p.App = "canal"; return p }(), state: Scraped, address: "192.0.2.10:9091"},
		{name: "Felix on Windows", pod: func() Pod { p := felixPod(enabled); p.App = "calico-node-windows"; return p }(), state: Scraped, address: "192.0.2.10:9091"},

		{name: "Typha is off by default", pod: typhaPod(), state: Disabled},
		{name: "Typha's port is 9093", pod: typhaPod(EnvVar{"TYPHA_PROMETHEUSMETRICSENABLED", "true"}), state: Scraped, address: "192.0.2.10:9093"},
		{
			name:  "the operator sets Typha's environment from Installation",
			pod:   typhaPod(EnvVar{"TYPHA_PROMETHEUSMETRICSENABLED", "true"}, EnvVar{"TYPHA_PROMETHEUSMETRICSPORT", "9098"}),
			state: Scraped, address: "192.0.2.10:9098",
		},
		{
			name: "FelixConfiguration is not Typha's", pod: typhaPod(),
			felix: map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true)}}, state: Disabled,
		},

		{name: "kube-controllers has Calico's default where its resource cannot be read", pod: kubeControllersPod(), state: Scraped, address: "10.0.0.7:9094"},
		{
			name: "the port of kube-controllers", pod: kubeControllersPod(),
			kube: &KubeControllersConfiguration{PrometheusMetricsPort: ptr(int64(9999))}, state: Scraped, address: "10.0.0.7:9999",
		},
		{name: "no port switches kube-controllers off", pod: kubeControllersPod(), kube: &KubeControllersConfiguration{}, state: Disabled},
		{
			name: "port 0 switches kube-controllers off", pod: kubeControllersPod(),
			kube: &KubeControllersConfiguration{PrometheusMetricsPort: ptr(int64(0))}, state: Disabled,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.felix == nil && !tc.unreadable {
				tc.felix = map[string]FelixConfiguration{}
			}
			got := Endpoints(Input{Pods: []Pod{tc.pod}, FelixConfigurations: tc.felix, KubeControllers: tc.kube})
			require.Len(t, got, 1)
			require.Equal(t, tc.state, got[0].State)
			require.Equal(t, tc.address, got[0].Address)
			require.Equal(t, tc.state == Scraped, got[0].Reason == "", "every state but scraped has a reason: %q", got[0].Reason)
		})
	}
}

func TestEndpointsIgnoreOtherPodsAndHaveAStableOrder(t *testing.T) {
	other := felixPod()
	other.App = "coredns"
	second := felixPod()
	second.Name = "calico-node-zzzzz"
	forward := Endpoints(Input{Pods: []Pod{other, kubeControllersPod(), typhaPod(), second, felixPod()}})
	backward := Endpoints(Input{Pods: []Pod{felixPod(), second, typhaPod(), kubeControllersPod(), other}})
	require.Equal(t, forward, backward)
	var names []string
	for _, e := range forward {
		names = append(names, string(e.Component)+" "+e.Pod.Name)
	}
	require.Equal(t, []string{
		"felix calico-node-abcde", "felix calico-node-zzzzz", "kube_controllers calico-kube-controllers-6d5-qwe", "typha calico-typha-7f8-xyz",
	}, names)
}

func TestContainer(t *testing.T) {
	pod := felixPod()
	pod.Containers = []Container{{Name: "bird-exporter"}, {Name: "calico-node"}}
	require.Equal(t, "calico-node", Endpoints(Input{Pods: []Pod{pod}})[0].Container)
	pod.Containers = []Container{{Name: "renamed"}}
	require.Equal(t, "renamed", Endpoints(Input{Pods: []Pod{pod}})[0].Container)
	pod.Containers = nil
	require.Empty(t, Endpoints(Input{Pods: []Pod{pod}})[0].Container)
}

func TestEveryAppHasAComponentWithAJob(t *testing.T) {
	jobs := map[string]bool{}
	for _, c := range Components() {
		require.NotEqual(t, string(c), c.Job())
		jobs[c.Job()] = true
	}
	require.Len(t, jobs, len(Components()))
	for _, app := range Apps() {
		require.Contains(t, Components(), apps[app])
	}
}
