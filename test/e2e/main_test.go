//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const (
	// interval between two scrapes; the configuration's default would make the tests slow.
	interval = 2 * time.Second
	// patience is how long a test waits for what must come.
	patience = 60 * time.Second
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

// output is what a process printed so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) contains(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.buf.Bytes(), []byte(text))
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// collector is a distribution that runs with configs/cluster.yaml, as a user runs it.
type collector struct {
	// cluster is the name that its series carry.
	cluster string
	// kubeconfig is that with the rights that are shipped, if empty.
	kubeconfig string
	// configs are read on top of configs/cluster.yaml.
	configs []string
	env     []string
	// quiet leaves out of the log of a failed test what this collector printed.
	quiet bool
}

// startCollector runs a collector, which ends with the test.
func startCollector(t *testing.T, c collector) *process {
	t.Helper()
	p := &process{}
	args := []string{"--config", "../../configs/cluster.yaml"}
	for _, config := range c.configs {
		args = append(args, "--config", config)
	}
	cmd := exec.Command(os.Getenv("COLLECTOR"), args...)
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+cmp.Or(c.kubeconfig, lab.CollectorKubeconfig),
		"CALICO_AUTH_TYPE=kubeConfig",
		"CALICO_COLLECTION_INTERVAL="+interval.String(),
		"K8S_CLUSTER_NAME="+c.cluster,
		"PROMETHEUS_REMOTE_WRITE_ENDPOINT="+lab.PrometheusURL+"/api/v1/write",
		"HEALTH_CHECK_ENDPOINT=127.0.0.1:"+freePort(t),
		"TELEMETRY_METRICS_PORT="+freePort(t),
	)
	cmd.Env = append(cmd.Env, c.env...)
	stop, _, err := labtest.Run(cmd)
	require.NoError(t, err)
	p.kill = func() { _ = cmd.Process.Kill() }
	t.Cleanup(func() {
		if err := stop(); !p.killed {
			assert.NoError(t, err, "the collector shuts down cleanly")
		}
		if t.Failed() && !c.quiet {
			t.Logf("collector %s:\n%s", c.cluster, &p.output)
		}
	})
	return p
}

// process is a collector that runs.
type process struct {
	output
	kill   func()
	killed bool
}

// freePort is a port that nothing listens on. It is not one of those that the kernel gives to outgoing connections, which could take it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(15000 + rand.IntN(5000)) // the lab's are above
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
	require.Fail(t, "no port is free")
	return ""
}

func prometheus(t *testing.T) promv1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: lab.PrometheusURL})
	require.NoError(t, err)
	return promv1.NewAPI(client)
}

// query evaluates PromQL now.
func query(ctx context.Context, prom promv1.API, expression string) (model.Vector, error) {
	value, _, err := prom.Query(ctx, expression, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("%s: %s is no vector", expression, value.Type())
	}
	return vector, nil
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
