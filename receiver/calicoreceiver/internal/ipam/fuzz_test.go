package ipam

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// FuzzAccount lets the fuzzer choose what TestAccountBehavesAsTheOracleSays draws at random.
func FuzzAccount(f *testing.F) {
	for seed := range 4 {
		data := make([]byte, 4096)
		for i := range data {
			data[i] = byte((i + seed) * (i + 7) >> seed)
		}
		f.Add(data)
	}
	f.Fuzz(rapid.MakeFuzz(theme{[]string{calicometric.IPv4, calicometric.IPv6}, []bool{false, true}}.behaves))
}
