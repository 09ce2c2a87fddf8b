package ipam

import (
	"math/big"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// The pool has four slots of four: 10.0.0.0/30, 10.0.0.4/30, 10.0.0.8/30 and 10.0.0.12/30. One node may claim them all.
func TestReservationsAndBlocksTakeSlots(t *testing.T) {
	for name, tc := range map[string]struct {
		reserved   []string
		blocks     []BlockSpec
		addresses  string // that are reserved
		want       string
		assignable string
	}{
		"nothing": {nil, nil, "0", "used 0, empty 0, unclaimed 4, reserved 0", "16"},
		"an address": {
			[]string{"10.0.0.5/32"}, nil, "1", "used 0, empty 0, unclaimed 4, reserved 0", "15",
		},
		"a block": {
			[]string{"10.0.0.4/30"}, nil, "4", "used 0, empty 0, unclaimed 3, reserved 1", "12",
		},
		"a block in two halves": {
			[]string{"10.0.0.6/31", "10.0.0.4/31"}, nil, "4", "used 0, empty 0, unclaimed 3, reserved 1", "12",
		},
		"a block address by address": {
			[]string{"10.0.0.4/32", "10.0.0.5/32", "10.0.0.6/32", "10.0.0.7/32"}, nil, "4", "used 0, empty 0, unclaimed 3, reserved 1", "12",
		},
		"halves of two blocks": {
			[]string{"10.0.0.6/31", "10.0.0.8/31"}, nil, "4", "used 0, empty 0, unclaimed 4, reserved 0", "12",
		},
		"the same twice": {
			[]string{"10.0.0.4/30", "10.0.0.4/30"}, nil, "4", "used 0, empty 0, unclaimed 3, reserved 1", "12",
		},
		"ranges in each other": {
			[]string{"10.0.0.5/32", "10.0.0.4/30", "10.0.0.0/29"}, nil, "8", "used 0, empty 0, unclaimed 2, reserved 2", "8",
		},
		"more than the pool": {
			[]string{"10.0.0.0/8"}, nil, "16", "used 0, empty 0, unclaimed 0, reserved 4", "0",
		},
		"all of it": {
			[]string{"10.0.0.0/28"}, nil, "16", "used 0, empty 0, unclaimed 0, reserved 4", "0",
		},
		"more than the pool, and an address of it": {
			[]string{"10.0.0.0/8", "10.0.0.1/32"}, nil, "16", "used 0, empty 0, unclaimed 0, reserved 4", "0",
		},
		"the range after it": {
			[]string{"10.0.0.16/28"}, nil, "0", "used 0, empty 0, unclaimed 4, reserved 0", "16",
		},
		"all of the other family": {
			[]string{"::/0"}, nil, "0", "used 0, empty 0, unclaimed 4, reserved 0", "16",
		},
		"free addresses of a block": {
			[]string{"10.0.0.2/31"}, []BlockSpec{spec("10.0.0.0/30", "host:a", "a")}, "2", "used 1, empty 0, unclaimed 3, reserved 0", "13",
		},
		"addresses of a block that are allocated": {
			[]string{"10.0.0.0/31"}, []BlockSpec{spec("10.0.0.0/30", "host:a", "a a")}, "2", "used 1, empty 0, unclaimed 3, reserved 0", "14",
		},
		"some that are, some that are not, some outside": {
			[]string{"10.0.0.1/32", "10.0.0.2/32", "10.0.0.4/32"}, []BlockSpec{spec("10.0.0.0/30", "host:a", "a a")},
			"3", "used 1, empty 0, unclaimed 3, reserved 0", "12",
		},
		"a block that is there already": {
			[]string{"10.0.0.0/30"}, []BlockSpec{spec("10.0.0.0/30", "host:a", "a")}, "4", "used 1, empty 0, unclaimed 3, reserved 0", "12",
		},
		"one that is there and one that is not": {
			[]string{"10.0.0.0/29"}, []BlockSpec{spec("10.0.0.0/30", "host:a", "")}, "8", "used 0, empty 1, unclaimed 2, reserved 1", "8",
		},
		"everything, and blocks are there": {
			[]string{"0.0.0.0/0"}, []BlockSpec{spec("10.0.0.0/30", "host:a", ""), spec("10.0.0.4/30", "", "a")},
			"16", "used 1, empty 1, unclaimed 0, reserved 2", "0",
		},
		"no address, and all blocks are there": {
			nil, []BlockSpec{
				spec("10.0.0.0/30", "host:a", "a"), spec("10.0.0.4/30", "host:a", ""), spec("10.0.0.8/30", "", "a"), spec("10.0.0.12/30", "host:b", "b b b b"),
			}, "0", "used 3, empty 1, unclaimed 0, reserved 0", "10",
		},
		"smaller blocks in one slot": {
			nil, []BlockSpec{spec("10.0.0.0/31", "host:a", "a"), spec("10.0.0.2/32", "host:a", "a")}, "0", "used 2, empty 0, unclaimed 3, reserved 0", "13",
		},
		"smaller blocks in two slots": {
			nil, []BlockSpec{spec("10.0.0.0/31", "host:a", "a"), spec("10.0.0.7/32", "host:a", "")}, "0", "used 1, empty 1, unclaimed 2, reserved 0", "10",
		},
		"smaller blocks in one slot of which some is reserved": {
			[]string{"10.0.0.1/32", "10.0.0.3/32"}, []BlockSpec{spec("10.0.0.0/31", "host:a", "a"), spec("10.0.0.2/32", "host:a", "")},
			"2", "used 1, empty 1, unclaimed 3, reserved 0", "13",
		},
		"a smaller block in a slot that is reserved": {
			[]string{"10.0.0.0/29"}, []BlockSpec{spec("10.0.0.0/32", "host:a", "a")}, "8", "used 1, empty 0, unclaimed 2, reserved 1", "8",
		},
		"a larger block": {
			nil, []BlockSpec{spec("10.0.0.8/29", "host:a", "a")}, "0", "used 1, empty 0, unclaimed 2, reserved 0", "15",
		},
		"a larger block, half of which is reserved": {
			[]string{"10.0.0.12/30"}, []BlockSpec{spec("10.0.0.8/29", "host:a", "a")}, "4", "used 1, empty 0, unclaimed 2, reserved 0", "11",
		},
		"a block as large as the pool": {
			[]string{"10.0.0.12/30"}, []BlockSpec{spec("10.0.0.0/28", "host:a", "a")}, "4", "used 1, empty 0, unclaimed 0, reserved 0", "11",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{pools: []Pool{automatic("pool", "10.0.0.0/28", 30)}, nodes: nodesNamed("a"), reserved: tc.reserved, blocks: tc.blocks}
			a := w.account(t)
			p := a.Report(moment0).Pools[0]
			require.Equal(t, "16", p.Size.BigInt().String())
			require.Equal(t, tc.addresses, p.Reserved.BigInt().String())
			require.Equal(t, tc.want, blocksOf(p))
			require.Equal(t, tc.assignable, p.Assignable.BigInt().String())

			// The same in another order.
			a.SetReservations(nil)
			w.reserved = nil
			require.Equal(t, w.report(t), a.Report(moment0))
			a.SetReservations(prefixes(tc.reserved...))
			require.Equal(t, p, a.Report(moment0).Pools[0])
		})
	}
}

