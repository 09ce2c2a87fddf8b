package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

func newStatus() *cobra.Command {
	var dir string
	return withState(&cobra.Command{
		Use: "status --state DIR", Short: "Show where the parts of a running lab are and whether they answer", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := lab.ReadRunning(dir)
			if err != nil {
				return err
			}
			return status(cmd.Context(), s)
		},
	}, &dir)
}

func status(ctx context.Context, s state.State) error {
	parts, err := lab.Check(ctx, s)
	if err != nil {
		return err
	}
	table := tablewriter.NewWriter(os.Stdout)
	table.SetHeader([]string{"part", "pid", "state", "address"})
	table.SetAutoWrapText(false)
	var failed []string
	for _, part := range parts {
		text, pid := "ok", "-"
		if part.Err != nil {
			text = part.Err.Error()
			failed = append(failed, part.Name)
		}
		if part.Pid != 0 {
			pid = strconv.Itoa(part.Pid)
		}
		table.Append([]string{part.Name, pid, text, part.Address})
	}
	table.Render()
	if len(failed) > 0 {
		return fmt.Errorf("not well: %s", strings.Join(failed, ", "))
	}
	return nil
}
