//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// selector selects a pool's series of a metric in the cluster of the test.
func selector(metric, cluster, pool string) string {
	return fmt.Sprintf(`%s{k8s_cluster_name=%q,ippool=%q}`, metric, cluster, pool)
}

// TestSpine is the main job: a cluster in, pool utilisation in Prometheus out, and live. Its parts build on one another.
func TestSpine(t *testing.T) {
	startCollector(t, collector{cluster: clusterName})
	prom := prometheus(t)
	awaitValue(t, prom, selector("calico_ipam_pool_utilization_ratio", clusterName, fullPool), 1)

	t.Run("every component that runs is scraped under its name", func(t *testing.T) {
		require.GreaterOrEqual(t, len(lab.Components), 2)
		for _, c := range lab.Components {
			awaitValue(t, prom, fmt.Sprintf(
				`up{k8s_cluster_name=%q,job=%q,instance=%q,k8s_namespace_name=%q,k8s_pod_name=%q,k8s_node_name=%q}`,
				clusterName, c.Job, c.Address, c.Namespace, c.Pod, c.Node), 1)
		}
	})
	t.Run("the numbers of every kind of pool", func(t *testing.T) { poolNumbers(t, prom) })
	t.Run("names and labels are Calico's", func(t *testing.T) { untouchedNames(t, prom) })
	t.Run("ten more addresses are seen within two scrapes", func(t *testing.T) { tenMore(t, prom) })
	t.Run("a pool that is deleted ends its series", func(t *testing.T) {
		lab.Command(t, "pool", "delete", fullPool)
		for _, metric := range []string{
			"ipam_ippool_size", "ipam_allocations_in_use",
			"calico_ipam_pool_info", "calico_ipam_pool_utilization_ratio", "calico_ipam_pool_available",
		} {
			// An instant query looks back five minutes: only a staleness marker ends a series before that.
			awaitNothing(t, prom, selector(metric, clusterName, fullPool))
		}
		_, ok := one(t, prom, selector("calico_ipam_pool_utilization_ratio", clusterName, halfUsedPool))
		require.True(t, ok, "the other pools stay")
	})
	t.Run("a pod that goes and comes back is followed without a restart", func(t *testing.T) { podComesAndGoes(t, prom) })
}

func poolNumbers(t *testing.T, prom promv1.API) {
	derived := func(metric, pool string) float64 {
		value, ok := one(t, prom, selector(metric, clusterName, pool))
		require.True(t, ok, "one value of %s for %s", metric, pool)
		return value
	}
	sum := func(metric, pool string) float64 {
		value, ok := one(t, prom, "sum by (ippool) ("+selector(metric, clusterName, pool)+")")
		require.True(t, ok, "one value of %s for %s", metric, pool)
		return value
	}
	usable := func(pool string) float64 {
		return derived("ipam_ippool_size", pool) - derived("ipam_ippool_reserved", pool)
	}
	require.InDelta(t, 16, derived("ipam_ippool_reserved", halfUsedPool), 0)
	for pool, want := range map[string]struct{ cidr, family string }{
		halfUsedPool:     {"192.168.0.0/24", "IPv4"},
		fullPool:         {"10.50.0.0/27", "IPv4"},
		ipv6Pool:         {"fd00:10:244::/48", "IPv6"},
		disabledPool:     {"10.60.0.0/24", "IPv4"},
		loadBalancerPool: {"10.70.0.0/26", "IPv4"},
	} {
		used, all := sum("ipam_allocations_in_use", pool), usable(pool)
		require.InDelta(t, used/all, derived("calico_ipam_pool_utilization_ratio", pool), 1e-12, pool)
		require.InDelta(t, all-used, derived("calico_ipam_pool_available", pool), all*1e-12, pool)
		vector, err := query(t.Context(), prom, selector("calico_ipam_pool_utilization_ratio", clusterName, pool))
		require.NoError(t, err)
		require.EqualValues(t, want.cidr, vector[0].Metric["cidr"])
		require.EqualValues(t, want.family, vector[0].Metric["ip_family"])
	}
	require.Zero(t, derived("calico_ipam_pool_available", fullPool))
	half := derived("calico_ipam_pool_utilization_ratio", halfUsedPool)
	require.Greater(t, half, 0.3)
	require.Less(t, half, 0.7)
	require.Zero(t, derived("calico_ipam_pool_utilization_ratio", disabledPool))
	for _, unknown := range []string{"no-such-pool", "no_ippool"} {
		awaitNothing(t, prom, selector("calico_ipam_pool_utilization_ratio", clusterName, unknown))
	}

	// Disabled and LoadBalancer pools are not for pods, and families do not mix.
	used := sum("ipam_allocations_in_use", halfUsedPool) + sum("ipam_allocations_in_use", fullPool)
	total := usable(halfUsedPool) + usable(fullPool)
	ipv4, ok := one(t, prom, fmt.Sprintf(`calico_ipam_cluster_utilization_ratio{k8s_cluster_name=%q,ip_family="IPv4"}`, clusterName))
	require.True(t, ok)
	require.InDelta(t, used/total, ipv4, 1e-12)

	// The query that is in circulation reads nothing while a pool is full.
	popular, ok := one(t, prom, fmt.Sprintf(`sum(ipam_allocations_in_use{k8s_cluster_name=%[1]q}) / sum(ipam_ippool_size{k8s_cluster_name=%[1]q}) * 100`, clusterName))
	require.True(t, ok)
	require.Less(t, popular, 1e-9)
}

