//go:build e2e

package faults

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

const (
	kafkaTopic = "otelcol-calico"
	// kafkaAuth is the user of the broker, as configurations want it.
	kafkaAuth = `KAFKA_AUTH={sasl: {mechanism: SCRAM-SHA-512, username: collectors, password: "pass: word"}}`
)

// latePrometheus takes samples that come after newer ones, which agents and gateways cannot rule out where something is killed.
const latePrometheus = prometheusConfig + `storage:
  tsdb:
    out_of_order_time_window: 30m
`

// TestKafkaLosesNothing has agents of two clusters write to a topic of two partitions, which two gateways share. First a gateway is killed, and the other has
// both clusters for as long as it is away. Then the broker is away. The broker is no Kafka: it is kfake, with one copy of everything, in memory.
func TestKafkaLosesNothing(t *testing.T) {
	t.Parallel()
	broker, env := startBroker(t, "2")
	f := newFleet(t, latePrometheus)
	gatewayConfigs := []string{"../../configs/receivers/kafka.yaml"}
	killed, other := f.addGateway(t, gatewayConfigs, env...), f.addGateway(t, gatewayConfigs, env...)
	for _, g := range f.gateways {
		g.start(t)
	}
	for _, cluster := range []string{"red", "blue"} { // whose keys are of different partitions
		f.addAgent(t, cluster, []string{"../../configs/backends/kafka.yaml"}, append(slices.Clone(env), "KAFKA_HOP=127.0.0.1:"+labtest.FreePort(t))...).start(t)
	}
	f.awaitOneEach(t)
	f.stayOneEach(t, 5*time.Second)

	// What it has noted in Kafka and not sent is on its disk alone.
	killed.backend.stop()
	f.pass(t, 3*time.Second)
	killed.collector.Kill()
	killed.backend.start(t)
	at := time.Now()
	require.Eventually(t, func() bool { return len(other.clusters(at)) == len(f.agents) }, patience, poll, "the other gateway takes over")
	t.Logf("the other gateway has both clusters %s after the kill", time.Since(at).Round(time.Millisecond))

	killed.startWith(t, "MEMORY_LIMIT_MIB=8")
	require.Eventually(t, func() bool { return killed.collector.Contains("Backing off due to error") }, patience, poll, "it has no memory for what it reads")
	killed.collector.Stop(t)
	killed.start(t)
	f.awaitOneEach(t)
	row := f.settle(t, "gateway killed with a queue, short of memory, well again", "Kafka", at)
	results.add(row, "0")
	require.Zero(t, row.lost)
	// The other has read again what the killed one had not noted yet: not more than one round of records, which has what came within a moment.
	require.Less(t, row.duplicated, row.sent/10)

	broker.cut()
	f.pass(t, 10*time.Second)
	agent := f.agents[0]
	agent.collector.Kill()
	agent.start(t)
	f.pass(t, 10*time.Second)
	broker.heal(t)
	healed := time.Now()
	f.pass(t, time.Second)
	row = f.settle(t, "broker away for 20s, agent killed", "Kafka", healed)
	results.add(row, "0")
	require.Zero(t, row.lost)
	// What comes to Prometheus after newer samples is what one gateway still had in its queue when the partition went to the other. Each of them sends in order.
	for _, g := range f.gateways {
		require.Zero(t, g.disordered())
	}
	f.awaitOneEach(t)
	require.Zero(t, f.front.refusals())
}

// awaitOneEach waits until every gateway has one cluster for itself, and had for some scrapes.
func (f *fleet) awaitOneEach(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return f.oneEach(time.Now().Add(-5 * interval)) }, patience, poll, "each cluster is at one gateway")
}

// stayOneEach lets time go by, in which no gateway gets anything of the other's cluster.
func (f *fleet) stayOneEach(t *testing.T, d time.Duration) {
	t.Helper()
	since := time.Now()
	f.pass(t, d)
	require.True(t, f.oneEach(since), "%v and %v", f.gateways[0].clusters(since), f.gateways[1].clusters(since))
}

// startBroker starts a broker behind a forwarder, and returns what collectors need to reach it. It lets nobody in without a password, and has TLS.
func startBroker(t *testing.T, partitions string) (*forwarder, []string) {
	t.Helper()
	listen := "127.0.0.1:" + labtest.FreePort(t)
	front := newForwarder(t, listen)
	authority := pki.NewAuthority(t)
	server := authority.Issue(t)
	cmd := exec.Command(os.Getenv("LAB"), "kafka", "--listen", listen, "--advertise", front.address, "--topic", kafkaTopic, "--partitions", partitions,
		"--cert", server.CertFile, "--key", server.KeyFile, "--user", "collectors", "--password", "pass: word")
	var output labtest.Output
	cmd.Stdout, cmd.Stderr = &output, &output
	stop, _, err := labtest.Run(cmd)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	require.Eventually(t, func() bool { return output.Contains(front.address) }, patience, poll, "the broker listens")
	return front, []string{"KAFKA_BROKERS=[\"" + front.address + "\"]", "KAFKA_TOPIC=" + kafkaTopic, "KAFKA_CA_FILE=" + authority.File, kafkaAuth}
}
