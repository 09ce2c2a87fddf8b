package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Phase is what a part does at a moment.
type Phase string

// A part runs, waits for its restart, was stopped on purpose, or has ended for good.
const (
	Running    Phase = "running"
	Restarting Phase = "restarting"
	Stopped    Phase = "stopped"
	Ended      Phase = "ended"
)

// Status is how a part is.
type Status struct {
	Name  string `json:"name"`
	Phase Phase  `json:"phase"`
	// Pid is the id of the part's process, zero if it has none.
	Pid int `json:"pid,omitempty"`
	// Exit is how the last process that ended did so, empty if none has.
	Exit string `json:"exit,omitempty"`
}

// ErrEnded says that a part has ended for good and cannot be controlled any more.
var ErrEnded = errors.New("it has ended")

// Part is a program that was started, and its processes: one after the other where it is started again.
type Part struct {
	spec       Spec
	supervisor *Supervisor
	log        *boundedLog

	requests chan request
	// quit is closed to end the part for good, done once it has ended so.
	quit, done chan struct{}

	mu     sync.Mutex
	status Status
}

// Name is the part's name.
func (p *Part) Name() string { return p.spec.Name }

// Pid is the id of the part's process, zero if it has none.
func (p *Part) Pid() int { return p.Status().Pid }

// Status is how the part is now.
func (p *Part) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Tail returns the last lines that the part wrote.
func (p *Part) Tail(lines int) string { return p.log.Tail(lines) }

// Stop ends the part on purpose, until Start. It says whether the part was not stopped already.
func (p *Part) Stop() (changed bool, err error) { return p.ask(request{stop: true}) }

// Start starts the part if it was stopped, and at once if it waits for its restart. It says whether the part did not run.
func (p *Part) Start() (changed bool, err error) { return p.ask(request{start: true}) }

// Restart stops the part, if it runs, and starts it.
func (p *Part) Restart() error {
	_, err := p.ask(request{stop: true, start: true})
	return err
}

// request asks the keeper to stop the part, to start it, or both in this order.
type request struct {
	stop, start bool
	answer      chan answer
}

type answer struct {
	changed bool
	err     error
}

func (p *Part) ask(r request) (bool, error) {
	r.answer = make(chan answer, 1)
	select {
	case p.requests <- r:
		got := <-r.answer
		return got.changed, got.err
	case <-p.done:
		return false, fmt.Errorf("%s: %w", p.Name(), ErrEnded)
	}
}

func (p *Part) set(phase Phase, pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Phase, p.status.Pid = phase, pid
}

func (p *Part) setExit(exit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Exit = exit
}

func (p *Part) exitError() *ExitError {
	return &ExitError{Part: p.Name(), Exit: p.Status().Exit, LogPath: p.log.path, Tail: p.log.Tail(crashTail)}
}

// incarnation is one process of a part.
type incarnation struct {
	cmd *exec.Cmd
	// ended is closed once the process was waited for.
	ended chan struct{}
}

// launch starts a process of the part. Of a failed attempt nothing is left.
func (p *Part) launch() (*incarnation, error) {
	var started *incarnation
	start := func(files ...*os.File) (int, error) {
		cmd := exec.Command(p.spec.Path, p.spec.Args...)
		cmd.Env, cmd.Dir = p.spec.Env, p.spec.Dir
		cmd.Stdout, cmd.Stderr = p.log, p.log
		cmd.ExtraFiles = files
		cmd.WaitDelay = drainTimeout
		cmd.SysProcAttr = tied(syscall.SIGKILL, p.spec.Cloneflags)
		if err := p.supervisor.fork(cmd); err != nil {
			return 0, err
		}
		started = &incarnation{cmd: cmd, ended: make(chan struct{})}
		go func() {
			defer close(started.ended)
			_ = cmd.Wait() // The process' state says how it ended.
		}()
		return cmd.Process.Pid, nil
	}
	launch := p.spec.Launch
	if launch == nil {
		launch = func(start func(...*os.File) (int, error)) error {
			_, err := start()
			return err
		}
	}
	if err := launch(start); err != nil {
		p.end(started)
		return nil, fmt.Errorf("start %s: %w", p.Name(), err)
	}
	p.set(Running, started.cmd.Process.Pid)
	return started, nil
}

// end asks the process, unless that is nil, to end, and kills it if that takes too long.
func (p *Part) end(current *incarnation) {
	if current == nil {
		return
	}
	timeout := p.spec.StopTimeout
	if timeout == 0 {
		timeout = DefaultStopTimeout
	}
	// An error means that it has ended already, which the wait below sees.
	_ = current.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-current.ended:
	case <-timer.C:
		_ = current.cmd.Process.Kill()
		<-current.ended
	}
	p.setExit(current.cmd.ProcessState.String())
}
