// Package scrape turns endpoints into metrics: it embeds the Prometheus receiver and feeds it targets through a service discovery of its own,
// so that targets come and go without a restart.
package scrape

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// Job is a set of targets that are scraped alike. What a job says is fixed for the life of a Scraper; its targets are not.
type Job struct {
	// Name is the value of the label job, and of the resource attribute service.name. It also picks the rules of the essential profile.
	Name string
	// Interval between two scrapes of a target, where Settings has none.
	Interval time.Duration
	// Timeout of one scrape, where Settings has none. It is cut to the interval.
	Timeout time.Duration
	// Settings is what the user says of the component.
	Settings Settings
}

// Scraper scrapes the targets of some jobs and hands every scrape to a consumer as it is. Several may live in one process, one after another
// or at once.
type Scraper struct {
	logger     *zap.Logger
	jobs       []Job
	prometheus *embedded
	targets    map[string][]Target // by job
	health     *health

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New makes a Scraper that is not started yet, and fails on jobs that can never be scraped. Settings are those of the component that embeds it.
// Shutdown ends it, started or not.
func New(ctx context.Context, set receiver.Settings, jobs []Job, next consumer.Metrics) (*Scraper, error) {
	s := &Scraper{logger: set.Logger, jobs: jobs, targets: map[string][]Target{}, health: newHealth(), cancel: func() {}}
	var err error
	if s.prometheus, err = embed(ctx, set, jobs, &observer{next: next, health: s.health}); err != nil {
		return nil, err
	}
	return s, nil
}

// Start begins to scrape. Targets that are known by then are scraped within their first interval; those that come later, some seconds after that.
// After an error Shutdown must be called.
func (s *Scraper) Start(ctx context.Context, host component.Host) error {
	// The context of Start ends with it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	for _, job := range s.jobs {
		s.awaitCertificates(running, job)
	}
	if err := s.prometheus.receiver.Start(ctx, host); err != nil {
		return fmt.Errorf("start the prometheus receiver: %w", err)
	}
	return nil
}

// Update replaces the targets of a job. Order does not matter; a set that equals the last one costs nothing.
// Update must not be called concurrently.
func (s *Scraper) Update(job string, targets []Target) error {
	f, ok := s.prometheus.feeds[job]
	if !ok {
		return fmt.Errorf("no scrape job %q among %v", job, slices.Sorted(maps.Keys(s.prometheus.feeds)))
	}
	targets = slices.Clone(targets)
	slices.SortFunc(targets, compareTargets)
	if slices.Equal(targets, s.targets[job]) {
		return nil
	}
	s.targets[job] = targets
	s.health.retain(job, targets)
	group := &targetgroup.Group{Targets: make([]model.LabelSet, len(targets))}
	for i, t := range targets {
		group.Targets[i] = t.labels()
	}
	f.update(group)
	return nil
}

// Up says of the targets of a job, by address, whether the last scrape succeeded. A target that was not scraped yet is not there; one that
// cannot be scraped because files of its TLS configuration are missing is down. It may be called at any time.
func (s *Scraper) Up(job string) map[string]bool {
	errs := s.health.errors(job)
	up := make(map[string]bool, len(errs))
	for address, err := range errs {
		up[address] = err == nil
	}
	return up
}

// BeyondLimits are the targets of a job, by address, whose last scrape brought more than a limit lets pass. It may be called at any time.
func (s *Scraper) BeyondLimits(job string) map[string]bool {
	beyond := map[string]bool{}
	for address, err := range s.health.errors(job) {
		if beyondLimits(err) {
			beyond[address] = true
		}
	}
	return beyond
}

// LastErrors says why targets of a job are down, by address; those that are up or were not scraped yet are not there. There are no secrets in it.
// It may be called at any time.
func (s *Scraper) LastErrors(job string) map[string]error {
	errs := s.health.errors(job)
	maps.DeleteFunc(errs, func(_ string, err error) bool { return err == nil })
	return errs
}

// Changed delivers a notice after Up or BeyondLimits changed; several changes make one notice. A target that Update takes away makes none.
func (s *Scraper) Changed() <-chan struct{} { return s.health.changed }

// Shutdown ends all scrapes and waits for them. It may be called without Start, and after a Start that failed.
func (s *Scraper) Shutdown(ctx context.Context) error {
	s.cancel()
	s.running.Wait()
	return s.prometheus.shutdown(ctx)
}
