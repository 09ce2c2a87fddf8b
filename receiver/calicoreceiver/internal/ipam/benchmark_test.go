package ipam

import (
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// The largest cluster that the account is measured with.
const (
	manyNodes  = 5_000
	manyPools  = 200
	manyBlocks = 20_000
)

var moment0 = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func largePools() []Pool {
	pools := make([]Pool, manyPools)
	for i := range pools {
		pools[i] = Pool{
			Name: fmt.Sprintf("pool-%03d", i), CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16), BlockSize: 26,
			State: calicometric.PoolEnabled, AssignmentMode: calicometric.AssignmentAutomatic, AllowedUses: []string{"Tunnel", "Workload"},
			NodeSelector: "rack == '" + strconv.Itoa(i%50) + "'",
		}
	}
	return pools
}

func largeNodes() map[string]map[string]string {
	nodes := map[string]map[string]string{}
	for i := range manyNodes {
		name := fmt.Sprintf("node-%04d.eu-central-1.example.com", i)
		nodes[name] = map[string]string{"rack": strconv.Itoa(i % 50), "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
	}
	return nodes
}

// largeBlock is a block of 64 addresses of which 40 are in use by pods, two of those of another node.
func largeBlock(i int) (string, BlockSpec) {
	pool, slot := i%manyPools, i/manyPools
	// Of the nodes that the pool selects.
	nodeOf := func(n int) string {
		return fmt.Sprintf("node-%04d.eu-central-1.example.com", (pool%50)+50*(n%(manyNodes/50)))
	}
	addr := netip.AddrFrom4([4]byte{10, byte(pool), byte(slot / 4), byte(slot % 4 * 64)})
	spec := BlockSpec{CIDR: netip.PrefixFrom(addr, 26).String(), Affinity: "host:" + nodeOf(slot), ClaimTime: moment0.Add(-time.Hour)}
	for ordinal := range 64 {
		if ordinal >= 40 {
			spec.Allocations = append(spec.Allocations, Free)
			spec.Unallocated = append(spec.Unallocated, ordinal)
			continue
		}
		owner := nodeOf(slot)
		if ordinal < 2 {
			owner = nodeOf(slot + 1)
		}
		handle := fmt.Sprintf("k8s-pod-network.%064x", i*64+ordinal)
		spec.Allocations = append(spec.Allocations, ordinal)
		spec.Attributes = append(spec.Attributes, Attribute{
			Handle: &handle, Node: owner, Namespace: "namespace-" + strconv.Itoa(ordinal%20), Pod: fmt.Sprintf("pod-%d-%d", i, ordinal),
		})
	}
	return fmt.Sprintf("10-%d-%d-%d-26", pool, slot/4, slot%4*64), spec
}

func newLargeAccount(tb testing.TB) *Account {
	tb.Helper()
	a := New()
	a.SetPools(largePools())
	a.SetNodes(largeNodes())
	putLargeBlocks(tb, a)
	return a
}

func putLargeBlocks(tb testing.TB, a *Account) {
	tb.Helper()
	for i := range manyBlocks {
		putLargeBlock(tb, a, i)
	}
}

func putLargeBlock(tb testing.TB, a *Account, i int) {
	tb.Helper()
	name, spec := largeBlock(i)
	b, err := NewBlock(spec, false)
	if err != nil {
		tb.Fatal(err)
	}
	a.PutBlock(name, b)
}

// BenchmarkPutBlock is one allocation or release, in a block of which an address is reserved: the block in its place, with the check of what the API
// said.
func BenchmarkPutBlock(b *testing.B) {
	a := newLargeAccount(b)
	a.SetReservations(oneOfEachBlock(5_000))
	names, specs := make([]string, 1000), make([]BlockSpec, 1000)
	for i := range names {
		names[i], specs[i] = largeBlock(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		block, err := NewBlock(specs[i%1000], false)
		if err != nil {
			b.Fatal(err)
		}
		a.PutBlock(names[i%1000], block)
	}
}

// oneOfEachBlock reserves an address of so many blocks.
func oneOfEachBlock(blocks int) []netip.Prefix {
	ranges := make([]netip.Prefix, blocks)
	for i := range ranges {
		_, spec := largeBlock(i)
		ranges[i] = netip.PrefixFrom(netip.MustParsePrefix(spec.CIDR).Addr(), 32)
	}
	return ranges
}

// BenchmarkRecompute makes all sums anew, as when a reservation or a pool changes.
func BenchmarkRecompute(b *testing.B) {
	for _, reserved := range []int{0, 5_000} {
		b.Run("reservations="+strconv.Itoa(reserved), func(b *testing.B) {
			a := newLargeAccount(b)
			a.SetReservations(oneOfEachBlock(reserved))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				a.rebuild()
				a.Report(moment0)
			}
		})
	}
}

// BenchmarkReport is what every interval costs.
func BenchmarkReport(b *testing.B) {
	for _, strict := range []bool{false, true} {
		b.Run("strictAffinity="+strconv.FormatBool(strict), func(b *testing.B) {
			a := newLargeAccount(b)
			a.SetConfig(Config{AutoAllocateBlocks: true, StrictAffinity: strict})
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				a.Report(moment0)
			}
		})
	}
}

// BenchmarkMemory reports what a block costs that is kept, with all sums.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		a := New()
		a.SetPools(largePools())
		a.SetNodes(largeNodes())
		before := heap()
		putLargeBlocks(b, a)
		b.ReportMetric(float64(heap()-before)/manyBlocks, "B/block")
		runtime.KeepAlive(a)
	}
}

// A block is kept with about 300 bytes and a bitmap, sums and all. What is measured does not depend on the machine but on how full the maps are.
func TestABlockIsKeptInSomeHundredBytes(t *testing.T) {
	const few = manyBlocks / 4
	a := New()
	a.SetPools(largePools())
	a.SetNodes(largeNodes())
	before := heap()
	for i := range few {
		putLargeBlock(t, a, i)
	}
	require.Less(t, (heap()-before)/few, uint64(340))
	runtime.KeepAlive(a)
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // of handles that nothing refers to any longer
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
