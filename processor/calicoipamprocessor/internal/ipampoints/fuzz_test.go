package ipampoints

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

var (
	fuzzMetrics = []string{
		sizes, reserves, uses, allocates, calicometric.Blocks, calicometric.PoolBlocks,
		calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable, calicometric.AllocationsPerNode,
	}
	fuzzFirst  = []string{"a", "b", "c", calicometric.NoPool, "", calicometric.IPv4, calicometric.IPv6}
	fuzzSecond = []string{"n1", "n2", "", calicometric.BlocksUsed, calicometric.BlocksEmpty, calicometric.BlocksUnclaimed}
	fuzzValues = []any{
		nil, 0, 1, 256, -1, math.MaxInt64, math.MinInt64, 0.0, math.Copysign(0, -1), 1.0, 256.0, 0x1p40, 0x1p41, 0x1p128, 0x1p129, 0.5, -1.0,
		math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, "none",
	}
)

// fuzzed reads a sample from four bytes.
func fuzzed(program []byte) sample {
	return sample{
		metric: fuzzMetrics[int(program[0])%len(fuzzMetrics)],
		first:  fuzzFirst[int(program[1])%len(fuzzFirst)],
		second: fuzzSecond[int(program[2])%len(fuzzSecond)],
		value:  fuzzValues[int(program[3])%len(fuzzValues)],
	}
}

// FuzzAdd adds points of any shape, four bytes each after one for the scrape. Whatever comes, no series is counted twice, and nothing is known of what
// has a value that is none.
func FuzzAdd(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 10, 2, 0, 0, 9})                                       // size and use of pool a
	f.Add([]byte{0, 0, 0, 2, 10, 2, 0, 0, 17, 2, 0, 1, 9})                          // a use that is not a number
	f.Add([]byte{1, 0, 0, 2, 10, 1, 0, 2, 0, 3, 0, 2, 2, 5, 0, 3, 1, 5, 0, 4, 22})  // of the datastore, a state without a value
	f.Add([]byte{2, 6, 5, 0, 1, 7, 5, 0, 2, 8, 5, 0, 7, 8, 5, 0, 18, 9, 4, 0, 255}) // a node, with something infinite
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 {
			return
		}
		limits := Limits{Pools: 2, Series: 8}
		if program[0]&2 == 0 {
			limits = roomy
		}
		scrape := added(limits, program[0]&1 != 0)
		points := 0
		unreadable, unblocked := make(map[string]bool), make(map[string]bool)
		for program = program[1:]; len(program) >= 4; program = program[4:] {
			s := fuzzed(program)
			point := s.at(7)
			add(scrape, s)
			points++
			if _, readable := count(point); readable || IsMarker(point) {
				continue
			}
			switch s.metric {
			case calicometric.Blocks, calicometric.PoolBlocks:
				unblocked[s.first] = true
			case sizes, reserves, uses, allocates:
				unreadable[s.first] = true
			}
		}
		require.LessOrEqual(t, scrape.Series(), points)
		require.LessOrEqual(t, scrape.Conflicts, scrape.Values)
		require.LessOrEqual(t, len(scrape.Pools), limits.Pools)
		require.LessOrEqual(t, scrape.Series(), limits.Series)
		for i := range scrape.Pools {
			p := &scrape.Pools[i]
			if scrape.DroppedSeries == 0 && unreadable[p.Name] {
				_, known := scrape.Count(p)
				require.False(t, known, p.Name)
			}
			if scrape.DroppedSeries == 0 && unblocked[p.Name] {
				_, _, known := scrape.Blocks(p)
				require.False(t, known, p.Name)
			}
			require.NotEqual(t, calicometric.NoPool, p.Name)
			require.NotEmpty(t, p.Name)
		}
	})
}
