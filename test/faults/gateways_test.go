//go:build e2e

package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// TestGatewaysLoseNothing has agents of two clusters send to two gateways. One is killed and comes back: its cluster waits in the agent, and does not move.
func TestGatewaysLoseNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, latePrometheus)
	authority := pki.NewAuthority(t)
	server := authority.Issue(t)
	token := labtest.SecretFile(t, "t0ken")
	var ports []any
	for range 2 {
		port := labtest.FreePort(t)
		ports = append(ports, port)
		f.addGateway(t, nil, "OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT="+port, "OTLP_HTTP_PORT="+labtest.FreePort(t),
			"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+token).start(t)
	}
	start := func(cluster string) {
		f.addAgent(t, cluster, []string{"../../configs/backends/gateways.yaml"},
			fmt.Sprintf("GATEWAYS=[localhost:%s, localhost:%s]", ports...), "GATEWAYS_CA_FILE="+authority.File, "GATEWAYS_TOKEN_FILE="+token).start(t)
	}
	start("red")
	// Which gateway a cluster is for follows from its name and their ports, so names are tried until there is one for the other gateway.
	for i := 0; !f.bothServe(); i++ {
		require.Less(t, i, 20)
		for _, agent := range f.agents[1:] {
			agent.collector.Stop(t)
		}
		f.agents = f.agents[:1]
		cluster := fmt.Sprintf("blue-%d", i)
		start(cluster)
		require.Eventually(t, func() bool { return f.serves(cluster) }, patience, poll)
	}
	f.awaitOneEach(t)
	f.stayOneEach(t, 5*time.Second)

	killed, other := f.gateways[0], f.gateways[1]
	at := time.Now()
	theirs := killed.clusters(at.Add(-5 * time.Second))
	killed.collector.Kill()
	f.pass(t, 20*time.Second)
	require.NotContains(t, other.clusters(at), theirs[0], "it waits for its gateway")
	killed.start(t)
	healed := time.Now()
	f.pass(t, time.Second)
	row := f.settle(t, "gateway killed, away for 20s", "several gateways", healed)
	results.add(row, "0")
	require.Zero(t, row.lost)
	require.Zero(t, row.disordered)
	f.awaitOneEach(t)
	require.NotContains(t, other.clusters(at), theirs[0])
	require.Zero(t, f.front.refusals())
}

// serves says whether a gateway has passed on anything of a cluster.
func (f *fleet) serves(cluster string) bool {
	return slices.ContainsFunc(f.gateways, func(g *member) bool { return slices.Contains(g.clusters(time.Time{}), cluster) })
}

// bothServe says whether every gateway has passed on something.
func (f *fleet) bothServe() bool {
	return !slices.ContainsFunc(f.gateways, func(g *member) bool { return g.backend.taken.len() == 0 })
}
