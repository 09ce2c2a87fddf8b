package staleness

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func TestTheEndOfASeriesHasItsLabelsAndNoValue(t *testing.T) {
	point := pmetric.NewNumberDataPoint()
	point.Attributes().PutStr("node", "node-1")
	point.SetTimestamp(10)
	point.SetStartTimestamp(5)
	point.SetDoubleValue(7)
	end := EndOf(point, 20)
	require.True(t, end.Flags().NoRecordedValue())
	require.Equal(t, pmetric.NumberDataPointValueTypeEmpty, end.ValueType())
	require.Equal(t, map[string]any{"node": "node-1"}, end.Attributes().AsRaw())
	require.EqualValues(t, 20, end.Timestamp())
	require.Zero(t, end.StartTimestamp())

	require.InDelta(t, 7, point.DoubleValue(), 0)
	require.False(t, point.Flags().NoRecordedValue())
}
