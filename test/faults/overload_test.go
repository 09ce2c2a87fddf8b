//go:build e2e

package faults

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// uncontained is what a collector finds out by itself in a container of 512 MiB.
var uncontained = []string{"GOMEMLIMIT=307MiB", "MEMORY_LIMIT_MIB=410"}

const (
	// What a scrape may bring by default, and what fits into a container of 512 MiB.
	sampleLimit = 200_000
	memory      = 512 << 20

	memoryRefused = "otelcol_processor_memory_limiter_refused_metric_points"
)

// exposition is a Typha that serves as many series as it is told to.
type exposition struct {
	url    string
	series atomic.Int64
}

func newExposition(t *testing.T, series int64) *exposition {
	t.Helper()
	e := &exposition{}
	e.series.Store(series)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		body := bufio.NewWriter(w)
		fmt.Fprintln(body, "# TYPE typha_load gauge")
		for i := range e.series.Load() {
			fmt.Fprintf(body, "typha_load{series=\"series-%06d\",syncer=\"felix\"} %d\n", i, i)
		}
		_ = body.Flush() // who asked may be gone
	}))
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

// endpoints are this Typha, and the kube-controllers of the lab.
func (e *exposition) endpoints(t *testing.T) []string {
	t.Helper()
	return append(endpoints(t), "TYPHA_ENDPOINTS=["+e.url+"/metrics]") // the last one counts
}

// contain has a collector run in a memory cgroup, where the kernel ends what takes more. It returns false where no cgroup can be made.
func (m *member) contain(t *testing.T, limit int) bool {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	require.NoError(t, err)
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		root, file := "/sys/fs/cgroup/memory", "memory.limit_in_bytes" // version 1
		if fields[0] == "0" {
			root, file = "/sys/fs/cgroup", "memory.max"
		} else if fields[1] != "memory" {
			continue
		}
		dir := filepath.Join(root, fields[2], "overload-"+m.telemetry)
		if err := os.Mkdir(dir, 0o700); err != nil {
			continue
		}
		t.Cleanup(func() { // after the collector has ended
			require.Eventually(t, func() bool { err := os.Remove(dir); return err == nil || errors.Is(err, os.ErrNotExist) }, patience, poll)
		})
		limitFile, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
		if err != nil {
			continue // the controller is not at hand
		}
		_, err = limitFile.WriteString(strconv.Itoa(limit))
		require.NoError(t, errors.Join(err, limitFile.Close()))
		m.under = []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(dir, "cgroup.procs")}
		return true
	}
	return false
}

// TestAScrapeOfManySeriesStaysWithinTheLimitOfMemory scrapes as many series as the default limits let pass. All of them arrive, with the memory of a container
// of 512 MiB: where a cgroup can be made the kernel ends the collector if it takes more, and everywhere what it holds is measured.
func TestAScrapeOfManySeriesStaysWithinTheLimitOfMemory(t *testing.T) {
	t.Parallel()
	prometheus := labtest.StartPrometheus(t, prometheusConfig)
	// The timeout is longer than the default so that a busy machine is no failed scrape.
	m := newMember(t, []string{"../../configs/sidecar.yaml", "../../configs/backends/remote-write.yaml", "yaml:receivers::calico::timeout: 15s"},
		append(toRemoteWrite(t, prometheus), "TYPHA_ENDPOINTS=["+newExposition(t, sampleLimit).url+"/metrics]",
			"K8S_CLUSTER_NAME=huge", "CALICO_COLLECTION_INTERVAL=15s"))
	contained := m.contain(t, memory)
	if !contained {
		m.env = append(m.env, uncontained...)
	}
	m.start(t)

	// What is garbage for a moment is held as well, so it is looked at often.
	peak, asked := 0, time.Now()
	const scrapes = 3
	for deadline := asked.Add(5 * patience); ; <-time.After(20 * time.Millisecond) {
		select {
		case <-m.collector.Ended():
			t.Fatal("the collector has ended")
		default:
		}
		peak = max(peak, m.collector.Anonymous(t))
		if time.Since(asked) < time.Second {
			continue
		}
		asked = time.Now()
		up, samples := query(t, prometheus, `sum(sum_over_time(up{job="calico-typha"}[1h]))`), query(t, prometheus, `sum(count_over_time(typha_load[1h]))`)
		if up >= scrapes && samples >= scrapes*sampleLimit {
			break
		}
		require.True(t, asked.Before(deadline), "%g samples of %g scrapes have arrived", samples, up)
	}
	t.Logf("%d MiB at most, in a cgroup: %t; %g points were refused", peak>>20, contained, m.own(t, memoryRefused))
	require.Less(t, peak, memory)
	require.Zero(t, m.own(t, memoryRefused))
}

