//go:build e2e

package faults

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// resolver is a DNS server that knows one name.
type resolver struct {
	mu        sync.Mutex
	addresses []string
}

// newResolver starts one on this machine, which ends with the test.
func newResolver(t *testing.T, n *network) *resolver {
	t.Helper()
	r := &resolver{}
	packets, err := net.ListenPacket("udp", n.host.address+":53")
	require.NoError(t, err)
	server := &dns.Server{PacketConn: packets, Handler: r}
	served := make(chan error, 1)
	go func() { served <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		require.NoError(t, server.Shutdown())
		require.NoError(t, <-served)
	})
	return r
}

// asks has what runs at a station ask the name server of this machine.
func (s *station) asks(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(file, []byte("nameserver "+s.network.host.address+"\n"), 0o600))
	s.run(t, "mount", "--bind", file, "/etc/resolv.conf")
}

// know has the name be the addresses of these stations.
func (r *resolver) know(stations ...*station) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addresses = nil
	for _, s := range stations {
		r.addresses = append(r.addresses, s.address)
	}
}

// ServeDNS answers a question.
func (r *resolver) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := new(dns.Msg).SetReply(question)
	if asked := question.Question[0]; asked.Qtype == dns.TypeA {
		for _, address := range r.addresses {
			header := dns.RR_Header{Name: asked.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
			answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: net.ParseIP(address)})
		}
	}
	_ = w.WriteMsg(answer) // who gets none asks again
}

// TestGatewaysByNameLoseNothing has two gateways behind a name. The one that a cluster is at loses its address and is killed: the cluster goes to the other,
// and comes back with the address.
func TestGatewaysByNameLoseNothing(t *testing.T) {
	t.Parallel()
	const name = "gateways.test"
	n := newNetwork(t)
	f := newFleet(t, latePrometheus)
	authority := pki.NewAuthority(t)
	server := authority.IssueFor(t, name, time.Now().Add(time.Hour))
	token := labtest.SecretFile(t, "t0ken")
	at := map[*member]*station{}
	for range 2 {
		s := n.add(t)
		g := f.addGateway(t, nil, "OTLP_LISTEN_HOST="+s.address,
			"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+token)
		s.hold(t, g)
		g.start(t)
		at[g] = s
	}
	names := newResolver(t, n)
	names.know(at[f.gateways[0]], at[f.gateways[1]])
	s := n.add(t)
	s.asks(t)
	agent := f.addAgent(t, "red", []string{"../../configs/backends/gateways.yaml", "../../configs/options/gateways-dns.yaml"},
		"GATEWAYS_SERVICE="+name, "GATEWAYS_SERVER_NAME="+name, "GATEWAYS_CA_FILE="+authority.File, "GATEWAYS_TOKEN_FILE="+token)
	s.hold(t, agent)
	agent.start(t)
	require.Eventually(t, func() bool { return f.serves("red") }, patience, poll)
	f.pass(t, 5*time.Second)
	require.False(t, f.bothServe())
	killed, other := f.gateways[0], f.gateways[1]
	if killed.backend.taken.len() == 0 {
		killed, other = other, killed
	}

	// What it took and has not sent is on its disk alone.
	killed.backend.stop()
	f.pass(t, 3*time.Second)
	names.know(at[other])
	killed.collector.Kill()
	killed.backend.start(t)
	gone := time.Now()
	require.Eventually(t, func() bool { return len(other.clusters(time.Time{})) > 0 }, patience, poll, "the other gateway takes over")
	t.Logf("the other gateway has the cluster %s after the kill", time.Since(gone).Round(time.Millisecond))
	f.pass(t, short)

	killed.start(t)
	names.know(at[killed], at[other])
	back := time.Now()
	require.Eventually(t, func() bool { return len(killed.clusters(back)) > 0 }, patience, poll, "the cluster comes back")
	t.Logf("it is back %s after its gateway", time.Since(back).Round(time.Millisecond))
	f.pass(t, 5*time.Second)
	moved := time.Now()
	f.pass(t, 5*time.Second)
	require.Empty(t, other.clusters(moved))
	row := f.settle(t, "gateway killed, its address gone for 20s", "several gateways by name", back)
	results.add(row, "0")
	require.Zero(t, row.lost)
	require.NotZero(t, row.disordered, "what was on its disk")
	for _, g := range f.gateways {
		require.Zero(t, g.disordered())
	}
	require.Zero(t, f.front.refusals())
}
