package calicoreceiver

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadatatest"
)

func TestObjectsThatCannotBeReadAreToldUntilTheEnd(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	unreadable, err := newInvalid(telemetry.NewTelemetrySettings())
	require.NoError(t, err)
	const name = "otelcol_receiver_calico_unreadable_objects"
	_, err = telemetry.GetMetric(name)
	require.Error(t, err, "nothing is known before the first account")
	unreadable.set(map[calicoapi.Resource]int{calicoapi.IPPools: 0, calicoapi.IPAMBlocks: 2})
	of := func(resource string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("resource", resource))}
	}
	metadatatest.AssertEqualReceiverCalicoUnreadableObjects(t, telemetry,
		[]metricdata.DataPoint[int64]{of("ippools", 0), of("ipamblocks", 2)}, metricdatatest.IgnoreTimestamp())
	unreadable.end()
	_, err = telemetry.GetMetric(name)
	require.Error(t, err)
	require.NoError(t, telemetry.Shutdown(t.Context()))
}
