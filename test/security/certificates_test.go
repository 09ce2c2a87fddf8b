//go:build e2e

package security

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

func TestWithClientCAsWhoHasNoCertificateIsRefused(t *testing.T) {
	t.Parallel()
	clients, others := pki.NewAuthority(t), pki.NewAuthority(t)
	g := newGateway(t, nil, "TLS_CLIENT_CA_FILE="+clients.File)
	for _, test := range []struct {
		name string
		show []pki.Identity
	}{
		{"no certificate", nil},
		{"an expired certificate", []pki.Identity{clients.IssueExpired(t)}},
		{"a certificate of another authority", []pki.Identity{others.Issue(t)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := g.authority.Trust(test.show...)
			require.Equal(t, codes.Unavailable, status.Code(g.export(t, config, g.authorization(), "refused")))
			_, _, err := g.post(t, config, encoded(t, "refused"), "Authorization", g.authorization())
			require.Error(t, err) // the alert, or a connection that is closed already
		})
	}
	member := clients.Issue(t)
	t.Run("a certificate without the token", func(t *testing.T) {
		require.Equal(t, codes.Unauthenticated, status.Code(g.export(t, g.authority.Trust(member), "", "refused")))
		code, _, err := g.post(t, g.authority.Trust(member), encoded(t, "refused"))
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, code)
	})
	g.serves(t, "allowed", member)
	require.Empty(t, g.backend.got("refused"))

	// The authorities are read again when they change.
	replaced, err := os.ReadFile(others.File)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(clients.File, replaced, 0o600))
	require.Eventually(t, func() bool {
		return g.export(t, g.authority.Trust(member), g.authorization(), "former") != nil
	}, patience, poll, "clients of the former authority are refused")
	g.serves(t, "of_the_new_authority", others.Issue(t))
}

func TestPlaintextIsRefused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	connection, err := grpc.NewClient("dns:///"+g.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	_, err = pmetricotlp.NewGRPCClient(connection).Export(t.Context(), request("refused"))
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	response, err := http.Post("http://"+g.http+"/v1/metrics", "application/x-protobuf", encoded(t, "refused"))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	for _, address := range []string{g.grpc, g.http} {
		old := g.authority.Trust()
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		_, err := (&tls.Dialer{Config: old}).DialContext(t.Context(), "tcp", address)
		require.ErrorContains(t, err, "protocol version not supported")
	}
	g.serves(t, "allowed")
	require.Empty(t, g.backend.got("refused"))
}

func TestAnAgentSendsNothingToAServerThatIsNotWhoItSays(t *testing.T) {
	t.Parallel()
	a, others := pki.NewAuthority(t), pki.NewAuthority(t)
	for _, test := range []struct {
		name string
		show pki.Identity
		says string
	}{
		{"expired", a.IssueExpired(t), "certificate has expired or is not yet valid"},
		{"another authority", others.Issue(t), "certificate signed by unknown authority"},
		{"another name", a.IssueFor(t, "gateway.example.com", time.Now().Add(time.Hour)), "cannot validate certificate for 127.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, a)
			b.show(test.show)
			e := newEndpoint(t)
			agent := startCollector(t, []string{"sidecar.yaml", "backends/otlp-http.yaml"},
				append(b.env(), "TYPHA_ENDPOINTS=["+e.url+"]")...)
			require.Eventually(t, func() bool { return agent.Contains(test.says) }, patience, poll, "the log says why")
			require.Eventually(t, func() bool { return e.scrapes() >= 3 }, patience, poll, "scrapes go on")
			require.Empty(t, b.got(scrapesMetric))
			b.show(a.Issue(t))
			requireAll(t, e, b)
		})
	}
}

func TestAnAgentKeepsItsDataWhileTheGatewaysCertificateIsExpired(t *testing.T) {
	t.Parallel()
	g := prepareGateway(t, nil)
	expired := g.authority.IssueExpired(t)
	g.start(t, "TLS_CERT_FILE="+expired.CertFile, "TLS_KEY_FILE="+expired.KeyFile)
	e := newEndpoint(t)
	agent := startCollector(t, []string{"sidecar.yaml", "backends/otlp-grpc.yaml", "auth/otlp-grpc-bearer.yaml"},
		"TYPHA_ENDPOINTS=["+e.url+"]", "OTLP_ENDPOINT="+g.grpc, "OTLP_CA_FILE="+g.authority.File, "OTLP_TOKEN_FILE="+labtest.SecretFile(t, g.token))
	require.Eventually(t, func() bool { return agent.Contains("certificate has expired or is not yet valid") }, patience, poll, "the log says why")
	require.Eventually(t, func() bool { return e.scrapes() >= 3 }, patience, poll, "scrapes go on")
	require.Empty(t, g.backend.got(scrapesMetric))
	g.Stop(t) // the gateway reads its certificate again every hour; the test does not wait for that
	g.start(t)
	requireAll(t, e, g.backend)
}

// requireAll waits until everything that was scraped up to now has arrived.
func requireAll(t *testing.T, e *endpoint, b *backend) {
	t.Helper()
	scraped := e.scrapes()
	require.Eventually(t, func() bool { return slices.Contains(b.got(scrapesMetric), float64(scraped)) }, patience, poll, "the last scrape arrives")
	for i := range scraped {
		require.Contains(t, b.got(scrapesMetric), float64(i+1), "the scrapes before it arrive as well")
	}
}

// dialTLS opens a connection of HTTP/1.1 to an address, which ends with the test.
func dialTLS(t *testing.T, address string, a *pki.Authority) net.Conn {
	t.Helper()
	config := a.Trust()
	config.NextProtos = []string{"http/1.1"}
	connection, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}
