//go:build e2e

package faults

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheusremotewrite"
	"github.com/prometheus/prometheus/prompb"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// sample is one value of one series. A marker of staleness is a value like others.
type sample struct {
	series string
	at     int64
}

// samples are values, and what was wrong in how they came.
type samples struct {
	mu     sync.Mutex
	values map[sample]uint64
	newest map[string]int64
	// again is how many came more than once, and disordered how many came after a newer one of their series.
	again, disordered int
}

func newSamples() *samples {
	return &samples{values: map[sample]uint64{}, newest: map[string]int64{}}
}

// add takes a request of remote write.
func (s *samples) add(series []prompb.TimeSeries) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ts := range series {
		name := labels(ts.Labels)
		for _, point := range ts.Samples {
			key := sample{name, point.Timestamp}
			if _, ok := s.values[key]; ok {
				s.again++
			} else if newest, ok := s.newest[name]; ok && newest > point.Timestamp {
				s.disordered++
			}
			s.values[key] = math.Float64bits(point.Value)
			s.newest[name] = max(s.newest[name], point.Timestamp)
		}
	}
}

func (s *samples) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

// has says whether a sample is among them.
func (s *samples) has(key sample) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.values[key]
	return ok
}

// faults are how many came more than once, and how many came after a newer one of their series.
func (s *samples) faults() (again, disordered int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again, s.disordered
}

// latest is the time of the newest sample, in milliseconds since 1970.
func (s *samples) latest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var latest int64
	for _, at := range s.newest {
		latest = max(latest, at)
	}
	return latest
}

// until are those of s up to a time, in milliseconds since 1970.
func (s *samples) until(at int64) *samples {
	s.mu.Lock()
	defer s.mu.Unlock()
	some := newSamples()
	for key, value := range s.values {
		if key.at <= at {
			some.values[key] = value
		}
	}
	return some
}

// missing are those of s that other has not or with another value.
func (s *samples) missing(other *samples) []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	other.mu.Lock()
	defer other.mu.Unlock()
	var missing []sample
	for key, value := range s.values {
		if got, ok := other.values[key]; !ok || got != value {
			missing = append(missing, key)
		}
	}
	return missing
}

// labels names a series by all of its labels.
func labels(of []prompb.Label) string {
	pairs := make([]string, 0, len(of))
	for _, label := range of {
		pairs = append(pairs, fmt.Sprintf("%s=%q", label.Name, label.Value))
	}
	sort.Strings(pairs)
	return strings.Join(pairs, ",")
}

// promoted are the attributes of a resource that become labels.
var promoted = []string{"k8s.cluster.name", "k8s.namespace.name", "k8s.node.name", "k8s.pod.name"}

// seriesOf are the series that metrics are in Prometheus. It does what the configurations have the exporter do.
func seriesOf(metrics pmetric.Metrics) ([]prompb.TimeSeries, error) {
	for _, rm := range metrics.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for attributes := range pointAttributes(m) {
					for _, name := range promoted {
						if value, ok := rm.Resource().Attributes().Get(name); ok {
							value.CopyTo(attributes.PutEmpty(name))
						}
					}
				}
			}
		}
	}
	byHash, err := prometheusremotewrite.FromMetrics(metrics, prometheusremotewrite.Settings{
		DisableTargetInfo: true, DisableScopeInfo: true, TranslationStrategy: "UnderscoreEscapingWithoutSuffixes",
	})
	if err != nil {
		return nil, err
	}
	series := make([]prompb.TimeSeries, 0, len(byHash))
	for _, ts := range byHash {
		series = append(series, *ts)
	}
	return series, nil
}

func pointAttributes(m pmetric.Metric) func(yield func(pcommon.Map) bool) {
	return func(yield func(pcommon.Map) bool) {
		switch m.Type() { //nolint:exhaustive // Prometheus' text format has no others
		case pmetric.MetricTypeGauge:
			for _, p := range m.Gauge().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		case pmetric.MetricTypeSum:
			for _, p := range m.Sum().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		case pmetric.MetricTypeHistogram:
			for _, p := range m.Histogram().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		case pmetric.MetricTypeSummary:
			for _, p := range m.Summary().DataPoints().All() {
				if !yield(p.Attributes()) {
					return
				}
			}
		}
	}
}
