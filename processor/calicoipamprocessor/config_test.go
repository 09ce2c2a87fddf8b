package calicoipamprocessor

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

func TestEmptyConfigurationIsValid(t *testing.T) {
	cfg := createDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{}).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
}

func TestUnknownKeyIsRefused(t *testing.T) {
	err := confmap.NewFromStringMap(map[string]any{"settle": "5s"}).Unmarshal(createDefaultConfig())
	require.ErrorContains(t, err, "settle")
}

func TestFactoryMakesAMutatingMetricsProcessorOnly(t *testing.T) {
	factory := NewFactory()
	require.Equal(t, component.MustNewType("calico_ipam"), factory.Type())
	set := processortest.NewNopSettings(metadata.Type)

	p, err := factory.CreateMetrics(t.Context(), set, factory.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.True(t, p.Capabilities().MutatesData)

	_, err = factory.CreateLogs(t.Context(), set, factory.CreateDefaultConfig(), consumertest.NewNop())
	require.Error(t, err)
	_, err = factory.CreateMetrics(t.Context(), set, &struct{}{}, consumertest.NewNop())
	require.ErrorContains(t, err, "unexpected configuration")
}
