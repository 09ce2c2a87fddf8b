// Package lab runs a real Calico cluster on this machine: it starts the parts in order, fills the cluster, tells where
// everything is, watches the parts and stops them.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/control"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/fill"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/ipamops"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/netns"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// Lab is a cluster that is being started or runs. Stop must be called.
type Lab struct {
	// State does not change once Up has returned. It has no process ids, which do.
	State state.State

	options    Options
	out        *progress.Printer
	temporary  bool
	claim      *state.Claim
	supervisor *process.Supervisor
	control    *control.Server
	kube       *cluster.Client
	// ipam is nil in a bare lab.
	ipam      *ipamops.Client
	placement cluster.Placement
	ports     ports

	link      *netns.Link
	forwarder *netns.Forwarder
	// iptablesBackend is what Felix is told to use.
	iptablesBackend string

	background sync.WaitGroup
	cancel     context.CancelFunc

	// publishing orders the writes of lab.json, of which there are none unless the lab is ready.
	publishing sync.Mutex
	ready      bool
}

type ports struct {
	etcd, etcdPeer, apiserver, prometheus int
}

// Up starts a lab and returns when everything in it is ready. On failure nothing is left running.
func Up(ctx context.Context, options Options, out *progress.Printer) (*Lab, error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	l := &Lab{options: options, out: out, cancel: func() {}}
	err := l.prepare(ctx)
	if err == nil {
		// A part that dies is what is reported, not what another says that cannot reach it.
		err = l.supervisor.Watch(ctx, l.start)
	}
	if err != nil {
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

// Watch runs do with a context that is done as soon as a part ends, which is then the error.
func (l *Lab) Watch(ctx context.Context, do func(context.Context) error) error {
	return l.supervisor.Watch(ctx, do)
}

// Wait blocks until a part ends, which is its error, or until ctx is done.
func (l *Lab) Wait(ctx context.Context) error { return l.supervisor.Wait(ctx) }

// prepare makes the directories, chooses ports and finds out whether Felix can run.
func (l *Lab) prepare(ctx context.Context) error {
	if err := l.makeStateDir(); err != nil {
		return err
	}
	var err error
	if l.supervisor, err = process.NewSupervisor(l.path("logs"), l.partChanged); err != nil {
		return err
	}
	chosen, err := FreePorts(8)
	if err != nil {
		return err
	}
	l.ports = ports{etcd: chosen[0], etcdPeer: chosen[1], apiserver: chosen[2], prometheus: chosen[3]}
	l.placement = cluster.Placement{
		Layout:    l.options.Layout,
		FelixPort: felixPort, TyphaPort: chosen[4], TyphaHealthPort: chosen[5], TyphaServerPort: chosen[6],
		TyphaAddress: "127.0.0.1", KubeControllersPort: chosen[7],
	}
	l.State = state.State{
		Layout: string(l.options.Layout), StateDir: l.options.StateDir, BinDir: l.options.BinDir,
		AdminKubeconfig: l.path(adminKubeconfig), CollectorKubeconfig: l.path(adminKubeconfig),
		APIServerURL: "https://" + loopback(l.ports.apiserver), PrometheusURL: "http://" + loopback(l.ports.prometheus),
	}
	if l.options.Bare {
		l.State.Layout, l.State.Felix = bareLayout, "left out by --bare"
		return nil
	}
	return l.prepareFelix(ctx)
}

func (l *Lab) makeStateDir() error {
	var err error
	if l.options.StateDir == "" {
		l.temporary = true
		l.options.StateDir, err = os.MkdirTemp("", "calico-lab-")
	} else {
		l.options.StateDir, err = filepath.Abs(l.options.StateDir)
	}
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	if l.claim, err = state.Take(l.options.StateDir); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	// What an earlier lab left behind must not be read by this one.
	if err := errors.Join(state.Remove(l.options.StateDir), l.remove(secrets), l.remove(data)); err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}

// What a lab writes into its state directory, beside lab.json and the logs.
const (
	pkiDir              = "pki"
	etcdDir             = "etcd"
	prometheusDir       = "prometheus"
	adminKubeconfig     = "admin.kubeconfig"
	collectorKubeconfig = "collector.kubeconfig"
	felixKubeconfig     = "felix.kubeconfig"
)

var (
	// secrets do not outlive the lab, data does in a directory that has a name.
	secrets = []string{pkiDir, adminKubeconfig, collectorKubeconfig, felixKubeconfig}
	data    = []string{etcdDir, prometheusDir}
)

func (l *Lab) remove(names []string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, os.RemoveAll(l.path(name)))
	}
	return errors.Join(errs...)
}

func (l *Lab) path(name string) string { return filepath.Join(l.options.StateDir, name) }

