package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/control"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
)

func newPart() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "part",
		Short: "Stop or start one part of a running lab",
		Long: `part stops or starts one part of a running lab: kube-apiserver, calico-typha, or another that lab status names.
A part that is stopped on purpose is no crash; components of Calico that end because it is away are started again for
as long as it is. It comes back where it was, with the same data, keys and addresses.`,
	}
	cmd.AddCommand(
		newPartAction(control.Stop, "Stop a part until it is started", "stopped"),
		newPartAction(control.Start, "Start a part that was stopped, and wait until it answers", "started"),
		newPartAction(control.Restart, "Stop a part, start it, and wait until it answers", "restarted"),
	)
	return cmd
}

func newPartAction(action control.Action, short, done string) *cobra.Command {
	var dir string
	var wait time.Duration
	cmd := withState(&cobra.Command{
		Use: string(action) + " NAME --state DIR", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait < 0 {
				return errors.New("--wait: it is negative")
			}
			s, err := lab.ReadRunning(dir)
			if err != nil {
				return err
			}
			changed, err := control.NewClient(s.StateDir).Control(cmd.Context(), args[0], action, wait)
			if err != nil {
				return err
			}
			if !changed {
				done = "was " + done + " already"
			}
			fmt.Fprintln(cmd.OutOrStdout(), args[0], done)
			return nil
		},
	}, &dir)
	if action != control.Stop {
		cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait until the part answers; 0 does not wait")
	}
	return cmd
}
