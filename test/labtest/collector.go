package labtest

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// The ports that tests are given are none of those that the kernel gives to outgoing connections, which could take them meanwhile, and the lab's are above.
// A process takes them by the block: it listens on the first port of one for as long as it lives, so that no test of another process is given the rest.
const firstPort, blocks, blockSize = 15000, 50, 100

// portBlock is the block that is given out.
var portBlock struct {
	mu    sync.Mutex
	guard []net.Listener
	next  int // in the block; the first port is its guard's
	base  int
}

// FreePort is a port that nothing listens on and that no other call was given, of no process.
func FreePort(t *testing.T) string {
	t.Helper()
	portBlock.mu.Lock()
	defer portBlock.mu.Unlock()
	for {
		if portBlock.next%blockSize == 0 {
			portBlock.base, portBlock.next = takeBlock(t), 1
		}
		port := strconv.Itoa(portBlock.base + portBlock.next)
		portBlock.next++
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
}

// takeBlock takes a block that no process has, and returns its first port.
func takeBlock(t *testing.T) int {
	t.Helper()
	for _, block := range rand.Perm(blocks) {
		base := firstPort + block*blockSize
		guard, err := new(net.ListenConfig).Listen(context.WithoutCancel(t.Context()), "tcp", "127.0.0.1:"+strconv.Itoa(base))
		if err == nil {
			portBlock.guard = append(portBlock.guard, guard)
			return base
		}
	}
	t.Fatal("no port is free")
	return 0
}
