package ipam

import (
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// shaped makes a block of bytes: most are nearly right, so that each fault is met by itself. It reads zeros where there are no more.
func shaped(cidr, affinity string, data []byte) BlockSpec {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	s := BlockSpec{CIDR: cidr, Affinity: affinity}
	if claimed := next(); claimed > 0 {
		s.ClaimTime = time.Unix(int64(claimed-1)<<(next()%57), 0)
	}
	for range next() % 9 {
		a := Attribute{}
		if flags := next(); flags > 0 {
			text := func(bit int, of string) string { return map[bool]string{true: of}[flags&(1<<bit) != 0] }
			a.Node, a.Namespace, a.Pod = text(0, "a"), text(1, "default"), text(2, "pod")
			a.Type = text(3, "LoadBalancer") + text(4, "vxlanTunnelAddress")
			if flags&(1<<5) != 0 {
				a.Handle = new("windows-reserved-ipam-handle"[:28*(flags>>7)])
			}
			if flags&(1<<6) != 0 {
				a.ReleasedAt = moment0.Add(time.Duration(next()-128) * time.Second)
			}
		}
		s.Attributes = append(s.Attributes, a)
	}
	// The right size, where the CIDR has one, and sometimes one that is wrong.
	size := next() % 4 << 14
	if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Addr().BitLen()-prefix.Bits() <= maxBlockBits {
		size = 1 << (prefix.Addr().BitLen() - prefix.Bits())
	}
	if wrong := next(); wrong > 250 {
		size = max(0, size+wrong-253)
	}
	for range size {
		s.Allocations = append(s.Allocations, Free)
	}
	for range next() {
		if ordinal, index := next(), next(); ordinal < size {
			s.Allocations[ordinal] = index%(len(s.Attributes)+2) - 1 // the last one is one too many
			if index == 255 {
				s.Allocations[ordinal] = math.MinInt
			}
		}
	}
	for ordinal, index := range s.Allocations {
		if index == Free && next() < 250 {
			s.Unallocated = append(s.Unallocated, ordinal)
		}
	}
	for range next() % 3 {
		s.Unallocated = append(s.Unallocated, next()-2)
	}
	return s
}

func FuzzNewBlock(f *testing.F) {
	f.Add("10.0.0.0/30", "host:a", []byte{})
	f.Add("10.0.0.0/26", "host:a", []byte{9, 28, 3, 39, 167, 96, 100, 0, 0, 9, 0, 1, 1, 2, 2, 3, 3, 1, 4, 2, 5, 3, 6, 1, 7, 2, 8, 3})
	f.Add("fd00::/122", "virtual:load-balancer", []byte{0, 1, 41, 0, 0, 2, 0, 1, 63, 1})
	f.Add("10.0.0.0/28", "", []byte{0, 1, 33, 0, 254, 1, 0, 1})
	f.Add("0.0.0.0/16", "host:", []byte{255, 255})
	f.Add("::ffff:10.0.0.0/120", "host:gone", []byte{1, 1, 8})
	f.Add("fe80::1%eth0/128", "other:", []byte{})
	f.Add("10.0.0.1/30", "host:a:b", []byte{})
	f.Fuzz(func(t *testing.T, cidr, affinity string, data []byte) {
		s := shaped(cidr, affinity, data)
		b, err := NewBlock(s, true)
		if err != nil {
			require.Nil(t, b)
			return
		}
		a := New()
		a.SetPools([]Pool{
			automatic("all", "0.0.0.0/0", 26), automatic("all-of-six", "::/0", 122), automatic("some", "10.0.0.0/28", 30),
			in(calicometric.PoolTerminating, automatic("some-of-six", "fd00::/120", 128)),
		})
		a.SetNodes(nodesNamed("a", "b"))
		a.SetReservations(prefixes("10.0.0.1/32", "10.0.0.0/27", "fd00::3f/128"))
		a.SetConfig(Config{AutoAllocateBlocks: true, StrictAffinity: len(data)%2 == 0, Cooldown: time.Minute})
		before := a.Report(moment0)
		a.PutBlock("b", b)
		r := a.Report(moment0)
		allocated, accounted := 0, 0
		for _, p := range r.Pools {
			allocated += p.Allocated
			for _, n := range p.Uses {
				accounted += n
			}
			require.Positive(t, p.Size.Compare(p.Assignable), "no more can be given than there is")
			require.LessOrEqual(t, p.Cooling, p.Allocated)
		}
		for _, index := range s.Allocations {
			if index >= 0 && !s.Attributes[index].ReleasedAt.IsZero() {
				accounted++
			}
		}
		require.Equal(t, len(s.Allocations)-len(s.Unallocated), allocated)
		require.Equal(t, allocated, accounted, "an address has one use, or was released")
		require.Zero(t, r.Orphaned)
		require.Len(t, a.Blocks(), 1)
		require.Equal(t, allocated, a.Blocks()[0].Allocated)

		a.DeleteBlock("b")
		requireNothingLeft(t, a)
		require.Equal(t, before, a.Report(moment0))
	})
}

// FuzzAccount tells an account one thing after another, each in three bytes, and compares it with one that was told only the last of each.
func FuzzAccount(f *testing.F) {
	cidrs := []string{
		"10.0.0.0/30", "10.0.0.4/30", "10.0.0.0/29", "10.0.0.8/31", "10.0.0.9/32", "10.0.0.0/27", "10.1.0.0/30", "fd00::/126", "fd00::2/127",
	}
	owners := []string{"host:a", "host:b", "host:gone", "", "virtual:load-balancer"}
	pools := [][]Pool{
		nil, {automatic("p", "10.0.0.0/28", 30)}, {automatic("p", "10.0.0.0/24", 29), selecting("rack == '1'", automatic("q", "10.0.0.0/29", 30))},
		{in(calicometric.PoolTerminating, automatic("p", "10.0.0.0/28", 30)), manual(automatic("q", "10.0.0.0/28", 30)), automatic("r", "fd00::/64", 126)},
		{forUses(automatic("p", "10.0.0.0/29", 31), calicometric.UseLoadBalancer), forUses(automatic("q", "10.0.0.8/29", 31), calicometric.UseTunnel)},
	}
	reserved := [][]netip.Prefix{nil, prefixes("10.0.0.0/31"), prefixes("10.0.0.4/30", "10.0.0.5/32"), prefixes("0.0.0.0/0", "fd00::/127")}
	nodes := []map[string]map[string]string{nil, nodesNamed("a"), labelled}
	configs := []Config{DefaultConfig(), {}, *strictWith(2), {AutoAllocateBlocks: true, MaxBlocksPerHost: 1, Cooldown: time.Minute}}
	f.Add([]byte{4, 1, 0, 6, 2, 0, 0, 0, 40, 0, 1, 77, 2, 2, 1, 5, 1, 0, 7, 2, 0, 1, 0, 0, 3, 2, 0})
	f.Add([]byte{0, 2, 200, 4, 3, 0, 0, 7, 99, 0, 5, 11, 5, 3, 0, 4, 2, 0, 1, 2, 0, 2, 0, 0, 6, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		a := New()
		blocks, affinities := map[string]*Block{}, map[string]Affinity{}
		var last struct{ pools, reserved, nodes, config int }
		for ; len(data) >= 3; data = data[3:] {
			cidr := cidrs[int(data[1])%len(cidrs)]
			switch data[0] % 8 {
			case 0:
				s := shaped(cidr, owners[int(data[2])%len(owners)], slices.Repeat(data[1:3], 20))
				if b, err := NewBlock(s, data[0] > 7); err == nil {
					a.PutBlock(cidr, b)
					blocks[cidr] = b
				}
			case 1:
				a.DeleteBlock(cidr)
				delete(blocks, cidr)
			case 2:
				affinities[cidr] = Affinity{CIDR: netip.MustParsePrefix(cidr), Node: []string{"a", "b", "gone", ""}[data[2]%4]}
				a.PutAffinity(cidr, affinities[cidr])
			case 3:
				a.DeleteAffinity(cidr)
				delete(affinities, cidr)
			case 4:
				last.pools = int(data[1]) % len(pools)
				a.SetPools(pools[last.pools])
			case 5:
				last.reserved = int(data[1]) % len(reserved)
				a.SetReservations(reserved[last.reserved])
			case 6:
				last.nodes = int(data[1]) % len(nodes)
				a.SetNodes(nodes[last.nodes])
			case 7:
				last.config = int(data[1]) % len(configs)
				a.SetConfig(configs[last.config])
			}
		}
		fresh := New()
		for name, affinity := range affinities {
			fresh.PutAffinity(name, affinity)
		}
		for name, b := range blocks {
			fresh.PutBlock(name, b)
		}
		fresh.SetConfig(configs[last.config])
		fresh.SetNodes(nodes[last.nodes])
		fresh.SetReservations(reserved[last.reserved])
		fresh.SetPools(pools[last.pools])
		require.Equal(t, fresh.Report(moment0), a.Report(moment0))
		require.Equal(t, fresh.Blocks(), a.Blocks())
		for _, cidr := range cidrs {
			a.DeleteBlock(cidr)
			a.DeleteAffinity(cidr)
		}
		requireNothingLeft(t, a)
	})
}
