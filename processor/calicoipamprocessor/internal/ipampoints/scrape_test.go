package ipampoints

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolmath"
)

// point is one point of a test scrape; a nil value is a staleness marker.
type point struct {
	metric, pool string
	value        any
	at           pcommon.Timestamp
}

func resource(points ...point) pmetric.ResourceMetrics {
	rm := pmetric.NewResourceMetrics()
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for _, p := range points {
		metric := metrics.AppendEmpty()
		metric.SetName(p.metric)
		to := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		to.SetTimestamp(p.at)
		to.Attributes().PutStr(calicometric.LabelIPPool, p.pool)
		switch value := p.value.(type) {
		case nil:
			to.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		case int:
			to.SetIntValue(int64(value))
		case float64:
			to.SetDoubleValue(value)
		}
	}
	return rm
}

const (
	size     = calicometric.IPPoolSize
	reserved = calicometric.IPPoolReserved
	inUse    = calicometric.AllocationsInUse
)

func TestKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		points []point
		known  bool
		state  State
	}{
		"size and use":                          {[]point{{size, "a", 256.0, 1}, {inUse, "a", 5.0, 1}}, true, Live},
		"use before size":                       {[]point{{inUse, "a", 5.0, 1}, {size, "a", 256.0, 1}}, true, Live},
		"as integers":                           {[]point{{size, "a", 256, 1}, {inUse, "a", 5, 1}}, true, Live},
		"use of none is known":                  {[]point{{size, "a", 256.0, 1}, {inUse, "a", 0.0, 1}}, true, Live},
		"size alone":                            {[]point{{size, "a", 256.0, 1}}, false, Live},
		"use alone":                             {[]point{{inUse, "a", 5.0, 1}}, false, Empty},
		"size and reservation alone":            {[]point{{size, "a", 256.0, 1}, {reserved, "a", 5.0, 1}}, false, Live},
		"a marker of use is no use":             {[]point{{size, "a", 256.0, 1}, {inUse, "a", nil, 1}}, false, Live},
		"a marker of one node leaves the other": {[]point{{size, "a", 256.0, 1}, {inUse, "a", nil, 1}, {inUse, "a", 5.0, 1}}, true, Live},
		"a marker of size is no size":           {[]point{{size, "a", nil, 1}, {inUse, "a", 5.0, 1}}, false, Gone},
		"one size with a value keeps it live":   {[]point{{size, "b", 1.0, 1}, {size, "a", nil, 1}, {inUse, "a", 5.0, 1}}, false, Live},
		"a negative size":                       {[]point{{size, "a", -1.0, 1}, {inUse, "a", 5.0, 1}}, false, Live},
		"a use that is not a number":            {[]point{{size, "a", 256.0, 1}, {inUse, "a", math.NaN(), 1}, {inUse, "a", 5.0, 1}}, false, Live},
		"an infinite reservation":               {[]point{{size, "a", 256.0, 1}, {reserved, "a", math.Inf(1), 1}, {inUse, "a", 5.0, 1}}, false, Live},
		"a point without a value":               {[]point{{size, "a", 256.0, 1}, {inUse, "a", "none", 1}}, false, Live},
		"size and use of two moments":           {[]point{{size, "a", 256.0, 1}, {inUse, "a", 5.0, 2}}, false, Empty},
		"an older use is not taken":             {[]point{{size, "a", 256.0, 2}, {inUse, "a", 5.0, 1}}, false, Live},
		"nothing":                               {nil, false, Empty},
	} {
		t.Run(name, func(t *testing.T) {
			var scrape Scrape
			scrape.Read(resource(tc.points...), 10)
			require.Equal(t, tc.state, scrape.State)
			known := false
			for i := range scrape.Pools {
				known = known || scrape.Pools[i].Name == "a" && scrape.Pools[i].Known()
			}
			require.Equal(t, tc.known, known)
		})
	}
}

func TestReadSumsUseOverNodesAndForgetsTheScrapeBefore(t *testing.T) {
	var scrape Scrape
	scrape.Read(resource(point{size, "z", 1.0, 1}, point{inUse, "z", 1.0, 1}, point{size, "a", math.NaN(), 1}), 10)
	require.Equal(t, map[string]int{size: 1}, scrape.Unreadable)

	scrape.Read(resource(
		point{inUse, "a", 5.0, 7}, point{inUse, "b", 1.0, 7}, point{inUse, "a", 6.0, 7},
		point{size, "b", 64.0, 7}, point{size, "a", 256.0, 7}, point{reserved, "a", 16.0, 7},
		point{inUse, calicometric.NoPool, 9.0, 7}, point{"ipam_blocks", "c", 9.0, 8},
	), 10)
	require.EqualValues(t, 7, scrape.Timestamp)
	require.Nil(t, scrape.Unreadable)
	require.Len(t, scrape.Pools, 2)
	require.Equal(t, "a", scrape.Pools[0].Name)
	require.Equal(t, poolmath.Pool{Size: exactly(256), Reserved: exactly(16), Allocated: exactly(11)}, scrape.Pools[0].Count)
	require.Equal(t, "b", scrape.Pools[1].Name)
	require.Equal(t, poolmath.Pool{Size: exactly(64), Allocated: exactly(1)}, scrape.Pools[1].Count)
}

func exactly(n int64) addresses.Count {
	count, _ := addresses.FromInt(n)
	return count
}

func TestReadTakesNoMorePoolsThanTheBound(t *testing.T) {
	var scrape Scrape
	scrape.Read(resource(
		point{size, "a", 1.0, 1}, point{size, "b", 1.0, 1}, point{size, "c", 1.0, 1}, point{inUse, "c", 1.0, 1}, point{inUse, "a", 1.0, 1},
	), 2)
	require.Len(t, scrape.Pools, 2)
	require.True(t, scrape.Pools[0].Known())
	require.Equal(t, 2, scrape.Dropped)
}

func TestLook(t *testing.T) {
	require.Zero(t, Look(resource(point{"up", "", 1.0, 1}, point{inUse, "a", 1.0, 1})))
	require.Equal(t, HasSizes, Look(resource(point{"up", "", 1.0, 1}, point{size, "a", 1.0, 1})))
	require.Equal(t, HasSizes|HasInfo, Look(resource(point{calicometric.PoolInfo, "a", 1.0, 1}, point{size, "a", 1.0, 1})))
}
