package ipam

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The rules are those of libcalico-go/lib/ipam/ipam_block.go, garbageCollect and empty.
func TestAReleasedAddressIsGivenOutOnceItHasCooled(t *testing.T) {
	for name, tc := range map[string]struct {
		block     BlockSpec
		cooldown  time.Duration
		after     time.Duration
		reserved  []string
		allocated int
		cooling   int
		free      string
		blocks    string
	}{
		"just now": {
			block: spec("10.0.0.0/30", "host:a", "a cold:0"), cooldown: 10 * time.Second,
			allocated: 2, cooling: 1, free: "2", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"a moment before": {
			block: spec("10.0.0.0/30", "host:a", "a cold:0"), cooldown: 10 * time.Second, after: 10*time.Second - 1,
			allocated: 2, cooling: 1, free: "2", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"at the moment it cools still": {
			block: spec("10.0.0.0/30", "host:a", "a cold:0"), cooldown: 10 * time.Second, after: 10 * time.Second,
			allocated: 2, cooling: 1, free: "2", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"a moment after, though Calico has not taken it out of the block": {
			block: spec("10.0.0.0/30", "host:a", "a cold:0"), cooldown: 10 * time.Second, after: 10*time.Second + 1,
			allocated: 2, cooling: 0, free: "3", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"one has, another has not": {
			block: spec("10.0.0.0/30", "host:a", "cold:11 cold:9 cold:600"), cooldown: 10 * time.Second,
			allocated: 3, cooling: 1, free: "3", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"a block of which all have cooled is empty": {
			block: spec("10.0.0.0/30", "host:a", "cold:11 cold:12 win"), cooldown: 10 * time.Second,
			allocated: 3, cooling: 0, free: "3", blocks: "used 0, empty 1, unclaimed 0, reserved 0",
		},
		"a block of which one still cools is not": {
			block: spec("10.0.0.0/30", "host:a", "cold:11 cold:10 win"), cooldown: 10 * time.Second,
			allocated: 3, cooling: 1, free: "2", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"without a cooldown it is given out at once": {
			block: spec("10.0.0.0/30", "host:a", "a cold:0"), after: 1,
			allocated: 2, cooling: 0, free: "3", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"unless its clock is ahead": {
			block: spec("10.0.0.0/30", "host:a", "a cold:-5"), after: time.Second,
			allocated: 2, cooling: 1, free: "2", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"one that is reserved is not given out when it has cooled": {
			block: spec("10.0.0.0/30", "host:a", "cold:11 cold:12 a -"), cooldown: 10 * time.Second, reserved: []string{"10.0.0.1/32"},
			allocated: 3, cooling: 0, free: "2", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
		"one that is reserved cools all the same": {
			block: spec("10.0.0.0/30", "host:a", "cold:11 cold:9 a -"), cooldown: 10 * time.Second, reserved: []string{"10.0.0.0/31"},
			allocated: 3, cooling: 1, free: "1", blocks: "used 1, empty 0, unclaimed 0, reserved 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{
				pools: []Pool{automatic("pool", "10.0.0.0/30", 30)}, nodes: nodesNamed("a"), reserved: tc.reserved,
				config: &Config{AutoAllocateBlocks: true, StrictAffinity: true, Cooldown: tc.cooldown}, blocks: []BlockSpec{tc.block},
			}
			r := w.account(t).Report(moment0.Add(tc.after))
			p := r.Pools[0]
			require.Equal(t, tc.allocated, p.Allocated, "calicoctl counts what is not free in the block")
			require.Equal(t, tc.cooling, p.Cooling)
			require.Equal(t, tc.free, p.Assignable.BigInt().String())
			require.Equal(t, tc.free, r.Nodes[0].Assignable.BigInt().String())
			require.Equal(t, tc.blocks, blocksOf(p))
		})
	}
}

func TestWhatHasCooledIsOfTheNodeThatHasTheBlock(t *testing.T) {
	w := world{
		pools: []Pool{automatic("pool", "10.0.0.0/28", 30)}, nodes: nodesNamed("a", "b"),
		config: &Config{AutoAllocateBlocks: true, StrictAffinity: true, MaxBlocksPerHost: 1, Cooldown: 10 * time.Second},
		blocks: []BlockSpec{
			spec("10.0.0.0/30", "host:a", "a a cold:11 cold:9"), spec("10.0.0.4/30", "host:b", "b b b cold:99"),
			spec("10.0.0.8/30", "", "a cold:99 cold:99 a"), spec("10.0.0.12/30", "host:gone", "a cold:99 a a"),
		},
	}
	r := w.report(t)
	require.Equal(t, "2", r.Pools[0].Assignable.BigInt().String(), "what is nobody's, and what is of a node that is gone, is given out by none")
	require.Equal(t, "1", r.Nodes[0].Assignable.BigInt().String())
	require.Equal(t, "1", r.Nodes[1].Assignable.BigInt().String())
	require.Equal(t, 1, r.Pools[0].Cooling)
}

func TestTheClockAloneChangesWhatIsReported(t *testing.T) {
	a := world{
		pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("a"), config: &Config{AutoAllocateBlocks: true, Cooldown: time.Minute},
		blocks: []BlockSpec{spec("10.0.0.0/30", "host:a", "cold:0 cold:-30"), spec("10.0.0.4/30", "host:a", "a")},
	}.account(t)
	for _, tc := range []struct {
		after          time.Duration
		cooling, empty int
		assignable     string
	}{
		{0, 2, 0, "5"}, {61 * time.Second, 1, 0, "6"}, {91 * time.Second, 0, 1, "7"}, {0, 2, 0, "5"},
	} {
		p := a.Report(moment0.Add(tc.after)).Pools[0]
		require.Equal(t, tc.cooling, p.Cooling, tc.after)
		require.Equal(t, tc.empty, p.Empty, tc.after)
		require.Equal(t, 2-tc.empty, p.Used, tc.after)
		require.Equal(t, tc.assignable, p.Assignable.BigInt().String(), tc.after)
	}
	a.SetConfig(Config{AutoAllocateBlocks: true})
	require.Equal(t, 1, a.Report(moment0.Add(time.Second)).Pools[0].Cooling, "so does the cooldown")
}

func TestABlockIsUsedByWhateverIsInUse(t *testing.T) {
	for name, tc := range map[string]struct {
		words, want string
	}{
		"a pod":                           {"a", "used 1, empty 0, unclaimed 0, reserved 0"},
		"a pod without a handle":          {"~a", "used 1, empty 0, unclaimed 0, reserved 0"},
		"a tunnel":                        {"tunnel:a", "used 1, empty 0, unclaimed 0, reserved 0"},
		"a load balancer":                 {"lb", "used 1, empty 0, unclaimed 0, reserved 0"},
		"what Calico says nothing of":     {"other", "used 1, empty 0, unclaimed 0, reserved 0"},
		"a pod beside what Windows keeps": {"win win win a", "used 1, empty 0, unclaimed 0, reserved 0"},
		"nothing":                         {"", "used 0, empty 1, unclaimed 0, reserved 0"},
		"what Windows keeps alone":        {"win win win win", "used 0, empty 1, unclaimed 0, reserved 0"},
		"what was lost":                   {"lost", "used 0, empty 1, unclaimed 0, reserved 0"},
		"what still cools":                {"cold:10", "used 1, empty 0, unclaimed 0, reserved 0"},
		"what has cooled":                 {"cold:11", "used 0, empty 1, unclaimed 0, reserved 0"},
		"what still cools beside what Windows has": {"win cold:10", "used 1, empty 0, unclaimed 0, reserved 0"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, affinity := range []string{"host:a", "", "virtual:load-balancer"} {
				w := world{
					pools: []Pool{automatic("pool", "10.0.0.0/30", 30)}, config: &Config{AutoAllocateBlocks: true, Cooldown: 10 * time.Second},
					blocks: []BlockSpec{spec("10.0.0.0/30", affinity, tc.words)},
				}
				require.Equal(t, tc.want, blocksOf(w.report(t).Pools[0]), affinity)
			}
		})
	}
}

// libcalico-go/lib/ipam/ipam_block_reader_writer.go, findUsableBlock: of blocks of others a node takes over those that are empty, after a minute.
func TestAnEmptyBlockOfAnotherIsTakenOverWhereNoneIsLeft(t *testing.T) {
	strict := Config{AutoAllocateBlocks: true, StrictAffinity: true}
	with := func(change func(*Config)) *Config {
		c := strict
		change(&c)
		return &c
	}
	cooling := with(func(c *Config) { c.Cooldown = time.Minute })
	empty := spec("10.0.0.0/30", "host:gone", "")
	for name, tc := range map[string]struct {
		config   *Config
		block    BlockSpec
		reserved []string
		node     string // what node b can give, which has the full block beside it
		pool     string
	}{
		"a minute after it was claimed":  {&strict, claimed(empty, time.Minute), nil, "4", "4"},
		"a second earlier":               {&strict, claimed(empty, 59*time.Second), nil, "0", "0"},
		"long after":                     {&strict, claimed(empty, 24*time.Hour), nil, "4", "4"},
		"where its clock is ahead":       {&strict, claimed(empty, -time.Hour), nil, "0", "0"},
		"where Calico does not say when": {&strict, empty, nil, "0", "0"},
		"where it is nobody's":           {&strict, claimed(spec("10.0.0.0/30", "", ""), time.Hour), nil, "0", "0"},
		"where one address is in use":    {&strict, claimed(spec("10.0.0.0/30", "host:gone", "gone"), time.Hour), nil, "0", "0"},
		"where one address still cools":  {cooling, claimed(spec("10.0.0.0/30", "host:gone", "cold:60"), time.Hour), nil, "0", "0"},
		"where one address has cooled":   {cooling, claimed(spec("10.0.0.0/30", "host:gone", "cold:61"), time.Hour), nil, "4", "4"},
		"unless Windows keeps all":       {&strict, claimed(spec("10.0.0.0/30", "host:gone", "win win win win"), time.Hour), nil, "0", "0"},
		"less what is reserved":          {&strict, claimed(empty, time.Hour), []string{"10.0.0.0/31"}, "2", "2"},
		"unless all is reserved":         {&strict, claimed(empty, time.Hour), []string{"10.0.0.0/30"}, "0", "0"},
		"unless nodes claim no blocks":   {with(func(c *Config) { c.AutoAllocateBlocks = false }), claimed(empty, time.Hour), nil, "0", "0"},
		"unless the node is at its limit": {
			with(func(c *Config) { c.MaxBlocksPerHost = 1 }), claimed(empty, time.Hour), nil, "0", "0",
		},
		"where nodes borrow they need not": {
			with(func(c *Config) { c.StrictAffinity = false }), claimed(empty, 0), nil, "4", "4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := world{
				pools: []Pool{automatic("pool", "10.0.0.0/29", 30)}, nodes: nodesNamed("b"), reserved: tc.reserved, config: tc.config,
				blocks: []BlockSpec{tc.block, spec("10.0.0.4/30", "host:b", "b b b b")},
			}.report(t)
			require.Equal(t, tc.node, r.Nodes[0].Assignable.BigInt().String())
			require.Equal(t, tc.pool, r.Pools[0].Assignable.BigInt().String())
		})
	}
}

func TestBlocksAreTakenOverAfterAllOthersAreClaimed(t *testing.T) {
	stale := func(cidr, owner, words string) BlockSpec { return claimed(spec(cidr, "host:"+owner, words), time.Hour) }
	twoOfGone := []BlockSpec{stale("10.0.0.0/30", "gone", ""), stale("10.0.0.4/30", "gone", "")}
	for name, tc := range map[string]struct {
		limit    int
		reserved []string
		blocks   []BlockSpec
		want     map[string]string // of node b and of the pool
	}{
		// The pool has four blocks of four.
		"two are left to claim, which is all that the limit allows": {2, nil, twoOfGone, map[string]string{"b": "8", "pool": "8"}},
		"two are left to claim, and one more is taken over":         {3, nil, twoOfGone, map[string]string{"b": "12", "pool": "12"}},
		"those with the most addresses come first": {
			3, []string{"10.0.0.0/32", "10.0.0.4/31"}, twoOfGone, map[string]string{"b": "11", "pool": "11"},
		},
		"all are taken over where the limit is far": {
			20, []string{"10.0.0.0/32", "10.0.0.4/31"}, twoOfGone, map[string]string{"b": "13", "pool": "13"},
		},
		"a node does not take over what is its own": {
			20, nil, []BlockSpec{stale("10.0.0.0/30", "b", ""), stale("10.0.0.4/30", "b", "")}, map[string]string{"b": "16", "pool": "16"},
		},
		"one of its own and one of another's": {
			2, nil, []BlockSpec{
				stale("10.0.0.0/30", "b", ""), stale("10.0.0.4/30", "gone", ""), stale("10.0.0.8/30", "gone", "gone"), stale("10.0.0.12/30", "gone", "gone"),
			},
			map[string]string{"b": "8", "pool": "8"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := world{
				pools: []Pool{automatic("pool", "10.0.0.0/28", 30)}, nodes: nodesNamed("b"), blocks: tc.blocks, reserved: tc.reserved,
				config: &Config{AutoAllocateBlocks: true, StrictAffinity: true, MaxBlocksPerHost: tc.limit},
			}.report(t)
			require.Equal(t, tc.want, map[string]string{"b": r.Nodes[0].Assignable.BigInt().String(), "pool": r.Pools[0].Assignable.BigInt().String()})
		})
	}
}

// What a node has itself does not use up how many blocks it may take over, in whichever pool they are.
func TestANodeTakesOverBlocksOfSeveralPools(t *testing.T) {
	stale := func(cidr, owner string) BlockSpec { return claimed(spec(cidr, "host:"+owner, ""), time.Hour) }
	// It has three blocks of four itself; of others there is one block of four and two of two.
	for limit, want := range map[int]string{3: "12", 4: "16", 5: "18", 6: "20", 7: "20"} {
		r := world{
			pools: []Pool{automatic("p", "10.0.0.0/28", 30), automatic("q", "10.0.1.0/30", 31)}, nodes: nodesNamed("b"), config: strictWith(limit),
			blocks: []BlockSpec{
				stale("10.0.0.0/30", "b"), stale("10.0.0.4/30", "b"), stale("10.0.0.8/30", "b"), stale("10.0.0.12/30", "gone"),
				stale("10.0.1.0/31", "gone"), stale("10.0.1.2/31", "gone"),
			},
		}.report(t)
		require.Equal(t, want, r.Nodes[0].Assignable.BigInt().String(), "of at most %d blocks", limit)
	}
}

func TestABlockThatHasNothingToGiveIsNotTakenOver(t *testing.T) {
	stale := func(cidr string) BlockSpec { return claimed(spec(cidr, "host:gone", ""), time.Hour) }
	r := world{
		pools: []Pool{automatic("p", "10.0.0.0/30", 30), automatic("q", "10.0.1.0/31", 31)}, nodes: nodesNamed("b"), reserved: []string{"10.0.0.0/30"},
		config: strictWith(1), blocks: []BlockSpec{stale("10.0.0.0/30"), stale("10.0.1.0/31")},
	}.report(t)
	require.Equal(t, "2", r.Nodes[0].Assignable.BigInt().String(), "the only block that it may claim is one of two addresses")
}
