package derive

import (
	"hash/maphash"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

// sample is one point of a test scrape: its metric, its two labels and its value.
type sample struct {
	metric, first, second string
	value                 float64
}

func scraped(exact bool, samples ...sample) *ipampoints.Scrape {
	scrape := ipampoints.NewScrape(ipampoints.Limits{Pools: 100, Series: 1000}, maphash.MakeSeed(), false)
	scrape.Reset(pcommon.Timestamp(1), exact)
	for _, s := range samples {
		means := ipampoints.MetricOf(s.metric)
		first, second := calicometric.LabelIPPool, calicometric.LabelNode
		switch {
		case means.PerNode():
			first = calicometric.LabelIPFamily
		case s.metric == calicometric.PoolBlocks:
			second = calicometric.LabelState
		}
		point := pmetric.NewNumberDataPoint()
		point.SetDoubleValue(s.value)
		point.Attributes().PutStr(first, s.first)
		point.Attributes().PutStr(second, s.second)
		scrape.Add(means, s.metric, point)
	}
	return scrape
}

// pool are the points of a pool of one node.
func pool(name string, size, allocated float64) []sample {
	return []sample{{calicometric.IPPoolSize, name, "", size}, {calicometric.AllocationsInUse, name, "n1", allocated}}
}

func join(parts ...[]sample) []sample {
	var all []sample
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// described is an enabled pool for workloads, as it is described; changes make another one of it.
func described(name, cidr, family string, blockSize int, changes ...func(*ipampoints.Described)) ipampoints.Info {
	d := ipampoints.Described{
		Pool: name, CIDR: cidr, Family: family, BlockSize: blockSize, State: calicometric.PoolEnabled, AllowedUses: calicometric.UseWorkload,
	}
	for _, change := range changes {
		change(&d)
	}
	return d.Info()
}

func disabled(d *ipampoints.Described) { d.State = calicometric.PoolDisabled }
func manual(d *ipampoints.Described)   { d.AssignmentMode = calicometric.AssignmentManual }
func tunnel(d *ipampoints.Described)   { d.AllowedUses = calicometric.UseTunnel }

func TestScrape(t *testing.T) {
	const v4, v6, unknown = calicometric.IPv4, calicometric.IPv6, calicometric.IPUnknown
	a4, b4 := described("a", "10.0.0.0/24", v4, 26), described("b", "10.0.1.0/24", v4, 26)
	a6 := described("six", "fd00::/48", v6, 122)
	utilized := func(labels Labels, available, utilization float64) Pool {
		p := Pool{Labels: labels}
		p.Set(Available, available)
		p.Set(Utilization, utilization)
		return p
	}
	labelsA, labelsB := Labels{"a", "10.0.0.0/24", v4}, Labels{"b", "10.0.1.0/24", v4}
	labelsSix := Labels{"six", "fd00::/48", v6}
	unrated := Pool{Labels: Labels{Pool: "a", Family: unknown}}
	unrated.Set(Available, 0)

	for name, tc := range map[string]struct {
		scrape   *ipampoints.Scrape
		infos    []ipampoints.Info // nil is a cluster that nothing is known of
		selected selection.Selection
		pools    []Pool // without Demand
		families []Family
	}{
		"a pool that nothing is known of": {
			scrape: scraped(false, pool("a", 256, 64)...), pools: []Pool{utilized(Labels{Pool: "a", Family: unknown}, 192, 0.25)},
		},
		"its size can prove the family": {
			scrape: scraped(false, pool("a", 0x1p33, 0)...), pools: []Pool{utilized(Labels{Pool: "a", Family: v6}, 0x1p33, 0)},
		},
		"all of IPv4 proves nothing": {
			scrape: scraped(false, pool("a", 0x1p32, 0)...), pools: []Pool{utilized(Labels{Pool: "a", Family: unknown}, 0x1p32, 0)},
		},
		"a pool that is known": {
			scrape: scraped(false, pool("a", 256, 64)...), infos: []ipampoints.Info{a4},
			pools: []Pool{utilized(labelsA, 192, 0.25)}, families: []Family{{v4, 0.25}},
		},
		"a pool of a family that is not told": {
			scrape: scraped(false, pool("a", 256, 64)...), infos: []ipampoints.Info{described("a", "10.0.0.0/24", "", 0)},
			pools: []Pool{utilized(Labels{"a", "10.0.0.0/24", unknown}, 192, 0.25)},
		},
		"families are summed each for itself": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("six", 0x1p80, 0x1p20), pool("b", 256, 128))...), infos: []ipampoints.Info{a4, b4, a6},
			pools:    []Pool{utilized(labelsA, 192, 0.25), utilized(labelsSix, 0x1p80-0x1p20, 0x1p-60), utilized(labelsB, 128, 0.5)},
			families: []Family{{v4, 0.375}, {v6, 0x1p-60}},
		},
		"a reservation is not usable": {
			scrape: scraped(true, join(pool("a", 256, 64), []sample{{calicometric.IPPoolReserved, "a", "", 128}})...), infos: []ipampoints.Info{a4},
			pools: []Pool{utilized(labelsA, 64, 0.5)}, families: []Family{{v4, 0.5}},
		},
		"a reservation of all leaves no ratio": {
			scrape: scraped(false, join(pool("a", 256, 0), []sample{{calicometric.IPPoolReserved, "a", "", 256}})...), pools: []Pool{unrated},
		},
		"a pool without use is unknown, and with it the family": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("b", 256, 0)[:1])...), infos: []ipampoints.Info{a4, b4},
			pools: []Pool{utilized(labelsA, 192, 0.25)},
		},
		"a use that is no number leaves its pool unknown": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("b", 256, math.NaN()))...), infos: []ipampoints.Info{a4, b4},
			pools: []Pool{utilized(labelsA, 192, 0.25)},
		},
		"a pool that is missing makes its family unknown": {
			scrape: scraped(false, pool("a", 256, 64)...), infos: []ipampoints.Info{a4, b4, a6},
			pools: []Pool{utilized(labelsA, 192, 0.25)},
		},
		"a pool that is missing where others are known is not computed": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("new", 256, 9))...), infos: []ipampoints.Info{a4},
			pools: []Pool{utilized(labelsA, 192, 0.25)}, families: []Family{{v4, 0.25}},
		},
		"disabled, manual and tunnel pools are told but not summed": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("d", 256, 256), pool("m", 256, 256), pool("t", 256, 256))...),
			infos: []ipampoints.Info{
				a4, described("d", "", v4, 0, disabled), described("m", "", v4, 0, manual), described("t", "", v4, 0, tunnel),
			},
			pools: []Pool{
				utilized(labelsA, 192, 0.25), utilized(Labels{"d", "", v4}, 0, 1), utilized(Labels{"m", "", v4}, 0, 1), utilized(Labels{"t", "", v4}, 0, 1),
			},
			families: []Family{{v4, 0.25}},
		},
		"no pool that pods can use has no ratio": {
			scrape: scraped(false, pool("d", 256, 64)...), infos: []ipampoints.Info{described("d", "", v4, 0, disabled)},
			pools: []Pool{utilized(Labels{"d", "", v4}, 192, 0.25)},
		},
		"a pool that is excluded is not there": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("b", 256, 128))...), infos: []ipampoints.Info{a4, b4},
			selected: selection.Selection{Exclude: selection.Patterns{"b"}},
			pools:    []Pool{utilized(labelsA, 192, 0.25)}, families: []Family{{v4, 0.25}},
		},
		"a pool that is excluded may be unknown or missing": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("b", 256, 128)[:1])...), infos: []ipampoints.Info{a4, b4, described("bb", "", v4, 0)},
			selected: selection.Selection{Exclude: selection.Patterns{"b*"}},
			pools:    []Pool{utilized(labelsA, 192, 0.25)}, families: []Family{{v4, 0.25}},
		},
		"only what is included is there": {
			scrape: scraped(false, join(pool("a", 256, 64), pool("b", 256, 128))...), infos: []ipampoints.Info{a4, b4},
			selected: selection.Selection{Include: selection.Patterns{"b"}},
			pools:    []Pool{utilized(labelsB, 128, 0.5)}, families: []Family{{v4, 0.5}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// What was derived before must not show.
			result := Result{Pools: make([]Pool, 3), Families: make([]Family, 1), Nodes: make([]Nodes, 1)}
			result.Pools[0].Set(Growth, 9)
			Scrape(&result, tc.scrape, clusterOf(tc.infos, tc.selected), tc.selected)
			for i := range result.Pools {
				result.Pools[i].Demand = Demand{}
				if result.Pools[i].Known.Has(BlockUtilization) {
					require.Failf(t, "no scrape here tells of blocks", "%v", result.Pools[i])
				}
			}
			require.Equal(t, tc.pools, result.Pools)
			require.Equal(t, tc.families, append([]Family(nil), result.Families...))
			require.Empty(t, result.Nodes)
		})
	}
}

