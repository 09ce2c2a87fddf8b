//go:build e2e

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// route is a way from a collector to Prometheus.
type route struct {
	name    string
	configs []string
	// env is what the configurations need beyond what all do, with the URL of the backend.
	env func(t *testing.T, backend string) []string
	// gateway has the collector send to a gateway, which goes this way.
	gateway bool
	// late has Prometheus take samples that come after newer ones.
	late bool
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
	remoteWrite    = route{name: "remote write", configs: []string{"../../configs/backends/remote-write.yaml", "testdata/small-batches.yaml"}, env: toRemoteWrite}
	prometheusOTLP = route{name: "OTLP", configs: []string{"../../configs/backends/prometheus-otlp.yaml"}, env: toOTLP}
	overGateway    = route{name: "gateway, remote write", configs: []string{"../../configs/backends/remote-write.yaml"}, env: toRemoteWrite, gateway: true}
	// With storage.tsdb.out_of_order_time_window.
	remoteWriteLate    = route{name: "remote write, late samples taken", configs: remoteWrite.configs, env: toRemoteWrite, late: true}
	prometheusOTLPLate = route{name: "OTLP, late samples taken", configs: prometheusOTLP.configs, env: toOTLP, late: true}
	// What else was tried for remote write.
	triedMemory = route{name: "remote write, queue in memory", configs: []string{"testdata/tried-memory.yaml"}, env: toRemoteWrite}
	triedWAL    = route{name: "remote write, its WAL", configs: []string{"testdata/tried-memory.yaml", "testdata/tried-wal.yaml"}, env: toRemoteWrite}
	triedFile   = route{
		name: "remote write, file_storage alone", configs: append(slices.Clone(remoteWrite.configs), "testdata/tried-file.yaml"), env: toRemoteWrite,
	}
)

// prometheusConfig takes OTLP as the configuration for it says.
const prometheusConfig = `scrape_configs: []
otlp:
  translation_strategy: UnderscoreEscapingWithoutSuffixes
  promote_resource_attributes: [k8s.cluster.name, k8s.namespace.name, k8s.node.name, k8s.pod.name]
`

// rig is a collector between the lab and a Prometheus of its own, or a collector and a gateway.
type rig struct {
	backend   *backend
	recorder  *recorder
	collector *member
	gateway   *member
}

// newRig starts the collectors, and waits until samples arrive. The directory of the one that scrapes can be prepared before, and more be put in the environment.
func newRig(t *testing.T, r route, prepare func(storage string), more ...string) *rig {
	t.Helper()
	config := prometheusConfig
	if r.late {
		config = latePrometheus
	}
	g := &rig{backend: newBackend(t, labtest.StartPrometheus(t, config)), recorder: newRecorder(t)}
	configs, env := r.configs, append(r.env(t, g.backend.url), more...)
	if r.gateway {
		authority := pki.NewAuthority(t)
		server := authority.Issue(t)
		token, port := labtest.SecretFile(t, "t0ken"), labtest.FreePort(t)
		g.gateway = newMember(t, append([]string{"../../configs/gateway.yaml"}, configs...), append(env,
			"OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT="+port, "OTLP_HTTP_PORT="+labtest.FreePort(t),
			"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+token))
		g.gateway.start(t)
		configs = []string{"../../configs/backends/otlp-grpc.yaml", "../../configs/auth/otlp-grpc-bearer.yaml"}
		env = []string{"OTLP_ENDPOINT=localhost:" + port, "OTLP_CA_FILE=" + authority.File, "OTLP_TOKEN_FILE=" + token}
	}
	g.collector = newMember(t, slices.Concat([]string{"../../configs/sidecar.yaml"}, configs, []string{"testdata/recorder.yaml"}), slices.Concat(endpoints(t), env, []string{
		"K8S_CLUSTER_NAME=faults", "CALICO_COLLECTION_INTERVAL=" + interval.String(), "RECORDER=" + g.recorder.url,
	}))
	prepare(g.collector.storage)
	g.collector.start(t)
	require.Eventually(t, func() bool { return g.backend.taken.len() > 0 }, patience, poll)
	return g
}

// pass lets time go by in which scrapes are made.
func (g *rig) pass(t *testing.T, d time.Duration) {
	t.Helper()
	until := time.Now().Add(d).UnixMilli()
	require.Eventually(t, func() bool { return g.recorder.given.latest() >= until }, d+patience, poll, "scrapes go on")
}

// settle waits until no more of what was given up to now is missing than may be, for so long at most, and counts what Prometheus has of it.
func (g *rig) settle(t *testing.T, fault, route string, healed time.Time, atMost time.Duration, may func(missing []sample) bool) (r row, lost []sample) {
	t.Helper()
	r, lost = settle(t, g.recorder.given.until(time.Now().UnixMilli()), g.backend, healed, atMost, may)
	r.fault, r.route = fault, route
	return r, lost
}

func none(missing []sample) bool { return len(missing) == 0 }

// settle waits until a backend has taken what was given but for what may be missing, for so long at most, and counts what its Prometheus has of it.
func settle(
	t *testing.T, given *samples, b *backend, healed time.Time, atMost time.Duration, may func(missing []sample) bool,
) (r row, lost []sample) {
	t.Helper()
	recovered := healed
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); <-time.After(poll) {
		recovered = time.Now()
		if may(given.missing(b.taken)) {
			break
		}
	}
	all, err := held(t.Context(), b.prometheus)
	require.NoError(t, err)
	lost = given.missing(all)
	r = row{sent: given.len(), received: given.len() - len(lost), lost: len(lost), recovery: recovered.Sub(healed)}
	r.duplicated, r.disordered = b.taken.faults()
	return r, lost
}
