package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func ptr[T any](v T) *T { return &v }

// v is an environment variable, and unreadable one whose value takes a right.
func v(name, value string) EnvVar          { return EnvVar{Name: name, Value: value} }
func unreadable(name, right string) EnvVar { return EnvVar{Name: name, Unreadable: right} }

// pod is one that runs on node-1, with its own address and one container.
func pod(app, container string, env ...EnvVar) Pod {
	return Pod{
		Namespace: "calico-system", Name: app + "-abcde", UID: "u1", App: app, Labels: map[string]string{AppLabel: app, NameLabel: app},
		Node: "node-1", IP: "10.0.0.7", Running: true,
		ControllerKind: "ReplicaSet", ControllerName: app + "-7f8",
		Containers: []Container{{Name: container, Env: env}},
	}
}

// onHost puts a pod onto the network of its node.
func onHost(p Pod) Pod {
	p.IP, p.HostNetwork = "192.0.2.10", true
	return p
}

func felixPod(env ...EnvVar) Pod {
	p := onHost(pod("calico-node", "calico-node", env...))
	p.ControllerKind, p.ControllerName = "DaemonSet", "calico-node"
	return p
}

func typhaPod(env ...EnvVar) Pod    { return onHost(pod("calico-typha", "calico-typha", env...)) }
func goldmanePod(env ...EnvVar) Pod { return pod("goldmane", "goldmane", env...) }
func kubeControllersPod() Pod       { return pod("calico-kube-controllers", "calico-kube-controllers") }
func operatorPod(env ...EnvVar) Pod {
	p := onHost(pod("tigera-operator", "tigera-operator", env...))
	p.Namespace = "tigera-operator"
	return p
}

// only looks for one component where Calico is installed, and finds these pods.
func only(component Component, pods ...Pod) Input {
	return Input{Scope: []Component{component}, Pods: pods, CalicoInstalled: true}
}

// short is what a table of endpoints says of one: its state, its reason, and where it is scraped.
func short(e Endpoint) string {
	s := string(e.State) + " " + e.Reason
	if e.IsTarget() {
		s += " " + e.Scheme + "://" + e.Address
	}
	return s
}

// one is the only endpoint that an input has.
func one(t *testing.T, in Input) Endpoint {
	t.Helper()
	got := Endpoints(in)
	require.Len(t, got, 1)
	require.NotEmpty(t, got[0].Detail)
	requireDocumented(t, got[0])
	return got[0]
}

