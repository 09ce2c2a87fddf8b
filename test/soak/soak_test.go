//go:build e2e

package soak

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

const (
	// interval is as short as the receiver takes it: 30 times as short as it is by default.
	interval = time.Second
	patience = 3 * time.Minute
	poll     = 200 * time.Millisecond
	// The backend is away once a minute, which is half an hour of the day.
	outageEvery = time.Minute
	outage      = 8 * time.Second
)

// traffic is how many times everything is scraped, and how often processes are looked at: a day if SOAK=full, which `make soak` sets.
func traffic() (scrapes int, every time.Duration) {
	if os.Getenv("SOAK") == "full" {
		return 24 * 60 * 2, 5 * time.Second
	}
	return 150, time.Second
}

// TestADayLeavesNothingBehind is short unless SOAK=full. What grows with the time of the clock, as the histories of pools do up to their size, it does not see.
func TestADayLeavesNothingBehind(t *testing.T) {
	scrapes, every := traffic()
	prometheus := labtest.StartPrometheus(t, "scrape_configs: []\n")
	front := newFront(t, prometheus)
	endpoints := map[string][]*endpoint{
		"FELIX_ENDPOINTS":            {newEndpoint(t, "felix", 0), newEndpoint(t, "felix", 10), newEndpoint(t, "felix", 20)},
		"TYPHA_ENDPOINTS":            {newEndpoint(t, "typha", 5)},
		"KUBE_CONTROLLERS_ENDPOINTS": {newEndpoint(t, "kube-controllers", 0)},
	}
	agent, gateway := start(t, front.URL, endpoints)
	controllers := endpoints["KUBE_CONTROLLERS_ENDPOINTS"][0]

	begin, clock := time.Now(), time.NewTicker(every)
	defer clock.Stop()
	for count := 0; count < scrapes; count, _ = controllers.scraped() {
		select {
		case <-clock.C:
		case <-agent.Ended():
			t.Fatal("the agent ended")
		case <-gateway.Ended():
			t.Fatal("the gateway ended")
		}
		front.away.Store(time.Since(begin)%outageEvery > outageEvery-outage)
		agent.read(t)
		gateway.read(t)
	}
	front.away.Store(false)
	t.Logf("%d scrapes of each endpoint in %s, %d requests of remote write, %d of them during %d outages",
		scrapes, time.Since(begin).Round(time.Second), front.taken.Load()+front.refused.Load(), front.refused.Load(), time.Since(begin)/outageEvery)
	agent.judge(t)
	gateway.judge(t)
	requireAllArrived(t, prometheus, endpoints)
}

// start starts an agent that scrapes the endpoints, and the gateway that it sends to.
func start(t *testing.T, backend string, endpoints map[string][]*endpoint) (agent, gateway *process) {
	t.Helper()
	authority := pki.NewAuthority(t)
	server, token := authority.Issue(t), labtest.SecretFile(t, "t0ken")
	port := labtest.FreePort(t)
	gateway = newProcess(t, "gateway", []string{"../../configs/gateway.yaml", "../../configs/backends/remote-write.yaml", "testdata/fast.yaml"},
		"OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT="+port, "OTLP_HTTP_PORT="+labtest.FreePort(t),
		"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+token,
		"REMOTE_WRITE_ENDPOINT="+backend+"/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:"+labtest.FreePort(t))
	env := []string{
		"K8S_CLUSTER_NAME=soak", "CALICO_COLLECTION_INTERVAL=" + interval.String(),
		"OTLP_ENDPOINT=localhost:" + port, "OTLP_CA_FILE=" + authority.File, "OTLP_TOKEN_FILE=" + token,
	}
	for name, of := range endpoints {
		var urls []string
		for _, e := range of {
			urls = append(urls, e.URL+"/metrics")
		}
		env = append(env, name+"=["+strings.Join(urls, ", ")+"]")
	}
	agent = newProcess(t, "agent",
		[]string{"../../configs/sidecar.yaml", "../../configs/backends/otlp-grpc.yaml", "../../configs/auth/otlp-grpc-bearer.yaml"}, env...)
	return agent, gateway
}

// front is what stands before Prometheus, and is away at times.
type front struct {
	*httptest.Server
	away           atomic.Bool
	taken, refused atomic.Int64
}

func newFront(t *testing.T, prometheus string) *front {
	t.Helper()
	target, err := url.Parse(prometheus)
	require.NoError(t, err)
	f, pass := &front{}, httputil.NewSingleHostReverseProxy(target)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.away.Load() {
			f.refused.Add(1)
			panic(http.ErrAbortHandler)
		}
		f.taken.Add(1)
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// requireAllArrived requires that Prometheus has a sample of up for each time that an endpoint was scraped, all samples that these scrapes had, and what was
// derived for every pool that there was.
func requireAllArrived(t *testing.T, address string, endpoints map[string][]*endpoint) {
	t.Helper()
	now := time.Now()
	pools := float64(endpoints["KUBE_CONTROLLERS_ENDPOINTS"][0].pools())
	prometheus := labtest.PrometheusAPI(t, address)
	for _, of := range endpoints {
		for _, e := range of {
			// Up to the middle between the last scrape and the next.
			count, last := e.scraped()
			awaitValue(t, prometheus, float64(count), last.Add(interval/2), fmt.Sprintf("count_over_time(up{instance=%q}[1d])", e.Listener.Addr()))
		}
	}
	const scraped = `{job=~"calico-(felix|typha|kube-controllers)"}`
	names, _, err := prometheus.LabelValues(t.Context(), "__name__", []string{scraped}, now.Add(-24*time.Hour), now)
	require.NoError(t, err)
	held := 0.
	for _, name := range names {
		if name != "up" && !strings.HasPrefix(string(name), "scrape_") {
			held += valueOf(t, prometheus, now, fmt.Sprintf("sum(count_over_time(%s%s[1d]))", name, scraped))
		}
	}
	awaitValue(t, prometheus, held, now, fmt.Sprintf("sum(sum_over_time(scrape_samples_post_metric_relabeling%s[1d]))", scraped))
	awaitValue(t, prometheus, pools, now, `count(count_over_time(calico_ipam_pool_utilization_ratio{ippool=~"pool-.*"}[1d]))`)
}

// awaitValue waits until a query about some time has a value.
func awaitValue(t *testing.T, prometheus promv1.API, want float64, at time.Time, query string) {
	t.Helper()
	var got float64
	require.Eventually(t, func() bool {
		got = valueOf(t, prometheus, at, query)
		return got == want
	}, patience, poll, "%s is not %v", query, want)
	t.Logf("%.0f: %s", got, query)
}

// valueOf is what a query about some time finds, 0 for nothing, and no number if it fails.
func valueOf(t *testing.T, prometheus promv1.API, at time.Time, query string) float64 {
	t.Helper()
	vector, err := labtest.Query(t.Context(), prometheus, query, at)
	switch {
	case err != nil:
		return math.NaN()
	case len(vector) == 0:
		return 0
	}
	return float64(vector[0].Value)
}
