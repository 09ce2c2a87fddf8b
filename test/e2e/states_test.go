//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// awaitState waits until as many endpoints of a component are in a state for a reason.
func awaitState(t *testing.T, prom promv1.API, cluster, component, state, reason string, endpoints float64) {
	t.Helper()
	awaitValue(t, prom, fmt.Sprintf(`calico_component_endpoints{k8s_cluster_name=%q,component=%q,state=%q,reason=%q}`, cluster, component, state, reason), endpoints)
}

func felixRuns() bool { return lab.Felix == "running" }

var crdGroup = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}

// TestComponentStatesSayWhyOneIsDark takes the components of the lab through states, and back.
func TestComponentStatesSayWhyOneIsDark(t *testing.T) {
	const name = "states"
	startCollector(t, collector{cluster: name})
	prom := prometheus(t)
	awaitState(t, prom, name, "typha", "scraped", "ok", 1)
	awaitState(t, prom, name, "kube_controllers", "scraped", "ok", 1)
	awaitState(t, prom, name, "ipam", "scraped", "ok", 1)
	awaitState(t, prom, name, "goldmane", "absent", "no_pods", 1)
	awaitState(t, prom, name, "operator", "absent", "no_pods", 1)
	if felixRuns() {
		awaitState(t, prom, name, "felix", "scraped", "ok", 1)
	}

	t.Run("a component that is installed without metrics names the setting", func(t *testing.T) {
		pod := lab.RunningPod(t, "goldmane", "127.0.0.1", corev1.Container{})
		awaitState(t, prom, name, "goldmane", "disabled", "Goldmane.spec.metricsPort", 1)
		awaitNothing(t, prom, fmt.Sprintf(`calico_component_endpoints{k8s_cluster_name=%q,component="goldmane",state="absent"}`, name))
		lab.DeletePod(t, pod)
		awaitState(t, prom, name, "goldmane", "absent", "no_pods", 1)
	})
	t.Run("a component that does not answer is unreachable, and kube-controllers behind the operator's policy is blocked", func(t *testing.T) {
		typha := lab.RunningPod(t, "calico-typha", "127.0.0.1", corev1.Container{Env: []corev1.EnvVar{
			{Name: "TYPHA_PROMETHEUSMETRICSENABLED", Value: "true"}, {Name: "TYPHA_PROMETHEUSMETRICSPORT", Value: "1"},
		}})
		stopPart(t, "calico-kube-controllers")
		awaitState(t, prom, name, "typha", "unreachable", "scrape_failed", 1)
		awaitState(t, prom, name, "typha", "scraped", "ok", 1)
		awaitState(t, prom, name, "kube_controllers", "unreachable", "scrape_failed", 1)

		policies := lab.Dynamic(t).Resource(crdGroup.WithResource("networkpolicies")).Namespace("calico-system")
		_, err := policies.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": crdGroup.String(), "kind": "NetworkPolicy",
			"metadata": map[string]any{"name": "calico-system.default-deny"},
			"spec":     map[string]any{"tier": "calico-system", "selector": "k8s-app != 'calico-apiserver'", "types": []any{"Ingress", "Egress"}},
		}}, metav1.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = policies.Delete(context.WithoutCancel(t.Context()), "calico-system.default-deny", metav1.DeleteOptions{})
		})
		awaitState(t, prom, name, "kube_controllers", "blocked", "calico_system_tier", 1)
		require.NoError(t, policies.Delete(t.Context(), "calico-system.default-deny", metav1.DeleteOptions{}))
		awaitState(t, prom, name, "kube_controllers", "unreachable", "scrape_failed", 1)
		lab.Command(t, "part", "restart", "calico-kube-controllers")
		awaitState(t, prom, name, "kube_controllers", "scraped", "ok", 1)
		lab.DeletePod(t, typha)
		awaitNothing(t, prom, fmt.Sprintf(`calico_component_endpoints{k8s_cluster_name=%q,state="unreachable"}`, name))
	})
	t.Run("what the API says of the cluster", func(t *testing.T) {
		awaitValue(t, prom, fmt.Sprintf(`calico_cluster_info{k8s_cluster_name=%q,calico_version="v3.28.5",datastore="kubernetes",`+
			`api_group="crd.projectcalico.org/v1",install="operator",cni="Calico"}`, name), 1)
		awaitValue(t, prom, fmt.Sprintf(`calico_datastore_ready{k8s_cluster_name=%q}`, name), 1)
		information := lab.Dynamic(t).Resource(crdGroup.WithResource("clusterinformations"))
		ready := func(ready bool) {
			_, err := information.Patch(context.WithoutCancel(t.Context()), "default", types.MergePatchType, fmt.Appendf(nil, `{"spec":{"datastoreReady":%t}}`, ready), metav1.PatchOptions{})
			require.NoError(t, err)
		}
		t.Cleanup(func() { ready(true) })
		ready(false)
		awaitValue(t, prom, fmt.Sprintf(`calico_datastore_ready{k8s_cluster_name=%q}`, name), 0)
		ready(true)
		awaitValue(t, prom, fmt.Sprintf(`calico_datastore_ready{k8s_cluster_name=%q}`, name), 1)
		awaitValue(t, prom, fmt.Sprintf(`calico_tigera_status{k8s_cluster_name=%q,component="calico",condition="Available"}`, name), 1)
		awaitValue(t, prom, fmt.Sprintf(`calico_tigera_status{k8s_cluster_name=%q,component="calico",condition="Degraded"}`, name), 0)
	})
}