func TestPods(t *testing.T) {
	enabled := v("FELIX_PROMETHEUSMETRICSENABLED", "true")
	change := func(p Pod, how func(*Pod)) Pod { how(&p); return p }
	for _, tc := range []struct {
		name string
		in   Input
		want string
	}{
		{"a pod without an address is not ready", only(Felix, change(felixPod(enabled), func(p *Pod) { p.IP = "" })), "not_ready pod_has_no_ip"},
		{"a pod that does not run is not ready", only(Felix, change(felixPod(enabled), func(p *Pod) { p.Running = false })), "not_ready pod_not_running"},
		{"a pod whose metrics are off is not waited for", only(Felix, change(felixPod(), func(p *Pod) { p.Running = false })), "disabled FelixConfiguration.spec.prometheusMetricsEnabled"},
		{"an IPv6 address is put in brackets", only(Felix, change(felixPod(enabled), func(p *Pod) { p.IP = "2001:db8::1" })), "scraped ok http://[2001:db8::1]:9091"},
		{"Felix of canal", only(Felix, onHost(pod("canal", "calico-node", enabled))), "scraped ok http://192.0.2.10:9091"},
		{
			"the pod of a Job is not the component that it installs or removes",
			only(Operator, change(operatorPod(v("METRICS_ENABLED", "true")), func(p *Pod) { p.ControllerKind = "Job" })), "absent no_pods",
		},
		{"a component without a pod is absent", only(Typha), "absent no_pods"},
		{
			"a component without a pod may run where pods cannot be listed",
			Input{Scope: []Component{Typha}, CalicoInstalled: true, PodsMissing: []string{"list pods in namespace calico-system", "list pods in namespace kube-system"}},
			"forbidden list pods in namespace calico-system",
		},
		{
			"a component with a pod is known where other pods cannot be listed",
			Input{Scope: []Component{Felix}, Pods: []Pod{felixPod(enabled)}, PodsMissing: []string{"list pods in namespace other"}},
			"scraped ok http://192.0.2.10:9091",
		},
		{"without pods and resources there is no Calico", Input{Scope: []Component{Typha}}, "absent no_calico"},
		{"Calico with an etcd of its own is installed, though the API server serves none of its resources", Input{Scope: []Component{Typha}, Pods: []Pod{felixPod()}}, "absent no_pods"},

		{"kube-controllers has Calico's default where its resource does not exist", only(KubeControllers, kubeControllersPod()), "scraped ok http://10.0.0.7:9094"},
		{
			"kube-controllers has Calico's default where its resource cannot be read",
			Input{Scope: []Component{KubeControllers}, Pods: []Pod{kubeControllersPod()}, KubeControllers: Readable[*KubeControllersConfiguration]{Missing: "list kubecontrollersconfigurations.crd.projectcalico.org"}},
			"scraped ok http://10.0.0.7:9094",
		},
		{"the port of kube-controllers", kubeControllers(ptr(int64(9999))), "scraped ok http://10.0.0.7:9999"},
		{"no port switches kube-controllers off", kubeControllers(nil), "disabled KubeControllersConfiguration.spec.prometheusMetricsPort"},
		{"port 0 switches kube-controllers off", kubeControllers(ptr(int64(0))), "disabled KubeControllersConfiguration.spec.prometheusMetricsPort"},

		{"Goldmane is off by default", only(Goldmane, goldmanePod()), "disabled Goldmane.spec.metricsPort"},
		{"Goldmane's port", only(Goldmane, goldmanePod(v("PROMETHEUS_PORT", "9095"))), "scraped ok http://10.0.0.7:9095"},
		{"port 0 switches Goldmane off", only(Goldmane, goldmanePod(v("PROMETHEUS_PORT", "0"))), "disabled Goldmane.spec.metricsPort"},
		{"Goldmane does not start with what is no port", only(Goldmane, goldmanePod(v("PROMETHEUS_PORT", "many"))), "disabled Goldmane.spec.metricsPort"},
		{"the case of Goldmane's variables matters", only(Goldmane, goldmanePod(v("prometheus_port", "9095"))), "disabled Goldmane.spec.metricsPort"},
		{"the last of several variables counts", only(Goldmane, goldmanePod(v("PROMETHEUS_PORT", "9095"), v("PROMETHEUS_PORT", "9096"))), "scraped ok http://10.0.0.7:9096"},
		{
			"Goldmane's port may not be readable", only(Goldmane, goldmanePod(unreadable("PROMETHEUS_PORT", "get configmaps/ports in namespace calico-system"))),
			"forbidden get configmaps/ports in namespace calico-system",
		},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, short(one(t, tc.in))) })
	}
}

func kubeControllers(port *int64) Input {
	in := only(KubeControllers, kubeControllersPod())
	in.KubeControllers.Value = &KubeControllersConfiguration{PrometheusMetricsPort: port}
	return in
}

func TestEndpointsIgnoreOtherPodsAndHaveAStableOrder(t *testing.T) {
	other := pod("coredns", "coredns")
	second := felixPod()
	second.Name = "calico-node-zzzzz"
	scope := append(Components(), IPAM)
	forward := Endpoints(Input{Scope: scope, Pods: []Pod{other, kubeControllersPod(), typhaPod(), second, felixPod()}})
	backward := Endpoints(Input{Scope: scope, Pods: []Pod{felixPod(), second, typhaPod(), kubeControllersPod(), other}})
	require.Equal(t, forward, backward)
	var names []string
	for _, e := range forward {
		names = append(names, string(e.Component)+" "+e.Pod.Name)
	}
	require.Equal(t, []string{
		"felix calico-node-abcde", "felix calico-node-zzzzz", "goldmane ", "ipam ", "kube_controllers calico-kube-controllers-abcde", "operator ", "typha calico-typha-abcde",
	}, names)
}

func TestNothingIsSaidOfWhatIsNotInScope(t *testing.T) {
	pods := []Pod{felixPod(), typhaPod(), kubeControllersPod()}
	require.Empty(t, Endpoints(Input{Pods: pods}))
	got := Endpoints(Input{Scope: []Component{Typha, Typha, "other"}, Pods: pods})
	require.Len(t, got, 1)
	require.Equal(t, Typha, got[0].Component)
}

