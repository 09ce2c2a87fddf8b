//go:build e2e

package scale

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// way is one from Felix to Prometheus: over a gateway if it has configurations.
type way struct {
	name           string
	agent, gateway []string
	// between says how an agent reaches a gateway, and what both need for it.
	between func(t *testing.T) (l *link, agent, gateway []string)
}

var ways = []way{
	{name: "remote write", agent: []string{"backends/remote-write.yaml"}},
	{name: "gateway", agent: []string{"backends/otlp-grpc.yaml", "auth/otlp-grpc-bearer.yaml"}, gateway: []string{"backends/remote-write.yaml"}, between: overOTLP},
	{
		name: "Kafka", agent: []string{"backends/kafka.yaml"}, gateway: []string{"receivers/kafka.yaml", "backends/remote-write.yaml"}, between: overKafka,
	},
}

// TestCostsOfASample prints what samples of Felix cost on each way: only that they arrive is required. Of what is not steady, such as memory, it prints the most.
func TestCostsOfASample(t *testing.T) {
	skipUnlessFull(t)
	const nodes, rounds = 40, 60
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			s := newSetup(t, w, nodes, time.Second)
			s.felix.pass(t, 20*nodes)
			s.measure(t, rounds)
			if len(w.gateway) == 0 {
				s.measureQueue(t, 30)
			}
		})
	}
}

// TestOneScrapesAll prints what one collector needs that scrapes the Felix of so many nodes.
func TestOneScrapesAll(t *testing.T) {
	skipUnlessFull(t)
	for _, nodes := range []int{1, 1_000, 2_000, 5_000} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			s := newSetup(t, ways[0], nodes, 30*time.Second)
			s.felix.pass(t, 2*nodes)
			s.measure(t, 2)
		})
	}
}

func skipUnlessFull(t *testing.T) {
	t.Helper()
	if os.Getenv("SCALE") != "full" {
		t.Skip("`make scale` measures")
	}
}

// setup is a way with what is on it.
type setup struct {
	nodes          int
	felix          *fleet
	front          *front
	link           *link
	prometheus     string
	agent, gateway *collector
}

// collector is one that is measured, with what it keeps and the URL of its own metrics.
type collector struct {
	*labtest.Collector
	storage, metrics string
}

func newCollector(t *testing.T, configs []string, env ...string) *collector {
	t.Helper()
	port := labtest.FreePort(t)
	c := &collector{storage: t.TempDir(), metrics: "http://localhost:" + port}
	paths := make([]string, len(configs))
	for i, config := range configs {
		paths[i] = config
		if !filepath.IsAbs(config) {
			paths[i] = "../../configs/" + config
		}
	}
	c.Collector = labtest.StartCollector(t, paths, append(env, "STORAGE_DIRECTORY="+c.storage, "TELEMETRY_METRICS_PORT="+port)...)
	require.Eventually(t, func() bool { return c.Contains("Everything is ready") }, patience, poll)
	return c
}

func newSetup(t *testing.T, w way, nodes int, interval time.Duration) *setup {
	t.Helper()
	s := &setup{nodes: nodes, felix: newFleet(t), prometheus: labtest.StartPrometheus(t, "scrape_configs: []\n")}
	s.front = newFront(t, s.prometheus)
	toPrometheus := []string{"REMOTE_WRITE_ENDPOINT=" + s.front.URL + "/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:" + labtest.FreePort(t)}
	// Without fsync: what the disk costs is for TestGatewayIsPushed to say.
	toPrometheus = append(toPrometheus, "STORAGE_FSYNC=false")
	toGateway := toPrometheus
	if len(w.gateway) > 0 {
		var ofGateway []string
		s.link, toGateway, ofGateway = w.between(t)
		s.gateway = newCollector(t, append([]string{"gateway.yaml"}, w.gateway...), append(toPrometheus, ofGateway...)...)
	}
	// In a file, because a variable cannot have as many.
	endpoints := filepath.Join(t.TempDir(), "endpoints.yaml")
	require.NoError(t, os.WriteFile(endpoints, []byte("receivers: {calico: {felix: {endpoints: "+s.felix.endpoints(nodes)+"}}}\n"), 0o600))
	s.agent = newCollector(t, append(append([]string{"sidecar.yaml"}, w.agent...), endpoints),
		append(toGateway, "STORAGE_FSYNC=false", "K8S_CLUSTER_NAME=scale", "CALICO_COLLECTION_INTERVAL="+interval.String())...)
	return s
}

func overOTLP(t *testing.T) (l *link, agent, gateway []string) {
	t.Helper()
	authority, port := pki.NewAuthority(t), labtest.FreePort(t)
	server, token := authority.Issue(t), labtest.SecretFile(t, "t0ken")
	l = newLink(t, "127.0.0.1:"+port)
	return l, []string{"OTLP_ENDPOINT=" + l.address, "OTLP_CA_FILE=" + authority.File, "OTLP_TOKEN_FILE=" + token}, []string{
		"OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT=" + port, "OTLP_HTTP_PORT=" + labtest.FreePort(t),
		"TLS_CERT_FILE=" + server.CertFile, "TLS_KEY_FILE=" + server.KeyFile, "BEARER_TOKEN_FILE=" + token,
	}
}