// nodeStatus is a CalicoNodeStatus as calico-node of a full mesh reports it: one peer for every other node and family.
func nodeStatus(node string, nodes int, down map[string]string, updated time.Time) *unstructured.Unstructured {
	peers := func(prefix string) (list []any, established, not int64) {
		for i := range nodes {
			peer := fmt.Sprintf("%s%d", prefix, i+1)
			if strings.HasSuffix(node, fmt.Sprintf("-%03d", i+1)) {
				continue
			}
			state := "Established"
			if other, ok := down[peer]; ok {
				state = other
				not++
			} else {
				established++
			}
			list = append(list, map[string]any{"peerIP": peer, "type": "NodeMesh", "state": state, "since": "10:00:00"})
		}
		return list, established, not
	}
	v4, up4, down4 := peers("192.0.2.")
	v6, up6, down6 := peers("2001:db8::")
	ready := map[string]any{"state": "Ready", "version": "v0.3.3+birdv1.6.8"}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": crdGroup.String(), "kind": "CalicoNodeStatus",
		"metadata": map[string]any{"name": node},
		"spec":     map[string]any{"node": node, "classes": []any{"Agent", "BGP"}, "updatePeriodSeconds": int64(10)},
		"status": map[string]any{
			"lastUpdated": updated.UTC().Format(time.RFC3339),
			"agent":       map[string]any{"birdV4": ready, "birdV6": ready},
			"bgp": map[string]any{
				"numberEstablishedV4": up4, "numberNotEstablishedV4": down4, "peersV4": v4,
				"numberEstablishedV6": up6, "numberNotEstablishedV6": down6, "peersV6": v6,
			},
		},
	}}
}

// TestBGPSessionsOfAFullMesh reports on 300 nodes, each with a session to every other one in both families.
func TestBGPSessionsOfAFullMesh(t *testing.T) {
	const name, nodes = "mesh", 300
	statuses := lab.Dynamic(t).Resource(crdGroup.WithResource("caliconodestatuses"))
	nodeName := func(i int) string { return fmt.Sprintf("mesh-%03d", i) }
	apply := func(status *unstructured.Unstructured) {
		t.Helper()
		status.SetManagedFields(nil)
		applied, err := statuses.Apply(t.Context(), status.GetName(), status, metav1.ApplyOptions{FieldManager: "e2e", Force: true})
		require.NoError(t, err)
		if _, ok := applied.Object["status"]; !ok {
			t.Fatal("the status was not stored")
		}
	}
	t.Cleanup(func() {
		for i := range nodes {
			err := statuses.Delete(context.WithoutCancel(t.Context()), nodeName(i+1), metav1.DeleteOptions{})
			require.NoError(t, ignoreNotFound(err))
		}
	})
	// Ahead of time, so that no status grows stale while the test runs: on these nodes runs no calico-node that could have nothing new to say.
	fresh := time.Now().Add(time.Hour)
	for i := range nodes {
		apply(nodeStatus(nodeName(i+1), nodes, nil, fresh))
	}
	startCollector(t, collector{cluster: name})
	prom := prometheus(t)
	cluster := fmt.Sprintf(`k8s_cluster_name=%q`, name)
	awaitValue(t, prom, `count(calico_bgp_peers{`+cluster+`,ip_family="IPv4",state="Established"} == 299)`, nodes)
	awaitValue(t, prom, `count(calico_bgp_peers{`+cluster+`,ip_family="IPv6",state="Established"} == 299)`, nodes)
	series, err := query(t.Context(), prom, `count by (node) ({`+cluster+`,node=~"mesh-.*"})`)
	require.NoError(t, err)
	require.Len(t, series, nodes)
	for _, s := range series {
		require.LessOrEqual(t, float64(s.Value), 4.0, "series of %s while it is healthy", s.Metric)
	}
	awaitNothing(t, prom, `calico_bgp_peer_down{`+cluster+`}`)

	// A session that is lost comes and goes as a series of its own.
	lost := map[string]string{"192.0.2.7": "Active", "2001:db8::7": "Idle"}
	for range 2 {
		apply(nodeStatus(nodeName(1), nodes, lost, fresh))
		awaitValue(t, prom, `calico_bgp_peer_down{`+cluster+`,node="mesh-001",peer="192.0.2.7",peer_type="NodeMesh",state="Active"}`, 1)
		awaitValue(t, prom, `calico_bgp_peer_down{`+cluster+`,node="mesh-001",peer="2001:db8::7",peer_type="NodeMesh",state="Idle"}`, 1)
		awaitValue(t, prom, `calico_bgp_peers{`+cluster+`,node="mesh-001",ip_family="IPv4",state="Active"}`, 1)
		awaitValue(t, prom, `calico_bgp_peers{`+cluster+`,node="mesh-001",ip_family="IPv4",state="Established"}`, 298)
		apply(nodeStatus(nodeName(1), nodes, nil, fresh))
		awaitNothing(t, prom, `calico_bgp_peer_down{`+cluster+`}`)
		awaitValue(t, prom, `calico_bgp_peers{`+cluster+`,node="mesh-001",ip_family="IPv4",state="Established"}`, 299)
	}

	// A status that is older than three of its periods says nothing of the sessions any longer.
	apply(nodeStatus(nodeName(2), nodes, nil, time.Now().Add(-time.Minute)))
	awaitValue(t, prom, `calico_node_status_stale{`+cluster+`,node="mesh-002"}`, 1)
	awaitNothing(t, prom, `calico_bgp_peers{`+cluster+`,node="mesh-002"}`)
	awaitValue(t, prom, `clamp_max(floor(calico_node_status_age_seconds{`+cluster+`,node="mesh-002"} / 60), 1)`, 1)

	// A status that is deleted ends its series.
	require.NoError(t, statuses.Delete(t.Context(), nodeName(3), metav1.DeleteOptions{}))
	awaitNothing(t, prom, `{`+cluster+`,node="mesh-003"}`)
}