func untouchedNames(t *testing.T, prom promv1.API) {
	vector, err := query(t.Context(), prom, fmt.Sprintf(`{__name__=~"typha_connections_accepted.*",k8s_cluster_name=%q}`, clusterName))
	require.NoError(t, err)
	require.Len(t, vector, 1, "the counter arrives once, without _total")
	var labels []string
	for name := range vector[0].Metric {
		labels = append(labels, string(name))
	}
	require.ElementsMatch(t, []string{
		model.MetricNameLabel, "job", "instance", "k8s_cluster_name", "k8s_namespace_name", "k8s_node_name", "k8s_pod_name",
	}, labels)

	vector, err = query(t.Context(), prom, fmt.Sprintf(`ipam_allocations_gc_candidates{k8s_cluster_name=%q,ippool=%q,node="node-1"}`, clusterName, halfUsedPool))
	require.NoError(t, err)
	require.Len(t, vector, 1, "Calico's own labels ippool and node stay")
	awaitNothing(t, prom, `target_info`)
	awaitNothing(t, prom, `{otel_scope_name!=""}`)
}

func tenMore(t *testing.T, prom promv1.API) {
	inUse := "sum by (ippool) (" + selector("ipam_allocations_in_use", clusterName, halfUsedPool) + ")"
	before, ok := one(t, prom, inUse)
	require.True(t, ok)
	available, ok := one(t, prom, selector("calico_ipam_pool_available", clusterName, halfUsedPool))
	require.True(t, ok)

	lab.Command(t, "allocate", "--pool", halfUsedPool, "--node", "node-2", "-n", "10")
	allocated := time.Now()
	awaitValue(t, prom, inUse, before+10)
	awaitValue(t, prom, selector("calico_ipam_pool_available", clusterName, halfUsedPool), available-10)
	const delivery = 5 * time.Second // a second of batching, and what a busy machine adds
	require.Less(t, time.Since(allocated), 2*interval+delivery, "the numbers arrive in Prometheus")

	// The time of the first sample that has them, not the time at which this test looked.
	for _, expression := range []string{
		selector("ipam_allocations_in_use", clusterName, halfUsedPool),
		selector("calico_ipam_pool_available", clusterName, halfUsedPool),
	} {
		value, _, err := prom.Query(t.Context(), expression+"[2m]", time.Now())
		require.NoError(t, err)
		seen := lastChange(t, value.(model.Matrix))
		require.Less(t, seen.Sub(allocated), 2*interval, "%s: seen %s after the addresses were allocated", expression, seen.Sub(allocated))
	}
}

// lastChange is the time of the newest sample whose value differs from the one before it.
func lastChange(t *testing.T, matrix model.Matrix) time.Time {
	t.Helper()
	var changed time.Time
	for _, series := range matrix {
		for i := len(series.Values) - 1; i > 0; i-- {
			if series.Values[i].Value != series.Values[i-1].Value {
				if at := series.Values[i].Timestamp.Time(); at.After(changed) {
					changed = at
				}
				break
			}
		}
	}
	require.False(t, changed.IsZero(), "no series changed: %s", matrix)
	return changed
}

func podComesAndGoes(t *testing.T, prom promv1.API) {
	pods := lab.Kube(t).CoreV1().Pods("calico-system")
	list, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "k8s-app=calico-typha"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	pod := list.Items[0]
	up := fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-typha"}`, clusterName)

	now := int64(0)
	require.NoError(t, pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	awaitNothing(t, prom, up)

	status := pod.Status
	pod.ResourceVersion, pod.UID = "", ""
	created, err := pods.Create(t.Context(), &pod, metav1.CreateOptions{})
	require.NoError(t, err)
	created.Status = status
	_, err = pods.UpdateStatus(t.Context(), created, metav1.UpdateOptions{})
	require.NoError(t, err)
	awaitValue(t, prom, up, 1)
}

func TestBinaryHoldsWhatTheManifestLists(t *testing.T) {
	content, err := os.ReadFile("../../builder-config.yaml")
	require.NoError(t, err)
	var manifest map[string]any
	require.NoError(t, yaml.Unmarshal(content, &manifest))
	out, err := exec.CommandContext(t.Context(), os.Getenv("COLLECTOR"), "components").Output()
	require.NoError(t, err)
	var binary map[string]any
	require.NoError(t, yaml.Unmarshal(out, &binary))
	for _, kind := range []string{"receivers", "processors", "exporters", "extensions", "connectors", "providers"} {
		require.NotEmpty(t, manifest[kind], kind)
		require.ElementsMatch(t, values(t, manifest[kind], "gomod"), values(t, binary[kind], "module"), kind)
	}
}

// values are the different values of a key in a list of maps.
func values(t *testing.T, list any, key string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, entry := range list.([]any) {
		value, ok := entry.(map[string]any)[key].(string)
		require.True(t, ok, "no %s in %v", key, entry)
		found[value] = true
	}
	return slices.Collect(maps.Keys(found))
}
