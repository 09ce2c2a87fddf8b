package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/demo"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
)

func newDemo(repo *repository, out *progress.Printer) *cobra.Command {
	var flags labFlags
	var options demo.Options
	cmd := &cobra.Command{
		Use:   "demo --collector PATH --config FILE...",
		Short: "Run a collector in a lab and show its numbers beside calicoctl's",
		Long: `demo starts a lab in a temporary directory and the collector beside it, and shows a table of the IP pools, read
back from Prometheus, next to what calicoctl says, and one of the states of Calico's components. Addresses come and go
meanwhile, until Ctrl-C.

With --once nothing changes, the tables are shown once, and the exit code is 0 only if every number agrees and the
components have been scraped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return err
			}
			labOptions, err := flags.options(repo, false)
			if err != nil {
				return err
			}
			labOptions.Churn = !options.Once
			running, err := lab.Up(cmd.Context(), labOptions, out)
			if err != nil {
				return err
			}
			err = demo.Run(cmd.Context(), running, options, out)
			return errors.Join(err, out.Step("stopping", running.Stop))
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&options.Collector, "collector", "", "the collector's binary (required)")
	cmd.Flags().StringArrayVar(&options.Configs, "config", nil, "the collector's configuration, repeatable: one on top of the other (required)")
	cmd.Flags().BoolVar(&options.Once, "once", false, "show the tables once; fail unless every number agrees")
	cmd.Flags().DurationVar(&options.Interval, "interval", 5*time.Second, "time between two tables")
	return cmd
}
