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
	// patience is how long a test waits for what must come, also on a machine that is busy with all the others.
	patience = 3 * time.Minute
	poll     = 200 * time.Millisecond
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
