package calicoreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

func load(t *testing.T, settings map[string]any) (*Config, error) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfigIsValid(t *testing.T) {
	cfg, err := load(t, nil)
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, cfg.CollectionInterval)
	require.Equal(t, discovery.Components(), cfg.scope())
	require.Equal(t, []string{"calico-system", "kube-system", "tigera-operator"}, cfg.namespaces())
	require.Equal(t, IPAMConfig{Source: IPAMAuto, NodeDetail: NodeDetailFull}, cfg.IPAM)
}

func TestNamespacesReplaceTheDefault(t *testing.T) {
	cfg, err := load(t, map[string]any{"namespaces": []any{"my-calico"}})
	require.NoError(t, err)
	require.Equal(t, []string{"my-calico"}, cfg.namespaces())
}

func TestScopeFollowsTheModeUnlessAComponentSaysOtherwise(t *testing.T) {
	for _, tc := range []struct {
		name     string
		settings map[string]any
		want     []discovery.Component
	}{
		{"cluster mode is all", map[string]any{}, discovery.Components()},
		{
			"a component can be left to others", map[string]any{"felix": map[string]any{"enabled": false}},
			[]discovery.Component{discovery.Typha, discovery.KubeControllers, discovery.Goldmane, discovery.Operator},
		},
		{
			"node mode is what every node may run", map[string]any{"mode": "node", "node": "n1"},
			[]discovery.Component{discovery.Felix, discovery.Typha},
		},
		{
			"node mode may reach a blocked kube-controllers from its own node",
			map[string]any{"mode": "node", "node": "n1", "kube_controllers": map[string]any{"enabled": true}, "typha": map[string]any{"enabled": false}},
			[]discovery.Component{discovery.Felix, discovery.KubeControllers},
		},
		{
			"static mode is what has endpoints",
			map[string]any{"mode": "static", "typha": map[string]any{"endpoints": []any{"http://localhost:9093"}}},
			[]discovery.Component{discovery.Typha},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, err := load(t, tc.settings)
			require.NoError(t, err)
			scope := cfg.scope()
			require.ElementsMatch(t, tc.want, scope)
			require.Len(t, cfg.jobs(), len(scope))
		})
	}
}

func TestOnlyClusterModeReadsWhatHoldsForTheCluster(t *testing.T) {
	cfg, err := load(t, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []calicoapi.Resource{
		calicoapi.FelixConfigurations, calicoapi.KubeControllersConfigurations, calicoapi.IPPools, calicoapi.Installations,
		calicoapi.ClusterInformations, calicoapi.TigeraStatuses, calicoapi.CalicoNodeStatuses,
	}, cfg.resources())
	off := map[string]any{"enabled": false}
	cfg, err = load(t, map[string]any{"ipam": map[string]any{"source": "scrape"}, "metrics": map[string]any{
		"calico_tigera_status": off, "calico_cluster_info": off, "calico_datastore_ready": off, "calico_bgp_peers": off, "calico_bgp_peer_down": off,
		"calico_bgp_agent_down": off, "calico_node_status_age_seconds": off, "calico_node_status_stale": off,
	}})
	require.NoError(t, err)
	require.ElementsMatch(t, []calicoapi.Resource{
		calicoapi.FelixConfigurations, calicoapi.KubeControllersConfigurations, calicoapi.IPPools, calicoapi.Installations,
	}, cfg.resources(), "what no metric needs is not watched")
	cfg.IPAM.Source = IPAMAuto
	require.Contains(t, cfg.resources(), calicoapi.ClusterInformations, "the account asks whether the datastore is ready")
	cfg.IPAM.Source = IPAMOff
	require.NotContains(t, cfg.resources(), calicoapi.IPPools)
	cfg, err = load(t, map[string]any{"mode": "node", "node": "n1"})
	require.NoError(t, err)
	require.Equal(t, []calicoapi.Resource{calicoapi.FelixConfigurations}, cfg.resources())
	require.Equal(t, []string{"calico-system", "kube-system"}, cfg.namespaces())
	cfg, err = load(t, map[string]any{"mode": "node", "node": "n1", "ipam": map[string]any{"source": "datastore"}})
	require.NoError(t, err)
	require.Equal(t, []calicoapi.Resource{calicoapi.FelixConfigurations}, cfg.resources(), "the account is another's")
}

