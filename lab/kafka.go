package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/kafka"
)

func newKafka() *cobra.Command {
	var options kafka.Options
	cmd := &cobra.Command{
		Use:   "kafka --listen HOST:PORT [--topic NAME --partitions N]",
		Short: "Run a broker that speaks Kafka's protocol, until Ctrl-C",
		Long: `kafka runs one broker that speaks Kafka's protocol, until Ctrl-C, and prints the address of it when it listens. It is
kfake of franz-go: there is no Kafka as a Go module. What was written is gone when it ends.

With --advertise clients are told to connect to another address than the one it listens on, as with Kafka's
advertised.listeners: that of a proxy which a test cuts, for one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := options.Validate(); err != nil {
				return err
			}
			broker, err := kafka.Start(options)
			if err != nil {
				return err
			}
			defer broker.Close()
			fmt.Fprintln(cmd.OutOrStdout(), broker.Address())
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&options.Listen, "listen", "", "address to listen on (required)")
	cmd.Flags().StringVar(&options.Advertise, "advertise", "", "address that clients are told (default: that of --listen)")
	cmd.Flags().StringVar(&options.Topic, "topic", "", "a topic that is there from the beginning")
	cmd.Flags().Int32Var(&options.Partitions, "partitions", 1, "partitions of a topic")
	cmd.Flags().StringVar(&options.CertFile, "cert", "", "certificate that it shows (default: no TLS)")
	cmd.Flags().StringVar(&options.KeyFile, "key", "", "key of the certificate")
	cmd.Flags().StringVar(&options.User, "user", "", "who is let in, by SCRAM-SHA-512 (default: everybody)")
	cmd.Flags().StringVar(&options.Password, "password", "", "password of the user")
	return cmd
}
