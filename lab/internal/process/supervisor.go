// Package process starts the parts of the lab, watches them and stops them. A part cannot outlive the lab: it is asked to
// end in order, and the kernel kills it should the lab itself be killed.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// DefaultStopTimeout is how long a part may take to end after SIGTERM before it is killed.
	DefaultStopTimeout = 5 * time.Second
	// drainTimeout bounds the wait for output that a grandchild still holds open after its parent ended.
	drainTimeout = time.Second
	crashTail    = 15
)

// Spec describes one part.
type Spec struct {
	Name string
	Path string
	Args []string
	// Env is the whole environment; nothing of the lab's own is inherited, so that what a part claims is what it got.
	Env []string
	Dir string
	// Tier orders the end: all parts of a higher tier have ended before those of a lower one are asked to.
	Tier        int
	StopTimeout time.Duration
	// Cloneflags gives the part namespaces of its own (CLONE_NEWNET, ...).
	Cloneflags uintptr
	// ExtraFiles become descriptor 3 and following of the part.
	ExtraFiles []*os.File
}

// Child is a part that was started.
type Child struct {
	spec Spec
	cmd  *exec.Cmd
	log  *boundedLog
	done chan struct{}
}

// Name is the part's name.
func (c *Child) Name() string { return c.spec.Name }

// Pid is the process id the part was started with.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Done is closed once the part has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// ExitError says that a part ended by itself: how, and the last lines it wrote.
type ExitError struct {
	Part    string
	Exit    string
	LogPath string
	Tail    string
}

var _ error = (*ExitError)(nil)

// Error is one line and the tail of the log below it.
func (e *ExitError) Error() string {
	return fmt.Sprintf("%s ended by itself (%s); the last lines of %s:\n%s", e.Part, e.Exit, e.LogPath, e.Tail)
}

// Supervisor owns the parts it started: it alone signals them, and by their handle only.
type Supervisor struct {
	logDir string
	starts chan startRequest
	ended  chan *Child

	mu       sync.Mutex
	children []*Child
	stopping bool

	forker sync.WaitGroup
}

type startRequest struct {
	cmd    *exec.Cmd
	result chan error
}

// NewSupervisor returns a Supervisor whose parts log to logDir/<name>.log. Stop must be called.
func NewSupervisor(logDir string) (*Supervisor, error) {
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return nil, fmt.Errorf("create log directory: %w", err)
	}
	s := &Supervisor{logDir: logDir, starts: make(chan startRequest), ended: make(chan *Child, 64)}
	s.forker.Add(1)
	go s.fork()
	return s, nil
}

// fork starts every part from one OS thread that lives as long as the Supervisor: the parent-death signal is sent when
// the forking thread ends, not the process, and the Go runtime may end a thread at any time unless it is locked.
func (s *Supervisor) fork() {
	defer s.forker.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for request := range s.starts {
		request.result <- request.cmd.Start()
	}
}

// Start starts a part. It must not be called concurrently with or after Stop.
func (s *Supervisor) Start(spec Spec) (*Child, error) {
	log, err := openBoundedLog(filepath.Join(s.logDir, spec.Name+".log"))
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", spec.Name, err)
	}
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = spec.Env
	cmd.Dir = spec.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = spec.ExtraFiles
	cmd.WaitDelay = drainTimeout
	cmd.SysProcAttr = tied(syscall.SIGKILL, spec.Cloneflags)
	request := startRequest{cmd: cmd, result: make(chan error, 1)}
	s.starts <- request
	if err := <-request.result; err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", spec.Name, err), log.Close())
	}
	child := &Child{spec: spec, cmd: cmd, log: log, done: make(chan struct{})}
	s.mu.Lock()
	s.children = append(s.children, child)
	s.mu.Unlock()
	go s.reap(child)
	return child, nil
}

func (s *Supervisor) reap(child *Child) {
	_ = child.cmd.Wait() // The process' state says how it ended.
	_ = child.log.Close()
	close(child.done)
	s.mu.Lock()
	stopping := s.stopping
	s.mu.Unlock()
	if !stopping {
		select {
		case s.ended <- child:
		default: // One unreported end among dozens: the first is what is shown.
		}
	}
}

func (c *Child) exitError() *ExitError {
	return &ExitError{Part: c.spec.Name, Exit: c.cmd.ProcessState.String(), LogPath: c.log.path, Tail: c.log.Tail(crashTail)}
}

// Tail returns the last lines that the part wrote.
func (c *Child) Tail(lines int) string { return c.log.Tail(lines) }

// Wait blocks until a part ends by itself, which it returns as *ExitError, or until ctx is done, which is no error.
func (s *Supervisor) Wait(ctx context.Context) error {
	select {
	case child := <-s.ended:
		return child.exitError()
	case <-ctx.Done():
	}
	// Of both at once the part's end is what says more.
	select {
	case child := <-s.ended:
		return child.exitError()
	default:
		return nil
	}
}

// Watch runs do with a context that is done as soon as a part ends by itself, which is then the error, whatever do says.
func (s *Supervisor) Watch(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan error, 1)
	go func() {
		ended := s.Wait(ctx)
		cancel(ended)
		watched <- ended
	}()
	err := do(ctx)
	cancel(nil)
	if ended := <-watched; ended != nil {
		return ended
	}
	return err
}

// Await calls probe until it succeeds. It fails early if the part ends, and after timeout with the probe's last error.
func (s *Supervisor) Await(ctx context.Context, child *Child, timeout time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	last := errors.New("not asked yet")
	for {
		if err := probe(ctx); err == nil {
			return nil
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-child.done:
			return child.exitError()
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s is not ready after %s: %w; the last lines of %s:\n%s",
					child.Name(), timeout, last, child.log.path, child.Tail(crashTail))
			}
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Pids returns the process id of every part that was started, by name.
func (s *Supervisor) Pids() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	pids := make(map[string]int, len(s.children))
	for _, child := range s.children {
		pids[child.Name()] = child.Pid()
	}
	return pids
}

// Stop ends all parts, the highest tier first, and returns when none is left.
func (s *Supervisor) Stop() {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return
	}
	s.stopping = true
	children := slices.Clone(s.children)
	s.mu.Unlock()

	tiers := map[int][]*Child{}
	for _, child := range children {
		tiers[child.spec.Tier] = append(tiers[child.spec.Tier], child)
	}
	order := make([]int, 0, len(tiers))
	for tier := range tiers {
		order = append(order, tier)
	}
	slices.Sort(order)
	slices.Reverse(order)
	for _, tier := range order {
		var wait sync.WaitGroup
		for _, child := range tiers[tier] {
			wait.Add(1)
			go func() {
				defer wait.Done()
				child.stop()
			}()
		}
		wait.Wait()
	}
	close(s.starts)
	s.forker.Wait()
}

func (c *Child) stop() {
	timeout := c.spec.StopTimeout
	if timeout == 0 {
		timeout = DefaultStopTimeout
	}
	// An error means that it has ended already, which the wait below sees.
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return
	case <-timer.C:
	}
	_ = c.cmd.Process.Kill()
	<-c.done
}

// Child returns the part of that name, or nil.
func (s *Supervisor) Child(name string) *Child {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, child := range s.children {
		if child.Name() == name {
			return child
		}
	}
	return nil
}
