//go:build e2e

package faults

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fault is something that goes wrong, and what is promised all the same.
type fault struct {
	name   string
	routes []route
	// prepare is called with the directory of the queue before anything starts, if there is something to prepare.
	prepare func(t *testing.T, storage string)
	// env is what collectors get beyond what the route says.
	env []string
	// do has it go wrong.
	do func(t *testing.T, g *rig) aftermath
	// sentAgain says that what was being sent may arrive twice.
	sentAgain bool
	// tried promises nothing: it is measured for comparison.
	tried bool
}

// aftermath says when a fault was over, and which samples may be lost by it and how the table calls them: none if mayLose is nil.
type aftermath struct {
	healed  time.Time
	mayLose func(s sample) bool
	named   string
	// counted is how many points the collector says that it refused, if it says so of each.
	counted func() float64
}

// amiss is what is missing and may not be.
func (a aftermath) amiss(missing []sample) []sample {
	if a.mayLose == nil {
		return missing
	}
	return slices.DeleteFunc(slices.Clone(missing), a.mayLose)
}

// may says whether this much may be missing.
func (a aftermath) may(missing []sample) bool {
	return len(a.amiss(missing)) == 0 && (a.counted == nil || a.counted() == float64(points(missing)))
}

func lossless() aftermath { return aftermath{healed: time.Now()} }

// outage is how long the backend is away in the longest fault: FAULTS=full, which `make faults` sets, makes it ten minutes.
func outage() time.Duration {
	if os.Getenv("FAULTS") == "full" {
		return 10 * time.Minute
	}
	return 2 * time.Minute
}

const (
	short = 20 * time.Second
	// refusedMetric is what the backend refuses of a request.
	refusedMetric = "typha_connections_accepted"
	// whatIsRefused is how the table calls what is in requests that the backend refused.
	whatIsRefused = "what is refused"
)

// behaving has the backend misbehave for some time.
func behaving(m manner, d time.Duration) func(*testing.T, *rig) aftermath {
	return func(t *testing.T, g *rig) aftermath {
		t.Helper()
		g.backend.behave(m)
		g.pass(t, d)
		g.backend.behave(manner{})
		return lossless()
	}
}

// refusing has the backend take all but one metric.
func refusing(t *testing.T, g *rig) aftermath {
	t.Helper()
	a := behaving(manner{refuses: refusedMetric}, short)(t, g)
	a.mayLose = func(s sample) bool { return strings.Contains(s.series, fmt.Sprintf("__name__=%q", refusedMetric)) }
	a.named = whatIsRefused
	return a
}

// away has the backend be away, and something happen meanwhile.
func away(before time.Duration, meanwhile func(t *testing.T, g *rig), after time.Duration) func(*testing.T, *rig) aftermath {
	return func(t *testing.T, g *rig) aftermath {
		t.Helper()
		g.backend.stop()
		g.pass(t, before)
		meanwhile(t, g)
		g.pass(t, after)
		g.backend.start(t)
		return lossless()
	}
}

func nothing(*testing.T, *rig)         {}
func killed(t *testing.T, g *rig)      { t.Helper(); g.collector.killAndStart(t) }
func restarted(t *testing.T, g *rig)   { t.Helper(); g.collector.stopAndStart(t) }
func gatewayGone(t *testing.T, g *rig) { t.Helper(); g.gateway.killAndStart(t) }
func bothGone(t *testing.T, g *rig) {
	t.Helper()
	g.gateway.collector.Kill()
	killed(t, g)
	g.gateway.start(t)
}

// catchingUp kills the collector while a slow backend has not yet taken what an outage left.
func catchingUp(t *testing.T, g *rig) aftermath {
	t.Helper()
	g.backend.behave(manner{delay: time.Second})
	g.pass(t, short)
	killed(t, g)
	g.pass(t, short)
	g.backend.behave(manner{})
	return lossless()
}

// answersLost kills the collector while it catches up after an outage, between the moment that Prometheus took a batch and its answer.
func answersLost(t *testing.T, g *rig) aftermath {
	t.Helper()
	g.backend.stop()
	g.pass(t, short)
	before := g.backend.taken.len()
	g.backend.behave(manner{delay: time.Second})
	g.backend.start(t)
	require.Eventually(t, func() bool { return g.backend.taken.len() > before }, patience, poll)
	g.backend.behave(manner{mute: true})
	require.Eventually(t, func() bool { return g.backend.unanswered.Load() > 0 }, patience, poll)
	g.collector.collector.Kill()
	g.backend.behave(manner{})
	g.collector.start(t)
	return lossless()
}

