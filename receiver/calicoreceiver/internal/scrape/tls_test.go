package scrape

import (
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const felixExposition = "# TYPE felix_resyncs_started counter\nfelix_resyncs_started 1\n"

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	dir := newFiles(t)
	client := ca.issue(t)
	var (
		caFile       = dir.write(t, "ca.pem", ca.pem)
		strangerFile = dir.write(t, "stranger.pem", stranger.pem)
		certFile     = dir.write(t, "client.pem", client.cert)
		keyFile      = dir.write(t, "client.key", client.key)
		other        = stranger.issue(t)
		otherCert    = dir.write(t, "other.pem", other.cert)
		otherKey     = dir.write(t, "other.key", other.key)
	)
	server := func(edit ...func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.issue(t, edit...).load(t)}}
	}
	mutual := func() *tls.Config {
		c := server()
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool()
		return c
	}
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	named := func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"felix.calico.internal"} }
	old := server()
	old.MaxVersion = tls.VersionTLS12

	cases := []struct {
		name   string
		server *tls.Config
		client TLSConfig
		err    string // in the error of the last scrape; empty is up
	}{
		{"the authority is known", server(), TLSConfig{CAFile: caFile}, ""},
		{"a client certificate is shown where it is required", mutual(), TLSConfig{CAFile: caFile, CertFile: certFile, KeyFile: keyFile}, ""},
		{"a client certificate is not asked for", server(), TLSConfig{CAFile: caFile, CertFile: certFile, KeyFile: keyFile}, ""},
		{"the certificate is for the server name", server(named), TLSConfig{CAFile: caFile, ServerName: "felix.calico.internal"}, ""},
		{"nothing is verified", server(expired), TLSConfig{InsecureSkipVerify: true}, ""},
		{"the version is high enough", server(), TLSConfig{CAFile: caFile, MinVersion: "TLS13"}, ""},

		{"another authority", server(), TLSConfig{CAFile: strangerFile}, "certificate signed by unknown authority"},
		{"an authority that the system does not know", server(), TLSConfig{}, "certificate signed by unknown authority"},
		{"an expired certificate", server(expired), TLSConfig{CAFile: caFile}, "certificate has expired"},
		{"a certificate for a name is not for an address", server(named), TLSConfig{CAFile: caFile}, "doesn't contain any IP SANs"},
		{"no client certificate where one is required", mutual(), TLSConfig{CAFile: caFile}, "certificate required"},
		{
			"a client certificate of another authority", mutual(), TLSConfig{CAFile: caFile, CertFile: otherCert, KeyFile: otherKey},
			"tls: ", // unknown certificate authority, or bad certificate
		},
		{"the version is too low", old, TLSConfig{CAFile: caFile, MinVersion: "TLS13"}, "protocol version not supported"},
		{"no file of the authority", server(), TLSConfig{CAFile: dir.path("missing.pem")}, "missing.pem"},
	}
	jobs := []Job{job("plain", Settings{})}
	for _, tc := range cases {
		jobs = append(jobs, job(tc.name, Settings{TLS: tc.client}))
	}
	s, sink := startJobs(t, nopSettings(), jobs...)
	plain, _ := serve(t, felixExposition)
	require.NoError(t, s.Update("plain", []Target{{Address: plain}}))
	addresses := map[string]string{}
	for _, tc := range cases {
		addresses[tc.name], _ = tlsServer(t, tc.server, felixExposition)
		require.NoError(t, s.Update(tc.name, []Target{{Address: addresses[tc.name], Scheme: "https"}}))
	}

	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			address := addresses[tc.name]
			require.Eventually(t, func() bool { return len(s.Up(tc.name)) == 1 }, patience, interval/10)
			require.Equal(t, map[string]bool{address: tc.err == ""}, s.Up(tc.name), "%v", s.LastErrors(tc.name)[address])
			if tc.err == "" {
				require.NoError(t, s.LastErrors(tc.name)[address])
				require.Eventually(t, func() bool { p, _ := newest(sink, address, "felix_resyncs_started"); return value(p) == 1 }, patience, interval/10)
				return
			}
			require.ErrorContains(t, s.LastErrors(tc.name)[address], tc.err)
			p, _ := newest(sink, address, "felix_resyncs_started")
			require.Nil(t, p)
		})
	}
	require.Eventually(t, func() bool { return s.Up("plain")[plain] }, patience, interval/10, "other jobs go on")
}

