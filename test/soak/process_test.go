//go:build e2e

package soak

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const mib = 1 << 20

// measure is something of which a process shall not need more and more.
type measure struct {
	name  string
	of    func(t *testing.T, p *process) float64
	limit limit
}

var measures = []measure{
	{"heap after a collection, MiB", func(t *testing.T, p *process) float64 {
		t.Helper()
		return p.profile(t, "heap?gc=1&debug=1", "# HeapAlloc = %g") / mib
	}, limit{1.05, 1}},
	// After the heap, so that what was garbage is not in it.
	{"anonymous memory, MiB", func(t *testing.T, p *process) float64 { t.Helper(); return float64(p.Anonymous(t)) / mib }, limit{1.05, 4}},
	{"goroutines", func(t *testing.T, p *process) float64 {
		t.Helper()
		return p.profile(t, "goroutine?debug=1", "goroutine profile: total %g")
	}, limit{1, 3}},
	{"open files and connections", func(t *testing.T, p *process) float64 { t.Helper(); return float64(p.Files(t)) }, limit{1, 3}},
	{"disk, MiB", func(t *testing.T, p *process) float64 { t.Helper(); return p.disk(t) / mib }, limit{1, 1}},
}

// process is a collector that is looked at.
type process struct {
	*labtest.Collector
	name, storage, pprof string
	readings             [][]float64
}

func newProcess(t *testing.T, name string, configs []string, env ...string) *process {
	t.Helper()
	p := &process{name: name, storage: t.TempDir(), pprof: labtest.FreePort(t), readings: make([][]float64, len(measures))}
	p.Collector = labtest.StartCollector(t, configs, append(env, "STORAGE_DIRECTORY="+p.storage, "PPROF_PORT="+p.pprof)...)
	require.Eventually(t, func() bool { return p.Contains("Everything is ready") }, patience, poll)
	return p
}

// read takes one reading of everything.
func (p *process) read(t *testing.T) {
	t.Helper()
	for i, m := range measures {
		p.readings[i] = append(p.readings[i], m.of(t, p))
	}
}

// judge requires that there was no growth, and prints what there was.
func (p *process) judge(t *testing.T) {
	t.Helper()
	for i, m := range measures {
		all := p.readings[i]
		middle, last, ok := m.limit.holds(all)
		t.Logf("%-8s %-30s median of each third %7.1f %7.1f %7.1f, most %7.1f", p.name, m.name, median(all[:len(all)/3]), middle, last, slices.Max(all))
		assert.True(t, ok, "%s: %s grows from %.1f to %.1f", p.name, m.name, middle, last)
	}
}

// profile reads a number out of a profile: what the format has in place of %g, at the beginning of a line.
func (p *process) profile(t *testing.T, profile, format string) (number float64) {
	t.Helper()
	response, err := http.Get("http://localhost:" + p.pprof + "/debug/pprof/" + profile)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	prefix, _, _ := strings.Cut(format, "%")
	start := strings.Index(string(content), prefix)
	require.GreaterOrEqual(t, start, 0, "%s has no %s", profile, prefix)
	_, err = fmt.Sscanf(string(content[start:]), format, &number)
	require.NoError(t, err)
	return number
}

// disk is how large the files are that the process keeps, in bytes. One may go while they are looked at.
func (p *process) disk(t *testing.T) (total float64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(p.storage, func(_ string, entry fs.DirEntry, _ error) error {
		if entry == nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			total += float64(info.Size())
		}
		return nil
	}))
	return total
}
