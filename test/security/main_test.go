//go:build e2e

package security

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

const (
	// interval between two scrapes; the configuration's default would make the tests slow.
	interval = time.Second
	// patience is how long a test waits for what must come: beyond the longest pause between two attempts of an exporter.
	patience = 60 * time.Second
	poll     = 100 * time.Millisecond

	configs = "../../configs/"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(os.Getenv("COLLECTOR")); err != nil {
		fmt.Fprintln(os.Stderr, "COLLECTOR must name the distribution; `make e2e` builds it:", err)
		os.Exit(1)
	}
	flag.Parse()
	// The tests wait most of the time, for timeouts that the configurations have.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