func clusterOf(infos []ipampoints.Info, selected selection.Selection) *poolinfo.Cluster {
	store := poolinfo.NewStore(1, 100, selected, nil)
	if infos != nil {
		store.Update("c1", &ipampoints.InfoBatch{Timestamp: 1, Pools: infos})
	}
	return store.Cluster("c1", 0)
}

func TestBlocksAndDemand(t *testing.T) {
	const states = calicometric.PoolBlocks
	exact := func(used, empty, unclaimed float64) []sample {
		return []sample{
			{calicometric.IPPoolReserved, "a", "", 0},
			{states, "a", calicometric.BlocksUsed, used}, {states, "a", calicometric.BlocksEmpty, empty}, {states, "a", calicometric.BlocksUnclaimed, unclaimed},
		}
	}
	blocks := func(n float64) []sample { return []sample{{calicometric.Blocks, "a", "n1", n}} }
	const v4 = calicometric.IPv4
	// A /22 has 16 blocks of a /26.
	told := described("a", "10.0.0.0/22", v4, 26)
	const none = -1

	for name, tc := range map[string]struct {
		exact       bool
		samples     []sample
		infos       []ipampoints.Info
		utilization float64 // of blocks; none is not known
		want        Demand
	}{
		"the datastore tells what can be claimed": {
			true, join(pool("a", 1024, 100), exact(3, 1, 12)), []ipampoints.Info{told}, 0.25,
			Demand{Forecast: true, Allocated: 100, Usable: 1024, BlocksKnown: true, ClaimedBlocks: 4, AllBlocks: 16},
		},
		"and what can be claimed only of others": {
			true, join(pool("a", 1024, 100), exact(3, 1, 4)), []ipampoints.Info{told}, 0.5,
			Demand{Forecast: true, Allocated: 100, Usable: 1024, BlocksKnown: true, ClaimedBlocks: 4, AllBlocks: 8},
		},
		"without any description": {
			true, join(pool("a", 1024, 100), exact(3, 1, 12)), nil, 0.25,
			Demand{Forecast: true, Allocated: 100, Usable: 1024, BlocksKnown: true, ClaimedBlocks: 4, AllBlocks: 16},
		},
		"no block can be claimed": {
			true, join(pool("a", 1024, 0), exact(0, 0, 0)), []ipampoints.Info{told}, none,
			Demand{Forecast: true, Usable: 1024},
		},
		"the datastore does not tell": {
			true, join(pool("a", 1024, 100), exact(3, 1, 12)[:2], blocks(4)), []ipampoints.Info{told}, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1024},
		},
		"kube-controllers, by the description": {
			false, join(pool("a", 1024, 100), blocks(4)), []ipampoints.Info{told}, 0.25,
			Demand{Forecast: true, Allocated: 100, Usable: 1024, BlocksKnown: true, ClaimedBlocks: 4, AllBlocks: 16},
		},
		"kube-controllers, no block of this pool": {
			false, join(pool("a", 1024, 0), []sample{{calicometric.Blocks, "b", "n1", 1}}), []ipampoints.Info{told}, 0,
			Demand{Forecast: true, Usable: 1024, BlocksKnown: true, AllBlocks: 16},
		},
		"kube-controllers, without a description": {
			false, join(pool("a", 1024, 100), blocks(4)), nil, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1024},
		},
		"kube-controllers, without a block size": {
			false, join(pool("a", 1024, 100), blocks(4)), []ipampoints.Info{described("a", "10.0.0.0/22", v4, 0)}, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1024},
		},
		"kube-controllers, without blocks": {
			false, pool("a", 1024, 100), []ipampoints.Info{told}, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1024},
		},
		"blocks that are no number": {
			false, join(pool("a", 1024, 100), blocks(-1)), []ipampoints.Info{told}, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1024},
		},
		"more blocks than there can be": {
			false, join(pool("a", 1024, 100), blocks(17)), []ipampoints.Info{told}, 1,
			Demand{Forecast: true, Allocated: 100, Usable: 1024, BlocksKnown: true, ClaimedBlocks: 17, AllBlocks: 16},
		},
		"a reservation leaves less to use": {
			false, join(pool("a", 1024, 100), []sample{{calicometric.IPPoolReserved, "a", "", 24}}), nil, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1000},
		},
		"what cools down is allocated": {
			false, join(pool("a", 1024, 100), []sample{{calicometric.PoolAllocated, "a", "", 110}}), nil, none,
			Demand{Forecast: true, Allocated: 110, Usable: 1024},
		},
		"nothing is given out of a disabled pool": {
			false, pool("a", 1024, 100), []ipampoints.Info{described("a", "10.0.0.0/22", v4, 26, disabled)}, none,
			Demand{Allocated: 100, Usable: 1024},
		},
		"a pool that is asked for by name fills too": {
			false, pool("a", 1024, 100), []ipampoints.Info{described("a", "10.0.0.0/22", v4, 26, manual)}, none,
			Demand{Forecast: true, Allocated: 100, Usable: 1024},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var result Result
			Scrape(&result, scraped(tc.exact, tc.samples...), clusterOf(tc.infos, selection.Selection{}), selection.Selection{})
			require.Len(t, result.Pools, 1)
			require.Equal(t, tc.want, result.Pools[0].Demand)
			require.Equal(t, tc.utilization != none, result.Pools[0].Known.Has(BlockUtilization))
			if tc.utilization != none {
				require.InDelta(t, tc.utilization, result.Pools[0].Values[BlockUtilization], 0)
			}
		})
	}
}

