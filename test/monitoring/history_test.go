//go:build e2e

package monitoring

import (
	"bytes"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// past is the history of a pool that a lab is too young to have: days in which it grew from one number of allocated addresses to another, with a wave a day.
type past struct {
	pool, cidr        string
	size, reserved    int64
	blocks, blockSize int64
	from, to          float64
	days              int
}

// level is how many addresses were allocated so long ago.
func (p past) level(ago time.Duration) int64 {
	day := 24 * time.Hour
	share := 1 - float64(ago)/float64(time.Duration(p.days)*day)
	wave := 3 * math.Sin(2*math.Pi*float64(ago%day)/float64(day))
	return int64(p.from + share*(p.to-p.from) + wave)
}

// remember has the processor of a collector see the past, and keep it in its storage. The collector that observes the cluster goes on from there.
func remember(t *testing.T, p past, clusterUID, storage string) {
	t.Helper()
	port := labtest.FreePort(t)
	collector := labtest.StartCollector(t, []string{"testdata/history.yaml"}, "STORAGE_DIRECTORY="+storage, "OTLP_HTTP_PORT="+port)
	now := time.Now()
	for ago := time.Duration(p.days) * 24 * time.Hour; ago > 0; {
		request := pmetricotlp.NewExportRequestFromMetrics(p.at(now.Add(-ago), p.level(ago), clusterUID))
		body, err := request.MarshalProto()
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			response, err := http.Post("http://127.0.0.1:"+port+"/v1/metrics", "application/x-protobuf", bytes.NewReader(body))
			if err != nil {
				return false // it starts still
			}
			_ = response.Body.Close()
			return response.StatusCode == http.StatusOK
		}, patience, poll)
		if ago > 9*time.Hour {
			ago -= time.Hour
		} else {
			ago -= 5 * time.Minute
		}
	}
	collector.Stop(t)
}

// at is the account of a moment, as far as forecasts need it.
func (p past) at(moment time.Time, allocated int64, clusterUID string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	for name, value := range map[string]string{"service.name": "calico-ipam", "service.instance.id": clusterUID, "k8s.cluster.uid": clusterUID} {
		rm.Resource().Attributes().PutStr(name, value)
	}
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	gauge := func(name string, value int64, attributes map[string]string) {
		m := metrics.AppendEmpty()
		m.SetName(name)
		point := m.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetTimestamp(pcommon.NewTimestampFromTime(moment))
		point.SetIntValue(value)
		point.Attributes().PutStr("ippool", p.pool)
		for name, value := range attributes {
			point.Attributes().PutStr(name, value)
		}
	}
	gauge("calico_ipam_pool_info", 1, map[string]string{
		"cidr": p.cidr, "ip_family": "IPv4", "block_size": "28", "state": "enabled",
		"allowed_uses": "Tunnel,Workload", "assignment_mode": "Automatic", "encapsulation": "IPIP",
	})
	gauge("ipam_ippool_size", p.size, nil)
	gauge("ipam_ippool_reserved", p.reserved, nil)
	gauge("calico_ipam_pool_allocated", allocated, nil)
	used := min(p.blocks, (allocated+p.blockSize-1)/p.blockSize)
	gauge("calico_ipam_pool_blocks", used, map[string]string{"state": "used"})
	gauge("calico_ipam_pool_blocks", p.blocks-used, map[string]string{"state": "unclaimed"})
	return md
}
