package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// inNamespace puts pods into another namespace than the operator's.
func inNamespace(namespace string, pods ...Pod) []Pod {
	for i := range pods {
		pods[i].Namespace = namespace
	}
	return pods
}

// operatorsPods are those of Calico in a cluster of the operator, where Installation sets no port.
func operatorsPods() []Pod { return []Pod{felixPod(), typhaPod(), kubeControllersPod(), operatorPod()} }

// nothingSet is what a cluster of the operator looks like that is left as it was installed.
func nothingSet(ipam string) map[Component]string {
	return map[Component]string{
		Felix:           "disabled FelixConfiguration.spec.prometheusMetricsEnabled",
		Typha:           "disabled Installation.spec.typhaMetricsPort",
		KubeControllers: "scraped ok http://10.0.0.7:9094",
		Goldmane:        "absent no_pods",
		Operator:        "disabled METRICS_ENABLED",
		IPAM:            ipam,
	}
}

// TestClusters has what Calico's installers and distributions make of it by default.
func TestClusters(t *testing.T) {
	calico := &Installation{CNI: "Calico", IPAM: "Calico"}
	one := Readable[int]{Value: 1}
	felixOn := v("FELIX_PROMETHEUSMETRICSENABLED", "true")
	manifest := func(felix, typha, operator string) map[Component]string {
		return map[Component]string{
			Felix: felix, Typha: typha, KubeControllers: "scraped ok http://10.0.0.7:9094", Goldmane: "absent no_pods", Operator: operator, IPAM: "scraped ok",
		}
	}
	windows := onHost(pod("calico-node-windows", "node"))
	windows.Containers = append(windows.Containers, Container{Name: "felix", Env: []EnvVar{felixOn, v("FELIX_PROMETHEUSMETRICSPORT", "9091")}}, Container{Name: "confd"})
	canal := onHost(pod("canal", "calico-node", felixOn, v("CALICO_NETWORKING_BACKEND", "none")))
	canal.ControllerName = "rke2-canal"
	canal.Containers = append(canal.Containers, Container{Name: "kube-flannel"})
	gardener := felixPod(felixOn)
	gardener.Containers = append([]Container{{Name: "bird-exporter", Env: []EnvVar{v("METRICS_PORT", "9324"), v("FELIX_PROMETHEUSMETRICSENABLED", "false")}}}, gardener.Containers...)
	for _, tc := range []struct {
		name string
		in   Input
		want map[Component]string
	}{
		{"OpenShift, by the operator", Input{Pods: operatorsPods(), Installation: calico, Pools: one}, nothingSet("scraped ok")},
		{"EKS with the VPC CNI of AWS", Input{Pods: operatorsPods(), Installation: &Installation{CNI: "AmazonVPC", IPAM: "AmazonVPC"}, Pools: one}, nothingSet("unsupported aws_vpc_cni")},
		{"EKS with Calico's CNI", Input{Pods: operatorsPods(), Installation: calico, Pools: one}, nothingSet("scraped ok")},
		{"AKS with the CNI of Azure", Input{Pods: operatorsPods(), Installation: &Installation{CNI: "AzureVNET", IPAM: "AzureVNET"}}, nothingSet("unsupported azure_vnet")},
		{"GKE, by the operator", Input{Pods: operatorsPods(), Installation: &Installation{CNI: "GKE", IPAM: "HostLocal"}}, nothingSet("unsupported gke")},
		{
			"GKE's addon has Felix on, no kube-controllers, and host-local",
			Input{Pods: inNamespace("kube-system", felixPod(felixOn, v("CALICO_NETWORKING_BACKEND", "none")), typhaPod())},
			map[Component]string{
				Felix: at9091, Typha: "disabled TYPHA_PROMETHEUSMETRICSENABLED", KubeControllers: "absent no_pods", Goldmane: "absent no_pods", Operator: "absent no_pods",
				IPAM: "unsupported policy_only",
			},
		},
		{
			"RKE2 with canal, its default, has Felix on in both places and no kube-controllers",
			Input{
				Pods:                inNamespace("kube-system", canal),
				FelixConfigurations: Readable[map[string]FelixConfiguration]{Value: map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true)}}},
				Pools:               one,
			},
			map[Component]string{
				Felix: at9091, Typha: "absent no_pods", KubeControllers: "absent no_pods", Goldmane: "absent no_pods", Operator: "absent no_pods", IPAM: "unsupported host_local",
			},
		},
		{"RKE2 with Calico, by the operator", Input{Pods: operatorsPods(), Installation: calico, Pools: one}, nothingSet("scraped ok")},
		{"k3s, by the operator", Input{Pods: operatorsPods(), Installation: calico, Pools: one}, nothingSet("scraped ok")},
		{"k3s, by manifest", Input{Pods: inNamespace("kube-system", felixPod(), kubeControllersPod()), Pools: one}, manifest(offBySpec, "absent no_pods", "absent no_pods")},
		{"k0s has Felix on in its environment", Input{Pods: inNamespace("kube-system", felixPod(felixOn), kubeControllersPod()), Pools: one}, manifest(at9091, "absent no_pods", "absent no_pods")},
		{
			"kubespray has Felix and Typha off in their environment",
			Input{Pods: inNamespace("kube-system",
				felixPod(v("FELIX_PROMETHEUSMETRICSENABLED", "False"), v("FELIX_PROMETHEUSMETRICSPORT", "9091")), kubeControllersPod(),
				typhaPod(v("TYPHA_PROMETHEUSMETRICSENABLED", "false"), v("TYPHA_PROMETHEUSMETRICSPORT", "9093")),
			), Pools: one},
			manifest(offByEnv, "disabled TYPHA_PROMETHEUSMETRICSENABLED", "absent no_pods"),
		},
		{
			// The port is Felix's setting; what the container declares, under whatever name, is not even read.
			"kOps declares a container port named metrics, which does not matter",
			Input{Pods: inNamespace("kube-system", felixPod(felixOn, v("FELIX_PROMETHEUSMETRICSPORT", "9091")), kubeControllersPod()), Pools: one},
			manifest(at9091, "absent no_pods", "absent no_pods"),
		},
		{"Gardener may run a bird-exporter beside calico-node", Input{Pods: inNamespace("kube-system", gardener, kubeControllersPod()), Pools: one}, manifest(at9091, "absent no_pods", "absent no_pods")},
		{
			"Windows nodes have Felix in a container of that name",
			Input{Pods: []Pod{windows, typhaPod(), kubeControllersPod(), operatorPod()}, Installation: &Installation{NodeMetricsPort: ptr(int64(9091))}, Pools: one},
			but(nothingSet("scraped ok"), Felix, at9091),
		},
		{
			"the operator with a port of Felix",
			Input{
				Pods:         []Pod{felixPod(felixOn, v("FELIX_PROMETHEUSMETRICSPORT", "9090")), typhaPod(), kubeControllersPod(), operatorPod()},
				Installation: &Installation{NodeMetricsPort: ptr(int64(9090))}, Pools: one,
			},
			but(nothingSet("scraped ok"), Felix, "scraped ok http://192.0.2.10:9090"),
		},
		{
			"the operator with a port of Typha",
			Input{
				Pods:         []Pod{felixPod(), typhaPod(v("TYPHA_PROMETHEUSMETRICSENABLED", "true"), v("TYPHA_PROMETHEUSMETRICSPORT", "9091")), kubeControllersPod(), operatorPod()},
				Installation: &Installation{TyphaMetricsPort: ptr(int64(9091))}, Pools: one,
			},
			but(nothingSet("scraped ok"), Typha, at9091),
		},
		{
			"the operator with a port of Goldmane",
			Input{Pods: append(operatorsPods(), goldmanePod(v("PROMETHEUS_PORT", "9095"))), Installation: calico, Pools: one},
			but(nothingSet("scraped ok"), Goldmane, "scraped ok http://10.0.0.7:9095"),
		},
		{
			"the operator with Goldmane, as it is installed",
			Input{Pods: append(operatorsPods(), goldmanePod()), Installation: calico, Pools: one},
			but(nothingSet("scraped ok"), Goldmane, "disabled Goldmane.spec.metricsPort"),
		},
		{
			"the operator with a port of its own",
			Input{Pods: []Pod{felixPod(), typhaPod(), kubeControllersPod(), operatorPod(v("METRICS_ENABLED", "true"))}, Installation: calico, Pools: one},
			but(nothingSet("scraped ok"), Operator, "scraped ok http://192.0.2.10:9484"),
		},
		{
			"the operator with another port of kube-controllers",
			Input{Pods: operatorsPods(), Installation: calico, Pools: one, KubeControllers: Readable[*KubeControllersConfiguration]{Value: &KubeControllersConfiguration{PrometheusMetricsPort: ptr(int64(9999))}}},
			but(nothingSet("scraped ok"), KubeControllers, "scraped ok http://10.0.0.7:9999"),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Scope, tc.in.CalicoInstalled = append(Components(), IPAM), true
			got := map[Component]string{}
			for _, e := range Endpoints(tc.in) {
				require.NotContains(t, got, e.Component)
				got[e.Component] = short(e)
				requireDocumented(t, e)
			}
			require.Equal(t, tc.want, got)
		})
	}
}

