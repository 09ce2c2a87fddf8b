package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// RunOptions are how Run starts and ends a command. The zero value starts it as it is and kills it.
type RunOptions struct {
	// Interrupt is sent to the command's whole group when the context is done, and to the command should the lab be killed;
	// SIGKILL if it is zero. Grace later what is left of the group is killed.
	Interrupt syscall.Signal
	Grace     time.Duration
	// Family says that the command starts processes of its own. They are killed too should the lab be killed.
	Family bool
	// Cloneflags gives the command namespaces of its own (CLONE_NEWNET, ...).
	Cloneflags uintptr
	// Started is called while the command runs; its error ends the command.
	Started func(pid int) error
}

// Run runs a command that is no part of the lab to its end, as a process group of its own of which nothing is left when Run
// returns. Its error is the context's where that ended the command.
func Run(ctx context.Context, cmd *exec.Cmd, options RunOptions) error {
	interrupt := options.Interrupt
	if interrupt == 0 {
		interrupt = syscall.SIGKILL
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// As in Supervisor.forkAll: the thread that starts the command must live as long as it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = tied(interrupt, options.Cloneflags)
	cmd.WaitDelay = drainTimeout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group := -cmd.Process.Pid
	ended := make(chan struct{})
	var ender sync.WaitGroup
	ender.Add(1)
	go func() {
		defer ender.Done()
		select {
		case <-ended:
			return
		case <-limited.Done():
		}
		// Errors mean that the group has ended already.
		_ = syscall.Kill(group, interrupt)
		timer := time.NewTimer(options.Grace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
			_ = syscall.Kill(group, syscall.SIGKILL)
		}
	}()
	if options.Started != nil {
		if err := options.Started(cmd.Process.Pid); err != nil {
			cancel(err)
		}
	}
	release := func() {}
	if options.Family {
		watch, err := guard(cmd.Process.Pid)
		if err != nil {
			cancel(err)
		} else {
			release = watch
		}
	}
	waitErr := awaitEnd(cmd.Process.Pid)
	close(ended)
	ender.Wait()
	// Not reaped yet, the command still holds the group's number: no other group can be meant.
	_ = syscall.Kill(group, syscall.SIGKILL)
	release()
	err := errors.Join(waitErr, cmd.Wait())
	if err != nil && limited.Err() != nil {
		return context.Cause(limited)
	}
	return err
}

// guard adds a process to the group that kills it when the lab has ended, however: the kernel closes the lab's end of a pipe.
// A parent-death signal would reach the leader alone. release must be called when the group has been killed.
func guard(group int) (release func(), err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create a pipe to the guard of a group: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", "read -r _; kill -KILL 0")
	cmd.Stdin = reader
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	err = cmd.Start()
	reader.Close()
	if err != nil {
		writer.Close()
		return nil, fmt.Errorf("start the guard of a group: %w", err)
	}
	return func() {
		writer.Close()
		_ = cmd.Wait() // It was killed.
	}, nil
}

// tied are the attributes of a process that gets signal should the lab end, and that the terminal's Ctrl-C does not reach:
// it would end all processes at once, out of order.
func tied(signal syscall.Signal, cloneflags uintptr) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: signal, Setpgid: true, Cloneflags: cloneflags}
}

// awaitEnd waits until the process has ended, and does not reap it.
func awaitEnd(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
