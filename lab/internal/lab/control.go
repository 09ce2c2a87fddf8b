package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/control"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

var _ control.Parts = (*Lab)(nil)

// Parts tells how every part is.
func (l *Lab) Parts() []process.Status {
	var all []process.Status
	for _, part := range l.supervisor.Parts() {
		all = append(all, part.Status())
	}
	return all
}

// Control stops or starts a part, as control.Parts says.
func (l *Lab) Control(ctx context.Context, name string, action control.Action, wait time.Duration) (changed bool, err error) {
	part := l.supervisor.Part(name)
	if part == nil {
		var names []string
		for _, known := range l.Parts() {
			names = append(names, known.Name)
		}
		return false, fmt.Errorf("%w: %q is none of %s", control.ErrNoPart, name, strings.Join(names, ", "))
	}
	switch action {
	case control.Stop:
		return part.Stop()
	case control.Start:
		changed, err = part.Start()
	case control.Restart:
		changed, err = true, part.Restart()
	}
	if err != nil || wait <= 0 {
		return changed, err
	}
	return changed, l.supervisor.Await(ctx, part, wait, func(ctx context.Context) error {
		// Asked anew each time: the API server that tells the ports may have just been started.
		probes := probesOf(asConfigured(ctx, l.State))
		probes[partEtcd] = l.etcdProbe()
		if probe := probes[name]; probe != nil {
			return probe(ctx)
		}
		return nil
	})
}

// partChanged is told what happened to the process of a part.
func (l *Lab) partChanged(line string) {
	if line != "" {
		l.out.Printf("%s", line)
	}
	if err := l.publish(); err != nil {
		l.out.Printf("the process ids in lab.json are old: %v", err)
	}
}

// publish writes lab.json, unless the lab is not ready.
func (l *Lab) publish() error {
	l.publishing.Lock()
	defer l.publishing.Unlock()
	if !l.ready {
		return nil
	}
	now := l.State
	now.Pids = l.supervisor.Pids()
	return now.Write(l.options.StateDir)
}

// setReady says whether there is to be a lab.json.
func (l *Lab) setReady(ready bool) {
	l.publishing.Lock()
	defer l.publishing.Unlock()
	l.ready = ready
}
