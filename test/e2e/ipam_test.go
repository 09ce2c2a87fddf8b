//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ownFamilies are those of kube-controllers that the receiver counts itself.
var ownFamilies = []string{"ipam_ippool_size", "ipam_ippool_reserved", "ipam_allocations_in_use", "ipam_allocations_borrowed", "ipam_blocks"}

// ownSelector selects the series of ownFamilies in a cluster.
func ownSelector(cluster, job string) string {
	return fmt.Sprintf(`{__name__=~"%s",k8s_cluster_name=%q,job=%q}`, strings.Join(ownFamilies, "|"), cluster, job)
}

// seriesKey is a series of these families, by its name and Calico's own labels.
func seriesKey(name, pool, node string) string { return fmt.Sprintf("%s{%s,%s}", name, pool, node) }

// published are the series of ownFamilies on the page of kube-controllers itself.
func published(t require.TestingT, address string) map[string]float64 {
	response, err := http.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	found := map[string]float64{}
	for _, name := range ownFamilies {
		for _, m := range families[name].GetMetric() {
			labels := map[string]string{}
			for _, label := range m.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			found[seriesKey(name, labels["ippool"], labels["node"])] = m.GetGauge().GetValue()
		}
	}
	return found
}

// counted are the same series as Prometheus has them of the account.
func counted(t *testing.T, prom promv1.API, cluster string) map[string]float64 {
	t.Helper()
	vector, err := query(t.Context(), prom, ownSelector(cluster, "calico-ipam"))
	require.NoError(t, err)
	found := map[string]float64{}
	for _, sample := range vector {
		found[seriesKey(string(sample.Metric[model.MetricNameLabel]), string(sample.Metric["ippool"]), string(sample.Metric["node"]))] = float64(sample.Value)
	}
	return found
}

// calicoctlInUse is what `calicoctl ipam show` calls IPS IN USE, by CIDR of the pool.
func calicoctlInUse(t *testing.T) map[string]float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("LAB"), "ipam", "show", "--state", lab.StateDir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	found := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || strings.TrimSpace(cells[1]) != "IP Pool" {
			continue
		}
		inUse, err := strconv.ParseFloat(strings.Fields(cells[4])[0], 64)
		require.NoError(t, err, line)
		found[strings.TrimSpace(cells[2])] = inUse
	}
	require.NotEmpty(t, found, "%s", out)
	return found
}

// poolTable is all that Prometheus has of the pools: the account, and what the processor makes of it.
func poolTable(t *testing.T, prom promv1.API, cluster string) map[string]float64 {
	t.Helper()
	vector, err := query(t.Context(), prom, fmt.Sprintf(`{__name__=~"%s|calico_ipam_.*",k8s_cluster_name=%q}`, strings.Join(ownFamilies, "|"), cluster))
	require.NoError(t, err)
	table := map[string]float64{}
	for _, sample := range vector {
		table[sample.Metric.String()] = float64(sample.Value)
	}
	return table
}

// kubeControllers is the address of kube-controllers' metrics.
func kubeControllers(t *testing.T) string {
	t.Helper()
	for _, component := range lab.Components {
		if component.Job == "calico-kube-controllers" {
			return component.Address
		}
	}
	require.Fail(t, "the lab has no kube-controllers")
	return ""
}