// refusable has Prometheus refuse what it gets again after newer samples, with what is new in the same request.
func refusable(do func(*testing.T, *rig) aftermath) func(*testing.T, *rig) aftermath {
	return func(t *testing.T, g *rig) aftermath {
		t.Helper()
		a := do(t, g)
		a.mayLose, a.named = g.backend.refused.has, whatIsRefused
		return a
	}
}

func faults() []fault {
	direct := []route{remoteWrite, prometheusOTLP}
	all := append(slices.Clone(direct), overGateway)
	late := []route{remoteWriteLate, prometheusOTLPLate}
	gateway := []route{overGateway}
	tried := []route{triedMemory, triedWAL}
	return []fault{
		{name: "none", routes: all, do: func(t *testing.T, g *rig) aftermath { t.Helper(); g.pass(t, short); return lossless() }},
		{name: "backend away, " + outage().String(), routes: all, do: away(outage(), nothing, 0)},
		{name: "backend slow, 3 s an answer", routes: direct, do: behaving(manner{delay: 3 * time.Second}, short)},
		{name: "backend answers 429", routes: all, do: behaving(manner{status: http.StatusTooManyRequests}, short)},
		{name: "backend answers 503", routes: direct, do: behaving(manner{status: http.StatusServiceUnavailable}, short)},
		{name: "backend answers 500", routes: []route{remoteWrite}, do: behaving(manner{status: http.StatusInternalServerError}, short)},
		{name: "backend answers 400 for one series", routes: []route{remoteWrite}, do: refusing},
		{name: "connections are reset", routes: direct, do: behaving(manner{reset: true}, short)},
		{name: "backend never answers", routes: direct, do: behaving(manner{silent: true}, 40*time.Second)},
		{name: "backend away, collector killed", routes: all, do: away(2*short, killed, short), sentAgain: true},
		{name: "backend away, collector restarted", routes: all, do: away(2*short, restarted, short), sentAgain: true},
		{name: "backend away, gateway killed", routes: gateway, do: away(short, gatewayGone, short), sentAgain: true},
		{name: "backend away, both killed", routes: gateway, do: away(short, bothGone, short), sentAgain: true},
		{name: "backend slow, collector killed", routes: direct, do: refusable(catchingUp), sentAgain: true},
		{name: "backend slow, collector killed", routes: late, do: catchingUp, sentAgain: true},
		{name: "answers lost", routes: direct, do: behaving(manner{mute: true}, short), sentAgain: true},
		{name: "answers lost, collector killed", routes: direct, do: refusable(answersLost), sentAgain: true},
		{name: "answers lost, collector killed", routes: late, do: answersLost, sentAgain: true},
		{name: "queue full", routes: direct, env: smallQueue, do: queueFull},
		{name: "disk full", routes: direct, prepare: smallDisk, do: diskFull, sentAgain: true},
		{name: "queue file damaged", routes: direct, do: damaged, sentAgain: true},
		{name: "backend away", routes: tried, do: away(short, nothing, 0), tried: true},
		{name: "backend answers 400 for one series", routes: tried, do: refusing, tried: true},
		{name: "backend away, collector killed", routes: append(tried, triedFile), do: away(2*short, killed, short), tried: true},
	}
}

// TestFaults is what `make faults` runs. All faults run side by side.
func TestFaults(t *testing.T) {
	for _, f := range faults() {
		for _, r := range f.routes {
			t.Run(f.name+", "+r.name, func(t *testing.T) {
				t.Parallel()
				results.add(f.run(t, r))
			})
		}
	}
}

// run has a fault happen on a route, and requires what is promised. It returns the row of the table, with how many samples may be lost.
func (f fault) run(t *testing.T, r route) (row, string) {
	t.Helper()
	g := newRig(t, r, func(storage string) {
		if f.prepare != nil {
			f.prepare(t, storage)
		}
	}, f.env...)
	g.pass(t, 5*interval)
	after := f.do(t, g)
	g.pass(t, 5*interval)
	if f.tried {
		row, _ := g.settle(t, f.name, r.name, after.healed, short, none)
		g.collector.collector.Kill() // what does not deliver may not end either
		return row, "-"
	}
	row, lost := g.settle(t, f.name, r.name, after.healed, max(patience, outage()/2), after.may)
	require.NotZero(t, row.sent)
	if after.counted != nil {
		assert.InDelta(t, points(lost), after.counted(), 0, "points that were lost and not counted")
	}
	lost = after.amiss(lost)
	assert.Empty(t, lost[:min(len(lost), 3)], "%d samples that were lost", len(lost))
	assert.Zero(t, row.disordered, "samples that arrived after a newer one of their series")
	if !f.sentAgain {
		assert.Zero(t, row.duplicated, "samples that arrived twice")
	}
	return row, cmp.Or(after.named, "0")
}
