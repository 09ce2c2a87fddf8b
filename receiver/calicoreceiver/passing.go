package calicoreceiver

import (
	"context"
	"strings"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/staleness"
)

// passing is what of kube-controllers' metrics of IPAM enters the pipeline.
type passing uint8

const (
	// passOwn leaves to the receiver the families that it keeps itself. What only kube-controllers knows passes.
	passOwn passing = iota
	// passAll is all of them.
	passAll
	// passNone is none.
	passNone
)

// ownFamilies are those that the receiver keeps itself where the datastore is the source.
var ownFamilies = map[string]bool{
	calicometric.IPPoolSize: true, calicometric.IPPoolReserved: true,
	calicometric.AllocationsInUse: true, calicometric.AllocationsBorrowed: true, calicometric.Blocks: true,
}

// holdsBack says whether a metric of kube-controllers does not pass.
func (p passing) holdsBack(metric string) bool {
	switch p {
	case passAll:
		return false
	case passNone:
		return strings.HasPrefix(metric, calicometric.IPAMPrefix)
	default:
		return ownFamilies[metric]
	}
}

// maxEnded bounds what is kept of resources that are gone: a restart of kube-controllers makes a new one.
const maxEnded = 1000

// oneSource keeps out of what is scraped the metrics that have another source, so that none is there twice. It is safe for concurrent use.
type oneSource struct {
	next consumer.Metrics

	mu      sync.Mutex
	passing passing
	// ended are the resources of which nothing is open that may not pass. Of others there may be: of those that passed here, and of those that the
	// process before this one let through. Who forgets one ends its series once more, which does no harm, as with series that never were.
	ended map[hash]struct{}
}

var _ consumer.Metrics = (*oneSource)(nil)

func newOneSource(next consumer.Metrics, passing passing) *oneSource {
	return &oneSource{next: next, passing: passing, ended: map[hash]struct{}{}}
}

// pass says what passes from now on.
func (o *oneSource) pass(passing passing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passing = passing
}

// Capabilities implements consumer.Metrics: what does not pass is removed in place.
func (*oneSource) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeMetrics implements consumer.Metrics. Of a resource the first scrape that is held back passes as the end of what may have passed before. It
// has all of it: the Prometheus receiver adds an end of its own for series that are not there any more.
func (o *oneSource) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	ended := o.filter(md)
	if md.ResourceMetrics().Len() == 0 {
		return nil
	}
	err := o.next.ConsumeMetrics(ctx, md)
	if err != nil {
		// What the pipeline refused has not ended.
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, resource := range ended {
			delete(o.ended, resource)
		}
	}
	return err
}

// filter removes what does not pass, and returns the resources whose series it ended.
func (o *oneSource) filter(md pmetric.Metrics) (ended []hash) {
	o.mu.Lock()
	defer o.mu.Unlock()
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		job, ok := rm.Resource().Attributes().Get(calicometric.AttrServiceName)
		if !ok || job.AsString() != calicometric.JobKubeControllers {
			return false
		}
		resource := pdatautil.MapHash(rm.Resource().Attributes())
		_, isEnded := o.ended[resource]
		switch ends, alive := o.passing.filter(rm, !isEnded); {
		case alive:
			delete(o.ended, resource)
		case ends && !isEnded:
			if len(o.ended) >= maxEnded {
				clear(o.ended)
			}
			o.ended[resource] = struct{}{}
			ended = append(ended, resource)
		}
		return rm.ScopeMetrics().Len() == 0
	})
	return ended
}

// filter removes what does not pass from a resource, or makes an end of it where series may be open. It says whether there were ends, made here or by
// the Prometheus receiver of the receiver's own families, and whether some of these are open now.
func (p passing) filter(rm pmetric.ResourceMetrics, mayBeOpen bool) (ends, alive bool) {
	rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
		sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
			if p.holdsBack(m.Name()) {
				ended := mayBeOpen && end(m)
				ends = ends || ended
				return !ended
			}
			if ownFamilies[m.Name()] {
				live := isAlive(m)
				alive, ends = alive || live, ends || !live
			}
			return false
		})
		return sm.Metrics().Len() == 0
	})
	return ends, alive
}

// isAlive says whether a metric has a point that is no end. Calico publishes gauges.
func isAlive(m pmetric.Metric) bool {
	if m.Type() != pmetric.MetricTypeGauge {
		return false
	}
	for _, p := range m.Gauge().DataPoints().All() {
		if !p.Flags().NoRecordedValue() {
			return true
		}
	}
	return false
}

// end makes ends of all points of a metric, and says whether it could.
func end(m pmetric.Metric) bool {
	if m.Type() != pmetric.MetricTypeGauge {
		return false
	}
	for _, p := range m.Gauge().DataPoints().All() {
		staleness.EndOf(p, p.Timestamp()).MoveTo(p)
	}
	return true
}
