// Package process starts the parts of the lab, watches them, starts some of them again, and stops them. A part cannot outlive the lab: it is asked to
// end in order, and the kernel kills it should the lab itself be killed.
package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
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
	// Restart says what comes of a part that ends by itself.
	Restart Restart
	// Cloneflags gives the part namespaces of its own (CLONE_NEWNET, ...).
	Cloneflags uintptr
	// Launch, if not nil, is called whenever the part is to be started, for what has to be done around that. It must call
	// start once, with the files that become descriptor 3 and following of the process, and gets the id of that. Its error
	// ends the process.
	Launch func(start func(files ...*os.File) (pid int, err error)) error
}

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
	notify func(line string)
	starts chan startRequest
	ended  chan *Part

	mu       sync.Mutex
	parts    []*Part
	stopping bool

	forker sync.WaitGroup
}

type startRequest struct {
	cmd    *exec.Cmd
	result chan error
}

// NewSupervisor returns a Supervisor whose parts log to logDir/<name>.log. Stop must be called.
//
// Whenever the process of a part changes after Start, notify is called, unless it is nil, with a line that says what happened,
// or with an empty one if what comes next will say it. It must not control a part.
func NewSupervisor(logDir string, notify func(line string)) (*Supervisor, error) {
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return nil, fmt.Errorf("create log directory: %w", err)
	}
	if notify == nil {
		notify = func(string) {}
	}
	s := &Supervisor{logDir: logDir, notify: notify, starts: make(chan startRequest), ended: make(chan *Part, 64)}
	s.forker.Add(1)
	go s.forkAll()
	return s, nil
}

// forkAll starts every process from one OS thread that lives as long as the Supervisor: the parent-death signal is sent when
// the forking thread ends, not the process, and the Go runtime may end a thread at any time unless it is locked.
func (s *Supervisor) forkAll() {
	defer s.forker.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for request := range s.starts {
		request.result <- request.cmd.Start()
	}
}

func (s *Supervisor) fork(cmd *exec.Cmd) error {
	request := startRequest{cmd: cmd, result: make(chan error, 1)}
	s.starts <- request
	return <-request.result
}

// Start starts a part. It must not be called concurrently with or after Stop.
func (s *Supervisor) Start(spec Spec) (*Part, error) {
	log, err := openBoundedLog(filepath.Join(s.logDir, spec.Name+".log"))
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", spec.Name, err)
	}
	part := &Part{
		spec: spec, supervisor: s, log: log, status: Status{Name: spec.Name},
		requests: make(chan request), quit: make(chan struct{}), done: make(chan struct{}),
	}
	first, err := part.launch()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	s.mu.Lock()
	s.parts = append(s.parts, part)
	s.mu.Unlock()
	go (&keeper{Part: part, current: first}).keep()
	return part, nil
}

func (s *Supervisor) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// outage says whether a part is stopped on purpose.
func (s *Supervisor) outage() bool {
	return slices.ContainsFunc(s.Parts(), func(part *Part) bool { return part.Status().Phase == Stopped })
}

func (s *Supervisor) crashed(part *Part) {
	select {
	case s.ended <- part:
	default: // One unreported end among dozens: the first is what is shown.
	}
}

// Wait blocks until a part ends by itself, which it returns as *ExitError, or until ctx is done, which is no error.
func (s *Supervisor) Wait(ctx context.Context) error {
	select {
	case part := <-s.ended:
		return part.exitError()
	case <-ctx.Done():
	}
	// Of both at once the part's end is what says more.
	select {
	case part := <-s.ended:
		return part.exitError()
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
func (s *Supervisor) Await(ctx context.Context, part *Part, timeout time.Duration, probe func(context.Context) error) error {
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
		case <-part.done:
			return part.exitError()
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%s is not ready after %s: %w; the last lines of %s:\n%s",
					part.Name(), timeout, last, part.log.path, part.Tail(crashTail))
			}
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Pids returns the process id of every part that has a process, by name.
func (s *Supervisor) Pids() map[string]int {
	pids := map[string]int{}
	for _, part := range s.Parts() {
		if pid := part.Pid(); pid != 0 {
			pids[part.Name()] = pid
		}
	}
	return pids
}

// Parts returns all parts, in the order of their start.
func (s *Supervisor) Parts() []*Part {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.parts)
}

// Part returns the part of that name, or nil.
func (s *Supervisor) Part(name string) *Part {
	for _, part := range s.Parts() {
		if part.Name() == name {
			return part
		}
	}
	return nil
}

// Stop ends all parts, the highest tier first, and returns when none is left.
func (s *Supervisor) Stop() {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return
	}
	s.stopping = true
	s.mu.Unlock()

	tiers := map[int][]*Part{}
	for _, part := range s.Parts() {
		tiers[part.spec.Tier] = append(tiers[part.spec.Tier], part)
	}
	order := slices.Sorted(maps.Keys(tiers))
	slices.Reverse(order)
	for _, tier := range order {
		for _, part := range tiers[tier] {
			close(part.quit)
		}
		for _, part := range tiers[tier] {
			<-part.done
		}
	}
	close(s.starts)
	s.forker.Wait()
}
