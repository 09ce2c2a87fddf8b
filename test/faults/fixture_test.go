//go:build e2e

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// route is a way from a collector to Prometheus.
type route struct {
	name    string
	configs []string
	// env is what the configurations need beyond what all do, with the URL of the backend.
	env func(t *testing.T, backend string) []string
}

func toRemoteWrite(t *testing.T, backend string) []string {
	t.Helper()
	return []string{"REMOTE_WRITE_ENDPOINT=" + backend + "/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:" + labtest.FreePort(t)}
}

func toOTLP(_ *testing.T, backend string) []string {
	return []string{"PROMETHEUS_OTLP_ENDPOINT=" + backend + "/api/v1/otlp"}
}

var (
	// Batches are so small that a short outage makes many.
	remoteWrite    = route{"remote write", []string{"../../configs/backends/remote-write.yaml", "testdata/small-batches.yaml"}, toRemoteWrite}
	prometheusOTLP = route{"OTLP", []string{"../../configs/backends/prometheus-otlp.yaml"}, toOTLP}
	// What else was tried for remote write.
	triedMemory = route{"remote write, queue in memory", []string{"testdata/tried-memory.yaml"}, toRemoteWrite}
	triedWAL    = route{"remote write, its WAL", []string{"testdata/tried-memory.yaml", "testdata/tried-wal.yaml"}, toRemoteWrite}
	triedFile   = route{
		"remote write, file_storage alone",
		[]string{"../../configs/backends/remote-write.yaml", "testdata/small-batches.yaml", "testdata/tried-file.yaml"}, toRemoteWrite,
	}
)

// prometheusConfig takes OTLP as the configuration for it says.
const prometheusConfig = `scrape_configs: []
otlp:
  translation_strategy: UnderscoreEscapingWithoutSuffixes
  promote_resource_attributes: [k8s.cluster.name, k8s.namespace.name, k8s.node.name, k8s.pod.name]
`

// rig is a collector between the lab and a Prometheus of its own.
type rig struct {
	prometheus string
	backend    *backend
	recorder   *recorder
	storage    string
	configs    []string
	env        []string
	collector  *labtest.Collector
}

// newRig starts a collector, and waits until its samples arrive.
func newRig(t *testing.T, r route, storage string, env ...string) *rig {
	t.Helper()
	g := &rig{prometheus: labtest.StartPrometheus(t, prometheusConfig), recorder: newRecorder(t), storage: storage}
	g.backend = newBackend(t, g.prometheus)
	g.configs = slices.Concat([]string{"../../configs/sidecar.yaml"}, r.configs, []string{"testdata/recorder.yaml"})
	g.env = slices.Concat(endpoints(t), r.env(t, g.backend.url), []string{
		"STORAGE_DIRECTORY=" + storage,
		"CALICO_COLLECTION_INTERVAL=" + interval.String(),
		"K8S_CLUSTER_NAME=faults",
		"RECORDER=" + g.recorder.url,
		"HEALTH_CHECK_PORT=" + labtest.FreePort(t), "TELEMETRY_METRICS_PORT=" + labtest.FreePort(t),
		"PPROF_PORT=" + labtest.FreePort(t), "ZPAGES_PORT=" + labtest.FreePort(t),
	}, env)
	g.start(t)
	require.Eventually(t, func() bool { return g.backend.taken.len() > 0 }, patience, poll)
	return g
}

func (g *rig) start(t *testing.T) {
	t.Helper()
	g.collector = labtest.StartCollector(t, g.configs, g.env...)
}

// pass lets time go by in which scrapes are made.
func (g *rig) pass(t *testing.T, d time.Duration) {
	t.Helper()
	until := time.Now().Add(d).UnixMilli()
	require.Eventually(t, func() bool { return g.recorder.given.latest() >= until }, d+patience, poll, "scrapes go on")
}

// settle waits until all that was given up to now has been taken, for so long at most, and counts what Prometheus has of it.
func (g *rig) settle(t *testing.T, fault, route string, healed time.Time, atMost time.Duration) (r row, lost []sample) {
	t.Helper()
	given := g.recorder.given.until(time.Now().UnixMilli())
	recovered := healed
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); <-time.After(poll) {
		recovered = time.Now()
		if len(given.missing(g.backend.taken)) == 0 {
			break
		}
	}
	all, err := held(t.Context(), g.prometheus)
	require.NoError(t, err)
	lost = given.missing(all)
	r = row{fault: fault, route: route, sent: given.len(), received: given.len() - len(lost), lost: len(lost), recovery: recovered.Sub(healed)}
	r.duplicated, r.disordered = g.backend.taken.faults()
	return r, lost
}