func overKafka(t *testing.T) (l *link, agent, gateway []string) {
	t.Helper()
	listen := "127.0.0.1:" + labtest.FreePort(t)
	l = newLink(t, listen)
	cmd := exec.Command(os.Getenv("LAB"), "kafka", "--listen", listen, "--advertise", l.address, "--topic", "scale", "--partitions", "1")
	var output labtest.Output
	cmd.Stdout, cmd.Stderr = &output, &output
	stop, _, err := labtest.Run(cmd)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	require.Eventually(t, func() bool { return output.Contains(l.address) }, patience, poll, "the broker listens")
	env := []string{"KAFKA_BROKERS=[\"" + l.address + "\"]", "KAFKA_TOPIC=scale", "KAFKA_INSECURE=true"}
	return l, append(env, "KAFKA_HOP=127.0.0.1:"+labtest.FreePort(t)), env
}

// taken is how many samples Prometheus has taken.
func (s *setup) taken(t *testing.T) float64 {
	t.Helper()
	return number(t, s.prometheus, `prometheus_tsdb_head_samples_appended_total{type="float"}`)
}

// measure prints what so many rounds of scrapes cost.
func (s *setup) measure(t *testing.T, rounds int) {
	t.Helper()
	type state struct {
		samples, received, sent, backend float64
		agent, gateway                   time.Duration
	}
	now := func() (at state) {
		at = state{samples: s.taken(t), received: float64(s.front.received.Load()), backend: number(t, s.prometheus, "process_cpu_seconds_total"), agent: s.agent.CPU(t)}
		if s.gateway != nil {
			at.sent, at.gateway = float64(s.link.sent.Load()), s.gateway.CPU(t)
		}
		return at
	}
	begin, before := time.Now(), now()
	agentMemory, gatewayMemory := 0, 0
	for range rounds {
		s.felix.pass(t, s.nodes)
		agentMemory = max(agentMemory, s.agent.Anonymous(t))
		if s.gateway != nil {
			gatewayMemory = max(gatewayMemory, s.gateway.Anonymous(t))
		}
	}
	after := now()
	samples := after.samples - before.samples
	require.NotZero(t, samples)
	t.Logf("%.0f samples, %.0f/s, %.0f a scrape", samples, samples/time.Since(begin).Seconds(), samplesOfFelix(t))
	perMillion := func(of time.Duration) string {
		return fmt.Sprintf("%.1f s of CPU a million samples", of.Seconds()/samples*1e6)
	}
	t.Logf("agent: %s, at most %s MiB of anonymous memory", perMillion(after.agent-before.agent), mib(agentMemory))
	t.Logf("Prometheus: %s; %.1f bytes a sample of remote write", perMillion(time.Duration((after.backend-before.backend)*float64(time.Second))),
		(after.received-before.received)/samples)
	if s.gateway != nil {
		t.Logf("gateway: %s, at most %s MiB of anonymous memory; %.1f bytes a sample from the agent",
			perMillion(after.gateway-before.gateway), mib(gatewayMemory), (after.sent-before.sent)/samples)
	}
	// Else the machine is too slow or too busy, and the figures say little.
	require.Greater(t, samples, 0.9*samplesOfFelix(t)*float64(rounds*s.nodes), "what is scraped arrives, and does not wait")
}

// measureQueue prints what a sample takes in the queue of an agent, by its size and on the disk, while the backend is away for so many rounds.
func (s *setup) measureQueue(t *testing.T, rounds int) {
	t.Helper()
	s.front.away.Store(true)
	s.felix.pass(t, 2*s.nodes)
	size := func() float64 { return number(t, s.agent.metrics, "otelcol_exporter_queue_size") }
	scrapes, waiting, stored := s.felix.scrapes.Load(), size(), disk(t, s.agent.storage)
	s.felix.pass(t, rounds*s.nodes)
	samples := samplesOfFelix(t) * float64(s.felix.scrapes.Load()-scrapes)
	t.Logf("queue: %.1f bytes a sample by its size, %.1f on the disk", (size()-waiting)/samples, (disk(t, s.agent.storage)-stored)/samples)
	s.front.away.Store(false)
	begin, taken, left := time.Now(), s.taken(t), size()
	s.felix.pass(t, rounds*s.nodes)
	t.Logf("after it: %.0f samples/s arrived, and what waited went from %s to %s MiB in %s",
		(s.taken(t)-taken)/time.Since(begin).Seconds(), mib(int(left)), mib(int(size())), time.Since(begin).Round(time.Second))
}

// samplesOfFelix is how many a scrape of it has in the profile essential, up and scrape_* included.
func samplesOfFelix(t *testing.T) float64 {
	t.Helper()
	samples := 5.
	for line := range strings.Lines(string(capture(t, "felix"))) {
		name := line[:strings.IndexAny(line, "_ ")+1]
		if !slices.Contains([]string{"# ", "go_", "process_", "promhttp_"}, name) {
			samples++
		}
	}
	return samples
}

func disk(t *testing.T, directory string) (total float64) {
	t.Helper()
	files, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, file := range files {
		if info, err := file.Info(); err == nil {
			total += float64(info.Size())
		}
	}
	return total
}

// capture is what a component of Calico served once.
func capture(t *testing.T, component string) []byte {
	t.Helper()
	content, err := os.ReadFile("../../receiver/calicoreceiver/internal/scrape/testdata/" + component + ".prom")
	require.NoError(t, err)
	return content
}
