package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleVariable makes the test binary one of the processes that the tests start.
const roleVariable = "LAB_TEST_ROLE"

const (
	waitFor = 20 * time.Second
	tick    = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	switch role, argument, _ := strings.Cut(os.Getenv(roleVariable), ":"); role {
	case "":
		goleak.VerifyTestMain(m)
	case "crash":
		fmt.Println("first line")
		fmt.Println("last words")
		os.Exit(3)
	case "run":
		serveUntilTerm(argument)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		fmt.Println("ready")
		<-time.After(time.Hour)
	case "supervise":
		supervise(argument)
	case "tidy":
		tidy(argument)
	case "group":
		lead(argument)
	case "run-command":
		runCommand("tidy:" + argument)
	case "run-family":
		runCommand("group:" + argument)
	}
}

// tidy is a command that, as cmd/go, cleans up after itself when it is interrupted, and only then.
func tidy(file string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT)
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		os.Exit(1)
	}
	<-signals
	_ = os.Remove(file)
	os.Exit(1)
}

// lead is a command that ends on an interrupt and leaves a child behind that does not; file has the child's process id.
func lead(file string) {
	child := exec.Command(os.Args[0])
	child.Env = []string{roleVariable + "=stubborn"}
	output, err := child.StdoutPipe()
	if err != nil || child.Start() != nil {
		os.Exit(1)
	}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		os.Exit(1)
	}
	if os.WriteFile(file+".new", []byte(strconv.Itoa(child.Process.Pid)), 0o600) != nil || os.Rename(file+".new", file) != nil {
		os.Exit(1)
	}
	<-time.After(time.Hour)
}

// runCommand is a lab that runs a command and waits to be killed.
func runCommand(role string) {
	_ = Run(context.Background(), command(role), RunOptions{
		Interrupt: syscall.SIGINT, Grace: time.Hour, Family: strings.HasPrefix(role, "group:"),
	})
}

// serveUntilTerm says when it is ready and, in a file, when it was asked to end.
func serveUntilTerm(file string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("ready")
	<-signals
	log, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		os.Exit(1)
	}
	fmt.Fprintln(log, os.Args[1])
}

// supervise is a lab that starts one part, says its process id and waits to be killed.
func supervise(dir string) {
	s, err := NewSupervisor(dir, nil)
	if err != nil {
		os.Exit(1)
	}
	part, err := s.Start(Spec{Name: "part", Path: os.Args[0], Args: []string{"part"}, Env: []string{roleVariable + "=stubborn"}})
	if err != nil {
		os.Exit(1)
	}
	fmt.Println(part.Pid())
	<-time.After(time.Hour)
}

func newSupervisor(t *testing.T) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(filepath.Join(t.TempDir(), "logs"), nil)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

func start(t *testing.T, s *Supervisor, spec Spec, role string) *Part {
	t.Helper()
	spec.Path, spec.Env = os.Args[0], []string{roleVariable + "=" + role}
	spec.Args = []string{spec.Name}
	part, err := s.Start(spec)
	require.NoError(t, err)
	return part
}

func ready(part *Part) func(context.Context) error {
	return func(context.Context) error {
		if strings.Contains(part.Tail(1), "ready") {
			return nil
		}
		return errors.New("silent")
	}
}

func TestAPartThatDiesIsReportedWithItsLastWords(t *testing.T) {
	s := newSupervisor(t)
	start(t, s, Spec{Name: "part"}, "crash")
	err := s.Wait(t.Context())
	var exit *ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, "part", exit.Part)
	require.Equal(t, "exit status 3", exit.Exit)
	require.Equal(t, "first line\nlast words", exit.Tail)
	content, err := os.ReadFile(exit.LogPath)
	require.NoError(t, err)
	require.Equal(t, "first line\nlast words\n", string(content))
}

