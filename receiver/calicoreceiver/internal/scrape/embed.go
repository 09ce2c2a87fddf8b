package scrape

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape/metricrelabel"
)

// embedded is one Prometheus receiver with the feeds of its jobs.
type embedded struct {
	receiver receiver.Metrics
	feeds    map[string]*feed // by job
}

// embed makes a Prometheus receiver that is not started yet. shutdown ends it, started or not.
func embed(ctx context.Context, set receiver.Settings, jobs []Job, next consumer.Metrics) (*embedded, error) {
	e := &embedded{feeds: map[string]*feed{}}
	factory := prometheusreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*prometheusreceiver.Config)
	cfg.DiscoveryReloadOnStartup = true
	cfg.PrometheusConfig = &prometheusreceiver.PromConfig{GlobalConfig: promconfig.DefaultGlobalConfig}
	for _, job := range jobs {
		if _, ok := e.feeds[job.Name]; ok {
			e.unregister()
			return nil, fmt.Errorf("two scrape jobs have the name %q", job.Name)
		}
		f := newFeed(job.Name)
		e.feeds[job.Name] = f
		cfg.PrometheusConfig.ScrapeConfigs = append(cfg.PrometheusConfig.ScrapeConfigs, skeleton(job, f.name))
	}

	// The factory refuses settings that are not of its own type; the name keeps several calico receivers apart.
	set.ID = component.NewIDWithName(factory.Type(), set.ID.String())
	r, err := factory.CreateMetrics(ctx, set, cfg, next)
	if err != nil {
		e.unregister()
		return nil, fmt.Errorf("embed the prometheus receiver: %w", err)
	}
	e.receiver = r
	if err := complete(cfg.PrometheusConfig.ScrapeConfigs, jobs); err != nil {
		return nil, errors.Join(err, e.shutdown(ctx))
	}
	return e, nil
}

// skeleton is the part of a job's configuration that survives what the Prometheus receiver does to it when it is made: it writes the
// configuration as YAML and reads it back.
func skeleton(job Job, feed string) *promconfig.ScrapeConfig {
	sc := promconfig.DefaultScrapeConfig
	sc.JobName = job.Name
	interval, timeout := job.Settings.times(job.Interval, job.Timeout)
	sc.ScrapeInterval = model.Duration(interval)
	sc.ScrapeTimeout = model.Duration(timeout)
	// Calico's servers send a Content-Type, but a proxy in between may lose it.
	sc.ScrapeFallbackProtocol = promconfig.PrometheusText0_0_4
	sc.ServiceDiscoveryConfigs = discovery.Configs{&sdConfig{Feed: feed}}
	return &sc
}

// complete adds what YAML would lose or break, as of 0.158: a secret with a line break is an error and the secret --- a panic, an empty
// replacement becomes $1, an empty separator a semicolon. The Prometheus receiver keeps the scrape configurations that it read back in the
// configuration that it was given, and does not look at them before it starts.
func complete(configs []*promconfig.ScrapeConfig, jobs []Job) error {
	if len(configs) != len(jobs) {
		return fmt.Errorf("the prometheus receiver has %d scrape configurations of %d jobs", len(configs), len(jobs))
	}
	for i, job := range jobs {
		sc := configs[i]
		user, err := metricrelabel.Parse(job.Settings.MetricRelabelConfigs)
		if err != nil {
			return fmt.Errorf("%s: %w", job.Name, err)
		}
		if err := job.Settings.applyLimits(sc); err != nil {
			return fmt.Errorf("%s: %w", job.Name, err)
		}
		sc.MetricRelabelConfigs = append(job.Settings.Profile.relabelConfigs(job.Name), user...)
		sc.HTTPClientConfig = job.Settings.httpClient()
	}
	return nil
}

func (s *Settings) httpClient() commonconfig.HTTPClientConfig {
	c := commonconfig.DefaultHTTPClientConfig
	// Endpoints are what discovery found: none may send the scraper elsewhere.
	c.FollowRedirects = false
	c.TLSConfig = s.TLS.client()
	if b := s.BasicAuth; b != nil {
		c.BasicAuth = &commonconfig.BasicAuth{Username: b.Username, Password: commonconfig.Secret(b.Password), PasswordFile: b.PasswordFile}
	}
	if a := s.Authorization; a != nil {
		c.Authorization = &commonconfig.Authorization{
			Type: strings.TrimSpace(a.Type), Credentials: commonconfig.Secret(a.Credentials), CredentialsFile: a.CredentialsFile,
		}
		if c.Authorization.Type == "" {
			c.Authorization.Type = "Bearer"
		}
	}
	return c
}

func (t *TLSConfig) client() commonconfig.TLSConfig {
	return commonconfig.TLSConfig{
		CAFile:             t.CAFile,
		CertFile:           t.CertFile,
		KeyFile:            t.KeyFile,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify,
		MinVersion:         commonconfig.TLSVersions[t.MinVersion],
	}
}

func (e *embedded) shutdown(ctx context.Context) error {
	e.unregister()
	if err := e.receiver.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stop the prometheus receiver: %w", err)
	}
	return nil
}

func (e *embedded) unregister() {
	for _, f := range e.feeds {
		f.unregister()
	}
}
