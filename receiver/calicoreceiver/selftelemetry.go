package calicoreceiver

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

// invalid tells the collector's own telemetry how many objects of each resource cannot be read.
type invalid struct {
	telemetry *metadata.TelemetryBuilder
	objects   atomic.Pointer[map[calicoapi.Resource]int]
}

// newInvalid has them told until end.
func newInvalid(set component.TelemetrySettings) (*invalid, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, fmt.Errorf("report on the receiver: %w", err)
	}
	i := &invalid{telemetry: telemetry}
	if err := telemetry.RegisterReceiverCalicoUnreadableObjectsCallback(i.observe); err != nil {
		return nil, fmt.Errorf("report on the receiver: %w", err)
	}
	return i, nil
}

func (i *invalid) observe(_ context.Context, observer metric.Int64Observer) error {
	objects := i.objects.Load()
	if objects == nil {
		return nil
	}
	for resource, n := range *objects {
		observer.Observe(int64(n), metric.WithAttributes(attribute.String("resource", string(resource))))
	}
	return nil
}

// set replaces the numbers. The map must not change any more.
func (i *invalid) set(objects map[calicoapi.Resource]int) { i.objects.Store(&objects) }

func (i *invalid) end() { i.telemetry.Shutdown() }
