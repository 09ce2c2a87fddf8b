package labtest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Collector is a distribution that runs.
type Collector struct {
	// Quiet leaves out of the log of a failed test what the collector printed.
	Quiet bool

	Output
	cmd    *exec.Cmd
	ended  <-chan struct{}
	stop   func() error
	killed bool
}

// StartCollector runs the distribution with configurations that are read one on top of the other. What all of configs/ listen on is free ports, unless env says
// otherwise. It ends with the test, at the latest.
func StartCollector(t *testing.T, configs []string, env ...string) *Collector {
	t.Helper()
	return StartCollectorUnder(t, nil, configs, env...)
}

// StartCollectorUnder has a command start it, if there is one, that it takes the place of, as nsenter has it run in the namespaces of a process.
func StartCollectorUnder(t *testing.T, command, configs []string, env ...string) *Collector {
	t.Helper()
	args := append(slices.Clone(command), os.Getenv("COLLECTOR"))
	cmd := exec.CommandContext(cleanup(t), args[0], args[1:]...)
	for _, config := range configs {
		cmd.Args = append(cmd.Args, "--config", config)
	}
	c := &Collector{cmd: cmd}
	cmd.Stdout, cmd.Stderr = &c.Output, &c.Output
	cmd.Env = os.Environ()
	for _, port := range []string{"HEALTH_CHECK_PORT", "TELEMETRY_METRICS_PORT", "PPROF_PORT", "ZPAGES_PORT"} {
		cmd.Env = append(cmd.Env, port+"="+FreePort(t))
	}
	cmd.Env = append(cmd.Env, env...) // the last one counts
	stop, ended, err := Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	c.ended, c.stop = ended, sync.OnceValue(stop)
	t.Cleanup(func() {
		c.Stop(t)
		if t.Failed() && !c.Quiet {
			t.Logf("collector %s:\n%s", strings.Join(configs, " "), c)
		}
	})
	return c
}

// Stop ends the collector in order, unless it has ended.
func (c *Collector) Stop(t *testing.T) {
	t.Helper()
	if err := c.stop(); err != nil && !c.killed {
		t.Errorf("the collector does not shut down cleanly: %v", err)
	}
}

// Kill ends the collector at once, as kill -9 does, and waits until it is gone.
func (c *Collector) Kill() {
	c.killed = true
	_ = c.cmd.Process.Kill() // it may be gone
	<-c.ended
}

// Ended is closed when the collector has ended, by itself or not.
func (c *Collector) Ended() <-chan struct{} { return c.ended }

// PID is the process of the collector.
func (c *Collector) PID() int { return c.cmd.Process.Pid }

// Output is what a process printed so far.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes what is printed.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// Contains says whether a text was printed.
func (o *Output) Contains(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.buf.Bytes(), []byte(text))
}

// String is all that was printed.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// The ports that tests are given, in an order of this process' own. They are none of those that the kernel gives to outgoing connections, which could
// take them meanwhile, and the lab's are above.
const firstPort, ports = 15000, 5000

var nextPort = func() *atomic.Int32 {
	var next atomic.Int32
	next.Store(rand.Int32N(ports))
	return &next
}()

// FreePort is a port that nothing listens on and that no other call was given.
func FreePort(t *testing.T) string {
	t.Helper()
	for range ports {
		port := strconv.Itoa(firstPort + int(nextPort.Add(1))%ports)
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}
