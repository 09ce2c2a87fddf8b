package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
)

func newCRDs() *cobra.Command {
	cmd := &cobra.Command{Use: "crds", Short: "Install or delete Calico's CustomResourceDefinitions"}
	cmd.AddCommand(
		newCRDCommand("apply", "Install CustomResourceDefinitions and wait until they are established", (*cluster.Client).ApplyCRDs),
		newCRDCommand("delete", "Delete CustomResourceDefinitions with all their objects and wait until they are gone", (*cluster.Client).DeleteCRDs),
	)
	return cmd
}

func newCRDCommand(use, short string, do func(*cluster.Client, context.Context, ...string) error) *cobra.Command {
	var dir, group string
	cmd := withState(&cobra.Command{
		Use: use + " --state DIR [--group GROUP]", Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			groups, err := crdGroups(group)
			if err != nil {
				return err
			}
			s, err := lab.ReadRunning(dir)
			if err != nil {
				return err
			}
			client, err := cluster.NewClient(s.AdminKubeconfig)
			if err != nil {
				return err
			}
			return do(client, cmd.Context(), build.CRDDirs(s.BinDir, groups...)...)
		},
	}, &dir)
	cmd.Flags().StringVar(&group, "group", "", "only those of one group: "+strings.Join(build.CRDGroups(), " or "))
	return cmd
}

// crdGroups returns the groups that the value of --group means.
func crdGroups(flag string) ([]string, error) {
	all := build.CRDGroups()
	switch {
	case flag == "":
		return all, nil
	case slices.Contains(all, flag):
		return []string{flag}, nil
	}
	return nil, fmt.Errorf("--group: %q is none of %s", flag, strings.Join(all, ", "))
}