// A pool that was made anew with larger blocks: Calico claims those by their own CIDR, whatever lies in them
// (libcalico-go/lib/ipam/ipam_block_reader_writer.go, findUsableBlock), so that a slot may hold a block of each size.
func TestASlotIsTakenOnceWhateverBlocksLieInIt(t *testing.T) {
	for name, blocks := range map[string][]string{
		"the block and a smaller one": {"10.0.0.0/30", "10.0.0.0/31"},
		"a smaller one and the block": {"10.0.0.2/31", "10.0.0.0/30"},
		"three sizes":                 {"10.0.0.0/32", "10.0.0.0/31", "10.0.0.0/30"},
		"the block alone":             {"10.0.0.0/30"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{pools: []Pool{automatic("pool", "10.0.0.0/28", 30)}, nodes: nodesNamed("a")}
			for _, cidr := range blocks {
				w.blocks = append(w.blocks, spec(cidr, "host:a", "a"))
			}
			require.Equal(t, "3", w.report(t).Pools[0].Unclaimed.BigInt().String())
		})
	}
}

func TestBlocksOfAPoolInsideTakeSlotsOfTheOneAround(t *testing.T) {
	r := world{
		pools: []Pool{automatic("inner", "10.0.0.0/29", 31), automatic("outer", "10.0.0.0/28", 30)}, nodes: nodesNamed("a"),
		reserved: []string{"10.0.0.1/32"},
		blocks: []BlockSpec{
			spec("10.0.0.0/31", "host:a", "a"), spec("10.0.0.2/31", "host:a", "a a"), spec("10.0.0.6/31", "host:a", ""), spec("10.0.0.8/30", "host:a", "a"),
		},
	}.report(t)
	inner, outer := poolNamed(t, r, "inner"), poolNamed(t, r, "outer")
	require.Equal(t, "used 2, empty 1, unclaimed 1, reserved 0", blocksOf(inner))
	require.Equal(t, 3, inner.Allocated)
	require.Equal(t, "4", inner.Assignable.BigInt().String(), "two in a block and two to claim")
	require.Equal(t, "used 1, empty 0, unclaimed 1, reserved 0", blocksOf(outer))
	require.Equal(t, 1, outer.Allocated)
	require.Equal(t, "7", outer.Assignable.BigInt().String(), "three in a block and four to claim")
	require.Equal(t, "1", inner.Reserved.BigInt().String())
	require.Equal(t, "1", outer.Reserved.BigInt().String())
}