func (l *Lab) start(ctx context.Context) error {
	credentials, err := cluster.NewCredentials(l.path(pkiDir))
	if err != nil {
		return err
	}
	if err := credentials.WriteKubeconfig(l.State.AdminKubeconfig, l.State.APIServerURL, "admin", credentials.AdminToken); err != nil {
		return err
	}
	if err := l.startControlPlane(ctx, credentials); err != nil {
		return err
	}
	if l.options.Bare {
		err = l.startBare(ctx, credentials)
	} else {
		err = l.startCluster(ctx, credentials)
	}
	if err != nil {
		return err
	}
	if l.control, err = control.Serve(ctx, l.options.StateDir, l); err != nil {
		return err
	}
	l.setReady(true)
	return l.publish()
}

// startCluster makes the new API server that of a Calico cluster: its objects, its processes and its addresses.
func (l *Lab) startCluster(ctx context.Context, credentials *cluster.Credentials) error {
	var err error
	if l.ipam, err = ipamops.New(l.State.AdminKubeconfig); err != nil {
		return err
	}
	l.kube = l.ipam.CRD
	err = l.out.Step("creating the cluster's objects", func() error {
		return within(ctx, objectsTimeout, func(ctx context.Context) error { return l.createObjects(ctx, credentials) })
	})
	if err != nil {
		return err
	}
	if err := l.startCalico(ctx, credentials); err != nil {
		return err
	}
	err = l.out.StepFunc("allocating addresses", func(update func(string)) error {
		return within(ctx, allocateTimeout, func(ctx context.Context) error {
			return fill.Allocate(ctx, l.ipam, l.options.Nodes, func(done, all int) {
				update(fmt.Sprintf("allocating addresses, %d of %d", done, all))
			})
		})
	})
	if err != nil {
		return err
	}
	if err := l.awaitCalico(ctx); err != nil {
		return err
	}
	if l.options.Churn {
		background, cancel := context.WithCancel(context.WithoutCancel(ctx))
		l.cancel = cancel
		l.background.Add(1)
		go func() {
			defer l.background.Done()
			l.churn(background)
		}()
	}
	return nil
}

// within bounds do, and says so if that was what ended it.
func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("not done after %s: %w", limit, err)
	}
	return err
}

// createObjects creates what the Calico processes read at their start, and the objects that show these processes.
func (l *Lab) createObjects(ctx context.Context, credentials *cluster.Credentials) error {
	kube := l.kube
	groups := []string{build.CalicoCRDs}
	if l.options.Layout == cluster.OperatorLayout {
		groups = append(groups, build.OperatorCRDs)
	}
	if err := kube.ApplyCRDs(ctx, build.CRDDirs(l.options.BinDir, groups...)...); err != nil {
		return err
	}
	if err := kube.AwaitNamespace(ctx, "kube-system", readyTimeout); err != nil {
		return err
	}
	if err := kube.CreateNamespace(ctx, ipamops.Namespace); err != nil {
		return err
	}
	if err := kube.CreateNodes(ctx, l.options.Nodes, l.placement.FelixAddress); err != nil {
		return err
	}
	if err := kube.CreateConfiguration(ctx, l.placement); err != nil {
		return err
	}
	var err error
	if l.State.Pools, err = fill.CreatePools(ctx, l.ipam, cluster.CalicoVersion, l.options.Layout.ClusterType()); err != nil {
		return err
	}
	if err := fill.AllocateTunnels(ctx, l.ipam, l.options.Nodes); err != nil {
		return err
	}
	if l.State.Components, err = kube.CreateComponents(ctx, l.placement); err != nil {
		return err
	}
	if l.options.Layout == cluster.OperatorLayout {
		if err := kube.CreateOperatorStatuses(ctx); err != nil {
			return err
		}
	}
	return l.grantCollector(ctx, credentials)
}

func (l *Lab) grantCollector(ctx context.Context, credentials *cluster.Credentials) error {
	if len(l.options.RBACFiles) == 0 {
		l.out.Printf("no RBAC file for the collector: its kubeconfig is the administrator's")
		return nil
	}
	token, err := l.kube.ApplyRBAC(ctx, l.options.RBACFiles)
	if err != nil {
		return fmt.Errorf("--rbac: %w", err)
	}
	l.State.CollectorKubeconfig = l.path(collectorKubeconfig)
	return credentials.WriteKubeconfig(l.State.CollectorKubeconfig, l.State.APIServerURL, cluster.CollectorAccount, token)
}

// Stop ends everything that the lab started. Of its state directory it removes lab.json and all secrets, and leaves logs and
// data; a temporary one it removes.
func (l *Lab) Stop() error {
	if l.claim == nil {
		// The directory is not this lab's, and nothing was started.
		return nil
	}
	l.setReady(false)
	errs := []error{state.Remove(l.options.StateDir)}
	if l.control != nil {
		errs = append(errs, l.control.Close())
	}
	l.cancel()
	l.background.Wait()
	if l.supervisor != nil {
		l.supervisor.Stop()
	}
	if l.forwarder != nil {
		errs = append(errs, l.forwarder.Close())
	}
	errs = append(errs, l.remove(secrets))
	if l.temporary {
		errs = append(errs, os.RemoveAll(l.options.StateDir))
	}
	errs = append(errs, l.claim.Release())
	return errors.Join(errs...)
}
