package grpcearlyauthextension

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/otelcol-calico/otelcol-calico/extension/grpcearlyauthextension/internal/metadata"
)

// NewFactory returns the factory of the grpc_early_auth extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func createDefaultConfig() component.Config { return &Config{} }

func create(_ context.Context, _ extension.Settings, cfg component.Config) (extension.Extension, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("unexpected configuration %T", cfg)
	}
	return &earlyAuth{config: config}, nil
}