func TestRotatedCertificatesAreTakenUpWithoutRestart(t *testing.T) {
	t.Parallel()
	dir := newFiles(t)
	var current atomic.Pointer[tls.Config]
	// rotate makes the server use another authority for its own certificate and for those of its clients.
	rotate := func() (ca *authority, client pair) {
		ca = newAuthority(t)
		current.Store(&tls.Config{
			Certificates: []tls.Certificate{ca.issue(t).load(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(),
		})
		return ca, ca.issue(t)
	}
	write := func(ca *authority, client pair) {
		dir.write(t, "ca.pem", ca.pem)
		dir.write(t, "client.pem", client.cert)
		dir.write(t, "client.key", client.key)
	}
	write(rotate())
	address, server := tlsServer(t, &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Load(), nil },
	}, felixExposition)
	s, _ := startJobs(t, nopSettings(), job("calico-felix", Settings{TLS: TLSConfig{
		CAFile: dir.path("ca.pem"), CertFile: dir.path("client.pem"), KeyFile: dir.path("client.key"),
	}}))
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address, Scheme: "https"}}))
	up := func() bool { return s.Up("calico-felix")[address] }
	require.Eventually(t, up, patience, interval/10)

	ca, client := rotate()
	server.CloseClientConnections() // Felix looks at its files at every handshake
	require.Eventually(t, func() bool { return !up() }, patience, interval/10, "the server has changed, the scraper has not")
	write(ca, client)
	require.Eventually(t, up, patience, interval/10)

	dir.write(t, "client.key", newAuthority(t).issue(t).key)
	server.CloseClientConnections()
	require.Eventually(t, func() bool { return !up() }, patience, interval/10, "a key that is not the certificate's")
	write(ca, client)
	require.Eventually(t, up, patience, interval/10)
}

func TestScrapesBeginWhenMissingCertificatesAppear(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	dir := newFiles(t)
	address, _ := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(t).load(t)}}, felixExposition)
	s, _ := startJobs(t, nopSettings(), job("calico-felix", Settings{TLS: TLSConfig{CAFile: dir.path("ca.pem")}}))
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address, Scheme: "https"}}))
	require.Equal(t, map[string]bool{address: false}, s.Up("calico-felix"), "down before any scrape")
	require.ErrorContains(t, s.LastErrors("calico-felix")[address], "ca.pem")

	dir.write(t, "ca.pem", []byte("not a certificate"))
	require.Eventually(t, func() bool {
		return s.LastErrors("calico-felix")[address].Error() == "tls: unable to use specified CA cert file "+dir.path("ca.pem")
	}, patience, interval/10)
	dir.write(t, "ca.pem", ca.pem)
	require.Eventually(t, func() bool { return s.Up("calico-felix")[address] }, patience, interval/10)
}

func TestSchemeAndPathDifferBetweenTheTargetsOfAJob(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	dir := newFiles(t)
	secure, _ := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{ca.issue(t).load(t)}}, felixExposition)
	plain, _ := serve(t, felixExposition)
	elsewhere := serveAt(t, "/calico/metrics", felixExposition)
	s, sink := startJobs(t, nopSettings(), job("calico-felix", Settings{TLS: TLSConfig{CAFile: dir.write(t, "ca.pem", ca.pem)}}))
	require.NoError(t, s.Update("calico-felix", []Target{
		{Address: secure, Scheme: "https"}, {Address: plain}, {Address: elsewhere, Path: "/calico/metrics"},
	}))
	require.Eventually(t, func() bool { return len(s.Up("calico-felix")) == 3 }, patience, interval/10)
	require.Equal(t, map[string]bool{secure: true, plain: true, elsewhere: true}, s.Up("calico-felix"))
	for address, scheme := range map[string]string{secure: "https", plain: "http", elsewhere: "http"} {
		_, resource := newest(sink, address, "felix_resyncs_started")
		require.Equal(t, scheme, resource["url.scheme"])
	}
}
