// Package staleness makes staleness markers: points that only say that their series has ended.
package staleness

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// EndOf makes the end of the series of a point at a moment. It has no value, and p stays as it is.
func EndOf(p pmetric.NumberDataPoint, at pcommon.Timestamp) pmetric.NumberDataPoint {
	end := pmetric.NewNumberDataPoint()
	p.Attributes().CopyTo(end.Attributes())
	end.SetTimestamp(at)
	end.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	return end
}
