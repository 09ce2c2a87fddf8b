package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/fill"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// Tiers of parts, which are stopped from the last to the first: the API server hangs for minutes if etcd goes before it.
const (
	tierEtcd = iota
	tierAPIServer
	tierClients
	// TierCollector is for what uses the cluster and its Prometheus.
	TierCollector
)

// Names of parts.
const (
	partEtcd            = "etcd"
	partAPIServer       = "kube-apiserver"
	partPrometheus      = "prometheus"
	partTypha           = "calico-typha"
	partFelix           = "calico-felix"
	partKubeControllers = "calico-kube-controllers"
)

const (
	readyTimeout = 60 * time.Second
	probeTimeout = 5 * time.Second
	// A hundred nodes on a slow machine take a part of these.
	objectsTimeout  = 3 * time.Minute
	allocateTimeout = 5 * time.Minute
	// By these exit codes kube-controllers and Felix say that their configuration changed.
	kubeControllersRestartCode = 0
	felixRestartCode           = 129
	// felixPort can be Felix' default: it listens in a network namespace of its own.
	felixPort = 9091
)

func probeClient(config *tls.Config) *http.Client {
	return &http.Client{Timeout: probeTimeout, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

func (l *Lab) bin(program string) string { return filepath.Join(l.options.BinDir, program) }

// baseEnv is the little that every part needs of this machine's environment. Nothing else is inherited: a FELIX_ or TYPHA_
// variable of the person's shell must not change a part.
func (l *Lab) baseEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.options.StateDir, "TMPDIR=" + os.TempDir()}
}

func (l *Lab) env(declared []corev1.EnvVar, more ...string) []string {
	env := l.baseEnv()
	for _, variable := range declared {
		env = append(env, variable.Name+"="+variable.Value)
	}
	return append(env, more...)
}

// Start starts a further part, which the lab then watches and stops as its own.
func (l *Lab) Start(name, program string, args, env []string) (*process.Part, error) {
	return l.supervisor.Start(process.Spec{
		Name: name, Path: program, Args: args, Env: append(l.baseEnv(), env...), Dir: l.options.StateDir, Tier: TierCollector,
	})
}

// Await waits until probe succeeds for a part.
func (l *Lab) Await(ctx context.Context, part *process.Part, timeout time.Duration, probe func(context.Context) error) error {
	return l.supervisor.Await(ctx, part, timeout, probe)
}

func (l *Lab) startControlPlane(ctx context.Context, credentials *cluster.Credentials) error {
	etcdURL, peerURL := l.etcdURL(), "http://"+loopback(l.ports.etcdPeer)
	etcd, err := l.supervisor.Start(process.Spec{
		Name: partEtcd, Path: l.bin(partEtcd), Dir: l.options.StateDir, Env: l.baseEnv(), Tier: tierEtcd,
		Args: []string{
			"--data-dir", l.path(etcdDir), "--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
			"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "default=" + peerURL,
			"--unsafe-no-fsync", "--log-level", "warn",
		},
	})
	if err != nil {
		return err
	}
	prometheus, err := l.startPrometheus()
	if err != nil {
		return err
	}
	if err := l.await(ctx, etcd, l.etcdProbe()); err != nil {
		return err
	}
	apiserver, err := l.supervisor.Start(process.Spec{
		Name: partAPIServer, Path: l.bin(partAPIServer), Dir: l.options.StateDir, Env: l.baseEnv(), Tier: tierAPIServer,
		Args: []string{
			"--etcd-servers=" + etcdURL, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", l.ports.apiserver),
			"--cert-dir=" + l.path(pkiDir), "--tls-cert-file=" + credentials.CertFile, "--tls-private-key-file=" + credentials.KeyFile,
			"--service-account-issuer=https://lab", "--service-account-key-file=" + credentials.SAKeyFile,
			"--service-account-signing-key-file=" + credentials.SAKeyFile, "--token-auth-file=" + credentials.TokensFile,
			"--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount",
			"--endpoint-reconciler-type=none",
		},
	})
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	authority, err := os.ReadFile(credentials.CAFile)
	if err != nil {
		return fmt.Errorf("read the certificate authority: %w", err)
	}
	pool.AppendCertsFromPEM(authority)
	err = l.await(ctx, apiserver, process.HTTPProbe(probeClient(&tls.Config{RootCAs: pool}), l.State.APIServerURL+"/readyz", nil))
	if err != nil {
		return err
	}
	return l.await(ctx, prometheus, process.HTTPProbe(probeClient(nil), l.State.PrometheusURL+"/-/ready", nil))
}

