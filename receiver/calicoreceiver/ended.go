package calicoreceiver

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/staleness"
)

// ended ends series: of what was sent last and is not there any more it makes staleness markers.
type ended struct {
	last pmetric.Metrics
}

// hash identifies attributes.
type hash = [16]byte

// series identifies a series.
type series struct {
	resource   hash
	metric     string
	attributes hash
}

func newEnded() *ended { return &ended{last: pmetric.NewMetrics()} }

// mark adds the ends of all series that were sent last and are not in md. All metrics are gauges, one scope a resource. What of md was sent has to
// be told by sent.
func (e *ended) mark(md pmetric.Metrics, now pcommon.Timestamp) {
	alive := map[series]struct{}{}
	eachPoint(md, func(_ pmetric.ResourceMetrics, _ pmetric.Metric, _ pmetric.NumberDataPoint, s series) {
		alive[s] = struct{}{}
	})
	open := map[series]pmetric.NumberDataPointSlice{}
	scopes := map[hash]pmetric.ScopeMetrics{}
	for _, rm := range md.ResourceMetrics().All() {
		scopes[pdatautil.MapHash(rm.Resource().Attributes())] = rm.ScopeMetrics().At(0)
	}
	eachPoint(e.last, func(rm pmetric.ResourceMetrics, m pmetric.Metric, p pmetric.NumberDataPoint, s series) {
		if _, ok := alive[s]; ok || p.Flags().NoRecordedValue() {
			return
		}
		scope, ok := scopes[s.resource]
		if !ok {
			added := md.ResourceMetrics().AppendEmpty()
			rm.Resource().CopyTo(added.Resource())
			scope = added.ScopeMetrics().AppendEmpty()
			rm.ScopeMetrics().At(0).Scope().CopyTo(scope.Scope())
			scopes[s.resource] = scope
		}
		metric := series{resource: s.resource, metric: s.metric}
		points, ok := open[metric]
		if !ok {
			points = pointsOf(scope, m)
			open[metric] = points
		}
		staleness.EndOf(p, now).MoveTo(points.AppendEmpty())
	})
}

// pointsOf finds the points of a metric, which it adds where there is none.
func pointsOf(scope pmetric.ScopeMetrics, like pmetric.Metric) pmetric.NumberDataPointSlice {
	for _, m := range scope.Metrics().All() {
		if m.Name() == like.Name() {
			return m.Gauge().DataPoints()
		}
	}
	added := scope.Metrics().AppendEmpty()
	added.SetName(like.Name())
	added.SetDescription(like.Description())
	added.SetUnit(like.Unit())
	return added.SetEmptyGauge().DataPoints()
}

// sent notes which series are out there: they have to be ended one day. It keeps md, which must not be what was handed on.
func (e *ended) sent(md pmetric.Metrics) { e.last = md }

func eachPoint(md pmetric.Metrics, do func(pmetric.ResourceMetrics, pmetric.Metric, pmetric.NumberDataPoint, series)) {
	for _, rm := range md.ResourceMetrics().All() {
		resource := pdatautil.MapHash(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range m.Gauge().DataPoints().All() {
					do(rm, m, p, series{resource: resource, metric: m.Name(), attributes: pdatautil.MapHash(p.Attributes())})
				}
			}
		}
	}
}
