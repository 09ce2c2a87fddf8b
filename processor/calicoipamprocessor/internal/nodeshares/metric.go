package nodeshares

import (
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

// Metric is a metric that has a label node and can be added up over it.
//
// calicometric.AllocationsGCReclamations is none: it is a counter, and a sum of counters over nodes falls when a node goes, which every backend
// reads as a reset.
type Metric uint8

// The metrics, in the order of their points.
const (
	// InUse is calicometric.AllocationsInUse.
	InUse Metric = iota
	// Borrowed is calicometric.AllocationsBorrowed.
	Borrowed
	// Blocks is calicometric.Blocks.
	Blocks
	// GCCandidates is calicometric.AllocationsGCCandidates.
	GCCandidates
	// Lent is calicometric.AllocationsLent.
	Lent
	// AllocationsPerNode is calicometric.AllocationsPerNode, which has no label ippool, as have the following.
	AllocationsPerNode
	// BorrowedPerNode is calicometric.AllocationsBorrowedPerNode.
	BorrowedPerNode
	// BlocksPerNode is calicometric.BlocksPerNode.
	BlocksPerNode

	// Metrics is how many there are.
	Metrics
)

// metrics says of each metric what it is called and what it counts, in the pool of its label or over all pools.
var metrics = [Metrics]struct {
	name     string
	quantity nodedetail.Quantity
	perNode  bool
}{
	InUse:              {name: calicometric.AllocationsInUse, quantity: nodedetail.InUse},
	Borrowed:           {name: calicometric.AllocationsBorrowed, quantity: nodedetail.Borrowed},
	Blocks:             {name: calicometric.Blocks, quantity: nodedetail.Blocks},
	GCCandidates:       {name: calicometric.AllocationsGCCandidates, quantity: nodedetail.GCCandidates},
	Lent:               {name: calicometric.AllocationsLent, quantity: nodedetail.Lent},
	AllocationsPerNode: {name: calicometric.AllocationsPerNode, quantity: nodedetail.InUse, perNode: true},
	BorrowedPerNode:    {name: calicometric.AllocationsBorrowedPerNode, quantity: nodedetail.Borrowed, perNode: true},
	BlocksPerNode:      {name: calicometric.BlocksPerNode, quantity: nodedetail.Blocks, perNode: true},
}

// byName are the metrics by what they are called.
var byName = func() map[string]Metric {
	all := make(map[string]Metric, Metrics)
	for m := range Metrics {
		all[metrics[m].name] = m
	}
	return all
}()

// MetricOf returns the metric of a name, false where it is none of them.
func MetricOf(name string) (Metric, bool) {
	m, found := byName[name]
	return m, found
}

// Name returns the name of the metric, as Calico or the receiver publishes it.
func (m Metric) Name() string { return metrics[m].name }

// PerNode reports whether the metric counts over all pools: its points have no label ippool.
func (m Metric) PerNode() bool { return metrics[m].perNode }
