//go:build e2e

package soak

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How what is served changes, in scrapes. In a day 2,880 nodes come and go, with 15 series each and more.
const (
	nodes       = 20
	nodeEvery   = 1
	poolEvery   = 20
	resetEvery  = 30
	absentEvery = 45
	absentFor   = 5
)

// endpoint serves what a component of Calico served once, as it would go on: counters grow and are reset, nodes and a pool are replaced, and at times it
// is not there. How far that is goes by the number of scrapes, of which each endpoint has its own beginning.
type endpoint struct {
	*httptest.Server
	lines []line
	phase int

	mu      sync.Mutex
	scrapes int
	last    time.Time
}

// line is one of the text format, in two parts if it is a sample.
type line struct {
	series  string
	value   float64
	sample  bool
	counter bool
}

// newEndpoint serves a capture, until the test ends.
func newEndpoint(t *testing.T, job string, phase int) *endpoint {
	t.Helper()
	content, err := os.ReadFile("../../receiver/calicoreceiver/internal/scrape/testdata/" + job + ".prom")
	require.NoError(t, err)
	e := &endpoint{phase: phase}
	kind := ""
	for text := range strings.Lines(string(content)) {
		text = strings.TrimSuffix(text, "\n")
		if strings.HasPrefix(text, "#") {
			if fields := strings.Fields(text); fields[1] == "TYPE" {
				kind = fields[3]
			}
			e.lines = append(e.lines, line{series: text})
			continue
		}
		space := strings.LastIndexByte(text, ' ')
		value, err := strconv.ParseFloat(text[space+1:], 64)
		require.NoError(t, err, text)
		e.lines = append(e.lines, line{series: text[:space], value: value, sample: true,
			counter: kind == "counter" || kind != "gauge" && !strings.Contains(text, "quantile=")})
	}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// poolAt is the pool that there is in place of small-pool.
func poolAt(step int) string { return "pool-" + strconv.Itoa(step/poolEvery) }

// at is what is served after so many scrapes. Every node has what node-1 had.
func (e *endpoint) at(step int) string {
	var b strings.Builder
	for _, l := range e.lines {
		value := l.value
		switch {
		case !l.sample:
			b.WriteString(l.series + "\n")
			continue
		case strings.Contains(l.series, `node="node-`) && !strings.Contains(l.series, `node="node-1"`):
			continue
		case l.counter:
			value += float64(step % resetEvery)
		case strings.HasPrefix(l.series, "ipam_allocations_in_use"):
			value += float64(step % 7)
		}
		series := strings.ReplaceAll(l.series, "small-pool", poolAt(step))
		if !strings.Contains(series, `node="node-1"`) {
			fmt.Fprintln(&b, series, value)
			continue
		}
		for i := range nodes {
			fmt.Fprintln(&b, strings.ReplaceAll(series, "node-1", fmt.Sprintf("node-%d", step/nodeEvery+i)), value)
		}
	}
	return b.String()
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	step := e.phase + e.scrapes
	e.scrapes++
	e.last = time.Now()
	e.mu.Unlock()
	if step%absentEvery >= absentEvery-absentFor {
		w.Header().Set("Connection", "close")
		http.Error(w, "not there", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(e.at(step)))
}

// scraped is how often the endpoint was scraped, also while it was not there, and when it was the last time.
func (e *endpoint) scraped() (count int, last time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.scrapes, e.last
}

// pools is how many pools there were in place of small-pool.
func (e *endpoint) pools() int {
	count, _ := e.scraped()
	return (e.phase+count-1)/poolEvery + 1
}
