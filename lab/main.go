// Command lab builds, starts, fills, watches and stops a real Calico cluster on one machine, from Go modules alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/netns"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
)

// What shells give a command that Ctrl-C ended, or that wrote to a pipe which nobody reads.
const (
	interruptedCode = 130
	brokenPipeCode  = 141
)

var errBrokenPipe = errors.New("nobody reads the output any more")

func main() { os.Exit(run()) }

func run() (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second Ctrl-C ends the lab at once; the kernel then ends its parts.
	context.AfterFunc(ctx, stop)
	// Asked for, the signal does not end the lab where it stands: the write fails, and that stops it in order. It is not looked
	// at, because it may come from any connection.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := progress.New(os.Stdout)
	out.OnBroken(func() { cancel(errBrokenPipe) })
	// client-go logs through a global logger; what matters of it comes back as errors.
	klog.SetLogger(logr.Discard())
	err := newRoot(out).ExecuteContext(ctx)
	switch {
	case errors.Is(context.Cause(ctx), errBrokenPipe):
		fmt.Fprintln(os.Stderr, "lab:", errBrokenPipe)
		return brokenPipeCode
	case err == nil:
		return 0
	case ctx.Err() != nil:
		// Whatever failed, failed after the interrupt, and mostly because of it, in words that need not say so.
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "lab: interrupted")
		} else {
			fmt.Fprintln(os.Stderr, "lab: interrupted:", err)
		}
		return interruptedCode
	default:
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
}

// repository finds directories of the repository that are defaults of flags.
type repository struct{ root string }

func (r *repository) find() (string, error) {
	dir := r.root
	if dir == "" {
		dir = "."
	}
	return build.FindRoot(dir)
}

// bin returns the value of --bin or, if that is empty, bin/lab under the repository.
func (r *repository) bin(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	root, err := r.find()
	if err != nil {
		return "", fmt.Errorf("--bin is not set and its default is not found: %w", err)
	}
	return filepath.Join(root, "bin", "lab"), nil
}

func newRoot(out *progress.Printer) *cobra.Command {
	repo := &repository{}
	root := &cobra.Command{
		Use:   "lab",
		Short: "A real Calico cluster on one machine, from Go modules alone",
		Long: `lab runs etcd, kube-apiserver, calico-kube-controllers, calico-typha, calico-felix and Prometheus as plain
processes on free loopback ports. It needs Go to build them and nothing to run them; Felix needs root and the
Debian packages iptables, ipset and iproute2, and is left out where these are missing.

  lab build                   build the programs (cached)
  lab up --state DIR          start and fill a cluster; it runs until Ctrl-C
  lab allocate, release ...   change it from another terminal
  lab part stop NAME ...      stop a part of it for a while
  lab demo                    cluster, collector and Prometheus side by side with calicoctl
  lab kafka --listen ADDRESS  a broker that speaks Kafka's protocol, beside any cluster`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&repo.root, "root", "", "repository that holds lab/go.mod (default: at or above the current directory)")
	root.AddCommand(newBuild(repo, out), newUp(repo, out), newDemo(repo, out), newStatus(), newPart(), newCRDs(), newKafka())
	root.AddCommand(newAllocate(), newRelease(), newPool(), newIPAM(), newConformance())
	root.AddCommand(newNamespaceCommands()...)
	return root
}

func newBuild(repo *repository, out *progress.Printer) *cobra.Command {
	var bin string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the programs of the lab; what has not changed is kept",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := repo.find()
			if err != nil {
				return err
			}
			dir, err := repo.bin(bin)
			if err != nil {
				return err
			}
			return build.Build(cmd.Context(), root, dir, out)
		},
	}
	cmd.Flags().StringVar(&bin, "bin", "", "directory for the programs (default: bin/lab under the repository)")
	return cmd
}

// newNamespaceCommands are what the lab starts itself as, in the namespaces of Felix.
func newNamespaceCommands() []*cobra.Command {
	return []*cobra.Command{
		{
			Use: netns.RunCommand, Hidden: true, DisableFlagParsing: true,
			RunE: func(_ *cobra.Command, args []string) error {
				code, err := netns.Run(args)
				if err == nil && code != 0 {
					os.Exit(code)
				}
				return err
			},
		},
		{
			Use: netns.ProbeCommand, Hidden: true, Args: cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				backend, err := netns.Probe(cmd.Context(), args[0], args[1])
				if err == nil {
					fmt.Fprintln(cmd.OutOrStdout(), backend)
				}
				return err
			},
		},
	}
}
