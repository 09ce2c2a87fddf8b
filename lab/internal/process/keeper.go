package process

import (
	"fmt"
	"time"
)

// keeper owns the processes of a part from the first to the last. Everything that happens to them happens in its goroutine.
type keeper struct {
	*Part
	// current is nil while the part has no process.
	current *incarnation
	// due fires when the part is to be started again. It is nil unless it waits for that.
	due  *time.Timer
	past history
}

// keep returns once the part has ended for good.
func (k *keeper) keep() {
	defer k.forgetRestart()
	for {
		var ended <-chan struct{}
		if k.current != nil {
			ended = k.current.ended
		}
		var due <-chan time.Time
		if k.due != nil {
			due = k.due.C
		}
		goesOn := true
		select {
		case <-k.quit:
			k.end(k.current)
			k.finish()
			return
		case asked := <-k.requests:
			asked.answer <- k.obey(asked)
		case <-due:
			goesOn = k.startAgain()
		case <-ended:
			how := k.current.cmd.ProcessState
			k.setExit(how.String())
			goesOn = k.planRestart(how.ExitCode())
		}
		if !goesOn {
			return
		}
	}
}

func (k *keeper) obey(asked request) answer {
	var done answer
	if asked.stop && k.Status().Phase != Stopped {
		k.forgetRestart()
		// From now on, not only once it has ended: what depends on it may be quicker to end.
		k.set(Stopped, k.Pid())
		k.end(k.current)
		k.current = nil
		k.set(Stopped, 0)
		done.changed = true
		if !asked.start {
			k.supervisor.notify(k.Name() + " was stopped")
		}
	}
	if asked.start && k.current == nil {
		k.forgetRestart()
		k.past = history{}
		if k.current, done.err = k.launch(); done.err != nil {
			k.set(Stopped, 0)
			k.supervisor.notify(fmt.Sprintf("%s is stopped: it could not be started: %v", k.Name(), done.err))
			return done
		}
		done.changed = true
		k.supervisor.notify(fmt.Sprintf("%s was started: process %d", k.Name(), k.Pid()))
	}
	return done
}

// noCode is that of what ended by a signal, or did not even start.
const noCode = -1

// planRestart decides what comes of a part that has ended by itself with an exit code. It is false if that is its end for good.
func (k *keeper) planRestart(code int) bool {
	k.current = nil
	if k.supervisor.isStopping() {
		k.finish()
		return false
	}
	pause, again := k.past.next(k.spec.Restart, code, time.Now(), k.supervisor.outage())
	if !again {
		k.finish()
		k.supervisor.crashed(k.Part)
		return false
	}
	k.set(Restarting, 0)
	k.due = time.NewTimer(pause)
	k.supervisor.notify("")
	return true
}

func (k *keeper) startAgain() bool {
	k.forgetRestart()
	current, err := k.launch()
	if err != nil {
		k.setExit(err.Error())
		return k.planRestart(noCode)
	}
	k.current = current
	k.supervisor.notify(fmt.Sprintf("%s ended by itself (%s) and was started again: process %d", k.Name(), k.Status().Exit, k.Pid()))
	return true
}

func (k *keeper) forgetRestart() {
	if k.due != nil {
		k.due.Stop()
		k.due = nil
	}
}

// finish says that the part has ended for good.
func (k *keeper) finish() {
	k.set(Ended, 0)
	_ = k.log.Close()
	close(k.done)
}
