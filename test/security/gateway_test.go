//go:build e2e

package security

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// gateway is a distribution that runs with configs/gateway.yaml in front of a backend.
type gateway struct {
	*collector
	authority *pki.Authority
	backend   *backend
	identity  pki.Identity
	// grpc and http are where it takes OTLP.
	grpc, http string
	token      string

	files []string
	env   []string
}

// newGateway starts a gateway with configurations on top of its own and the backend's.
func newGateway(t *testing.T, files []string, env ...string) *gateway {
	t.Helper()
	g := prepareGateway(t, files, env...)
	g.start(t)
	return g
}

// prepareGateway is one that is not started yet.
func prepareGateway(t *testing.T, files []string, env ...string) *gateway {
	t.Helper()
	g := &gateway{authority: pki.NewAuthority(t), token: "t0ken-of-the-agents"}
	g.backend = newBackend(t, g.authority)
	g.identity = g.authority.Issue(t)
	grpcPort, httpPort := labtest.FreePort(t), labtest.FreePort(t)
	g.grpc, g.http = "localhost:"+grpcPort, "localhost:"+httpPort
	g.files = append([]string{"gateway.yaml", "backends/otlp-http.yaml"}, files...)
	g.env = slices.Concat(g.backend.env(), []string{
		"OTLP_GRPC_PORT=" + grpcPort, "OTLP_HTTP_PORT=" + httpPort,
		"TLS_CERT_FILE=" + g.identity.CertFile, "TLS_KEY_FILE=" + g.identity.KeyFile,
		"BEARER_TOKEN_FILE=" + labtest.SecretFile(t, g.token),
	}, env)
	return g
}

// start runs the gateway, with an environment that differs from its own.
func (g *gateway) start(t *testing.T, env ...string) {
	t.Helper()
	g.collector = startCollector(t, g.files, slices.Concat(g.env, env)...)
}

// post sends a request of OTLP over HTTP, with headers and their values one after the other.
func (g *gateway) post(t *testing.T, config *tls.Config, body io.Reader, headers ...string) (status int, answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+g.http+"/v1/metrics", body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-protobuf")
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// export sends a metric over gRPC, with an authorization if there is one.
func (g *gateway) export(t *testing.T, config *tls.Config, authorization, name string, options ...grpc.CallOption) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	connection, err := grpc.NewClient("dns:///"+g.grpc, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	_, err = pmetricotlp.NewGRPCClient(connection).Export(ctx, request(name), options...)
	return err
}

// serves says that the gateway takes what one with the token sends, and passes it on.
func (g *gateway) serves(t *testing.T, name string, show ...pki.Identity) {
	t.Helper()
	g.goesOn(t)
	require.NoError(t, g.export(t, g.authority.Trust(show...), g.authorization(), name+"_grpc"))
	status, answer, err := g.post(t, g.authority.Trust(show...), encoded(t, name+"_http"), "Authorization", g.authorization())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, answer)
	g.backend.await(t, name+"_grpc")
	g.backend.await(t, name+"_http")
}

func (g *gateway) authorization() string { return "Bearer " + g.token }

// request has one metric with one point.
func request(name string) pmetricotlp.ExportRequest {
	metrics := pmetric.NewMetrics()
	resource := metrics.ResourceMetrics().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "security")
	metric := resource.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	point.SetIntValue(1)
	return pmetricotlp.NewExportRequestFromMetrics(metrics)
}

// encoded is a request as it is sent.
func encoded(t *testing.T, name string) *bytes.Reader {
	t.Helper()
	content, err := request(name).MarshalProto()
	require.NoError(t, err)
	return bytes.NewReader(content)
}
