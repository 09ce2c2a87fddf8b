//go:build e2e

package scale

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// lab is an API server with Calico's definitions and no Calico.
var lab *labtest.Lab

func TestMain(m *testing.M) {
	labtest.Main(m, func(l *labtest.Lab) { lab = l }, "--root", "../..", "--bare")
}

const (
	patience = 3 * time.Minute
	poll     = 200 * time.Millisecond
	// reports that are awaited before memory is read: the first ones make what is kept.
	reports = 3
)

var (
	large = population{nodes: 5_000, pools: 200, blocks: 20_000, inUse: 40, limit: 250 << 20}
	small = population{nodes: 250, pools: 20, blocks: 1_000, inUse: 40, limit: 64 << 20}
)

// TestLargeClusterIsCountedInLittleMemory is short unless SCALE=full; `make scale` sets it.
func TestLargeClusterIsCountedInLittleMemory(t *testing.T) {
	p, interval := small, 2*time.Second
	if os.Getenv("SCALE") == "full" {
		p, interval = large, 10*time.Second
	}
	lab.Command(t, "crds", "apply", "--group", "calico")
	backend := newBackend(t)

	idle := startCollector(t, backend.URL, interval)
	backend.await(t, reports, func(r report) bool { return r.pools == 0 })
	idleNow, idlePeak := idle.Memory(t)
	idle.Stop(t)

	begin := time.Now()
	p.create(t)
	t.Logf("%d nodes, %d pools, %d blocks were created in %s", p.nodes, p.pools, p.blocks, time.Since(begin).Round(time.Second))

	backend.reset()
	begin = time.Now()
	busy := startCollector(t, backend.URL, interval)
	counted := func(r report) bool { return r.size > 0 }
	backend.await(t, 1, counted)
	t.Logf("the account was there %s after the start", time.Since(begin).Round(100*time.Millisecond))
	computed, beginReports := busy.CPU(t), time.Now()
	last := backend.await(t, reports, counted)
	t.Logf("%.1f s of CPU in %s, of which are %d reports", (busy.CPU(t) - computed).Seconds(), time.Since(beginReports).Round(time.Second), reports-1)
	require.Equal(t, p.blocks*p.inUse, last.inUse, "every address is counted")
	require.Equal(t, p.blocks*p.inUse, last.allocated)
	require.Equal(t, p.pools<<16, last.size)
	now, peak := busy.Memory(t)
	busy.Stop(t)

	t.Logf("points a report: %d", last.points)
	t.Logf("memory, MiB: idle %s (peak %s), with the cluster %s (peak %s), above idle %s (peak %s)",
		mib(idleNow), mib(idlePeak), mib(now), mib(peak), mib(now-idleNow), mib(peak-idlePeak))
	require.Less(t, now-idleNow, p.limit, "resident memory above idle")
	require.Less(t, peak-idlePeak, p.limit, "and at its peak")
}

func mib(b int) string { return strconv.FormatFloat(float64(b)/(1<<20), 'f', 1, 64) }

func startCollector(t *testing.T, endpoint string, interval time.Duration) *labtest.Collector {
	t.Helper()
	return labtest.StartCollector(t, []string{"testdata/collector.yaml"},
		"KUBECONFIG="+lab.CollectorKubeconfig, "OTLP_ENDPOINT="+endpoint, "COLLECTION_INTERVAL="+interval.String())
}

// backend takes OTLP, and keeps what each report of the receiver says as a whole.
type backend struct {
	*httptest.Server
	mu      sync.Mutex
	reports []report
}

// report are sums over one report.
type report struct {
	pools, size, inUse, allocated, points int
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := b.take(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

// decode reads a request of OTLP over HTTP.
func decode(r *http.Request) (pmetricotlp.ExportRequest, error) {
	request := pmetricotlp.NewExportRequest()
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return request, err
		}
		body = unzipped
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return request, err
	}
	return request, request.UnmarshalProto(content)
}

func (b *backend) take(r *http.Request) error {
	request, err := decode(r)
	if err != nil {
		return err
	}
	sums := map[string]int{}
	isReport := false
	for _, rm := range request.Metrics().ResourceMetrics().All() {
		if job, _ := rm.Resource().Attributes().Get(calicometric.AttrServiceName); job.AsString() == calicometric.JobCluster {
			isReport = true
		}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Type() != pmetric.MetricTypeGauge {
					continue
				}
				for _, point := range m.Gauge().DataPoints().All() {
					sums[""]++
					if !point.Flags().NoRecordedValue() {
						sums[m.Name()] += int(point.IntValue()) + int(point.DoubleValue())
					}
				}
			}
		}
	}
	if !isReport {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, report{
		pools: sums[calicometric.PoolInfo], size: sums[calicometric.IPPoolSize], inUse: sums[calicometric.AllocationsInUse],
		allocated: sums["calico_ipam_pool_allocated"], points: sums[""],
	})
	return nil
}

func (b *backend) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = nil
}

// await waits for so many reports that a condition holds for, and returns the last of them.
func (b *backend) await(t *testing.T, count int, holds func(report) bool) report {
	t.Helper()
	var last report
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		found := 0
		for _, r := range b.reports {
			if holds(r) {
				found, last = found+1, r
			}
		}
		return found >= count
	}, patience, poll, "%d reports", count)
	return last
}