func TestNodesAreCountedByState(t *testing.T) {
	const v4, v6 = calicometric.IPv4, calicometric.IPv6
	node := func(name, family string, blocks, limit, assignable float64) []sample {
		return []sample{
			{calicometric.NodeBlocks, family, name, blocks}, {calicometric.NodeBlocksLimit, family, name, limit}, {calicometric.NodeAssignable, family, name, assignable},
		}
	}
	counts := func(family string, ok, capped, starved int) []Nodes {
		return []Nodes{{family, calicometric.NodeOK, ok}, {family, calicometric.NodeCapped, capped}, {family, calicometric.NodeStarved, starved}}
	}
	for name, tc := range map[string]struct {
		nodes []sample
		want  []Nodes
	}{
		"no nodes": {nil, nil},
		"one of each state": {
			join(node("n1", v4, 1, 20, 9), node("n2", v4, 20, 20, 9), node("n3", v4, 1, 20, 0)), counts(v4, 1, 1, 1),
		},
		"a state without nodes is none": {join(node("n1", v4, 1, 20, 9), node("n2", v4, 1, 20, 9)), counts(v4, 2, 0, 0)},
		"families each for itself, IPv4 first": {
			join(node("n1", v6, 1, 20, 0), node("n1", v4, 1, 20, 9)), append(counts(v4, 1, 0, 0), counts(v6, 0, 0, 1)...),
		},
		"one that is not known makes its family unknown": {
			join(node("n1", v6, 1, 20, 0), node("n1", v4, 1, 20, 9), node("n2", v4, 1, 20, 9)[:2]), counts(v6, 0, 0, 1),
		},
		"one that is no number makes its family unknown": {
			join(node("n1", v6, 1, 20, 0), node("n2", v6, 1, math.NaN(), 0), node("n1", v4, 1, 20, 9)), counts(v4, 1, 0, 0),
		},
		"a family that is none has no numbers": {join(node("n1", "", 1, 20, 0), node("n2", "ipv4", 1, 20, 0)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var result Result
			Scrape(&result, scraped(true, tc.nodes...), nil, selection.Selection{})
			require.Equal(t, tc.want, result.Nodes)
		})
	}
}

func TestAClusterWithTooManyPoolsHasNoRatio(t *testing.T) {
	store := poolinfo.NewStore(1, 1, selection.Selection{}, nil)
	store.Update("c1", &ipampoints.InfoBatch{Timestamp: 1, Pools: []ipampoints.Info{
		described("a", "", calicometric.IPv4, 0), described("b", "", calicometric.IPv4, 0),
	}})
	var result Result
	Scrape(&result, scraped(false, pool("a", 256, 64)...), store.Cluster("c1", 0), selection.Selection{})
	require.Len(t, result.Pools, 1)
	require.Empty(t, result.Families)
}
