// Package scrape turns endpoints into metrics: it embeds the Prometheus receiver and feeds it targets through a service discovery of its own,
// so that targets come and go without a restart.
package scrape

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// Job is a set of targets that are scraped alike. What a job says is fixed for the life of a Scraper; its targets are not.
type Job struct {
	// Name is the value of the label job, and of the resource attribute service.name.
	Name string
	// Interval between two scrapes of a target.
	Interval time.Duration
	// Timeout of one scrape, at most Interval.
	Timeout time.Duration
}

// Target is one /metrics endpoint. The label instance is its Address.
type Target struct {
	// Address is host:port.
	Address string
	// Namespace, Pod, PodUID, Node and Container say where the endpoint runs; empty is unknown.
	// They become k8s.* resource attributes.
	Namespace, Pod, PodUID, Node, Container string
	// ControllerKind and ControllerName are the pod's controller, as in DaemonSet and calico-node.
	ControllerKind, ControllerName string
}

// labels that the Prometheus receiver maps to resource attributes, and Prometheus drops after relabelling.
const (
	labelNamespace      = "__meta_kubernetes_namespace"
	labelPod            = "__meta_kubernetes_pod_name"
	labelPodUID         = "__meta_kubernetes_pod_uid"
	labelNode           = "__meta_kubernetes_pod_node_name"
	labelContainer      = "__meta_kubernetes_pod_container_name"
	labelControllerKind = "__meta_kubernetes_pod_controller_kind"
	labelControllerName = "__meta_kubernetes_pod_controller_name"

	// labelIdentity is not dropped before Prometheus compares targets, unlike the labels above, and is in no series. Without it a pod that takes
	// the place of another at the same address, as hostNetwork pods do, would take over its scrape loop and leave its series without an end.
	labelIdentity = "__calico_pod_uid"
)

func (t Target) labels() model.LabelSet {
	set := model.LabelSet{model.AddressLabel: model.LabelValue(t.Address)}
	for name, value := range map[model.LabelName]string{
		labelNamespace: t.Namespace, labelPod: t.Pod, labelPodUID: t.PodUID, labelNode: t.Node, labelContainer: t.Container,
		labelControllerKind: t.ControllerKind, labelControllerName: t.ControllerName, labelIdentity: t.PodUID,
	} {
		if value != "" {
			set[name] = model.LabelValue(value)
		}
	}
	return set
}

// Scraper scrapes the targets of some jobs and hands every scrape to a consumer as it is.
type Scraper struct {
	receiver receiver.Metrics
	feeds    map[string]*feed
	targets  map[string][]Target
}

// New makes a Scraper that is not started yet. Settings are those of the component that embeds it.
func New(ctx context.Context, set receiver.Settings, jobs []Job, next consumer.Metrics) (*Scraper, error) {
	s := &Scraper{feeds: map[string]*feed{}, targets: map[string][]Target{}}

	factory := prometheusreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*prometheusreceiver.Config)
	cfg.DiscoveryReloadOnStartup = true
	cfg.PrometheusConfig = &prometheusreceiver.PromConfig{GlobalConfig: promconfig.DefaultGlobalConfig}
	for _, job := range jobs {
		f := newFeed(job.Name)
		s.feeds[job.Name] = f
		cfg.PrometheusConfig.ScrapeConfigs = append(cfg.PrometheusConfig.ScrapeConfigs, scrapeConfig(job, f.name))
	}

	// The factory refuses settings that are not of its own type; the name keeps several calico receivers apart.
	set.ID = component.NewIDWithName(factory.Type(), set.ID.String())
	r, err := factory.CreateMetrics(ctx, set, cfg, next)
	if err != nil {
		s.unregister()
		return nil, fmt.Errorf("embed the prometheus receiver: %w", err)
	}
	s.receiver = r
	return s, nil
}

func scrapeConfig(job Job, feed string) *promconfig.ScrapeConfig {
	sc := promconfig.DefaultScrapeConfig
	sc.JobName = job.Name
	sc.ScrapeInterval = model.Duration(job.Interval)
	sc.ScrapeTimeout = model.Duration(job.Timeout)
	// Calico's servers send a Content-Type, but a proxy in between may lose it.
	sc.ScrapeFallbackProtocol = promconfig.PrometheusText0_0_4
	sc.ServiceDiscoveryConfigs = discovery.Configs{&sdConfig{Feed: feed}}
	return &sc
}

// Start begins to scrape.
func (s *Scraper) Start(ctx context.Context, host component.Host) error {
	return s.receiver.Start(ctx, host)
}

// Update replaces the targets of a job. Order does not matter; a set that equals the last one costs nothing.
// Update must not be called concurrently.
func (s *Scraper) Update(job string, targets []Target) error {
	f, ok := s.feeds[job]
	if !ok {
		return fmt.Errorf("no scrape job %q among %v", job, slices.Sorted(maps.Keys(s.feeds)))
	}
	targets = slices.Clone(targets)
	slices.SortFunc(targets, compareTargets)
	if slices.Equal(targets, s.targets[job]) {
		return nil
	}
	s.targets[job] = targets
	group := &targetgroup.Group{Targets: make([]model.LabelSet, len(targets))}
	for i, t := range targets {
		group.Targets[i] = t.labels()
	}
	f.update(group)
	return nil
}

// Shutdown ends all scrapes and waits for them. It may be called without Start.
func (s *Scraper) Shutdown(ctx context.Context) error {
	s.unregister()
	if err := s.receiver.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stop the prometheus receiver: %w", err)
	}
	return nil
}

func (s *Scraper) unregister() {
	for _, f := range s.feeds {
		f.unregister()
	}
}

func compareTargets(a, b Target) int {
	return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.PodUID, b.PodUID))
}
