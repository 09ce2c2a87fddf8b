//go:build e2e

package faults

import (
	"slices"
	"testing"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// member is a collector that can be started several times, with the same files.
type member struct {
	storage string
	configs []string
	env     []string
	// telemetry is the port of its own metrics.
	telemetry string
	// under is the command that starts it, if there is one.
	under     []string
	collector *labtest.Collector
	// recorder has what an agent of a fleet sent, backend what a gateway did.
	recorder *recorder
	backend  *backend
}

func newMember(t *testing.T, configs, env []string) *member {
	t.Helper()
	telemetry := labtest.FreePort(t)
	return &member{storage: t.TempDir(), configs: configs, telemetry: telemetry, env: append(slices.Clone(env), "TELEMETRY_METRICS_PORT="+telemetry)}
}

func (m *member) start(t *testing.T) {
	t.Helper()
	m.startWith(t)
}

// startWith starts it with other values in its environment, this time.
func (m *member) startWith(t *testing.T, env ...string) {
	t.Helper()
	m.collector = labtest.StartCollectorUnder(t, m.under, m.configs, slices.Concat(m.env, []string{"STORAGE_DIRECTORY=" + m.storage}, env)...)
}

// killAndStart ends it as kill -9 does, and starts it.
func (m *member) killAndStart(t *testing.T) {
	t.Helper()
	m.collector.Kill()
	m.start(t)
}

// stopAndStart ends it in order, and starts it.
func (m *member) stopAndStart(t *testing.T) {
	t.Helper()
	m.collector.Stop(t)
	m.start(t)
}
