package ipampoints

import (
	"hash/maphash"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// labels returns the labels that tell the series of a metric apart: the pool or IP family, and the node or state.
func (m Metric) labels(point pmetric.NumberDataPoint) (first, second string) {
	switch {
	case m.PerNode():
		return label(point, calicometric.LabelIPFamily), label(point, calicometric.LabelNode)
	case m.shared:
		return label(point, calicometric.LabelIPPool), label(point, calicometric.LabelNode)
	case m.role == poolBlocks:
		return label(point, calicometric.LabelIPPool), label(point, calicometric.LabelState)
	default:
		return label(point, calicometric.LabelIPPool), ""
	}
}

// Identity returns a number for the series of a point. Two series of one scrape share one with a probability of 2^-64, and nobody can choose such.
func Identity(seed maphash.Seed, m Metric, point pmetric.NumberDataPoint) uint64 {
	first, second := m.labels(point)
	return identity(seed, m, first, second)
}

func identity(seed maphash.Seed, m Metric, first, second string) uint64 {
	const odd = 0x9e3779b97f4a7c15 // of Fibonacci hashing: it spreads what is added over all bits
	h := (maphash.String(seed, first) + (uint64(m.role)<<8 | uint64(m.share))) * odd
	if second == "" {
		return h
	}
	return h ^ maphash.String(seed, second)*odd>>1
}
