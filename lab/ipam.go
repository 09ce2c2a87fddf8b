package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/calicoctl"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/ipamops"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
)

// withState adds --state to a command that works on a running lab.
func withState(cmd *cobra.Command, dir *string) *cobra.Command {
	cmd.Flags().StringVar(dir, "state", "", "directory of the running lab (required)")
	if err := cmd.MarkFlagRequired("state"); err != nil {
		panic(err) // The flag was added one line above.
	}
	return cmd
}

func openIPAM(dir string) (*ipamops.Client, error) {
	s, err := lab.ReadRunning(dir)
	if err != nil {
		return nil, err
	}
	return ipamops.New(s.AdminKubeconfig)
}

func newAllocate() *cobra.Command {
	var dir, pool, node string
	var count int
	cmd := withState(&cobra.Command{
		Use:   "allocate --state DIR --pool NAME --node NODE [-n COUNT]",
		Short: "Start pods on a node that take addresses of a pool",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkCount(count); err != nil {
				return err
			}
			client, err := openIPAM(dir)
			if err != nil {
				return err
			}
			done, err := client.Allocate(cmd.Context(), pool, node, count)
			printAllocations(cmd, done)
			if errors.Is(err, ipamops.ErrNoAddress) {
				return fmt.Errorf("allocated %d of %d: %w", len(done), count, err)
			}
			return err
		},
	}, &dir)
	cmd.Flags().StringVar(&pool, "pool", "", "name of the IP pool (required)")
	cmd.Flags().StringVar(&node, "node", "", "name of the node (required)")
	cmd.Flags().IntVarP(&count, "count", "n", 1, "number of addresses")
	return required(cmd, "pool", "node")
}

func newRelease() *cobra.Command {
	var dir, pool string
	var count int
	cmd := withState(&cobra.Command{
		Use:   "release --state DIR --pool NAME [-n COUNT]",
		Short: "End pods that hold addresses of a pool",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkCount(count); err != nil {
				return err
			}
			client, err := openIPAM(dir)
			if err != nil {
				return err
			}
			done, err := client.Release(cmd.Context(), pool, count)
			printAllocations(cmd, done)
			return err
		},
	}, &dir)
	cmd.Flags().StringVar(&pool, "pool", "", "name of the IP pool (required)")
	cmd.Flags().IntVarP(&count, "count", "n", 1, "number of addresses")
	return required(cmd, "pool")
}

func required(cmd *cobra.Command, flags ...string) *cobra.Command {
	for _, flag := range flags {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // The caller added the flag.
		}
	}
	return cmd
}

func checkCount(count int) error {
	if count < 1 {
		return fmt.Errorf("-n: %d is less than 1", count)
	}
	return nil
}

func printAllocations(cmd *cobra.Command, allocations []ipamops.Allocation) {
	for _, a := range allocations {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%s/%s\n", a.IP, a.Node, ipamops.Namespace, a.Pod)
	}
}

func newPool() *cobra.Command {
	cmd := &cobra.Command{Use: "pool", Short: "List or delete IP pools"}
	var listDir, deleteDir string
	cmd.AddCommand(
		withState(&cobra.Command{
			Use: "list --state DIR", Short: "List the IP pools", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return listPools(cmd, listDir) },
		}, &listDir),
		withState(&cobra.Command{
			Use: "delete --state DIR NAME", Short: "Delete an IP pool; addresses in use stay allocated, in blocks without a pool",
			Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				client, err := openIPAM(deleteDir)
				if err != nil {
					return err
				}
				return client.DeletePool(cmd.Context(), args[0])
			},
		}, &deleteDir),
	)
	return cmd
}

func listPools(cmd *cobra.Command, dir string) error {
	client, err := openIPAM(dir)
	if err != nil {
		return err
	}
	pools, err := client.Pools(cmd.Context())
	if err != nil {
		return err
	}
	table := tablewriter.NewWriter(cmd.OutOrStdout())
	table.SetHeader([]string{"name", "cidr", "block size", "disabled", "allowed uses"})
	for _, pool := range pools {
		uses := make([]string, 0, len(pool.Spec.AllowedUses))
		for _, use := range pool.Spec.AllowedUses {
			uses = append(uses, string(use))
		}
		table.Append([]string{
			pool.Name, pool.Spec.CIDR, strconv.Itoa(pool.Spec.BlockSize), strconv.FormatBool(pool.Spec.Disabled), strings.Join(uses, " "),
		})
	}
	table.Render()
	return nil
}

func newIPAM() *cobra.Command {
	cmd := &cobra.Command{Use: "ipam", Short: "Show the state of IPAM"}
	var dir string
	var blocks, borrowed bool
	show := withState(&cobra.Command{
		Use: "show --state DIR [--show-blocks | --show-borrowed]", Short: "Run calicoctl ipam show", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := lab.ReadRunning(dir)
			if err != nil {
				return err
			}
			var flags []string
			if blocks {
				flags = append(flags, "--show-blocks")
			}
			if borrowed {
				flags = append(flags, "--show-borrowed")
			}
			output, err := calicoctl.Show(cmd.Context(), filepath.Join(s.BinDir, "calicoctl"), s.AdminKubeconfig, flags...)
			fmt.Fprint(cmd.OutOrStdout(), output)
			return err
		},
	}, &dir)
	show.Flags().BoolVar(&blocks, "show-blocks", false, "also show every block")
	show.Flags().BoolVar(&borrowed, "show-borrowed", false, "show addresses that are borrowed from another node's block")
	show.MarkFlagsMutuallyExclusive("show-blocks", "show-borrowed")
	cmd.AddCommand(show)
	return cmd
}