// TestAddressesAreCountedFromTheDatastore compares the account with kube-controllers and with calicoctl, and closes the port of kube-controllers.
func TestAddressesAreCountedFromTheDatastore(t *testing.T) {
	const name = "datastore"
	startCollector(t, collector{cluster: name})
	prom := prometheus(t)
	awaitState(t, prom, name, "kube_controllers", "scraped", "ok", 1)
	awaitValue(t, prom, selector("calico_ipam_pool_utilization_ratio", name, fullPool), 1)

	t.Run("it has what kube-controllers publishes, to the last zero", func(t *testing.T) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			got := counted(t, prom, name)
			for _, pool := range []string{halfUsedPool, fullPool, ipv6Pool, disabledPool, loadBalancerPool} {
				// kube-controllers publishes it from 3.33 on.
				key := seriesKey("ipam_ippool_reserved", pool, "")
				require.Contains(c, got, key)
				require.InDelta(c, map[string]float64{halfUsedPool: 16}[pool], got[key], 0)
				delete(got, key)
			}
			require.Equal(c, published(c, kubeControllers(t)), got)
		}, patience, poll)
	})
	t.Run("it has what calicoctl shows", func(t *testing.T) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			want := calicoctlInUse(t)
			vector, err := query(t.Context(), prom, fmt.Sprintf(
				`calico_ipam_pool_allocated{k8s_cluster_name=%[1]q} * on (ippool) group_left (cidr) calico_ipam_pool_info{k8s_cluster_name=%[1]q}`, name))
			require.NoError(c, err)
			got := map[string]float64{}
			for _, sample := range vector {
				got[string(sample.Metric["cidr"])] = float64(sample.Value)
			}
			require.Equal(c, want, got)
		}, patience, time.Second)
	})
	t.Run("each family has one source, and had no other", func(t *testing.T) {
		awaitValue(t, prom, fmt.Sprintf(`count(count by (job) (ipam_allocations_gc_candidates{k8s_cluster_name=%q,job="calico-kube-controllers"}))`, name), 1)
		// Values and not series: the ends of what an earlier collector may have sent make series without a value.
		all, err := query(t.Context(), prom, fmt.Sprintf(`last_over_time({__name__=~"ipam_.*",k8s_cluster_name=%q}[10m])`, name))
		require.NoError(t, err)
		require.NotEmpty(t, all)
		for _, sample := range all {
			own := slices.Contains(ownFamilies, string(sample.Metric[model.MetricNameLabel]))
			require.Equal(t, map[bool]string{true: "calico-ipam", false: "calico-kube-controllers"}[own], string(sample.Metric["job"]), "%s", sample.Metric)
		}
	})
	t.Run("without the port of kube-controllers the pools are the same", func(t *testing.T) {
		before := poolTable(t, prom, name)
		_, port, err := net.SplitHostPort(kubeControllers(t))
		require.NoError(t, err)
		setPort := func(port string) {
			_, err := lab.Dynamic(t).Resource(crdGroup.WithResource("kubecontrollersconfigurations")).Patch(context.WithoutCancel(t.Context()), "default",
				types.MergePatchType, fmt.Appendf(nil, `{"spec":{"prometheusMetricsPort":%s}}`, port), metav1.PatchOptions{})
			require.NoError(t, err)
		}
		t.Cleanup(func() {
			setPort(port)
			lab.Command(t, "part", "start", "calico-kube-controllers") // waits until it answers
		})
		setPort("0")
		awaitState(t, prom, name, "kube_controllers", "disabled", "KubeControllersConfiguration.spec.prometheusMetricsPort", 1)
		awaitNothing(t, prom, fmt.Sprintf(`{__name__=~"ipam_.*",k8s_cluster_name=%q,job="calico-kube-controllers"}`, name))
		closed := time.Now()
		awaitValue(t, prom, fmt.Sprintf(`timestamp(%s) > bool %d`, selector("ipam_ippool_size", name, fullPool), closed.Add(interval).Unix()), 1)
		require.Equal(t, before, poolTable(t, prom, name))
		require.NotEmpty(t, before)
	})
}

// TestTheAccountStandsStillWhileTheDatastoreIsNotReady takes an address meanwhile.
func TestTheAccountStandsStillWhileTheDatastoreIsNotReady(t *testing.T) {
	const name = "frozen"
	startCollector(t, collector{cluster: name})
	prom := prometheus(t)
	allocated := selector("calico_ipam_pool_allocated", name, halfUsedPool)
	awaitValue(t, prom, "count("+allocated+")", 1)
	before, ok := one(t, prom, allocated)
	require.True(t, ok)
	ready := func(ready bool) {
		_, err := lab.Dynamic(t).Resource(crdGroup.WithResource("clusterinformations")).Patch(context.WithoutCancel(t.Context()), "default",
			types.MergePatchType, fmt.Appendf(nil, `{"spec":{"datastoreReady":%t}}`, ready), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	t.Cleanup(func() { ready(true) })
	ready(false)
	awaitValue(t, prom, fmt.Sprintf(`calico_datastore_ready{k8s_cluster_name=%q}`, name), 0)
	lab.Command(t, "allocate", "--pool", halfUsedPool, "--node", "node-2")
	t.Cleanup(func() { lab.Command(t, "release", "--pool", halfUsedPool) })
	taken := time.Now()
	awaitValue(t, prom, fmt.Sprintf(`timestamp(%s) > bool %d`, allocated, taken.Add(2*interval).Unix()), 1)
	awaitValue(t, prom, allocated, before)
	ready(true)
	awaitValue(t, prom, allocated, before+1)
}

// TestKubeControllersHasTheNumbersWhileBlocksMayNotBeRead takes away the right to read blocks, and grants it.
func TestKubeControllersHasTheNumbersWhileBlocksMayNotBeRead(t *testing.T) {
	const name, missing = "no-blocks", "list ipamblocks.crd.projectcalico.org"
	rights := shippedRights(t, "cluster.yaml", "operator.yaml")
	others := slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return r.Resources[0] == "ipamblocks" })
	startCollector(t, collector{cluster: name, kubeconfig: account(t, name, others)})
	prom := prometheus(t)
	awaitState(t, prom, name, "ipam", "forbidden", missing, 1)
	fromKubeControllers, fromAccount := ownSelector(name, "calico-kube-controllers"), ownSelector(name, "calico-ipam")
	awaitValue(t, prom, "clamp_max(count("+fromKubeControllers+"), 1)", 1)
	awaitNothing(t, prom, fromAccount)
	awaitValue(t, prom, fmt.Sprintf(`count(%s)`, selector("calico_ipam_pool_info", name, fullPool)), 1)
	awaitValue(t, prom, selector("calico_ipam_pool_utilization_ratio", name, fullPool), 1)

	grant(t, name, rights)
	awaitValue(t, prom, "clamp_max(count("+fromAccount+"), 1)", 1)
	awaitNothing(t, prom, fromKubeControllers)
	awaitState(t, prom, name, "ipam", "scraped", "ok", 1)
	awaitValue(t, prom, selector("calico_ipam_pool_utilization_ratio", name, fullPool), 1) // one value, of the account
}
