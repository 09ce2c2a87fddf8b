//go:build e2e

package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// partition is two agents and a gateway, each on a network namespace's end of a network. Prometheus and what agents scrape are on this machine.
type partition struct {
	*fleet
	red, blue, gateway, host *station
}

func newPartition(t *testing.T) *partition {
	t.Helper()
	n := newNetwork(t)
	p := &partition{fleet: newFleet(t, latePrometheus), red: n.add(t), blue: n.add(t), gateway: n.add(t), host: n.host}
	p.patience = outage() / 2 // gRPC tries to connect the more rarely the longer it could not
	authority := pki.NewAuthority(t)
	server := authority.IssueFor(t, p.gateway.address, time.Now().Add(time.Hour))
	token := labtest.SecretFile(t, "t0ken")
	g := p.addGateway(t, nil, "OTLP_LISTEN_HOST="+p.gateway.address, "MY_POD_IP="+p.gateway.address,
		"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+token)
	p.gateway.hold(t, g)
	g.start(t)
	for cluster, at := range map[string]*station{"red": p.red, "blue": p.blue} {
		a := p.addAgent(t, cluster, []string{"../../configs/backends/otlp-grpc.yaml", "../../configs/auth/otlp-grpc-bearer.yaml"},
			"OTLP_ENDPOINT="+p.gateway.address+":4317", "OTLP_CA_FILE="+authority.File, "OTLP_TOKEN_FILE="+token)
		at.hold(t, a)
		a.start(t)
	}
	require.Eventually(t, func() bool { return len(g.clusters(time.Time{})) == 2 }, patience, poll)
	return p
}

// TestPartitionsLoseNothing has packets vanish between agents, a gateway and Prometheus, one way or both: no connection is refused or reset.
func TestPartitionsLoseNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		// lost are the ways, from and to, on which nothing arrives.
		lost func(p *partition) [][2]*station
		// others are the clusters whose samples arrive all the while.
		others []string
		// sentAgain says that what was taken without an answer arrives twice.
		sentAgain bool
	}{
		{
			name: "agent cut off from its gateway", others: []string{"blue"},
			lost: func(p *partition) [][2]*station { return [][2]*station{{p.red, p.gateway}, {p.gateway, p.red}} },
		},
		{
			name: "gateway cut off from its backend",
			lost: func(p *partition) [][2]*station { return [][2]*station{{p.gateway, p.host}, {p.host, p.gateway}} },
		},
		{
			name: "answers to an agent lost", others: []string{"blue"}, sentAgain: true,
			lost: func(p *partition) [][2]*station { return [][2]*station{{p.gateway, p.red}} },
		},
		{
			name: "answers to a gateway lost", sentAgain: true,
			lost: func(p *partition) [][2]*station { return [][2]*station{{p.host, p.gateway}} },
		},
		{
			name: "answers to an agent and its gateway lost", sentAgain: true,
			lost: func(p *partition) [][2]*station { return [][2]*station{{p.gateway, p.red}, {p.host, p.gateway}} },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t)
			p.pass(t, 5*interval)
			lost := test.lost(p)
			for _, way := range lost {
				silence(t, way[0], way[1])
			}
			p.pass(t, 5*interval) // what was on its way
			since := time.Now()
			p.pass(t, outage()-5*interval)
			assert.ElementsMatch(t, test.others, p.gateways[0].clusters(since))
			for _, way := range lost {
				hear(t, way[0], way[1])
			}
			healed := time.Now()
			p.pass(t, 5*interval)
			row := p.settle(t, test.name+", "+outage().String(), "gateway, remote write", healed)
			results.add(row, "0")
			require.Zero(t, row.lost)
			require.Zero(t, row.disordered)
			if test.sentAgain {
				require.NotZero(t, row.duplicated)
			}
			require.Zero(t, p.front.refusals())
		})
	}
}
