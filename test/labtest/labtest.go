// Package labtest starts the lab, a real Calico cluster on this machine, for tests. `make e2e` builds what it needs, and names it in the
// environment: LAB is the lab's program, beside which those of the cluster are, and COLLECTOR the distribution.
package labtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	startTimeout = 5 * time.Minute
	stopTimeout  = time.Minute
	// A command may wait a minute for a part to answer.
	commandTimeout = 2 * time.Minute
	poll           = 200 * time.Millisecond
)

// Component is a component of Calico that serves metrics.
type Component struct {
	Job       string `json:"job"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Node      string `json:"node"`
	Address   string `json:"address"`
}

// Lab is a lab that runs.
type Lab struct {
	StateDir            string
	AdminKubeconfig     string      `json:"admin_kubeconfig"`
	CollectorKubeconfig string      `json:"collector_kubeconfig"`
	APIServerURL        string      `json:"apiserver_url"`
	PrometheusURL       string      `json:"prometheus_url"`
	Felix               string      `json:"felix"`
	Components          []Component `json:"components"`

	stop  func() error
	ended <-chan struct{}
}

// Start starts a lab, and returns when it is ready. Arguments are those of `lab up`.
func Start(args ...string) (*Lab, error) {
	program := os.Getenv("LAB")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("LAB must name the lab's program; `make e2e` builds it: %w", err)
	}
	dir, err := os.MkdirTemp("", "otelcol-calico-e2e-")
	if err != nil {
		return nil, err
	}
	l := &Lab{StateDir: dir}
	args = append([]string{"up", "--bin", filepath.Dir(program), "--state", dir}, args...)
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	stop, ended, err := Run(cmd)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	l.ended = ended
	l.stop = sync.OnceValue(func() error { return errors.Join(stop(), os.RemoveAll(dir)) })
	if err := l.await(ended); err != nil {
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

// Stop ends the lab and removes what it left.
func (l *Lab) Stop() error { return l.stop() }

// Main runs the tests of a package with a lab of their own, which ends with them, also when they are interrupted, and exits.
// They are a *testing.M, or what does more than that when it runs.
func Main(m interface{ Run() int }, use func(*Lab), args ...string) {
	l, err := Start(args...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		_ = l.Stop()
		os.Exit(130)
	}()
	use(l)
	tested := make(chan struct{})
	go func() {
		select {
		case <-tested:
		case <-l.ended:
			fmt.Fprintln(os.Stderr, "lab: it ended while tests were running")
			_ = l.Stop()
			os.Exit(1)
		}
	}()
	code := m.Run()
	close(tested)
	if err := l.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func (l *Lab) await(ended <-chan struct{}) error {
	deadline := time.After(startTimeout)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		content, err := os.ReadFile(filepath.Join(l.StateDir, "lab.json"))
		if err == nil {
			return json.Unmarshal(content, l)
		}
		select {
		case <-ended:
			return errors.New("the lab ended before it was ready")
		case <-deadline:
			return fmt.Errorf("the lab was not ready after %s", startTimeout)
		case <-tick.C:
		}
	}
}

// Command runs a command of the lab's program on the running lab.
func (l *Lab) Command(t *testing.T, args ...string) {
	t.Helper()
	l.Output(t, args...)
}

// Output runs a command as Command does, and returns what it prints on standard output.
func (l *Lab) Output(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(cleanup(t), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv("LAB"), l.arguments(args)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lab %v: %v: %s%s", args, err, out, stderr.String())
	}
	return string(out)
}

func (l *Lab) arguments(args []string) []string {
	return append(slices.Clone(args), "--state", l.StateDir)
}

// Converse starts a command of the lab's program on the running lab, which answers out of out what it is asked through in. It ends when in is closed,
// at the latest with the test.
func (l *Lab) Converse(t *testing.T, args ...string) (in io.WriteCloser, out io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(cleanup(t), os.Getenv("LAB"), l.arguments(args)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not StdoutPipe, which is closed when the command ends, also in front of what was not read yet.
	out, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = written
	stop, ended, err := Run(cmd)
	_ = written.Close() // the command has its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it may be
		select {
		case <-ended:
		case <-time.After(stopTimeout):
		}
		if err := stop(); err != nil {
			t.Errorf("lab %v: %v", args, err)
		}
	})
	return in, out
}

// Admin is the administrator's access to the lab's API server, without the limit on requests that clients have by default.
func (l *Lab) Admin(t *testing.T) *rest.Config {
	t.Helper()
	return load(t, l.AdminKubeconfig)
}

// Collector is the access of the collector's service account, with the rights that are shipped.
func (l *Lab) Collector(t *testing.T) *rest.Config {
	t.Helper()
	return load(t, l.CollectorKubeconfig)
}

func load(t *testing.T, kubeconfig string) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

// Kube is a client of the administrator.
func (l *Lab) Kube(t *testing.T) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(l.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Dynamic is a client of the administrator for resources of any kind.
func (l *Lab) Dynamic(t *testing.T) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(l.Admin(t))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// cleanup is a context for what a test undoes: its own is over then.
func cleanup(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}

// starts are run one after the other by a thread that lives as long as the process: the kernel ends a child whose Pdeathsig is set when the
// thread that started it ends.
var starts = sync.OnceValue(func() chan<- func() {
	starts := make(chan func())
	go func() {
		runtime.LockOSThread()
		for next := range starts {
			next()
		}
	}()
	return starts
})

// Run starts a command in the background. stop ends it in order and waits; ended is closed when it has ended, by itself or not. It ends in order
// even if the tests panic, time out or are killed.
func Run(cmd *exec.Cmd) (stop func() error, ended <-chan struct{}, err error) {
	// In a process group of its own Ctrl-C does not reach it: the tests stop it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	starts() <- func() { started <- cmd.Start() }
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
		case <-time.After(stopTimeout):
			_ = cmd.Process.Kill()
			<-done
			return fmt.Errorf("%s did not end within %s of SIGTERM", cmd.Path, stopTimeout)
		}
		if !cmd.ProcessState.Success() {
			return fmt.Errorf("%s: %s", cmd.Path, cmd.ProcessState)
		}
		return nil
	}, done, nil
}
