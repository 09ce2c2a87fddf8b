//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
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
var lab struct {
	stateDir            string
	AdminKubeconfig     string `json:"admin_kubeconfig"`
	CollectorKubeconfig string `json:"collector_kubeconfig"`
	APIServerURL        string `json:"apiserver_url"`
	PrometheusURL       string `json:"prometheus_url"`
	Felix               string `json:"felix"`
	Components          []struct {
		Job       string `json:"job"`
		Namespace string `json:"namespace"`
		Pod       string `json:"pod"`
		Node      string `json:"node"`
		Address   string `json:"address"`
	} `json:"components"`
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	for _, name := range []string{"LAB", "COLLECTOR"} {
		if _, err := os.Stat(os.Getenv(name)); err != nil {
			return 0, fmt.Errorf("%s must name a built program; `make e2e` builds both: %w", name, err)
		}
	}
	if lab.stateDir, err = os.MkdirTemp("", "otelcol-calico-e2e-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(lab.stateDir)

	cluster := exec.Command(os.Getenv("LAB"), "up", "--root", "../..", "--bin", filepath.Dir(os.Getenv("LAB")), "--state", lab.stateDir)
	cluster.Stdout, cluster.Stderr = os.Stdout, os.Stderr
	stop, ended, err := start(cluster)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		_ = stop()
		_ = os.RemoveAll(lab.stateDir)
		os.Exit(130)
	}()
	if err := awaitLab(ended); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// starts are run one after the other by a thread that lives as long as the process: the kernel ends a child whose Pdeathsig is set when the
// thread that started it ends.
var starts = func() chan<- func() {
	starts := make(chan func())
	go func() {
		runtime.LockOSThread()
		for next := range starts {
			next()
		}
	}()
	return starts
}()

// start runs a command in the background. stop ends it and waits; ended is closed when it has ended by itself or not.
// The command ends in order even if the tests panic, time out or are killed.
func start(cmd *exec.Cmd) (stop func() error, ended <-chan struct{}, err error) {
	// In a process group of its own Ctrl-C does not reach it: the tests stop it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state of the process is read below
		close(done)
	}()
	return func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-done:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-done
			return fmt.Errorf("%s did not end within %s of SIGTERM", cmd.Path, patience)
		}
		if !cmd.ProcessState.Success() {
			return fmt.Errorf("%s: %s", cmd.Path, cmd.ProcessState)
		}
		return nil
	}, done, nil
}

func awaitLab(ended <-chan struct{}) error {
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		content, err := os.ReadFile(filepath.Join(lab.stateDir, "lab.json"))
		if err == nil {
			return json.Unmarshal(content, &lab)
		}
		select {
		case <-ended:
			return errors.New("the lab ended before it was ready")
		case <-deadline:
			return errors.New("the lab was not ready after 5 minutes")
		case <-tick.C:
		}
	}
}

// labCommand runs a command of the lab on the running cluster.
func labCommand(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("LAB"), append(args, "--state", lab.stateDir)...).CombinedOutput()
	require.NoError(t, err, "lab %v: %s", args, out)
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

// startCollector runs the distribution with configs/cluster.yaml, as a user does, and stops it with the test. Series that it writes carry
// the cluster name.
func startCollector(t *testing.T, cluster, kubeconfig string) *output {
	t.Helper()
	out := &output{}
	cmd := exec.Command(os.Getenv("COLLECTOR"), "--config", "../../configs/cluster.yaml")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+kubeconfig,
		"CALICO_AUTH_TYPE=kubeConfig",
		"CALICO_COLLECTION_INTERVAL="+interval.String(),
		"K8S_CLUSTER_NAME="+cluster,
		"PROMETHEUS_REMOTE_WRITE_ENDPOINT="+lab.PrometheusURL+"/api/v1/write",
		"HEALTH_CHECK_ENDPOINT=127.0.0.1:"+freePort(t),
		"TELEMETRY_METRICS_PORT="+freePort(t),
	)
	stop, _, err := start(cmd)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, stop(), "the collector shuts down cleanly")
		if t.Failed() {
			t.Logf("collector %s:\n%s", cluster, out)
		}
	})
	return out
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

func admin(t *testing.T) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", lab.AdminKubeconfig)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
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
	require.Eventually(t, func() bool { got, ok := one(t, prom, expression); return ok && got == want }, patience, poll, "%s = %v", expression, want)
}

// awaitNothing waits until an expression has no value.
func awaitNothing(t *testing.T, prom promv1.API, expression string) {
	t.Helper()
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, expression)
		return err == nil && len(vector) == 0
	}, patience, poll, "%s has no value", expression)
}
