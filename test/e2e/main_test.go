//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const (
	// interval between two scrapes; the configuration's default would make the tests slow.
	interval = 2 * time.Second
	// patience is how long a test waits for what must come.
	patience = 2 * time.Minute
	poll     = 200 * time.Millisecond

	clusterName = "e2e"

	// Pools that the lab fills.
	halfUsedPool     = "default-ipv4-ippool"
	fullPool         = "small-pool"
	ipv6Pool         = "default-ipv6-ippool"
	disabledPool     = "disabled-pool"
	loadBalancerPool = "loadbalancer-pool"
)

// lab is the cluster that all tests of the package share.
var lab *labtest.Lab

func TestMain(m *testing.M) {
	if _, err := os.Stat(os.Getenv("COLLECTOR")); err != nil {
		fmt.Fprintln(os.Stderr, "COLLECTOR must name the distribution; `make e2e` builds it:", err)
		os.Exit(1)
	}
	labtest.Main(m, func(l *labtest.Lab) { lab = l }, "--root", "../..")
}

// collector is a distribution that runs with the configurations that are published, as a user runs it.
type collector struct {
	// base is cluster.yaml, if empty, and backend is remote-write.yaml.
	base, backend string
	// cluster is the name that its series carry.
	cluster string
	// kubeconfig is that with the rights that are shipped, if empty.
	kubeconfig string
	// lease is what the collectors hold of which one observes the cluster. None is elected if it is empty.
	lease string
	// configs are read on top of these.
	configs []string
	env     []string
	// quiet leaves out of the log of a failed test what this collector printed.
	quiet bool
}

// startCollector runs a collector, which ends with the test.
func startCollector(t *testing.T, c collector) *labtest.Collector {
	t.Helper()
	configs := append([]string{
		"../../configs/" + cmp.Or(c.base, "cluster.yaml"), "../../configs/backends/" + cmp.Or(c.backend, "remote-write.yaml"),
	}, c.configs...)
	if c.base == "" && c.lease == "" {
		configs = append(configs, "../../configs/options/no-election.yaml")
	}
	p := labtest.StartCollector(t, configs, append([]string{
		"KUBECONFIG=" + cmp.Or(c.kubeconfig, lab.CollectorKubeconfig),
		"CALICO_AUTH_TYPE=kubeConfig",
		"CALICO_COLLECTION_INTERVAL=" + interval.String(),
		"K8S_CLUSTER_NAME=" + c.cluster,
		"LEASE_NAME=" + cmp.Or(c.lease, "none"),
		"STORAGE_DIRECTORY=" + t.TempDir(),
		"REMOTE_WRITE_ENDPOINT=" + lab.PrometheusURL + "/api/v1/write",
		"REMOTE_WRITE_HOP=127.0.0.1:" + labtest.FreePort(t),
	}, c.env...)...)
	p.Quiet = c.quiet
	return p
}

func prometheus(t *testing.T) promv1.API {
	t.Helper()
	return labtest.PrometheusAPI(t, lab.PrometheusURL)
}

// query evaluates PromQL now.
func query(ctx context.Context, prom promv1.API, expression string) (model.Vector, error) {
	return labtest.Query(ctx, prom, expression, time.Now())
}

// one is the value of an expression that has exactly one, and ok.
func one(t *testing.T, prom promv1.API, expression string) (value float64, ok bool) {
	t.Helper()
	vector, err := query(t.Context(), prom, expression)
	require.NoError(t, err)
	if len(vector) != 1 {
		return 0, false
	}
	return float64(vector[0].Value), true
}

// awaitValue waits until an expression has exactly one value, and that one.
func awaitValue(t *testing.T, prom promv1.API, expression string, want float64) {
	t.Helper()
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, expression)
		return err == nil && len(vector) == 1 && float64(vector[0].Value) == want
	}, patience, poll, "%s = %v", expression, want)
}

// awaitNothing waits until an expression has no value.
func awaitNothing(t *testing.T, prom promv1.API, expression string) {
	t.Helper()
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, expression)
		return err == nil && len(vector) == 0
	}, patience, poll, "%s has no value", expression)
}