// TestNodeModeScrapesWhatRunsOnItsNode starts an agent on each of two nodes.
func TestNodeModeScrapesWhatRunsOnItsNode(t *testing.T) {
	prom := prometheus(t)
	for _, component := range lab.Components {
		name := "node-" + component.Job
		startCollector(t, collector{base: "node.yaml", cluster: name, env: []string{"K8S_NODE_NAME=" + component.Node}})
		expected := map[string]bool{}
		for _, other := range lab.Components {
			// kube-controllers is the business of the collector that observes the cluster.
			if other.Node == component.Node && other.Job != "calico-kube-controllers" {
				expected[other.Job] = true
			}
		}
		for job := range expected {
			awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job=%q}`, name, job), 1)
		}
		jobs, err := query(t.Context(), prom, fmt.Sprintf(`count by (job) (up{k8s_cluster_name=%q})`, name))
		require.NoError(t, err)
		require.Len(t, jobs, len(expected), "%v, expected %v", jobs, slices.Collect(maps.Keys(expected)))
		awaitValue(t, prom, fmt.Sprintf(`count(calico_component_endpoints{k8s_cluster_name=%q,k8s_node_name=%q,instance=%q,state="scraped"})`,
			name, component.Node, component.Node), float64(len(expected)))
		awaitNothing(t, prom, fmt.Sprintf(`calico_ipam_pool_info{k8s_cluster_name=%q}`, name))
	}
}

// TestStaticModeScrapesWithoutAnAPIServer is the sidecar: it has no kubeconfig.
func TestStaticModeScrapesWithoutAnAPIServer(t *testing.T) {
	const name = "static"
	env := []string{"KUBECONFIG=", "FELIX_ENDPOINTS=[http://127.0.0.1:1/metrics]"}
	for _, component := range lab.Components {
		switch component.Job {
		case "calico-typha":
			env = append(env, "TYPHA_ENDPOINTS=[http://"+component.Address+"]")
		case "calico-kube-controllers":
			env = append(env, "KUBE_CONTROLLERS_ENDPOINTS=[http://"+component.Address+"/metrics]")
		}
	}
	startCollector(t, collector{base: "sidecar.yaml", cluster: name, env: env})
	prom := prometheus(t)
	awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-typha"}`, name), 1)
	awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-kube-controllers"}`, name), 1)
	awaitState(t, prom, name, "felix", "unreachable", "scrape_failed", 1)
	awaitState(t, prom, name, "typha", "scraped", "ok", 1)
	// Without the pools of the API, what the scrape itself proves is still computed.
	awaitValue(t, prom, fmt.Sprintf(`count(calico_ipam_pool_utilization_ratio{k8s_cluster_name=%q,ippool=%q,ip_family="IPv6"})`, name, ipv6Pool), 1)
}

// stopPart stops a part of the lab. It is started again at the latest with the end of the test.
func stopPart(t *testing.T, part string) {
	t.Helper()
	t.Cleanup(func() { lab.Command(t, "part", "start", part) })
	lab.Command(t, "part", "stop", part)
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
