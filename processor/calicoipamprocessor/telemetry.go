package calicoipamprocessor

import (
	"context"
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
	sizes   metric.Registration
	totals  map[total]uint64
}

// total identifies what a counter has counted with a value of its attribute.
type total struct {
	counter metric.Int64Counter
	value   string
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
	t := &telemetry{builder: builder, totals: make(map[total]uint64)}
	// One look at the state for all of them: it may be large.
	t.sizes, err = metadata.Meter(set.TelemetrySettings).RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		t.observe(observer, read())
		return nil
	}, builder.ProcessorCalicoIpamClusters, builder.ProcessorCalicoIpamPools, builder.ProcessorCalicoIpamPendingScrapes,
		builder.ProcessorCalicoIpamHistorySize, builder.ProcessorCalicoIpamForecasts)
	return t, err
}

func (t *telemetry) observe(observer metric.Observer, s sizes) {
	observer.ObserveInt64(t.builder.ProcessorCalicoIpamClusters, int64(s.clusters))
	observer.ObserveInt64(t.builder.ProcessorCalicoIpamPools, int64(s.pools))
	observer.ObserveInt64(t.builder.ProcessorCalicoIpamPendingScrapes, int64(s.waiting))
	observer.ObserveInt64(t.builder.ProcessorCalicoIpamHistorySize, int64(s.historyBytes))
	outcomes := []string{given}
	for _, refusal := range forecast.Refusals() {
		outcomes = append(outcomes, string(refusal))
	}
	for _, outcome := range outcomes {
		observer.ObserveInt64(t.builder.ProcessorCalicoIpamForecasts, int64(s.forecasts[outcome]), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}

func (t *telemetry) end() {
	t.builder.Shutdown()
	_ = t.sizes.Unregister() // as the builder does with its own
}

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
	return t.add(ctx, t.builder.ProcessorCalicoIpamStorageFailures, 1, "", "")
}

// emitFailures counts a batch of what had settled that was refused.
func (t *telemetry) emitFailures(ctx context.Context) (total uint64, due bool) {
	return t.add(ctx, t.builder.ProcessorCalicoIpamEmitFailures, 1, "", "")
}

// add counts n, and tells whether to log the total. The values of an attribute are few; an empty key is none.
func (t *telemetry) add(ctx context.Context, counter metric.Int64Counter, n int, key, value string) (sum uint64, due bool) {
	if n == 0 {
		return 0, false
	}
	var options []metric.AddOption
	if key != "" {
		options = append(options, metric.WithAttributes(attribute.String(key, value)))
	}
	counter.Add(ctx, int64(n), options...)
	of := total{counter: counter, value: value}
	before := t.totals[of]
	t.totals[of] += uint64(n)
	return t.totals[of], bits.Len64(t.totals[of]) != bits.Len64(before)
}
