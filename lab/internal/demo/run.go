package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/calicoctl"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/lab"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
)

const (
	partCollector = "otelcol-calico"

	// seriesTimeout bounds the wait for the first series of every pool, agreementTimeout the wait for equal numbers: a
	// change needs a scrape and a batch to arrive.
	seriesTimeout    = 90 * time.Second
	agreementTimeout = 60 * time.Second
	pollInterval     = 500 * time.Millisecond

	clearScreen = "\x1b[H\x1b[2J"
)

// ErrDisagreement says that Prometheus and calicoctl gave different numbers for as long as the demo waited.
var ErrDisagreement = errors.New("the numbers in Prometheus are not calicoctl's")

// Options are what `lab demo` can be told.
type Options struct {
	// Collector is the collector's binary.
	Collector string
	// Configs are its configurations, which it reads one on top of the other.
	Configs []string
	// Once shows the table once, and fails unless all numbers agree.
	Once bool
	// Interval is the time between two tables otherwise.
	Interval time.Duration
}

// Demo is a collector beside a running lab.
type Demo struct {
	options    Options
	lab        *lab.Lab
	out        *progress.Printer
	prometheus *Prometheus
	collector  *process.Part
	health     string
}

// Run starts the collector in the lab and shows its numbers until ctx is done, or once.
func Run(ctx context.Context, running *lab.Lab, options Options, out *progress.Printer) error {
	prometheus, err := NewPrometheus(running.State.PrometheusURL)
	if err != nil {
		return err
	}
	d := &Demo{options: options, lab: running, out: out, prometheus: prometheus}
	if err := d.startCollector(); err != nil {
		return err
	}
	// A part that ends ends the demo, whatever it is doing.
	return running.Watch(ctx, d.show)
}

func (d *Demo) startCollector() error {
	ports, err := lab.FreePorts(5)
	if err != nil {
		return err
	}
	d.health = fmt.Sprintf("localhost:%d", ports[0])
	var args []string
	for _, name := range d.options.Configs {
		config, err := filepath.Abs(name)
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		args = append(args, "--config", config)
	}
	collector, err := filepath.Abs(d.options.Collector)
	if err != nil {
		return fmt.Errorf("--collector: %w", err)
	}
	d.collector, err = d.lab.Start(partCollector, collector, args, []string{
		"KUBECONFIG=" + d.lab.State.CollectorKubeconfig,
		"CALICO_AUTH_TYPE=kubeConfig",
		"CALICO_COLLECTION_INTERVAL=2s",
		"K8S_CLUSTER_NAME=lab",
		"STORAGE_DIRECTORY=" + filepath.Join(d.lab.State.StateDir, partCollector),
		"REMOTE_WRITE_ENDPOINT=" + d.lab.State.PrometheusURL + "/api/v1/write",
		fmt.Sprintf("HEALTH_CHECK_PORT=%d", ports[0]),
		fmt.Sprintf("TELEMETRY_METRICS_PORT=%d", ports[1]),
		fmt.Sprintf("REMOTE_WRITE_HOP=localhost:%d", ports[2]),
		fmt.Sprintf("PPROF_PORT=%d", ports[3]),
		fmt.Sprintf("ZPAGES_PORT=%d", ports[4]),
	})
	return err
}

func (d *Demo) show(ctx context.Context) error {
	if err := d.awaitSeries(ctx); err != nil {
		return err
	}
	if d.options.Once {
		return d.showOnce(ctx)
	}
	return d.showLive(ctx)
}

