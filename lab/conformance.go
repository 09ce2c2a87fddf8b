package main

import (
	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/conformance"
)

func newConformance() *cobra.Command {
	var dir string
	var seed uint64
	cmd := withState(&cobra.Command{
		Use:   "conformance --state DIR [--seed N]",
		Short: "Change IPAM at random through Calico's own library, as told by numbers on standard input",
		Long: `conformance changes the IPAM of a running lab at random. Each line of its standard input is a number: it does so many
operations, prints one line of JSON for each, and one that begins with {"end":true when they are done. It prints the
first of those when it is ready. The same seed makes the same choices, as long as the cluster answers the same. The lab
is good for nothing else afterwards: kube-controllers no longer releases leaked addresses.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := openIPAM(dir)
			if err != nil {
				return err
			}
			driver, err := conformance.New(client, seed)
			if err != nil {
				return err
			}
			if err := driver.Prepare(cmd.Context()); err != nil {
				return err
			}
			return conformance.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), driver.Next)
		},
	}, &dir)
	cmd.Flags().Uint64Var(&seed, "seed", 1, "what the choices follow from")
	return cmd
}