// TestLimitsAreReachedInOrderAndSaidSo has one limit after the other reached: by an endpoint alone, by the memory, by the queue. Each has its alert, of
// those that are published, in a Prometheus that scrapes the collector.
func TestLimitsAreReachedInOrderAndSaidSo(t *testing.T) {
	t.Parallel()
	const few = 1000
	e := newExposition(t, few)
	m := newMember(t, []string{"../../configs/sidecar.yaml", "../../configs/backends/remote-write.yaml"}, slices.Concat(e.endpoints(t), uncontained, []string{
		"K8S_CLUSTER_NAME=overload", "CALICO_COLLECTION_INTERVAL=2s", "REMOTE_WRITE_QUEUE_SIZE=1000000",
	}))
	prometheus := labtest.StartPrometheus(t, fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: otelcol-calico
    static_configs: [{targets: ["localhost:%s"]}]
`, promptly(t, "../../monitoring/alerts/collector.yaml"), m.telemetry))
	back := newBackend(t, prometheus)
	m.env = append(m.env, toRemoteWrite(t, back.url)...)
	m.start(t)
	fires := func(alert string) func() bool {
		return func() bool {
			return query(t, prometheus, `count(ALERTS{alertstate="firing",alertname="`+alert+`"})`) > 0
		}
	}
	arrives := func(expression string) {
		t.Helper()
		require.Eventually(t, func() bool { return query(t, prometheus, expression) > 0 }, patience, poll, expression)
	}
	arrives(`sum(otelcol_exporter_sent_metric_points{exporter="prometheus_remote_write"}) > 2000`)
	arrives(`up{job="calico-typha"}`)
	require.Zero(t, query(t, prometheus, `count(ALERTS)`), "all is well")

	// The endpoint alone.
	e.series.Store(sampleLimit + 1)
	require.Eventually(t, fires("CalicoCollectorScrapeLimit"), patience, poll)
	arrives(`up{job="calico-typha"} == bool 0`)
	arrives(`up{job="calico-kube-controllers"}`)
	require.Zero(t, query(t, prometheus, `count(ALERTS{alertname!="CalicoCollectorScrapeLimit"})`), "nothing else is shed")
	e.series.Store(few)
	require.Eventually(t, func() bool { return !fires("CalicoCollectorScrapeLimit")() }, patience, poll)
	arrives(`up{job="calico-typha"}`)

	// The queue: what is new is refused, and what waits is kept.
	back.stop()
	require.Eventually(t, fires("CalicoCollectorQueueFilling"), patience, poll)
	require.Eventually(t, fires("CalicoCollectorQueueFull"), patience, poll)
	require.False(t, fires("CalicoCollectorMemoryLimit")())
	before := back.taken.len()
	back.start(t)
	require.Eventually(t, func() bool { return back.taken.len() > before+few }, patience, poll)
	require.Eventually(t, func() bool { return !fires("CalicoCollectorQueueFilling")() }, patience, poll)

	// Memory: all scrapes are refused, and the collector lives.
	m.collector.Stop(t)
	m.startWith(t, "MEMORY_LIMIT_MIB=8")
	require.Eventually(t, fires("CalicoCollectorMemoryLimit"), patience, poll)
	require.Positive(t, m.own(t, "otelcol_receiver_refused_metric_points"))
	m.collector.Stop(t)
	m.start(t)
	before = back.taken.len()
	require.Eventually(t, func() bool { return back.taken.len() > before+few }, patience, poll, "it recovers")
}

// TestAGatewayShortOfMemoryLosesNothing has a gateway refuse all that agents send. They keep it, and send it once there is memory.
func TestAGatewayShortOfMemoryLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, prometheusConfig)
	authority := pki.NewAuthority(t)
	server, token, port := authority.Issue(t), labtest.SecretFile(t, "t0ken"), labtest.FreePort(t)
	gateway := f.addGateway(t, nil, "OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT="+port, "OTLP_HTTP_PORT="+labtest.FreePort(t),
		"TLS_CERT_FILE="+server.CertFile, "TLS_KEY_FILE="+server.KeyFile, "BEARER_TOKEN_FILE="+token)
	gateway.start(t)
	for _, cluster := range []string{"red", "blue", "green"} {
		f.addAgent(t, cluster, []string{"../../configs/backends/otlp-grpc.yaml", "../../configs/auth/otlp-grpc-bearer.yaml"},
			"OTLP_ENDPOINT=localhost:"+port, "OTLP_CA_FILE="+authority.File, "OTLP_TOKEN_FILE="+token).start(t)
	}
	require.Eventually(t, func() bool { return len(gateway.clusters(time.Time{})) == len(f.agents) }, patience, poll)

	gateway.collector.Stop(t)
	at := time.Now()
	gateway.startWith(t, "MEMORY_LIMIT_MIB=8")
	require.Eventually(t, func() bool { return gateway.collector.Contains("Refusing data") }, patience, poll)
	f.pass(t, 10*time.Second)
	require.Positive(t, gateway.own(t, memoryRefused))
	require.Empty(t, gateway.clusters(at.Add(5*time.Second)), "it takes nothing")
	gateway.collector.Stop(t)
	gateway.start(t)
	healed := time.Now()
	f.pass(t, time.Second)
	row := f.settle(t, "gateway short of memory", "gateway, remote write", healed)
	results.add(row, "0")
	require.Zero(t, row.lost)
	require.Zero(t, row.disordered)
}

// promptly is a copy of a file of rules whose alerts do not wait before they fire.
func promptly(t *testing.T, file string) string {
	t.Helper()
	rules, err := os.ReadFile(file)
	require.NoError(t, err)
	waits := regexp.MustCompile(`(?m)^( +for): .*$`)
	require.Regexp(t, waits, string(rules))
	prompt := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(prompt, waits.ReplaceAll(rules, []byte("$1: 0s")), 0o600))
	return prompt
}

// query is the value of an expression in Prometheus: 0 where there is none.
func query(t *testing.T, prometheus, expression string) float64 {
	t.Helper()
	vector, err := labtest.Query(t.Context(), labtest.PrometheusAPI(t, prometheus), expression, time.Now())
	require.NoError(t, err)
	if len(vector) == 0 {
		return 0
	}
	return float64(vector[0].Value)
}
