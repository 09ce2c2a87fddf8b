//go:build e2e

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const (
	// interval between two scrapes; the configuration's default would make the tests slow.
	interval = time.Second
	// patience is how long a test waits for what must come: beyond the longest pause between two attempts.
	patience = 60 * time.Second
	// backoff is more than the longest pause between two attempts: 15 s, and half of it more at random.
	backoff = 25 * time.Second
	poll    = 200 * time.Millisecond
)

// lab is the cluster whose components are scraped.
var lab *labtest.Lab

func TestMain(m *testing.M) {
	labtest.Main(withTable{m}, func(l *labtest.Lab) { lab = l }, "--root", "../..", "--felix", "off")
}

// endpoints of the lab's components, as sidecar.yaml wants them.
func endpoints(t *testing.T) []string {
	t.Helper()
	of := map[string]string{}
	for _, c := range lab.Components {
		of[c.Job] = c.Address
	}
	require.NotEmpty(t, of["calico-typha"])
	require.NotEmpty(t, of["calico-kube-controllers"])
	return []string{
		fmt.Sprintf("TYPHA_ENDPOINTS=[http://%s/metrics]", of["calico-typha"]),
		fmt.Sprintf("KUBE_CONTROLLERS_ENDPOINTS=[http://%s/metrics]", of["calico-kube-controllers"]),
	}
}
