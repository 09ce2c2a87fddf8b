package calicoipamprocessor

import (
	"context"
	"errors"
	"math/bits"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"go.opentelemetry.io/collector/processor"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/forecast"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// telemetry tells the collector's own telemetry what the processor does, and when it is time to log what goes on: the first time and whenever its
// number has doubled, so that a fault that lasts is seen without filling the log. It is not safe for concurrent use.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	totals  map[string]uint64
}

// sizes are those of the state.
type sizes struct {
	clusters, pools, waiting, historyBytes int
	// forecasts is the number of pools by what came of their forecast.
	forecasts map[string]int
}

// given is the outcome of a forecast that is no refusal.
const given = "given"

func newTelemetry(set processor.Settings, read func() sizes) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder, totals: make(map[string]uint64)}
	gauge := func(of func(sizes) int) metric.Int64Callback {
		return func(_ context.Context, observer metric.Int64Observer) error {
			observer.Observe(int64(of(read())))
			return nil
		}
	}
	return t, errors.Join(
		builder.RegisterProcessorCalicoIpamClustersCallback(gauge(func(s sizes) int { return s.clusters })),
		builder.RegisterProcessorCalicoIpamPoolsCallback(gauge(func(s sizes) int { return s.pools })),
		builder.RegisterProcessorCalicoIpamPendingScrapesCallback(gauge(func(s sizes) int { return s.waiting })),
		builder.RegisterProcessorCalicoIpamHistorySizeCallback(gauge(func(s sizes) int { return s.historyBytes })),
		builder.RegisterProcessorCalicoIpamForecastsCallback(func(_ context.Context, observer metric.Int64Observer) error {
			forecasts := read().forecasts
			observer.Observe(int64(forecasts[given]), metric.WithAttributes(attribute.String("outcome", given)))
			for _, refusal := range forecast.Refusals() {
				observer.Observe(int64(forecasts[string(refusal)]), metric.WithAttributes(attribute.String("outcome", string(refusal))))
			}
			return nil
		}),
	)
}

func (t *telemetry) end() { t.builder.Shutdown() }

// scrapes counts scrapes by what came of them.
func (t *telemetry) scrapes(ctx context.Context, outcome metadata.AttributeScrapeOutcome, n int) (total uint64, due bool) {
	return t.add(ctx, t.builder.ProcessorCalicoIpamScrapes, n, "outcome", outcome.String())
}

// dropped counts what there was no room for.
func (t *telemetry) dropped(ctx context.Context, kind metadata.AttributeDroppedKind, n int) (total uint64, due bool) {
	return t.add(ctx, t.builder.ProcessorCalicoIpamDropped, n, "kind", kind.String())
}

// unreadable counts points that hold no number of addresses.
func (t *telemetry) unreadable(ctx context.Context, name string, n int) (total uint64, due bool) {
	return t.add(ctx, t.builder.ProcessorCalicoIpamUnreadablePoints, n, "metric", name)
}

// storageFailures counts a read or write of the storage that failed.
func (t *telemetry) storageFailures(ctx context.Context) (total uint64, due bool) {
	return t.add(ctx, t.builder.ProcessorCalicoIpamStorageFailures, 1, "", "storage")
}

// emitFailures counts a batch of what had settled that was refused.
func (t *telemetry) emitFailures(ctx context.Context) (total uint64, due bool) {
	return t.add(ctx, t.builder.ProcessorCalicoIpamEmitFailures, 1, "", "emit")
}

// add counts n, and tells whether to log the total. The values of an attribute are few; without a key the value only names the total.
func (t *telemetry) add(ctx context.Context, counter metric.Int64Counter, n int, key, value string) (total uint64, due bool) {
	if n == 0 {
		return 0, false
	}
	if key == "" {
		counter.Add(ctx, int64(n))
	} else {
		counter.Add(ctx, int64(n), metric.WithAttributes(attribute.String(key, value)))
	}
	id := key + "=" + value
	before := t.totals[id]
	t.totals[id] += uint64(n)
	return t.totals[id], bits.Len64(t.totals[id]) != bits.Len64(before)
}