func (l *Lab) etcdURL() string { return "http://" + loopback(l.ports.etcd) }

func (l *Lab) etcdProbe() func(context.Context) error {
	return process.HTTPProbe(probeClient(nil), l.etcdURL()+"/readyz", nil)
}

func (l *Lab) startPrometheus() (*process.Part, error) {
	config := l.path("prometheus.yml")
	if err := os.WriteFile(config, []byte("scrape_configs: []\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of Prometheus: %w", err)
	}
	return l.supervisor.Start(process.Spec{
		Name: partPrometheus, Path: l.bin(partPrometheus), Dir: l.options.StateDir, Env: l.baseEnv(), Tier: tierClients,
		Args: []string{
			"--config.file=" + config, "--storage.tsdb.path=" + l.path(prometheusDir), "--web.listen-address=" + loopback(l.ports.prometheus),
			"--web.enable-remote-write-receiver", "--web.enable-otlp-receiver", "--log.level=warn",
		},
	})
}

func (l *Lab) await(ctx context.Context, part *process.Part, probe func(context.Context) error) error {
	return l.out.Step("waiting for "+part.Name(), func() error {
		return l.supervisor.Await(ctx, part, readyTimeout, probe)
	})
}

func (l *Lab) startCalico(ctx context.Context, credentials *cluster.Credentials) error {
	typha, err := l.supervisor.Start(process.Spec{
		Name: partTypha, Path: l.bin(partTypha), Dir: l.options.StateDir, Tier: tierClients, Restart: process.LikeKubelet(),
		Env: l.env(l.placement.TyphaEnv(), "KUBECONFIG="+l.State.AdminKubeconfig),
	})
	if err != nil {
		return err
	}
	_, err = l.supervisor.Start(process.Spec{
		Name: partKubeControllers, Path: l.bin(partKubeControllers), Dir: l.options.StateDir, Tier: tierClients,
		Restart: process.LikeKubelet(kubeControllersRestartCode),
		Env:     l.env(l.placement.KubeControllersEnv(), "KUBECONFIG="+l.State.AdminKubeconfig),
		// By default it would make a directory in this machine's root.
		Args: []string{"--status-file=" + l.path("kube-controllers-status.json")},
	})
	if err != nil {
		return err
	}
	// Felix exits if it cannot reach Typha.
	if err := l.await(ctx, typha, l.metricsProbe(partTypha, process.Contains("typha_connections_accepted"))); err != nil {
		return err
	}
	if l.link == nil {
		return nil
	}
	return l.startFelix(credentials)
}

func (l *Lab) awaitCalico(ctx context.Context) error {
	// The series of every pool and node is there from the start, with the value zero; the borrower's counts last.
	borrowed := fmt.Sprintf("ipam_allocations_borrowed{ippool=%q,node=%q}", fill.SmallPool, cluster.NodeName(fill.Borrower(l.options.Nodes)))
	err := l.await(ctx, l.supervisor.Part(partKubeControllers), l.metricsProbe(partKubeControllers, process.Positive(borrowed)))
	if err != nil || l.link == nil {
		return err
	}
	return l.await(ctx, l.supervisor.Part(partFelix), l.metricsProbe(partFelix, process.Contains("felix_active_local_endpoints")))
}

// metricsProbe asks the component's own metrics endpoint, at the address that the state tells others.
func (l *Lab) metricsProbe(job string, accept func(body string) error) func(context.Context) error {
	for _, component := range l.State.Components {
		if component.Job == job {
			return process.HTTPProbe(probeClient(nil), MetricsURL(component), accept)
		}
	}
	return func(context.Context) error { return errors.New("the component has no endpoint") }
}

// MetricsURL is where a component serves its metrics.
func MetricsURL(component state.Component) string { return "http://" + component.Address + "/metrics" }
