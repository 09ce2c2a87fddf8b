//go:build e2e

package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

const enqueueFailed = "otelcol_exporter_enqueue_failed_metric_points"

// smallQueueSize is room for what comes in a minute. It cannot be less than a batch.
const smallQueueSize = 1_000_000

var smallQueue = []string{fmt.Sprintf("REMOTE_WRITE_QUEUE_SIZE=%d", smallQueueSize), fmt.Sprintf("PROMETHEUS_OTLP_QUEUE_SIZE=%d", smallQueueSize)}

// queueFull has the backend be away until the queue is full, and beyond. What comes then is refused and counted, and what waits is kept.
func queueFull(t *testing.T, g *rig) aftermath {
	t.Helper()
	require.Zero(t, g.collector.own(t, enqueueFailed))
	stopped := time.Now()
	g.backend.stop()
	require.Eventually(t, func() bool { return g.collector.own(t, enqueueFailed) > 0 }, 2*patience, poll, "it says so")
	g.pass(t, short)
	g.backend.start(t)
	require.Eventually(t, func() bool { return g.collector.own(t, "otelcol_exporter_queue_size") < smallQueueSize/2 }, patience, poll, "it has room")
	emptied := time.Now()
	return aftermath{
		healed: emptied, named: "while it is full",
		// When it was full within that time nobody knows exactly, but how much was refused.
		mayLose: func(s sample) bool { return s.at >= stopped.UnixMilli() && s.at <= emptied.UnixMilli() },
		counted: func() float64 { return g.collector.own(t, enqueueFailed) },
	}
}

// points is how many points samples are of. One of a summary or a histogram is several samples, of which one is the count.
func points(of []sample) (n int) {
	for _, s := range of {
		if !strings.Contains(s.series, `_sum",`) && !strings.Contains(s.series, `,quantile="`) && !strings.Contains(s.series, `,le="`) {
			n++
		}
	}
	return n
}

// own adds up what a metric of the collector itself says of all its exporters.
func (m *member) own(t *testing.T, name string) (value float64) {
	t.Helper()
	response, err := http.Get("http://localhost:" + m.telemetry + "/metrics") //nolint:noctx // a server of the test
	require.NoError(t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	for _, metric := range families[name].GetMetric() {
		value += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
	}
	return value
}