func (d *Demo) showLive(ctx context.Context) error {
	ticker := time.NewTicker(d.options.Interval)
	defer ticker.Stop()
	for {
		// Addresses come and go meanwhile: what is shown is the first moment at which the newest change has arrived.
		now, err := settle(ctx, d.options.Interval, d.compare)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.out.Printf("no table at %s: %v", time.Now().Format(time.TimeOnly), err)
		default:
			d.write(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (d *Demo) showOnce(ctx context.Context) error {
	var now comparison
	err := d.out.Step("waiting for the numbers to settle", func() (err error) {
		now, err = settle(ctx, agreementTimeout, d.compare)
		return err
	})
	if err != nil {
		return err
	}
	d.write(now)
	if lines := Disagreement(now.rows); len(lines) > 0 {
		return fmt.Errorf("%w after %s:\n%s", ErrDisagreement, agreementTimeout, strings.Join(lines, "\n"))
	}
	d.out.Printf("every pool agrees with calicoctl")
	return nil
}

// awaitSeries waits until Prometheus answers with the derived series of every pool and, where nothing is shown later, with the
// states of components.
func (d *Demo) awaitSeries(ctx context.Context) error {
	all := len(d.lab.State.Pools)
	return d.out.StepFunc("waiting for the collector", func(update func(string)) error {
		return d.lab.Await(ctx, d.collector, seriesTimeout, func(ctx context.Context) error {
			reading, err := d.prometheus.Read(ctx)
			if err != nil {
				return err
			}
			have := map[string]bool{}
			for _, pool := range reading.Pools {
				have[pool.Pool] = pool.Available != nil
			}
			var missing []string
			for _, pool := range d.lab.State.Pools {
				if !have[pool.Name] {
					missing = append(missing, pool.Name)
				}
			}
			update(fmt.Sprintf("waiting for the collector's series, %d of %d pools", all-len(missing), all))
			if len(missing) > 0 {
				return fmt.Errorf("prometheus has no %s or no calico_ipam_pool_available of pool %s", queryUtilization, strings.Join(missing, ", "))
			}
			if d.options.Once {
				return checkStates(reading.States)
			}
			return nil
		})
	})
}

// comparison is both sides at one moment.
type comparison struct {
	rows    []Row
	reading Reading
}

// settle compares both sides until they agree or timeout is over, and returns the last comparison. One that fails counts as
// one that differs: the next may succeed.
func settle(ctx context.Context, timeout time.Duration, compare func(context.Context) (comparison, error)) (comparison, error) {
	deadline := time.Now().Add(timeout)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		now, err := compare(ctx)
		if err == nil && len(Disagreement(now.rows)) == 0 || time.Now().After(deadline) {
			return now, err
		}
		select {
		case <-ctx.Done():
			return comparison{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

func (d *Demo) compare(ctx context.Context) (comparison, error) {
	reading, err := d.prometheus.Read(ctx)
	if err != nil {
		return comparison{}, err
	}
	output, err := calicoctl.Show(ctx, filepath.Join(d.lab.State.BinDir, "calicoctl"), d.lab.State.AdminKubeconfig)
	if err != nil {
		return comparison{}, err
	}
	reference, err := calicoctl.ParseShow(output)
	if err != nil {
		return comparison{}, err
	}
	return comparison{rows: Compare(reading.Pools, reference), reading: reading}, nil
}

func (d *Demo) write(now comparison) {
	var text strings.Builder
	if d.out.Terminal() && !d.options.Once {
		text.WriteString(clearScreen)
	}
	fmt.Fprintf(&text, "\nIP pools as Prometheus has them, %s, beside calicoctl\n", time.Now().Format(time.TimeOnly))
	WriteTable(&text, now.rows)
	text.WriteString("\n")
	WriteComparison(&text, now.reading)
	fmt.Fprintf(&text, "\nComponents as Prometheus has them: %s\n", metricStates)
	WriteStates(&text, now.reading.States)
	fmt.Fprintf(&text, "\nPrometheus    %s\nhealth check  http://%s/\n", GraphURL(d.lab.State.PrometheusURL), d.health)
	if !d.options.Once {
		text.WriteString("Ctrl-C stops everything\n")
	}
	d.out.Printf("%s", strings.TrimRight(text.String(), "\n"))
}

// Validate checks what can be checked before a lab is started. Its errors name the flag.
func (o Options) Validate() error {
	if len(o.Configs) == 0 {
		return errors.New("--config is required")
	}
	if err := isFile("--collector", o.Collector); err != nil {
		return err
	}
	for _, config := range o.Configs {
		if err := isFile("--config", config); err != nil {
			return err
		}
	}
	if o.Interval <= 0 {
		return fmt.Errorf("--interval: %s is not positive", o.Interval)
	}
	return nil
}

func isFile(flag, path string) error {
	if path == "" {
		return fmt.Errorf("%s is required", flag)
	}
	if info, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	} else if info.IsDir() {
		return fmt.Errorf("%s: %s is a directory", flag, path)
	}
	return nil
}
