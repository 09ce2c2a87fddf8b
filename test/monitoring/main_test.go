//go:build e2e

package monitoring

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const (
	// interval between two scrapes. Alerts are hastened, so that ten seconds have to be many scrapes.
	interval = time.Second
	// patience is how long a test waits for what must come.
	patience = 2 * time.Minute
	poll     = 500 * time.Millisecond
)

// lab is the cluster that all tests of the package share, and tools what Felix calls in it.
var (
	lab   *labtest.Lab
	tools *felixTools
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(os.Getenv("COLLECTOR")); err != nil {
		fmt.Fprintln(os.Stderr, "COLLECTOR must name the distribution; `make e2e` builds it:", err)
		os.Exit(1)
	}
	var err error
	if tools, err = newFelixTools(); err != nil {
		fmt.Fprintln(os.Stderr, "tools of Felix:", err)
		os.Exit(1)
	}
	labtest.Main(removing{m, tools.dir}, func(l *labtest.Lab) { lab = l }, "--root", "../..", "--churn", "--churn-interval", "2s")
}

// removing removes a directory after the tests.
type removing struct {
	*testing.M
	dir string
}

func (r removing) Run() int {
	defer os.RemoveAll(r.dir)
	return r.M.Run()
}

// query evaluates PromQL now.
func query(ctx context.Context, prom promv1.API, expression string) (model.Vector, error) {
	return labtest.Query(ctx, prom, expression, time.Now())
}

// await waits until an expression has an answer.
func await(t *testing.T, prom promv1.API, expression string) {
	t.Helper()
	settle(t, patience, "without an answer", func() []string {
		if vector, err := query(t.Context(), prom, expression); err != nil || len(vector) == 0 {
			return []string{expression}
		}
		return nil
	})
}

// settle waits until nothing is missing any more, and says what is when it has waited too long.
func settle(t *testing.T, limit time.Duration, what string, missing func() []string) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		left := missing()
		if len(left) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s after %s:\n%s", what, limit, strings.Join(left, "\n"))
		}
	}
}