func TestDetailsNameThePodAndWhereASettingComesFrom(t *testing.T) {
	for want, in := range map[string]Input{
		"pod calico-system/calico-node-abcde serves metrics at http://192.0.2.10:9091/metrics":                                                                                            only(Felix, felixPod(v("FELIX_PROMETHEUSMETRICSENABLED", "true"))),
		`pod calico-system/calico-node-abcde serves no metrics: prometheusMetricsEnabled is "off" in the environment of container calico-node`:                                            only(Felix, felixPod(v("Felix_PrometheusMetricsEnabled", "off"))),
		`pod calico-system/calico-node-abcde serves no metrics: prometheusMetricsEnabled is "false" in FelixConfiguration node.node-1`:                                                    felix(map[string]FelixConfiguration{"node.node-1": {PrometheusMetricsEnabled: ptr(false)}}),
		"pod calico-system/calico-typha-abcde serves no metrics: nothing sets prometheusMetricsEnabled":                                                                                   only(Typha, typhaPod()),
		"pod calico-system/goldmane-abcde serves no metrics: PROMETHEUS_PORT is not set":                                                                                                  only(Goldmane, goldmanePod()),
		"pod calico-system/calico-node-abcde whether and where it serves metrics is not known without: get configmaps/felix in namespace calico-system":                                   only(Felix, felixPod(unreadable("FELIX_PROMETHEUSMETRICSENABLED", "get configmaps/felix in namespace calico-system"))),
		"pod calico-system/calico-node-abcde serves no metrics: TLS takes a certificate, a key and a CA: nothing sets prometheusMetricsCAFile":                                            felix(map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true), PrometheusMetricsCertFile: "/c", PrometheusMetricsKeyFile: "/k"}}),
		"no pod has the label k8s-app=calico-node or k8s-app=calico-node-windows or k8s-app=canal":                                                                                        only(Felix),
		"pod calico-system/calico-kube-controllers-abcde serves no metrics: KubeControllersConfiguration default has no prometheusMetricsPort":                                            kubeControllers(nil),
		`pod calico-system/calico-node-abcde serves no metrics: the port would be chosen at random: prometheusMetricsPort is "0" in the environment of container calico-node`:             only(Felix, felixPod(v("FELIX_PROMETHEUSMETRICSENABLED", "true"), v("FELIX_PROMETHEUSMETRICSPORT", "0"))),
		"pod calico-system/calico-node-abcde serves metrics on 127.0.0.1 only, which nothing but its own node reaches":                                                                    only(Felix, felixPod(v("FELIX_PROMETHEUSMETRICSENABLED", "true"), v("FELIX_PROMETHEUSMETRICSHOST", "127.0.0.1"))),
		"the API server serves none of Calico's resources, and no pod of Calico was found":                                                                                                {Scope: []Component{Goldmane}},
		"whether it runs is not known without: list pods in namespace a, list pods in namespace b":                                                                                        {Scope: []Component{Goldmane}, PodsMissing: []string{"list pods in namespace a", "list pods in namespace b"}},
		"pod calico-system/calico-node-abcde serves metrics with TLS, and the receiver is not told how to verify the certificate":                                                         felix(map[string]FelixConfiguration{"default": tlsConfiguration("")}),
		`pod calico-system/calico-kube-controllers-abcde serves no metrics: prometheusMetricsPort is 0 in KubeControllersConfiguration default`:                                           kubeControllers(ptr(int64(0))),
		`pod tigera-operator/tigera-operator-abcde serves no metrics: METRICS_PORT is "many"`:                                                                                             only(Operator, operatorPod(v("METRICS_PORT", "many"))),
		`pod calico-system/calico-node-abcde serves no metrics: prometheusMetricsEnabled is "none" in FelixConfiguration default`:                                                         felix(map[string]FelixConfiguration{"default": {Overrides: map[string]string{"PrometheusMetricsEnabled": "none"}}}),
		`pod calico-system/goldmane-abcde serves no metrics: PROMETHEUS_PORT is "0"`:                                                                                                      only(Goldmane, goldmanePod(v("PROMETHEUS_PORT", "0"))),
		"pod tigera-operator/tigera-operator-abcde serves no metrics: METRICS_ENABLED is not set":                                                                                         only(Operator, operatorPod()),
		`pod calico-system/calico-node-abcde serves no metrics: TLS takes a certificate, a key and a CA: prometheusMetricsCertFile is "none" in the environment of container calico-node`: felix(map[string]FelixConfiguration{"default": tlsConfiguration("")}, v("FELIX_PROMETHEUSMETRICSCERTFILE", "none")),
	} {
		require.Equal(t, want, one(t, in).Detail)
	}
}

