package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/fill"
)

// FelixMode says whether Felix runs.
type FelixMode string

// Felix runs where it can, must run, or does not run.
const (
	FelixAuto FelixMode = "auto"
	FelixOn   FelixMode = "on"
	FelixOff  FelixMode = "off"
)

// maxNodes keeps the addresses of nodes within one /24 of documentation addresses.
const maxNodes = 100

// Options are what `lab up` can be told.
type Options struct {
	// StateDir is made if it does not exist; if empty, a temporary directory is made, and removed at the end.
	StateDir string
	BinDir   string
	Layout   cluster.Layout
	Nodes    int
	Felix    FelixMode
	Churn    bool
	// ChurnInterval is the time between two changes of the allocations.
	ChurnInterval time.Duration
	// Bare leaves Calico out: no CustomResourceDefinitions, objects, components or addresses.
	Bare bool
	// RBACFiles are applied for the collector, in order; without any the collector's kubeconfig is the administrator's.
	RBACFiles []string
}

// Validate checks everything that can be checked before a part is started. Its errors name the flag.
func (o *Options) Validate() error {
	switch o.Felix {
	case FelixAuto, FelixOn, FelixOff:
	default:
		return fmt.Errorf("--felix: %q is none of %s, %s, %s", o.Felix, FelixAuto, FelixOn, FelixOff)
	}
	if o.Nodes < fill.MinNodes || o.Nodes > maxNodes {
		return fmt.Errorf("--nodes: %d is not within %d..%d", o.Nodes, fill.MinNodes, maxNodes)
	}
	if o.ChurnInterval <= 0 {
		return fmt.Errorf("--churn-interval: %s is not positive", o.ChurnInterval)
	}
	programs := build.Programs()
	if o.Bare {
		programs = barePrograms
		if o.Churn {
			return errors.New("--churn: a lab that is --bare has no addresses")
		}
		if o.Felix == FelixOn {
			return fmt.Errorf("--felix %s: a lab that is --bare has no Felix", o.Felix)
		}
	}
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join(o.BinDir, program)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--bin: %s has no %s: run `lab build --bin %s`", o.BinDir, program, o.BinDir)
		} else if err != nil {
			return fmt.Errorf("--bin: %w", err)
		}
	}
	for _, file := range o.RBACFiles {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("--rbac: %w", err)
		}
	}
	return nil
}
