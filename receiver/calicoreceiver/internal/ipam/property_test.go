package ipam

import (
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// cluster is the account under test with the model of what it was told. Everything is small and in few places, so that pools nest, share a CIDR, are
// reserved and lie beside blocks of any size.
type cluster struct {
	account *Account
	model   model
	theme
}

// theme is what clusters of a run have in common, so that what they rarely are by chance is met often.
type theme struct {
	families []string
	strict   []bool
	// overlapping allows blocks of several sizes over each other, as pools that are made anew with another block size leave them.
	overlapping bool
}

func newCluster(of theme) *cluster {
	return &cluster{
		account: New(), theme: of,
		model: model{config: DefaultConfig(), now: moment0, blocks: map[string]BlockSpec{}, affinities: map[string]Affinity{}},
	}
}

// base is where all addresses of a family begin.
var base = map[string]netip.Addr{calicometric.IPv4: netip.MustParseAddr("10.0.0.0"), calicometric.IPv6: netip.MustParseAddr("fd00::")}

// drawPrefix is one of 2^from to 2^to addresses among the first 64 of a family.
func (c *cluster) drawPrefix(t *rapid.T, from, to int) netip.Prefix {
	addr := base[rapid.SampledFrom(c.families).Draw(t, "family")]
	for range rapid.IntRange(0, 63).Draw(t, "first") {
		addr = addr.Next()
	}
	hostBits := rapid.IntRange(from, to).Draw(t, "host bits")
	return netip.PrefixFrom(addr, addr.BitLen()-hostBits).Masked()
}

func (c *cluster) drawPool(t *rapid.T, name string) Pool {
	p := Pool{
		Name: name, CIDR: c.drawPrefix(t, 2, 6), AllowedUses: rapid.SampledFrom([][]string{
			{calicometric.UseTunnel, calicometric.UseWorkload}, {calicometric.UseWorkload}, {calicometric.UseTunnel}, {calicometric.UseLoadBalancer},
		}).Draw(t, "uses"),
		State: rapid.SampledFrom([]string{
			calicometric.PoolEnabled, calicometric.PoolEnabled, calicometric.PoolEnabled, calicometric.PoolDisabled, calicometric.PoolTerminating,
		}).Draw(t, "state"),
		AssignmentMode: rapid.SampledFrom([]string{
			calicometric.AssignmentAutomatic, calicometric.AssignmentAutomatic, calicometric.AssignmentManual,
		}).Draw(t, "mode"),
		NodeSelector: rapid.SampledFrom([]string{"", "all()", "rack == '1'", "rack != '1'", "has(rack)", "rack =="}).Draw(t, "selector"),
	}
	// A disabled pool may be smaller than its blocks.
	p.BlockSize = min(p.CIDR.Bits()+rapid.IntRange(-1, 3).Draw(t, "block size"), p.CIDR.Addr().BitLen())
	return p
}

// drawBlock is one that shares no address with others, unless that is the theme, if there is room for it.
func (c *cluster) drawBlock(t *rapid.T) (BlockSpec, bool) {
	prefix := c.drawPrefix(t, 0, 4)
	for _, b := range c.model.blocks {
		if other := netip.MustParsePrefix(b.CIDR); !c.overlapping && other != prefix && other.Overlaps(prefix) {
			return BlockSpec{}, false
		}
	}
	words := make([]string, 1<<(prefix.Addr().BitLen()-prefix.Bits()))
	oneIn := rapid.SampledFrom([]int{1, 6, 99}).Draw(t, "one address is in use of") // all, some, or as good as none
	for i := range words {
		words[i] = "-"
		if rapid.IntRange(1, oneIn).Draw(t, "in use") == 1 {
			words[i] = rapid.SampledFrom([]string{
				"-", "a", "b", "c", "~a", "~b", "tunnel:a", "tunnel:c", "lb", "win", "other", "lost", "cold:0", "cold:30", "cold:59", "cold:-20",
			}).Draw(t, "word")
		}
	}
	affinity := rapid.SampledFrom([]string{"host:a", "host:b", "host:c", "host:gone", "", "virtual:load-balancer"}).Draw(t, "affinity")
	s := spec(prefix.String(), affinity, strings.Join(words, " "))
	// What was released is so by the clock of the model, in whole seconds as the API has it.
	for i := range s.Attributes {
		if released := &s.Attributes[i].ReleasedAt; !released.IsZero() {
			*released = released.Add(c.model.now.Sub(moment0)).Truncate(time.Second)
		}
	}
	if age := rapid.SampledFrom([]int{-1, 0, 59, 60, 3600}).Draw(t, "claimed"); age >= 0 {
		s.ClaimTime = c.model.now.Add(time.Duration(-age) * time.Second).Truncate(time.Second)
	}
	return s, true
}

// actions are what may happen to a cluster.
func (c *cluster) actions() map[string]func(*rapid.T) {
	putBlock := func(t *rapid.T) {
		if s, ok := c.drawBlock(t); ok {
			b, err := NewBlock(s, true)
			require.NoError(t, err)
			c.account.PutBlock(s.CIDR, b)
			c.model.blocks[s.CIDR] = s
		}
	}
	return map[string]func(*rapid.T){
		"put a block":       putBlock,
		"put another block": putBlock, // as often again
		"delete a block": func(t *rapid.T) {
			if name, ok := drawKey(t, c.model.blocks); ok {
				c.account.DeleteBlock(name)
				delete(c.model.blocks, name)
			}
		},
		"put an affinity": func(t *rapid.T) {
			name := rapid.SampledFrom([]string{"v", "w", "x", "y", "z"}).Draw(t, "name")
			affinity := Affinity{CIDR: c.drawPrefix(t, 0, 4), Node: rapid.SampledFrom([]string{"a", "b", "c", "gone", ""}).Draw(t, "node")}
			c.account.PutAffinity(name, affinity)
			c.model.affinities[name] = affinity
		},
		"delete an affinity": func(t *rapid.T) {
			if name, ok := drawKey(t, c.model.affinities); ok {
				c.account.DeleteAffinity(name)
				delete(c.model.affinities, name)
			}
		},
		"set the pools": func(t *rapid.T) {
			c.model.pools = nil
			for _, name := range rapid.Permutation([]string{"p", "q", "r", "s"}).Draw(t, "names")[:rapid.IntRange(0, 4).Draw(t, "pools")] {
				c.model.pools = append(c.model.pools, c.drawPool(t, name))
			}
			if len(c.model.pools) > 1 && rapid.Bool().Draw(t, "two of the same CIDR") {
				c.model.pools[1].CIDR, c.model.pools[1].BlockSize = c.model.pools[0].CIDR, c.model.pools[0].BlockSize
			}
			c.account.SetPools(slices.Clone(c.model.pools))
		},
		"set the reservations": func(t *rapid.T) {
			c.model.reserved = nil
			for range rapid.IntRange(0, 3).Draw(t, "reservations") {
				c.model.reserved = append(c.model.reserved, c.drawPrefix(t, 0, 7))
			}
			c.account.SetReservations(slices.Clone(c.model.reserved))
		},
		"set the configuration": func(t *rapid.T) {
			c.model.config = Config{
				StrictAffinity: rapid.SampledFrom(c.strict).Draw(t, "strict"), AutoAllocateBlocks: rapid.IntRange(0, 3).Draw(t, "claim") > 0,
				MaxBlocksPerHost: rapid.IntRange(0, 4).Draw(t, "limit"),
				Cooldown:         time.Duration(rapid.SampledFrom([]int{0, 30, 60}).Draw(t, "cooldown")) * time.Second,
			}
			c.account.SetConfig(c.model.config)
		},
		"set the nodes": func(t *rapid.T) {
			c.model.nodes = map[string]map[string]string{}
			for _, node := range []string{"a", "b", "c", "d"} {
				if label := rapid.SampledFrom([]string{"gone", "", "1", "2"}).Draw(t, node); label == "" {
					c.model.nodes[node] = nil
				} else if label != "gone" {
					c.model.nodes[node] = map[string]string{"rack": label}
				}
			}
			c.account.SetNodes(maps.Clone(c.model.nodes))
		},
		"let time go by": func(t *rapid.T) {
			c.model.now = c.model.now.Add(time.Duration(rapid.SampledFrom([]int64{1, 1e9, 30e9, 60e9, 3600e9}).Draw(t, "nanoseconds")))
		},
		"": c.check,
	}
}

func drawKey[V any](t *rapid.T, from map[string]V) (string, bool) {
	if len(from) == 0 {
		return "", false
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "which"), true
}

// check is what holds of every cluster.
func (c *cluster) check(t *rapid.T) {
	got := c.account.Report(c.model.now)
	require.Equal(t, got, c.again(t).Report(c.model.now), "an account that was told the same in another order")
	require.Equal(t, withoutEmpty(c.model.report()), withoutEmpty(got), "the oracle")
	require.Equal(t, c.model.blockReports(), c.account.Blocks(), "the oracle")
	for i := range got.Pools {
		c.checkPool(t, got.Pools[i])
	}
	require.Equal(t, slices.Sorted(maps.Keys(c.model.blocks)), slices.Sorted(c.account.BlockNames()))
	require.Equal(t, slices.Sorted(maps.Keys(c.model.affinities)), slices.Sorted(c.account.AffinityNames()))
	for name, want := range c.model.affinities {
		affinity, ok := c.account.Affinity(name)
		require.True(t, ok)
		require.Equal(t, want, affinity)
	}
}

// again is a fresh account that is told all in an order that is drawn.
func (c *cluster) again(t *rapid.T) *Account {
	a := New()
	told := []func(){
		func() { a.SetPools(slices.Clone(c.model.pools)) }, func() { a.SetReservations(slices.Clone(c.model.reserved)) },
		func() { a.SetConfig(c.model.config) }, func() { a.SetNodes(maps.Clone(c.model.nodes)) },
	}
	for _, name := range slices.Sorted(maps.Keys(c.model.blocks)) {
		b, err := NewBlock(c.model.blocks[name], true)
		require.NoError(t, err)
		told = append(told, func() { a.PutBlock(name, b) })
	}
	for _, name := range slices.Sorted(maps.Keys(c.model.affinities)) {
		told = append(told, func() { a.PutAffinity(name, c.model.affinities[name]) })
	}
	order := make([]int, len(told))
	for i := range order {
		order[i] = i
	}
	for _, i := range rapid.Permutation(order).Draw(t, "order") {
		told[i]()
	}
	return a
}

// withoutEmpty makes no difference between none and an empty list.
func withoutEmpty(r Report) Report {
	none := func(shares []NodeShare) []NodeShare {
		if len(shares) == 0 {
			return nil
		}
		return shares
	}
	r.NoPool = none(r.NoPool)
	for i := range r.Pools {
		r.Pools[i].Nodes = none(r.Pools[i].Nodes)
	}
	if len(r.NodeNames) == 0 {
		r.NodeNames = nil
	}
	return r
}

// checkPool is what the parts of a pool have to do with each other.
func (c *cluster) checkPool(t *rapid.T, p PoolReport) {
	sum := 0
	for _, n := range p.Uses {
		sum += n
	}
	released, sameSize := 0, true
	// Addresses that nobody can be given: reserved ones, and those that are allocated and have not cooled.
	taken := map[netip.Addr]bool{}
	for _, addr := range addressesOf(p.CIDR) {
		if c.model.isReserved(addr) {
			taken[addr] = true
		}
	}
	for _, b := range c.model.blocks {
		block := netip.MustParsePrefix(b.CIDR)
		if !covers(p.CIDR, block) {
			continue
		}
		own := c.model.pools[c.model.poolOf(block)].Name == p.Name
		sameSize = sameSize && own && block.Bits() == p.BlockSize
		for ordinal, s := range c.model.addressesIn(b) {
			isReleased := b.Allocations[ordinal] >= 0 && s.attribute == nil
			if own && isReleased {
				released++
			}
			if s.allocated && (!isReleased || s.cooling) {
				taken[s.addr] = true
			}
		}
	}
	require.Equal(t, p.Allocated, sum+released, "an address has one use, or was released")
	require.LessOrEqual(t, p.Cooling, released)
	if c.overlapping {
		return // what is there twice counts twice
	}
	require.LessOrEqual(t, p.Assignable.Compare(p.Size.Minus(addresses.Of(len(taken)))), 0, "%v of %v, %d taken", p.Assignable, p.Size, len(taken))
	if p.BlockSize < p.CIDR.Bits() || !sameSize {
		return
	}
	slots := new(big.Int).Lsh(big.NewInt(1), uint(p.BlockSize-p.CIDR.Bits()))
	parts := p.Unclaimed.Plus(p.ReservedBlocks).Plus(addresses.Of(p.Used + p.Empty)).BigInt()
	require.Equal(t, slots.String(), parts.String(), "a slot is a block, or can be claimed, or is reserved")
}

// checkEmpty takes everything out of an account and finds nothing left in it.
func (c *cluster) checkEmpty(t *rapid.T) {
	for name := range c.model.blocks {
		c.account.DeleteBlock(name)
	}
	for name := range c.model.affinities {
		c.account.DeleteAffinity(name)
	}
	requireNothingLeft(t, c.account)
	clear(c.model.blocks)
	clear(c.model.affinities)
	require.Equal(t, withoutEmpty(c.model.report()), withoutEmpty(c.account.Report(c.model.now)))
}

// requireNothingLeft says that the sums of an account without blocks and affinities are zero, and nothing is remembered of what was there.
func requireNothingLeft(t require.TestingT, a *Account) {
	require.Empty(t, a.blocks)
	require.Empty(t, a.affinities)
	require.Empty(t, a.namespaces)
	for _, l := range append(slices.Clone(a.ledgers), a.orphans) {
		require.Empty(t, l.nodes)
		require.Empty(t, l.variable)
		require.Zero(t, l.odd)
		require.Equal(t, [4]int{}, [4]int{l.blocks, l.allocated, l.assignable, l.unowned})
		require.Equal(t, [uses]int{}, l.uses)
		require.Equal(t, taken{}, l.taken)
	}
}

// behaves begins where there are nodes and pools, as without them little can be seen of the rest.
func (of theme) behaves(t *rapid.T) {
	c := newCluster(of)
	actions := c.actions()
	for _, first := range []string{"set the nodes", "set the configuration", "set the pools"} {
		actions[first](t)
	}
	t.Repeat(actions)
	c.checkEmpty(t)
}

// The seed of a failure is printed, and its steps are kept under testdata/rapid: `go test -run TestAccountBehaves -rapid.failfile=…` repeats them.
func TestAccountBehavesAsTheOracleSays(t *testing.T) {
	both := []string{calicometric.IPv4, calicometric.IPv6}
	for name, of := range map[string]theme{
		"where nodes borrow of each other":       {families: both[:1], strict: []bool{false}},
		"where they take over what is empty":     {families: both[1:], strict: []bool{true}},
		"where they do now this and now another": {families: both, strict: []bool{false, true}},
		"where blocks lie over each other":       {families: both[:1], strict: []bool{false, true}, overlapping: true},
	} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, of.behaves) })
	}
}