func TestAPoolThatIsSmallerThanItsBlocksHasNone(t *testing.T) {
	p := world{
		pools: []Pool{in(calicometric.PoolDisabled, automatic("pool", "10.0.0.0/28", 26))}, reserved: []string{"10.0.0.0/29"},
		blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "a")}, nodes: nodesNamed("a"),
	}.report(t).Pools[0]
	require.Equal(t, "used 1, empty 0, unclaimed 0, reserved 0", blocksOf(p))
	require.Equal(t, "16", p.Size.BigInt().String())
	require.Equal(t, "8", p.Reserved.BigInt().String())
	require.True(t, p.Assignable.IsZero())
}

func power(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }

func minus(a *big.Int, b int64) string { return new(big.Int).Sub(a, big.NewInt(b)).String() }

func TestIPv6IsCountedToTheLastAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		cidr                       string
		reserved                   []string
		blocks                     []BlockSpec
		size, reservedSize         string
		unclaimed, reservedBlocks  string
		assignable, nodeAssignable string
	}{
		"a /48 has 2^74 blocks": {
			cidr: "fd00:10:244::/48", size: power(80).String(), reservedSize: "0", unclaimed: power(74).String(), reservedBlocks: "0",
			assignable: "2560", nodeAssignable: "1280", // 20 blocks of 64 a node
		},
		"less those that are there": {
			cidr:   "fd00:10:244::/48",
			blocks: []BlockSpec{spec("fd00:10:244::/122", "host:a", "a a a"), spec("fd00:10:244:ffff:ffff:ffff:ffff:ffc0/122", "", "")},
			size:   power(80).String(), reservedSize: "0", unclaimed: minus(power(74), 2), reservedBlocks: "0",
			assignable: "2557", nodeAssignable: "1277", // 61 of its own and 19 blocks; the other node has 20. The 64 of nobody have to wait
		},
		"less those that are reserved": {
			cidr: "fd00:10:244::/48", reserved: []string{"fd00:10:244::/49", "fd00:10:244:8000::1/128", "fd00::/128"},
			size: power(80).String(), reservedSize: minus(power(79), -1), unclaimed: power(73).String(), reservedBlocks: power(73).String(),
			assignable: "2560", nodeAssignable: "1280",
		},
		"all but one address is reserved": {
			cidr: "fd00:10:244::/48", reserved: allBut("fd00:10:244::/48"),
			size: power(80).String(), reservedSize: minus(power(80), 1), unclaimed: "1", reservedBlocks: minus(power(74), 1),
			assignable: "1", nodeAssignable: "1",
		},
		"the whole of IPv6": {
			cidr: "::/0", blocks: []BlockSpec{spec("::/122", "host:a", "a")}, reserved: []string{"::/127"},
			size: power(128).String(), reservedSize: "2", unclaimed: minus(power(122), 1), reservedBlocks: "0",
			assignable: "2558", nodeAssignable: "1278", // 62 of its own and 19 blocks
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool := automatic("pool", tc.cidr, 122)
			r := world{pools: []Pool{pool}, nodes: nodesNamed("a", "b"), blocks: tc.blocks, reserved: tc.reserved}.report(t)
			p := r.Pools[0]
			require.Equal(t, tc.size, p.Size.BigInt().String())
			require.Equal(t, tc.reservedSize, p.Reserved.BigInt().String())
			require.Equal(t, tc.unclaimed, p.Unclaimed.BigInt().String())
			require.Equal(t, tc.reservedBlocks, p.ReservedBlocks.BigInt().String())
			require.Equal(t, tc.assignable, p.Assignable.BigInt().String())
			require.Equal(t, tc.nodeAssignable, r.Nodes[0].Assignable.BigInt().String())
			require.Equal(t, "IPv6", r.Nodes[0].Family)
		})
	}
}

// allBut are ranges that leave only the first address of a prefix.
func allBut(prefix string) []string {
	var ranges []string
	p := prefixes(prefix)[0]
	for bits := p.Bits() + 1; bits <= p.Addr().BitLen(); bits++ {
		address := p.Addr().As16()
		address[(bits-1)/8] |= 1 << (7 - (bits-1)%8)
		ranges = append(ranges, netip.PrefixFrom(netip.AddrFrom16(address), bits).String())
	}
	return ranges
}
