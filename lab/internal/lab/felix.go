package lab

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/netns"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// prepareFelix chooses the link to Felix' namespace, or says why Felix is left out.
func (l *Lab) prepareFelix(ctx context.Context) error {
	if l.options.Felix == FelixOff {
		l.State.Felix = "left out by --felix off"
		return nil
	}
	backend, err := netns.Support(ctx)
	var link netns.Link
	if err == nil {
		link, err = netns.NewLink()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if l.options.Felix == FelixOn {
			return fmt.Errorf("--felix on: Felix cannot run here: %w", err)
		}
		l.State.Felix = "left out: " + err.Error()
		l.out.Printf("Felix is left out: %v", err)
		return nil
	}
	l.link, l.iptablesBackend = &link, backend
	l.placement.FelixAddress = l.link.Inside
	// Typha listens on all addresses of this machine, and 127.0.0.1 would be Felix' own.
	l.placement.TyphaAddress = l.link.Host
	l.State.Felix = state.FelixRunning
	return nil
}

func (l *Lab) startFelix(credentials *cluster.Credentials) error {
	kubeconfig := l.path(felixKubeconfig)
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the lab's own executable: %w", err)
	}
	_, err = l.supervisor.Start(process.Spec{
		Name: partFelix, Path: self, Args: netns.Command(*l.link, l.bin(partFelix)), Dir: l.options.StateDir, Tier: tierClients,
		Cloneflags: netns.Cloneflags, Restart: process.LikeKubelet(felixRestartCode),
		Launch: func(start func(...*os.File) (int, error)) error { return l.launchFelix(start, kubeconfig, credentials) },
		Env: l.env(l.placement.FelixEnv(),
			"KUBECONFIG="+kubeconfig,
			"FELIX_FELIXHOSTNAME="+cluster.NodeName(1),
			"FELIX_IPTABLESBACKEND="+l.iptablesBackend,
			"FELIX_LOGFILEPATH=none", "FELIX_LOGSEVERITYSYS=none", "FELIX_LOGSEVERITYSCREEN=Warning",
			"FELIX_USAGEREPORTINGENABLED=false", "FELIX_XDPENABLED=false",
		),
	})
	return err
}

// launchFelix starts Felix in a new namespace. It does so at every start: the namespace and the link into it end with the
// process, so that nothing is left of a Felix that is stopped, and all of them have the same addresses.
func (l *Lab) launchFelix(start func(...*os.File) (int, error), kubeconfig string, credentials *cluster.Credentials) error {
	gate, opener, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("create a pipe to the namespace: %w", err)
	}
	pid, err := start(gate)
	err = errors.Join(err, gate.Close())
	if err == nil {
		err = l.connectFelix(pid, kubeconfig, credentials)
	}
	if err != nil {
		return errors.Join(err, opener.Close())
	}
	return netns.Release(opener)
}

// connectFelix gives the process that waits in its namespace what Felix needs of this machine.
func (l *Lab) connectFelix(pid int, kubeconfig string, credentials *cluster.Credentials) error {
	if err := l.link.Connect(pid); err != nil {
		return err
	}
	if l.forwarder != nil {
		// It still listens: an address that comes back is the same to it.
		return nil
	}
	var err error
	if l.forwarder, err = netns.NewForwarder(l.link.Host, loopback(l.ports.apiserver)); err != nil {
		return err
	}
	return credentials.WriteKubeconfig(kubeconfig, "https://"+l.forwarder.Address(), "admin", credentials.AdminToken)
}
