//go:build e2e

package security

import (
	"compress/gzip"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// backend takes OTLP over HTTP and TLS. It also is an authorization server, at /token, and a backend for remote write that only looks at who writes.
type backend struct {
	url       string
	authority *pki.Authority
	// client and secret are what it gives the access token for, and takes remote write from.
	client, secret, accessToken string

	mu             sync.Mutex
	identity       pki.Identity
	values         map[series][]float64
	authorizations map[string]bool // by path and header
}

// series is told apart by what these tests need.
type series struct{ name, instance string }

// newBackend starts a backend, which ends with the test.
func newBackend(t *testing.T, a *pki.Authority) *backend {
	t.Helper()
	b := &backend{authority: a, identity: a.Issue(t), values: map[series][]float64{}, authorizations: map[string]bool{}}
	server := httptest.NewUnstartedServer(b)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{b.identity.Certificate}, NextProtos: []string{"h2", "http/1.1"}}, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// env is what configs/backends/otlp-http.yaml needs to send to it.
func (b *backend) env() []string {
	return []string{"OTLP_HTTP_ENDPOINT=" + b.url, "OTLP_HTTP_CA_FILE=" + b.authority.File}
}

// show changes the certificate that it shows to those who connect from now on.
func (b *backend) show(id pki.Identity) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.identity = id
}

// got are the values of the series of a name, of all instances or of those given.
func (b *backend) got(name string, instances ...string) []float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []float64
	for s, values := range b.values {
		if s.name == name && (len(instances) == 0 || slices.Contains(instances, s.instance)) {
			all = append(all, values...)
		}
	}
	return all
}

// await waits until a metric has come.
func (b *backend) await(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(b.got(name)) > 0 }, patience, poll, "%s arrives", name)
}

// authorized says whether a request to a path had this header.
func (b *backend) authorized(path, header string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.authorizations[path+" "+header]
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.authorizations[r.URL.Path+" "+r.Header.Get("Authorization")] = true
	b.mu.Unlock()
	switch r.URL.Path {
	case "/token":
		b.serveToken(w, r)
	case "/v1/metrics":
		b.serveMetrics(w, r)
	default:
		if user, password, _ := r.BasicAuth(); user != b.client || password != b.secret {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (b *backend) serveToken(w http.ResponseWriter, r *http.Request) {
	if client, secret, ok := r.BasicAuth(); !ok || client != b.client || secret != b.secret {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"access_token": b.accessToken, "token_type": "Bearer", "expires_in": 3600}
	_ = json.NewEncoder(w).Encode(answer) // the client went
}

func (b *backend) serveMetrics(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	content, err := io.ReadAll(io.LimitReader(body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(content); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.take(request.Metrics())
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// take notes the gauges and sums of metrics; the tests send no others.
func (b *backend) take(metrics pmetric.Metrics) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rm := range metrics.ResourceMetrics().All() {
		instance := ""
		if value, ok := rm.Resource().Attributes().Get("service.instance.id"); ok {
			instance = strings.Clone(value.Str())
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				points := pmetric.NewNumberDataPointSlice()
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					points = m.Gauge().DataPoints()
				case pmetric.MetricTypeSum:
					points = m.Sum().DataPoints()
				default:
				}
				s := series{strings.Clone(m.Name()), instance}
				for _, p := range points.All() {
					if p.Flags().NoRecordedValue() {
						continue
					}
					value := p.DoubleValue()
					if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
						value = float64(p.IntValue())
					}
					b.values[s] = append(b.values[s], value)
				}
			}
		}
	}
}