func TestStaticEndpoints(t *testing.T) {
	cfg, err := load(t, map[string]any{
		"mode":  "static",
		"felix": map[string]any{"endpoints": []any{"http://localhost:9091/metrics", "https://[2001:db8::1]/felix"}},
	})
	require.NoError(t, err)
	require.Equal(t, []discovery.Endpoint{
		{Component: discovery.Felix, State: discovery.Scraped, Reason: discovery.ReasonOK, Scheme: "http", Address: "localhost:9091", Path: "/metrics"},
		{Component: discovery.Felix, State: discovery.Scraped, Reason: discovery.ReasonOK, Scheme: "https", Address: "[2001:db8::1]:443", Path: "/felix"},
	}, cfg.staticEndpoints())
}

func TestSettingsOfAComponent(t *testing.T) {
	cfg, err := load(t, map[string]any{
		"timeout": "20s",
		"kube_controllers": map[string]any{
			"collection_interval": "1m", "profile": "all", "sample_limit": 5,
			"tls":                    map[string]any{"ca_file": "/ca.crt", "cert_file": "/tls.crt", "key_file": "/tls.key"},
			"basic_auth":             map[string]any{"username": "scraper", "password": "secret"},
			"metric_relabel_configs": []any{map[string]any{"action": "drop", "source_labels": []any{"__name__"}, "regex": "ipam_.*"}},
		},
	})
	require.NoError(t, err)
	require.Equal(t, discovery.Client{Verifies: true, Certificate: true}, cfg.clients()[discovery.KubeControllers])
	require.Equal(t, discovery.Client{}, cfg.clients()[discovery.Felix])
	for _, job := range cfg.jobs() {
		require.Equal(t, 30*time.Second, job.Interval)
		require.Equal(t, 20*time.Second, job.Timeout)
		if job.Name == discovery.KubeControllers.Job() {
			require.Equal(t, time.Minute, job.Settings.CollectionInterval)
			require.Equal(t, scrape.ProfileAll, job.Settings.Profile)
		}
	}
	require.NotContains(t, fmt.Sprintf("%v", cfg.KubeControllers.Scrape.BasicAuth.Password), "secret")
}

func static(endpoints ...any) map[string]any {
	return map[string]any{"mode": "static", "felix": map[string]any{"endpoints": endpoints}}
}

