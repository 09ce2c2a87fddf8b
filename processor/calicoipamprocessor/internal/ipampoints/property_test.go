package ipampoints

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

var drawSample = rapid.Custom(func(t *rapid.T) sample {
	s := sample{
		metric: rapid.SampledFrom([]string{
			sizes, sizes, reserves, uses, uses, allocates, calicometric.Blocks, calicometric.PoolBlocks, calicometric.PoolBlocks,
			calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable, calicometric.AllocationsBorrowed,
		}).Draw(t, "metric"),
		first: rapid.SampledFrom([]string{"a", "b", calicometric.NoPool, ""}).Draw(t, "first"),
		value: rapid.SampledFrom([]any{nil, 0, 1, 5.0, 0.0, 0x1p41, -1.0, "none"}).Draw(t, "value"),
	}
	switch s.metric {
	case calicometric.PoolBlocks:
		s.second = rapid.SampledFrom([]string{calicometric.BlocksUsed, calicometric.BlocksEmpty, calicometric.BlocksUnclaimed, "x"}).Draw(t, "state")
	default:
		s.second = rapid.SampledFrom([]string{"n1", "n2", ""}).Draw(t, "node")
	}
	return s
})

// TestTheOrderOfPointsAndHowOftenTheyComeChangeNothing is what makes it safe to put a scrape together of pieces that come in any order, some of them
// again.
func TestTheOrderOfPointsAndHowOftenTheyComeChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(drawSample, 1, 40).Draw(t, "samples")
		exact := rapid.Bool().Draw(t, "exact")
		again := rapid.SliceOf(rapid.SampledFrom(samples)).Draw(t, "again")
		shuffled := rapid.Permutation(append(again, samples...)).Draw(t, "shuffled")
		require.Equal(t, tell(added(roomy, exact, samples...)), tell(added(roomy, exact, shuffled...)))
	})
}
