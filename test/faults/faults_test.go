//go:build e2e

package faults

import (
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
	// do has it go wrong, and returns when it was over.
	do func(t *testing.T, g *rig) (healed time.Time)
	// mayLose are the samples that may be lost, none if nil.
	mayLose func(s sample) bool
	// sentAgain says that what was being sent may arrive twice.
	sentAgain bool
	// tried promises nothing: it is measured for comparison.
	tried bool
}

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
)

// behaving has the backend misbehave for some time.
func behaving(m manner, d time.Duration) func(*testing.T, *rig) time.Time {
	return func(t *testing.T, g *rig) time.Time {
		t.Helper()
		g.backend.behave(m)
		g.pass(t, d)
		g.backend.behave(manner{})
		return time.Now()
	}
}

// away has the backend be away, and something happen meanwhile.
func away(before time.Duration, meanwhile func(t *testing.T, g *rig), after time.Duration) func(*testing.T, *rig) time.Time {
	return func(t *testing.T, g *rig) time.Time {
		t.Helper()
		g.backend.stop()
		g.pass(t, before)
		meanwhile(t, g)
		g.pass(t, after)
		g.backend.start(t)
		return time.Now()
	}
}

func nothing(*testing.T, *rig) {}

func killed(t *testing.T, g *rig) {
	t.Helper()
	g.collector.Kill()
	g.start(t)
}

func restarted(t *testing.T, g *rig) {
	t.Helper()
	g.collector.Stop(t)
	g.start(t)
}

var both = []route{remoteWrite, prometheusOTLP}

func faults() []fault {
	tried := []route{triedMemory, triedWAL}
	return []fault{
		{name: "none", routes: both, do: func(t *testing.T, g *rig) time.Time { g.pass(t, short); return time.Now() }},
		{name: "backend away, " + outage().String(), routes: both, do: away(outage(), nothing, 0)},
		{name: "backend slow, 3 s an answer", routes: both, do: behaving(manner{delay: 3 * time.Second}, short)},
		{name: "backend answers 429", routes: both, do: behaving(manner{status: http.StatusTooManyRequests}, short)},
		{name: "backend answers 503", routes: both, do: behaving(manner{status: http.StatusServiceUnavailable}, short)},
		{name: "backend answers 500", routes: []route{remoteWrite}, do: behaving(manner{status: http.StatusInternalServerError}, short)},
		{
			name: "backend answers 400 for one series", routes: []route{remoteWrite}, do: behaving(manner{refuses: refusedMetric}, short),
			mayLose: func(s sample) bool { return strings.Contains(s.series, fmt.Sprintf("__name__=%q", refusedMetric)) },
		},
		{name: "connections are reset", routes: both, do: behaving(manner{reset: true}, short)},
		{name: "backend never answers", routes: both, do: behaving(manner{silent: true}, 40*time.Second)},
		{name: "backend away, collector killed", routes: both, do: away(2*short, killed, short), sentAgain: true},
		{name: "backend away, collector restarted", routes: both, do: away(2*short, restarted, short), sentAgain: true},
		{name: "backend slow, collector killed", routes: both, sentAgain: true, do: func(t *testing.T, g *rig) time.Time {
			g.backend.behave(manner{delay: time.Second})
			g.pass(t, short)
			killed(t, g)
			g.pass(t, short)
			g.backend.behave(manner{})
			return time.Now()
		}},
		{name: "backend away", routes: tried, do: away(short, nothing, 0), tried: true},
		{name: "backend answers 400 for one series", routes: tried, do: behaving(manner{refuses: refusedMetric}, short), tried: true},
		{name: "backend away, collector killed", routes: append(tried, triedFile), do: away(2*short, killed, short), tried: true},
	}
}

// TestFaults is what `make faults` runs. All faults run side by side.
func TestFaults(t *testing.T) {
	table := &table{}
	t.Run("all", func(t *testing.T) {
		for _, f := range faults() {
			for _, r := range f.routes {
				t.Run(f.name+", "+r.name, func(t *testing.T) {
					t.Parallel()
					g := newRig(t, r, t.TempDir())
					g.pass(t, 5*interval)
					healed := f.do(t, g)
					g.pass(t, 5*interval)
					atMost := patience
					if f.tried || f.mayLose != nil {
						atMost = short
					}
					row, lost := g.settle(t, f.name, r.name, healed, atMost)
					table.add(row, f.promised())
					if !f.tried {
						f.keeps(t, row, lost)
					}
				})
			}
		}
	})
	fmt.Fprint(os.Stdout, table)
}

// promised is how many samples may be lost, as the table says it.
func (f fault) promised() string {
	switch {
	case f.tried:
		return "-"
	case f.mayLose != nil:
		return "what is refused"
	}
	return "0"
}

// keeps requires what is promised.
func (f fault) keeps(t *testing.T, r row, lost []sample) {
	t.Helper()
	require.NotZero(t, r.sent)
	if f.mayLose != nil {
		lost = slices.DeleteFunc(lost, f.mayLose)
	}
	assert.Empty(t, lost[:min(len(lost), 3)], "%d samples that were lost", len(lost))
	assert.Zero(t, r.disordered, "samples that arrived after a newer one of their series")
	if !f.sentAgain {
		assert.Zero(t, r.duplicated, "samples that arrived twice")
	}
}
