package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
)

// labFlags are the flags of every command that starts a lab.
type labFlags struct {
	bin, layout, felix string
	rbac               []string
	nodes              int
	churnInterval      time.Duration
}

func (f *labFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.bin, "bin", "", "directory of the programs (default: bin/lab under the repository)")
	flags.StringVar(&f.layout, "layout", string(cluster.OperatorLayout), "how Calico is installed: operator or manifest")
	flags.IntVar(&f.nodes, "nodes", 4, "number of nodes; only node-1 has a Felix")
	flags.StringVar(&f.felix, "felix", string(lab.FelixAuto), "run Felix: auto (where it can), on (or fail) or off")
	flags.DurationVar(&f.churnInterval, "churn-interval", 5*time.Second, "time between two changes of the allocations")
	flags.StringArrayVar(&f.rbac, "rbac", nil,
		"YAML with the collector's ServiceAccount and its rights, repeatable (default: what deploy/rbac under the repository has for mode cluster with leader election and the layout)")
}

func (f *labFlags) options(repo *repository, bare bool) (lab.Options, error) {
	layout, err := cluster.ParseLayout(f.layout)
	if err != nil {
		return lab.Options{}, fmt.Errorf("--layout: %w", err)
	}
	bin, err := repo.bin(f.bin)
	if err != nil {
		return lab.Options{}, err
	}
	options := lab.Options{
		BinDir: bin, Layout: layout, Nodes: f.nodes, Felix: lab.FelixMode(f.felix), ChurnInterval: f.churnInterval, RBACFiles: f.rbac, Bare: bare,
	}
	root, err := repo.find()
	if err != nil || len(f.rbac) > 0 {
		return options, nil //nolint:nilerr // outside of the repository the collector's rights are the administrator's
	}
	defaults := []string{"cluster.yaml", "leader-election.yaml"}
	if layout == cluster.OperatorLayout && !bare {
		defaults = append(defaults, "operator.yaml") // rights in the operator's namespaces
	}
	for _, name := range defaults {
		path := filepath.Join(root, "deploy", "rbac", name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return lab.Options{}, err
		}
		options.RBACFiles = append(options.RBACFiles, path)
	}
	return options, nil
}

func newUp(repo *repository, out *progress.Printer) *cobra.Command {
	var flags labFlags
	var state string
	var churn, bare bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start and fill a cluster, and watch it until Ctrl-C",
		Long: `up starts all parts on free loopback ports, fills the cluster, and writes DIR/lab.json when everything is ready.
It then watches until Ctrl-C or until a part ends, which it reports with the end of that part's log. The components of
Calico may end, and are started again as a kubelet would, but not without limit. Nothing of it outlives the command,
even if it is killed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := flags.options(repo, bare)
			if err != nil {
				return err
			}
			options.StateDir, options.Churn = state, churn
			return up(cmd.Context(), options, out)
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&state, "state", "", "directory for data, logs and lab.json, new, empty or a lab's (default: a temporary one, removed at the end)")
	cmd.Flags().BoolVar(&bare, "bare", false, "only etcd, the API server and Prometheus: no trace of Calico, and no objects but the collector's rights")
	cmd.Flags().BoolVar(&churn, "churn", false, "allocate and release addresses all the time")
	return cmd
}

func up(ctx context.Context, options lab.Options, out *progress.Printer) error {
	started := time.Now()
	running, err := lab.Up(ctx, options, out)
	if err != nil {
		return err
	}
	out.Printf("ready in %.1fs; Ctrl-C stops it\n", time.Since(started).Seconds())
	printSummary(out, running.State)
	err = running.Wait(ctx)
	return errors.Join(err, out.Step("stopping", running.Stop))
}
