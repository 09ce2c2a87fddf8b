package nodedetail

import (
	"errors"
	"fmt"

	"github.com/otelcol-calico/otelcol-calico/internal/oneof"
)

// Mode says how finely the numbers of a pool are told apart by node. The zero value is none of them.
type Mode string

const (
	// Full has a series for every pool and node, also with 0, as kube-controllers has.
	Full Mode = "full"
	// Nonzero leaves out those with 0.
	Nonzero Mode = "nonzero"
	// None has one series a pool.
	None Mode = "none"
)

// modes are all there are, as an error names them.
var modes = []Mode{Full, Nonzero, None}

// MaxTop is the most that Detail.Top can be, more than the nodes of any cluster.
const MaxTop = 100_000

// Detail is how many nodes of a pool have points of their own.
type Detail struct {
	// Mode says how finely the numbers of a pool are told apart by node.
	Mode Mode `mapstructure:"node_detail"`
	// Top is how many nodes of each pool have points of their own, those with the most addresses in use; the others are one. 0 is all, and
	// MaxTop the most.
	Top int `mapstructure:"top_nodes"`
}

// Validate names the key of every value that cannot be used, as it is spelled in YAML: node_detail, top_nodes.
func (d Detail) Validate() error {
	var errs []error
	errs = append(errs, oneof.Check("node_detail", d.Mode, modes...))
	switch {
	case d.Top < 0:
		errs = append(errs, fmt.Errorf("top_nodes: must not be negative, not %d", d.Top))
	case d.Top > MaxTop:
		errs = append(errs, fmt.Errorf("top_nodes: must be at most %d, not %d; 0 is all", MaxTop, d.Top))
	case d.Top > 0 && d.Mode == None:
		errs = append(errs, fmt.Errorf("top_nodes: no node has series of its own with node_detail: %s", None))
	}
	return errors.Join(errs...)
}
