//go:build e2e

package monitoring

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// site is a Prometheus with all that is in monitoring/, and the collectors of two clusters that send to it: of the lab, and of one at the edge that goes away.
type site struct {
	url     string
	prom    promv1.API
	began   time.Time
	edge    *labtest.Collector
	cluster string
	fired   map[string]bool
	ports   map[string]string
}

// instance selects a collector's own metrics.
func (s *site) instance(name string) string { return `instance="localhost:` + s.ports[name] + `"` }

const (
	clusterName = "berlin"
	edgeName    = "edge"
)

// remoteWrite are the configurations of a collector of one cluster on top of its base.
const remoteWrite = "../../configs/backends/remote-write.yaml"

func newSite(t *testing.T) *site {
	t.Helper()
	ports := map[string]string{}
	for _, name := range []string{"main", "edge", "cutoff", "refused", "small"} {
		ports[name] = labtest.FreePort(t)
	}
	s := &site{cluster: clusterName, began: time.Now(), fired: map[string]bool{}, ports: ports}
	var targets []string
	for _, port := range ports {
		targets = append(targets, "localhost:"+port)
	}
	s.url = labtest.StartPrometheus(t, fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: %s
scrape_configs:
  - job_name: otelcol-calico
    static_configs: [{targets: %s}]
`, inYAML(promptly(t)), inYAML(targets)))
	s.prom = labtest.PrometheusAPI(t, s.url)

	env := func(name, cluster string, more ...string) []string {
		return append([]string{
			"KUBECONFIG=" + lab.CollectorKubeconfig, "CALICO_AUTH_TYPE=kubeConfig", "CALICO_COLLECTION_INTERVAL=" + interval.String(),
			"K8S_CLUSTER_NAME=" + cluster, "LEASE_NAME=none", "STORAGE_DIRECTORY=" + t.TempDir(), "TELEMETRY_METRICS_PORT=" + ports[name],
			"REMOTE_WRITE_ENDPOINT=" + s.url + "/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:" + labtest.FreePort(t),
		}, more...)
	}
	// The one that counts: it observes the lab, and has days of history of a pool that grows.
	storage := t.TempDir()
	namespace, err := lab.Kube(t).CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(t, err)
	grown := past{pool: growingPool, cidr: "192.168.0.0/24", size: 256, reserved: 16, blocks: 15, blockSize: 16, from: 30, to: 150, days: 5}
	remember(t, grown, string(namespace.UID), storage)
	labtest.StartCollector(t, []string{"../../configs/cluster.yaml", remoteWrite, "../../configs/options/no-election.yaml"},
		env("main", clusterName, "STORAGE_DIRECTORY="+storage)...)
	// Of another cluster: one component has more series than may be, and in the end nothing comes any more.
	endpoints := []string{}
	for _, c := range lab.Components {
		name := strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(c.Job, "calico-"), "-", "_"))
		endpoints = append(endpoints, name+"_ENDPOINTS=[http://"+c.Address+"/metrics]")
	}
	sidecar := func(name, cluster, limits string, more ...string) *labtest.Collector {
		c := labtest.StartCollector(t, []string{"../../configs/sidecar.yaml", remoteWrite, "yaml:receivers::calico::typha::" + limits},
			env(name, cluster, slices.Concat(endpoints, []string{"KUBECONFIG="}, more)...)...)
		c.Quiet = true
		return c
	}
	s.edge = sidecar("edge", edgeName, "sample_limit: 10")
	// One whose backend is away, one whose backend refuses what it sends, and one without memory: of these comes nothing.
	sidecar("cutoff", "cutoff", "profile: all", "REMOTE_WRITE_ENDPOINT=http://127.0.0.1:1/api/v1/write", "REMOTE_WRITE_QUEUE_SIZE=1000000")
	sidecar("refused", "refused", "profile: all", "REMOTE_WRITE_ENDPOINT="+s.url+"/nowhere")
	sidecar("small", "small", "profile: all", "MEMORY_LIMIT_MIB=8")
	return s
}

// TestMonitoring brings the lab into a state in which there is something to be seen and to be alarmed by, and asks everything that is in monitoring/.
func TestMonitoring(t *testing.T) {
	s := newSite(t)
	await(t, s.prom, `calico_ipam_pool_utilization_ratio{k8s_cluster_name="`+s.cluster+`"}`)
	s.provoke(t)

	t.Run("alerts fire by what they are about", s.alertsFire)
	t.Run("expressions of alerts have answers", s.rulesAnswer)
	t.Run("panels and variables have answers", s.panelsAnswer)
	t.Run("commands of runbooks work", s.runbooksWork)
	if os.Getenv("PICTURES") != "" {
		s.draw(t, os.Getenv("PICTURES"))
	}
	t.Run("alerts fire by what is locked or gone", s.endsFire)
	if os.Getenv("RECORD") != "" {
		s.record(t, os.Getenv("RECORD"))
	}
	s.count(t)
}

// provoke does to the cluster what alerts are about.
func (s *site) provoke(t *testing.T) {
	t.Helper()
	report(t,
		bgpNode{name: "node-1", v4: mesh("192.0.2.", nil), v6: mesh("2001:db8::", nil)},
		bgpNode{name: "node-2", v4: mesh("192.0.2.", map[int]string{2: "Active"}), v6: mesh("2001:db8::", nil)},
		bgpNode{name: "node-3", v4: mesh("192.0.2.", map[int]string{0: "Idle", 1: "Idle", 2: "Idle", 3: "Connect", 4: "Idle"}), v6: mesh("2001:db8::", nil)},
		bgpNode{name: "node-4", v4: mesh("192.0.2.", nil), notReady: true},
		bgpNode{name: edgeNode, v4: mesh("192.0.2.", nil), age: time.Hour},
	)
	lab.RunningPod(t, "goldmane", "127.0.0.1", corev1.Container{}) // without metrics
	lab.RunningPod(t, "calico-typha", "127.0.0.1", corev1.Container{Env: []corev1.EnvVar{
		{Name: "TYPHA_PROMETHEUSMETRICSENABLED", Value: "true"}, {Name: "TYPHA_PROMETHEUSMETRICSPORT", Value: "1"},
	}}) // nobody listens there

	createNode(t, edgeNode, "172.18.0.50")
	createPool(t, fillingPool, "10.81.0.0/26", "all()")
	createPool(t, retiredPool, "10.80.0.0/26", "all()")
	createPool(t, claimedPool, "10.82.0.0/27", "all()")
	createPool(t, edgePool, "10.83.0.0/26", `kubernetes.io/hostname == "`+edgeNode+`"`)
	allocate(t, retiredPool, "node-1", 10)
	lab.Command(t, "pool", "delete", retiredPool)
	for i := range 4 {
		allocate(t, claimedPool, fmt.Sprintf("node-%d", i+1), 1)
	}
	allocate(t, edgePool, edgeNode, 8*blocksLimit)
	leak(t, growingPool, 8)

	if lab.Felix == "running" {
		disturbFelix(t)
	}
	s.fill(t)
}

// fill gives out all addresses of a pool, bit by bit.
func (s *site) fill(t *testing.T) {
	t.Helper()
	for i := range 8 {
		allocate(t, fillingPool, fmt.Sprintf("node-%d", i%4+1), 8)
		await(t, s.prom, fmt.Sprintf(`calico_ipam_pool_allocated{k8s_cluster_name=%q,ippool=%q} == %d`, s.cluster, fillingPool, 8*(i+1)))
	}
}

// alertsFire waits until every alert fires whose cause the test provokes.
func (s *site) alertsFire(t *testing.T) {
	berlin := func(labels string) string { return `k8s_cluster_name="` + s.cluster + `",` + labels }
	s.awaitFiring(t, []firing{
		{"CalicoIPPoolFilling", berlin(`ippool="small-pool"`)},
		{"CalicoIPPoolFilling", berlin(`ippool="web"`)},
		{"CalicoIPPoolFull", berlin(`ippool="web"`)},
		{"CalicoIPPoolFullSoon", berlin(`ippool="default-ipv4-ippool"`)},
		{"CalicoIPPoolBlocksExhausted", berlin(`ippool="claimed"`)},
		{"CalicoIPAMGarbageCollectionStuck", berlin(`ippool="default-ipv4-ippool"`)},
		{"CalicoComponentDark", berlin(`component="typha",state="unreachable"`)},
		{"CalicoBGPSessionDown", berlin(`peer="192.0.2.13"`)},
		{"CalicoBGPNodeWithoutSessions", berlin(`node="node-3",ip_family="IPv4"`)},
		{"CalicoBGPAgentDown", berlin(`node="node-4",ip_family="IPv6"`)},
		{"CalicoNodeStatusStale", berlin(``)},
		{"CalicoCollectorScrapeLimit", `k8s_cluster_name="edge",component="typha"`},
		{"CalicoCollectorMemoryLimit", s.instance("small")},
		{"CalicoCollectorQueueFilling", s.instance("cutoff")},
		{"CalicoCollectorQueueFull", s.instance("cutoff")},
		{"CalicoCollectorSendFailed", s.instance("refused")},
	})
	// Now the garbage collector takes back what leaks, and goes on to do so.
	patch(t, "kubecontrollersconfigurations", map[string]any{"controllers": map[string]any{"node": map[string]any{"leakGracePeriod": "6s"}}})
	leaking := time.NewTicker(5 * time.Second)
	defer leaking.Stop()
	settle(t, 2*patience, "does not fire", func() []string {
		select {
		case <-leaking.C:
			leak(t, growingPool, 4)
		default:
		}
		return s.silent(t, firing{"CalicoIPAMAddressesLeaking", berlin(`ippool="default-ipv4-ippool"`)})
	})
	lab.Command(t, "release", "--pool", fillingPool, "-n", "30")
	limitBlocks(t, blocksLimit)
	wanted := []firing{
		{"CalicoNodesCapped", berlin(`ip_family="IPv4"`)},
		{"CalicoNodesStarved", berlin(`ip_family="IPv4"`)},
		{"CalicoIPAMOrphanedAllocations", berlin(``)},
		{"CalicoComponentMetricsDisabled", berlin(`component="goldmane"`)},
	}
	if lab.Felix == "running" {
		wanted = append(wanted,
			firing{"CalicoFelixIptablesErrors", berlin(`k8s_node_name="node-1"`)},
			firing{"CalicoFelixIPSetErrors", berlin(`k8s_node_name="node-1"`)},
			firing{"CalicoFelixApplySlow", berlin(`k8s_node_name="node-1"`)},
			firing{"CalicoTyphaOverloaded", berlin(`k8s_node_name="node-2"`)},
		)
	}
	s.awaitFiring(t, wanted)
}

// endsFire has the datastore locked, and one cluster send nothing more.
func (s *site) endsFire(t *testing.T) {
	patch(t, "clusterinformations", map[string]any{"datastoreReady": false})
	s.edge.Stop(t)
	s.awaitFiring(t, []firing{
		{"CalicoDatastoreNotReady", `k8s_cluster_name="` + s.cluster + `"`},
		{"CalicoClusterNoData", `k8s_cluster_name="` + edgeName + `"`},
	})
}

// count says which alerts fired, and which the lab has no cause for.
func (s *site) count(t *testing.T) {
	t.Helper()
	fired, other := []string{}, []string{}
	for _, r := range loadRules(t) {
		if s.fired[r.Alert] {
			fired = append(fired, r.Alert)
		} else {
			other = append(other, r.Alert)
		}
	}
	t.Logf("%d of %d alerts fired by their cause; not provoked: %s", len(fired), len(fired)+len(other), strings.Join(other, ", "))
}