func TestEndpointWithCredentialsIsRefusedWithoutRepeatingThem(t *testing.T) {
	for _, endpoint := range []string{"http://user:topsecret@localhost/metrics", "http://user:topsecret@%zz"} {
		_, err := load(t, static(endpoint))
		require.ErrorContains(t, err, "felix.endpoints[0]")
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestBadConfigNamesTheKey(t *testing.T) {
	for _, tc := range []struct {
		name     string
		settings map[string]any
		want     []string
	}{
		{"unknown key", map[string]any{"colection_interval": "30s"}, []string{"colection_interval"}},
		{"negative interval", map[string]any{"collection_interval": "-1s"}, []string{"collection_interval", "-1s"}},
		{"no interval", map[string]any{"collection_interval": "0s"}, []string{"collection_interval"}},
		{"negative timeout", map[string]any{"timeout": "-1s"}, []string{"timeout", "-1s"}},
		{"timeout beyond the interval", map[string]any{"timeout": "31s"}, []string{"timeout", "collection_interval"}},
		{"not a duration", map[string]any{"timeout": "soon"}, []string{"timeout"}},
		{"mode that does not exist", map[string]any{"mode": "swarm"}, []string{"mode", `"swarm"`, "cluster"}},
		{"auth type that does not exist", map[string]any{"auth_type": "magic"}, []string{"auth_type", `"magic"`, "kubeConfig"}},
		{"context without a kubeconfig", map[string]any{"context": "prod"}, []string{"context", "kubeConfig"}},
		{"node mode without a node", map[string]any{"mode": "node"}, []string{"node:", "K8S_NODE_NAME"}},
		{"a node without node mode", map[string]any{"node": "n1"}, []string{"node:", "mode: node"}},
		{"leader election without cluster mode", map[string]any{"mode": "node", "node": "n1", "k8s_leader_elector": "k8s_leader_elector"}, []string{"k8s_leader_elector", "mode: cluster"}},
		{"static mode without endpoints", map[string]any{"mode": "static"}, []string{"felix.endpoints"}},
		{"static mode that looks for pods", map[string]any{"mode": "static", "namespaces": []any{"a"}}, []string{"namespaces"}},
		{"endpoints without static mode", map[string]any{"felix": map[string]any{"endpoints": []any{"http://localhost:9091"}}}, []string{"felix.endpoints", "mode: static"}},
		{"an endpoint that is no URL", static("localhost:9091"), []string{"felix.endpoints[0]", "http://"}},
		{"an endpoint without a host", static("http:///metrics"), []string{"felix.endpoints[0]", "host"}},
		{"an endpoint with a query", static("http://localhost/metrics?a=b"), []string{"felix.endpoints[0]", "query"}},
		{"an endpoint that is there twice", static("http://localhost:80", "http://localhost"), []string{"felix.endpoints[1]", "localhost:80"}},
		{"an endpoint with a port that is none", static("http://localhost:70000"), []string{"felix.endpoints[0]", "70000"}},
		{
			"an endpoint of two components", map[string]any{
				"mode": "static", "felix": map[string]any{"endpoints": []any{"http://h:1/a"}}, "typha": map[string]any{"endpoints": []any{"http://h:1/b"}},
			},
			[]string{"typha.endpoints[0]", "h:1"},
		},
		{
			"endpoints of a component that is left out", map[string]any{
				"mode": "static", "typha": map[string]any{"endpoints": []any{"http://h:1"}}, "felix": map[string]any{"enabled": false, "endpoints": []any{"http://h:2"}},
			},
			[]string{"felix.endpoints", "enabled"},
		},
		{"unknown key of a component", map[string]any{"felix": map[string]any{"profil": "all"}}, []string{"profil"}},
		{"unknown component", map[string]any{"calico_node": map[string]any{}}, []string{"calico_node"}},
		{"negative interval of a component", map[string]any{"felix": map[string]any{"collection_interval": "-1s"}}, []string{"felix", "collection_interval", "-1s"}},
		{"timeout of a component beyond its interval", map[string]any{"felix": map[string]any{"timeout": "31s"}}, []string{"felix", "timeout", "30s"}},
		{"profile that does not exist", map[string]any{"typha": map[string]any{"profile": "some"}}, []string{"typha", "profile", "some"}},
		{"certificate without a key", map[string]any{"felix": map[string]any{"tls": map[string]any{"cert_file": "/a"}}}, []string{"felix", "tls.key_file"}},
		{
			"rule that cannot be read", map[string]any{"felix": map[string]any{"metric_relabel_configs": []any{map[string]any{"action": "explode"}}}},
			[]string{"felix", "metric_relabel_configs[0]"},
		},
		{"a source of addresses that does not exist", map[string]any{"ipam": map[string]any{"source": "etcd"}}, []string{"ipam.source", `"etcd"`, "datastore"}},
		{"a detail that does not exist", map[string]any{"ipam": map[string]any{"node_detail": ""}}, []string{"ipam.node_detail", "nonzero"}},
		{"a negative number of nodes", map[string]any{"ipam": map[string]any{"top_nodes": -1}}, []string{"ipam.top_nodes", "-1"}},
		{"more nodes than there can be", map[string]any{"ipam": map[string]any{"top_nodes": 100_001}}, []string{"ipam.top_nodes", "100000", "100001"}},
		{
			"nodes one by one and none at all", map[string]any{"ipam": map[string]any{"node_detail": "none", "top_nodes": 5}},
			[]string{"ipam.top_nodes", "node_detail: none"},
		},
		{"unknown key of the account", map[string]any{"ipam": map[string]any{"top_node": 5}}, []string{"top_node"}},
		{"empty namespace", map[string]any{"namespaces": []any{""}}, []string{"namespaces"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(t, tc.settings)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
