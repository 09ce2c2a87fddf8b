//go:build e2e

package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// operation is a change that the driver made, or the end of an answer.
type operation struct {
	N                              int
	Op, Pool, Node, Object, Result string
	End                            bool
}

func (o operation) String() string {
	text := fmt.Sprintf("%5d %s", o.N, o.Op)
	if o.Pool != "" {
		text += " pool " + o.Pool
	}
	if o.Node != "" {
		text += " node " + o.Node
	}
	if o.Object != "" {
		text += ": " + o.Object
	}
	return text + ": " + o.Result
}

// driver is `lab conformance`.
type driver struct {
	in    io.Writer
	lines *bufio.Scanner
	// done are all operations so far.
	done []operation
}

// startDriver starts a driver and waits until it is ready.
func startDriver(t *testing.T, l *labtest.Lab, seed uint64) *driver {
	t.Helper()
	in, out := l.Converse(t, "conformance", "--seed", strconv.FormatUint(seed, 10))
	d := &driver{in: in, lines: bufio.NewScanner(out)}
	d.lines.Buffer(nil, 1<<20)
	d.await(t)
	return d
}

// run has the driver do so many operations.
func (d *driver) run(t *testing.T, count int) {
	t.Helper()
	_, err := fmt.Fprintln(d.in, count)
	require.NoError(t, err, "ask the driver")
	d.await(t)
}

func (d *driver) await(t *testing.T) {
	t.Helper()
	for d.lines.Scan() {
		var answer operation
		require.NoError(t, json.Unmarshal(d.lines.Bytes(), &answer), d.lines.Text())
		if answer.End {
			return
		}
		d.done = append(d.done, answer)
	}
	t.Fatalf("the driver ended (%v), after\n%s", d.lines.Err(), d.last())
}

// last are as many operations as there are between two comparisons.
func (d *driver) last() string {
	var text strings.Builder
	for _, o := range d.done[max(0, len(d.done)-interval):] {
		fmt.Fprintln(&text, o)
	}
	return text.String()
}

// summary counts the operations of each kind, and how many of them Calico refused.
func (d *driver) summary() string {
	all, refused := map[string]int{}, map[string]int{}
	for _, o := range d.done {
		all[o.Op]++
		if o.Result != "ok" {
			refused[o.Op]++
		}
	}
	var text strings.Builder
	for _, op := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s: %d, of which %d were refused\n", op, all[op], refused[op])
	}
	return text.String()
}