// but changes the expectation for one component.
func but(all map[Component]string, component Component, want string) map[Component]string {
	all[component] = want
	return all
}

// TestFelixEndpointOfANode has Felix's order of sources, each of which beats all that follow.
func TestFelixEndpointOfANode(t *testing.T) {
	env := v("Felix_PrometheusMetricsPort", "1") // as a ConfigMap of envFrom may spell it
	node := FelixConfiguration{PrometheusMetricsPort: ptr(int64(2))}
	selected := selecting("all()", 0, FelixConfiguration{PrometheusMetricsPort: ptr(int64(3))})
	for _, tc := range []struct {
		name           string
		env            []EnvVar
		configurations map[string]FelixConfiguration
		want           string
	}{
		{"the environment", []EnvVar{env}, map[string]FelixConfiguration{"node.node-1": node, "selected": selected, "default": enabledAt(4)}, "scraped ok http://192.0.2.10:1"},
		{"FelixConfiguration of the node", nil, map[string]FelixConfiguration{"node.node-1": node, "selected": selected, "default": enabledAt(4)}, "scraped ok http://192.0.2.10:2"},
		{"FelixConfiguration with a selector", nil, map[string]FelixConfiguration{"selected": selected, "default": enabledAt(4)}, "scraped ok http://192.0.2.10:3"},
		{"FelixConfiguration default", nil, map[string]FelixConfiguration{"default": enabledAt(4)}, "scraped ok http://192.0.2.10:4"},
		{"Felix's default", nil, map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true)}}, at9091},
		{"Felix's default, off", nil, nil, offBySpec},
		{"Felix's booleans", []EnvVar{v("FELIX_PROMETHEUSMETRICSENABLED", "Y")}, nil, at9091},
		{"the address of another interface", nil, map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true), PrometheusMetricsHost: "198.51.100.4"}}, "scraped ok http://198.51.100.4:9091"},
		{"Typha's environment is not Felix's", []EnvVar{v("TYPHA_PROMETHEUSMETRICSENABLED", "true")}, nil, offBySpec},
		{"FelixConfiguration of another node", nil, map[string]FelixConfiguration{"node.node-2": enabledAt(2)}, offBySpec},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := felix(tc.configurations, tc.env...)
			in.NodeLabels.Value = map[string]map[string]string{"node-1": {"kubernetes.io/hostname": "node-1"}}
			require.Equal(t, tc.want, short(one(t, in)))
		})
	}
}
