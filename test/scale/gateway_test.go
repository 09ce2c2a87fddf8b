//go:build e2e

package scale

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // what agents compress with
	"google.golang.org/grpc/metadata"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// TestGatewayIsPushed prints what a gateway on one core takes and passes on when it gets as much as it takes: only that it passes on all is required.
// A request is one scrape of Felix, as agents on each node send them, or a batch as large as agents make them, as one for the cluster sends them.
func TestGatewayIsPushed(t *testing.T) {
	skipUnlessFull(t)
	scrape, samples := recordFelix(t), samplesOfFelix(t)
	for name, c := range map[string]struct {
		agents, scrapes int
		fsync           string
	}{
		"one scrape a request":                  {100, 1, "true"},
		"one scrape a request, fsync off":       {100, 1, "false"},
		"40 scrapes a request, from 4 clusters": {4, 40, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPushed(t, "STORAGE_FSYNC="+c.fsync, "GOMAXPROCS=1")
			begin, before := time.Now(), p.gateway.CPU(t)
			taken := p.push(t, c.agents, 20*time.Second, func(agent int) pmetricotlp.ExportRequest { return requestOf(scrape, agent, c.scrapes) })
			pushed, memory := time.Since(begin), p.gateway.Anonymous(t)
			require.NotZero(t, taken)
			require.Eventually(t, func() bool { return number(t, p.gateway.metrics, "otelcol_exporter_queue_size") == 0 }, patience, poll)
			total, passed := float64(taken*c.scrapes)*samples, time.Since(begin)
			t.Logf("%.0f requests/s and %.0f samples/s were taken, %.0f samples/s passed on; %.1f s of CPU a million samples, %.2f ms a request, %s MiB of anonymous memory",
				float64(taken)/pushed.Seconds(), total/pushed.Seconds(), total/passed.Seconds(),
				(p.gateway.CPU(t)-before).Seconds()/total*1e6, float64((p.gateway.CPU(t)-before).Milliseconds())/float64(taken), mib(memory))
			t.Logf("%.1f bytes a sample from the agents, %.1f of remote write", float64(p.link.sent.Load())/total, float64(p.front.received.Load())/total)
		})
	}
}

// pushed is a gateway with nothing behind it but what takes all.
type pushed struct {
	gateway *collector
	front   *front
	link    *link
	ca      *pki.Authority
}

func newPushed(t *testing.T, env ...string) *pushed {
	t.Helper()
	p := &pushed{front: newFront(t, ""), ca: pki.NewAuthority(t)}
	server, port := p.ca.Issue(t), labtest.FreePort(t)
	p.link = newLink(t, "127.0.0.1:"+port)
	p.gateway = newCollector(t, []string{"gateway.yaml", "backends/remote-write.yaml"}, append(env,
		"OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT="+port, "OTLP_HTTP_PORT="+labtest.FreePort(t),
		"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+labtest.SecretFile(t, "t0ken"),
		"REMOTE_WRITE_ENDPOINT="+p.front.URL+"/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:"+labtest.FreePort(t))...)
	return p
}

// push has so many agents send for so long, each its next request as soon as the last was answered, and returns how many were taken.
func (p *pushed) push(t *testing.T, agents int, d time.Duration, request func(agent int) pmetricotlp.ExportRequest) int {
	t.Helper()
	ctx, until := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer t0ken"), time.Now().Add(d)
	var taken atomic.Int64
	var work errgroup.Group
	for agent := range agents {
		connection, err := grpc.NewClient(p.link.address, grpc.WithTransportCredentials(credentials.NewTLS(p.ca.Trust())))
		require.NoError(t, err)
		t.Cleanup(func() { _ = connection.Close() })
		body := request(agent)
		work.Go(func() error {
			for client := pmetricotlp.NewGRPCClient(connection); ; taken.Add(1) {
				if _, err := client.Export(ctx, body, grpc.UseCompressor("gzip"), grpc.WaitForReady(true)); err != nil {
					return err
				}
				if time.Now().After(until) {
					return nil
				}
			}
		})
	}
	require.NoError(t, work.Wait())
	return int(taken.Load()) + agents
}

// requestOf has so many scrapes of nodes of a cluster.
func requestOf(scrape pmetric.ResourceMetrics, cluster, scrapes int) pmetricotlp.ExportRequest {
	metrics := pmetric.NewMetrics()
	for node := range scrapes {
		rm := metrics.ResourceMetrics().AppendEmpty()
		scrape.CopyTo(rm)
		rm.Resource().Attributes().PutStr("k8s.cluster.name", fmt.Sprintf("cluster-%d", cluster))
		rm.Resource().Attributes().PutStr("service.instance.id", fmt.Sprintf("10.0.%d.%d:9091", node/250, node%250))
	}
	return pmetricotlp.NewExportRequestFromMetrics(metrics)
}

// recordFelix is a scrape of Felix as an agent sends it.
func recordFelix(t *testing.T) (scrape pmetric.ResourceMetrics) {
	t.Helper()
	got := make(chan pmetric.ResourceMetrics, 1)
	recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := decode(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, rm := range request.Metrics().ResourceMetrics().All() {
			if job, _ := rm.Resource().Attributes().Get("service.name"); job.AsString() == "calico-felix" {
				select {
				case got <- rm:
				default:
				}
			}
		}
	}))
	t.Cleanup(recorder.Close)
	agent := newCollector(t, []string{"sidecar.yaml", "backends/otlp-http.yaml"}, "OTLP_HTTP_ENDPOINT="+recorder.URL,
		"FELIX_ENDPOINTS="+newFleet(t).endpoints(1), "CALICO_COLLECTION_INTERVAL=1s")
	scrape = <-got
	agent.Stop(t)
	return scrape
}
