package calicoreceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/kubeclient"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

// NewFactory makes the factory of the calico receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithMetrics(createMetrics, metadata.MetricsStability),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		AuthType:           kubeclient.ServiceAccount,
		Mode:               ModeCluster,
		CollectionInterval: defaultCollectionInterval,
		IPAM:               defaultIPAMConfig(),
		Metrics:            metadata.DefaultMetricsConfig(),
	}
}

func createMetrics(ctx context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	return newReceiver(ctx, set, cfg.(*Config), next)
}