func TestAwaitFailsAtOnceIfThePartDies(t *testing.T) {
	s := newSupervisor(t)
	part := start(t, s, Spec{Name: "part"}, "crash")
	err := s.Await(t.Context(), part, time.Hour, func(context.Context) error { return errors.New("not yet") })
	require.ErrorContains(t, err, "last words")
}

func TestAwaitSaysWhatWasMissingWhenTimeIsOver(t *testing.T) {
	s := newSupervisor(t)
	part := start(t, s, Spec{Name: "part"}, "run:"+filepath.Join(t.TempDir(), "order"))
	err := s.Await(t.Context(), part, 300*time.Millisecond, func(context.Context) error { return errors.New("port closed") })
	require.ErrorContains(t, err, "part is not ready after 300ms: port closed")
}

func TestWaitEndsWithItsContext(t *testing.T) {
	s := newSupervisor(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Wait(ctx))
}

func TestStopEndsHigherTiersFirst(t *testing.T) {
	s := newSupervisor(t)
	order := filepath.Join(t.TempDir(), "order")
	for tier, name := range []string{"etcd", "apiserver", "client"} {
		part := start(t, s, Spec{Name: name, Tier: tier}, "run:"+order)
		require.NoError(t, s.Await(t.Context(), part, waitFor, ready(part)))
	}
	s.Stop()
	content, err := os.ReadFile(order)
	require.NoError(t, err)
	require.Equal(t, "client\napiserver\netcd\n", string(content))
	require.NoError(t, s.Wait(contextThatIsDone(t)), "an orderly end is no crash")
}

func TestStopKillsAPartThatIgnoresIt(t *testing.T) {
	s := newSupervisor(t)
	part := start(t, s, Spec{Name: "part", StopTimeout: 100 * time.Millisecond}, "stubborn")
	require.NoError(t, s.Await(t.Context(), part, waitFor, ready(part)))
	pid := part.Pid()
	s.Stop()
	require.Error(t, unix.Kill(pid, 0))
}

func TestAKilledSupervisorTakesItsPartsAlong(t *testing.T) {
	lab := exec.Command(os.Args[0])
	lab.Env = []string{roleVariable + "=supervise:" + t.TempDir()}
	output, err := lab.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, lab.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	require.NoError(t, unix.Kill(pid, 0))

	require.NoError(t, lab.Process.Kill())
	require.Error(t, lab.Wait())
	require.Eventually(t, func() bool { return !running(pid) }, waitFor, tick)
}

func TestWatchReportsThePartThatDiedNotWhatCameOfIt(t *testing.T) {
	s := newSupervisor(t)
	err := s.Watch(t.Context(), func(ctx context.Context) error {
		start(t, s, Spec{Name: "part"}, "crash")
		<-ctx.Done()
		return errors.New("connection refused")
	})
	var exit *ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, "first line\nlast words", exit.Tail)
}

func TestWatchReturnsWhatItRan(t *testing.T) {
	s := newSupervisor(t)
	require.NoError(t, s.Watch(t.Context(), func(context.Context) error { return nil }))
	require.EqualError(t, s.Watch(t.Context(), func(context.Context) error { return errors.New("other") }), "other")
}

func command(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{roleVariable + "=" + role}
	return cmd
}

func TestRunLetsAnInterruptedCommandCleanUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "work")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- Run(ctx, command("tidy:"+file), RunOptions{Interrupt: syscall.SIGINT, Grace: waitFor}) }()
	require.Eventually(t, func() bool { return pidIn(file) != 0 }, waitFor, tick)
	cancel()
	require.ErrorIs(t, <-ran, context.Canceled)
	require.NoFileExists(t, file)
}

func TestRunLeavesNothingOfTheGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- Run(ctx, command("group:"+file), RunOptions{Interrupt: syscall.SIGINT, Grace: waitFor}) }()
	require.Eventually(t, func() bool { return pidIn(file) != 0 }, waitFor, tick)
	pid := pidIn(file)
	require.True(t, running(pid))
	cancel()
	require.ErrorIs(t, <-ran, context.Canceled)
	require.Eventually(t, func() bool { return !running(pid) }, waitFor, tick)
}

func TestRunKillsACommandThatIgnoresItsInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := command("stubborn")
	reader, writer := io.Pipe()
	cmd.Stdout = writer
	ran := make(chan error, 1)
	go func() { ran <- Run(ctx, cmd, RunOptions{Interrupt: syscall.SIGINT, Grace: 100 * time.Millisecond}) }()
	_, err := bufio.NewReader(reader).ReadString('\n')
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-ran, context.Canceled)
}

func TestRunReturnsHowTheCommandEndedAndWhatStartedSaid(t *testing.T) {
	require.ErrorContains(t, Run(t.Context(), command("crash"), RunOptions{}), "exit status 3")
	refused := errors.New("refused")
	require.ErrorIs(t, Run(t.Context(), command("stubborn"), RunOptions{Started: func(int) error { return refused }}), refused)
}

func TestAKilledLabInterruptsTheCommandThatItRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "work")
	lab := command("run-command:" + file)
	require.NoError(t, lab.Start())
	require.Eventually(t, func() bool { return pidIn(file) != 0 }, waitFor, tick)
	pid := pidIn(file)
	require.NoError(t, lab.Process.Kill())
	require.Error(t, lab.Wait())
	require.Eventually(t, func() bool { return !running(pid) }, waitFor, tick)
	require.NoFileExists(t, file, "the command cleaned up")
}

func TestAKilledLabTakesTheFamilyOfItsCommandAlong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	lab := command("run-family:" + file)
	require.NoError(t, lab.Start())
	require.Eventually(t, func() bool { return pidIn(file) != 0 }, waitFor, tick)
	pid := pidIn(file)
	require.True(t, running(pid))
	require.NoError(t, lab.Process.Kill())
	require.Error(t, lab.Wait())
	require.Eventually(t, func() bool { return !running(pid) }, waitFor, tick)
}

// pidIn is the number in file, or 0 as long as there is none.
func pidIn(file string) int {
	content, _ := os.ReadFile(file)
	pid, _ := strconv.Atoi(string(content))
	return pid
}

// running is false also for a zombie, which nobody may reap where the tests run in a container.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestALogStartsAnewWhenItIsFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.log")
	log, err := openBoundedLog(path)
	require.NoError(t, err)
	full := strings.Repeat("x", logLimit-1) + "\n"
	for _, line := range []string{full, "next\n"} {
		_, err := io.WriteString(log, line)
		require.NoError(t, err)
	}
	require.Equal(t, "next", log.Tail(1))
	require.NoError(t, log.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "next\n", string(content))
	info, err := os.Stat(path + ".1")
	require.NoError(t, err)
	require.EqualValues(t, logLimit, info.Size())
}

func TestHTTPProbe(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ok" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "ipam_blocks 1\nipam_borrowed{node=\"node-1\"} 0\n")
	}))
	defer server.Close()
	for _, test := range []struct {
		name, path string
		accept     func(string) error
		err        string
	}{
		{"status 200 is enough", "/ok", nil, ""},
		{"the text is there", "/ok", Contains("ipam_blocks"), ""},
		{"the text is not there yet", "/ok", Contains("felix"), `does not contain "felix" yet`},
		{"the series is above zero", "/ok", Positive("ipam_blocks"), ""},
		{"the series is zero", "/ok", Positive(`ipam_borrowed{node="node-1"}`), `ipam_borrowed{node="node-1"} is 0, not above zero yet`},
		{"the series is not there yet", "/ok", Positive("ipam"), "the answer has no ipam yet"},
		{"another status is not ready", "/readyz", nil, "status 503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := HTTPProbe(server.Client(), server.URL+test.path, test.accept)(t.Context())
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}

func contextThatIsDone(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