func TestCountTellsAlikeEndpointsApartByComponentStateAndReason(t *testing.T) {
	second := felixPod()
	second.Name = "calico-node-zzzzz"
	second.Running = false
	third := second
	third.Name = "calico-node-yyyyy"
	in := Input{
		Scope: append(Components(), IPAM), Pods: []Pod{felixPod(), second, third, kubeControllersPod()}, CalicoInstalled: true, Pools: Readable[int]{Value: 1},
		FelixConfigurations: Readable[map[string]FelixConfiguration]{Value: map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true)}}},
	}
	require.Equal(t, []EndpointCount{
		{Felix, NotReady, ReasonPodNotRunning, 2},
		{Felix, Scraped, ReasonOK, 1},
		{Goldmane, Absent, ReasonNoPods, 1},
		{IPAM, Scraped, ReasonOK, 1},
		{KubeControllers, Scraped, ReasonOK, 1},
		{Operator, Absent, ReasonNoPods, 1},
		{Typha, Absent, ReasonNoPods, 1},
	}, Count(Endpoints(in)))
	require.Empty(t, Count(nil))
}

func TestContainer(t *testing.T) {
	enabled, disabled := v("FELIX_PROMETHEUSMETRICSENABLED", "true"), v("FELIX_PROMETHEUSMETRICSENABLED", "false")
	for _, tc := range []struct {
		name, app  string
		containers []Container
		container  string
		state      State
	}{
		{"the environment of a sidecar is not Felix's", "calico-node", []Container{{Name: "bird-exporter", Env: []EnvVar{enabled}}, {Name: "calico-node"}}, "calico-node", Disabled},
		{"a sidecar does not override Felix", "calico-node", []Container{{Name: "calico-node", Env: []EnvVar{enabled}}, {Name: "other", Env: []EnvVar{disabled}}}, "calico-node", Scraped},
		{"on Windows Felix has a container of its own", "calico-node-windows", []Container{{Name: "node", Env: []EnvVar{disabled}}, {Name: "felix", Env: []EnvVar{enabled}}}, "felix", Scraped},
		{"a container that is renamed is the first", "calico-node", []Container{{Name: "renamed", Env: []EnvVar{enabled}}, {Name: "other", Env: []EnvVar{disabled}}}, "renamed", Scraped},
		{"a pod without containers says nothing", "calico-node", nil, "", Disabled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := felixPod()
			p.App, p.Containers = tc.app, tc.containers
			e := one(t, only(Felix, p))
			require.Equal(t, tc.container, e.Container)
			require.Equal(t, tc.state, e.State)
		})
	}
}

func TestEveryAppHasAComponentWithAJob(t *testing.T) {
	jobs := map[string]bool{}
	for _, c := range append(Components(), IPAM) {
		require.NotEqual(t, string(c), c.Job())
		jobs[c.Job()] = true
	}
	require.Len(t, jobs, len(Components())+1)
	for _, name := range Apps() {
		require.Contains(t, Components(), apps[name].component)
		require.NotEmpty(t, apps[name].container)
	}
}

func TestOnlySettingsAreKeptOfAnEnvironment(t *testing.T) {
	for _, name := range []string{
		"FELIX_PROMETHEUSMETRICSENABLED", "Felix_PrometheusMetricsPort", "FELIX_PROMETHEUSMETRICSCLIENTAUTH", "TYPHA_PROMETHEUSMETRICSKEYFILE", "typha_prometheusmetricshost",
		"PROMETHEUS_PORT", "METRICS_ENABLED", "METRICS_HOST", "METRICS_PORT", "METRICS_SCHEME", "METRICS_CLIENT_AUTH", "CALICO_NETWORKING_BACKEND",
	} {
		require.True(t, IsSetting(name), name)
	}
	for _, name := range []string{"", "PASSWORD", "FELIX_LOGSEVERITYSCREEN", "prometheus_port", "METRICS_PORT_2", "PROMETHEUSMETRICSENABLED"} {
		require.False(t, IsSetting(name), name)
	}
}
