//go:build e2e

package faults

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// row is what became of the samples of a fault.
type row struct {
	fault, route                                 string
	sent, received, lost, duplicated, disordered int
	// recovery is how long after the fault all that was sent before had arrived.
	recovery time.Duration
}

// results has the rows of all tests.
var results table

// table is what `make faults` prints.
type table struct {
	mu   sync.Mutex
	rows []string
}

// withTable runs tests, and prints the table of those that have run.
type withTable struct{ *testing.M }

// Run is what runs tests.
func (m withTable) Run() int {
	code := m.M.Run()
	fmt.Fprint(os.Stdout, &results)
	return code
}

// add takes a row, and how many samples may be lost.
func (b *table) add(r row, promised string) {
	recovery := r.recovery.Round(100 * time.Millisecond).String()
	if r.lost > 0 {
		recovery = "-"
	}
	line := fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%s\t%d\t%d\t%s",
		r.fault, r.route, r.sent, r.received, r.lost, promised, r.duplicated, r.disordered, recovery)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rows = append(b.rows, line)
}

// String has the rows by route and fault.
func (b *table) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortFunc(b.rows, func(x, y string) int {
		x1, x2, _ := strings.Cut(x, "\t")
		y1, y2, _ := strings.Cut(y, "\t")
		return strings.Compare(x2[:strings.IndexByte(x2, '\t')]+x1, y2[:strings.IndexByte(y2, '\t')]+y1)
	})
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\troute\tsent\treceived\tlost\tpromised\tduplicated\tout of order\trecovered after")
	for _, line := range b.rows {
		fmt.Fprintln(w, line)
	}
	_ = w.Flush() // into memory
	return text.String()
}
