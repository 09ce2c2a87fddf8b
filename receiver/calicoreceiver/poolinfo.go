package calicoreceiver

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

// poolInfo writes calico_ipam_pool_info, and ends the series of a pool that went away or whose labels changed.
type poolInfo struct {
	builder  *metadata.MetricsBuilder
	previous []poolLabels
}

func newPoolInfo(config metadata.MetricsConfig, set receiver.Settings) poolInfo {
	builder := metadata.NewDefaultMetricsBuilderConfig()
	builder.Metrics = config
	return poolInfo{builder: metadata.NewMetricsBuilder(builder, set)}
}

// unchanged says whether the series of these pools are those that were written last.
func (p *poolInfo) unchanged(pools []calicoapi.IPPool) bool {
	return slices.EqualFunc(p.previous, pools, func(labels poolLabels, pool calicoapi.IPPool) bool { return labels == labelsOf(pool) })
}

// poolLabels are the labels of one series, comparable.
type poolLabels struct {
	pool, cidr, family, state, allowedUses, assignmentMode, encapsulation string
	blockSize                                                             int64
}

func labelsOf(pool calicoapi.IPPool) poolLabels {
	return poolLabels{
		pool:           pool.Name,
		cidr:           pool.CIDR.String(),
		family:         pool.Family(),
		state:          pool.State,
		allowedUses:    strings.Join(pool.AllowedUses, ","),
		assignmentMode: pool.AssignmentMode,
		encapsulation:  pool.Encapsulation,
		blockSize:      int64(pool.BlockSize),
	}
}

// write makes the points of all pools at one moment, and the ends of those that were sent before and are no more. The result is empty where
// there are none and were none. What of it was sent has to be told by sent.
func (p *poolInfo) write(now pcommon.Timestamp, resource pcommon.Resource, pools []calicoapi.IPPool) pmetric.Metrics {
	current := make([]poolLabels, len(pools))
	alive := make(map[poolLabels]struct{}, len(pools))
	for i, pool := range pools {
		current[i] = labelsOf(pool)
		alive[current[i]] = struct{}{}
		p.record(now, 1, current[i])
	}
	for _, labels := range p.previous {
		if _, ok := alive[labels]; !ok {
			p.record(now, 0, labels)
		}
	}

	md := p.builder.Emit(metadata.WithResource(resource))
	markEnded(md, len(current))
	return md
}

// sent notes which series are out there: they have to be ended one day.
func (p *poolInfo) sent(pools []calicoapi.IPPool) {
	p.previous = make([]poolLabels, len(pools))
	for i, pool := range pools {
		p.previous[i] = labelsOf(pool)
	}
}

func (p *poolInfo) record(now pcommon.Timestamp, value int64, l poolLabels) {
	p.builder.RecordCalicoIpamPoolInfoDataPoint(now, value, l.pool, l.cidr, metadata.MapAttributeIPFamily[l.family], l.blockSize,
		metadata.MapAttributeState[l.state], l.allowedUses, l.assignmentMode, l.encapsulation)
}

// markEnded makes staleness markers of the points from one index on.
func markEnded(md pmetric.Metrics, from int) {
	if md.ResourceMetrics().Len() == 0 {
		return
	}
	points := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints()
	for i := from; i < points.Len(); i++ {
		points.At(i).SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	}
}
