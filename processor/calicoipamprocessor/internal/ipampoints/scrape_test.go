package ipampoints

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolmath"
)

const (
	sizes     = calicometric.IPPoolSize
	reserves  = calicometric.IPPoolReserved
	uses      = calicometric.AllocationsInUse
	allocates = calicometric.PoolAllocated
)

func TestCount(t *testing.T) {
	type numbers struct{ size, reserved, allocated float64 }
	of := func(size, reserved, allocated float64) *numbers { return &numbers{size, reserved, allocated} }
	for name, tc := range map[string]struct {
		exact     bool
		samples   []sample
		want      *numbers // of pool a; nil is unknown
		state     State
		conflicts int
	}{
		"size and use":                     {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}}, want: of(256, 0, 5), state: Live},
		"use before size":                  {samples: []sample{{uses, "a", "n1", 5.0}, {sizes, "a", "", 256.0}}, want: of(256, 0, 5), state: Live},
		"integers":                         {samples: []sample{{sizes, "a", "", 256}, {uses, "a", "n1", 5}}, want: of(256, 0, 5), state: Live},
		"use of none is known":             {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 0.0}}, want: of(256, 0, 0), state: Live},
		"use is summed over nodes":         {samples: []sample{{uses, "a", "n1", 5.0}, {sizes, "a", "", 256.0}, {uses, "a", "n2", 6.0}}, want: of(256, 0, 11), state: Live},
		"use without a node is a share":    {samples: []sample{{uses, "a", "", 5.0}, {sizes, "a", "", 256.0}, {uses, "a", "n2", 6.0}}, want: of(256, 0, 11), state: Live},
		"other pools are not looked at":    {samples: []sample{{uses, "b", "n1", 5.0}, {sizes, "a", "", 256.0}, {uses, "a", "n1", 6.0}, {reserves, "b", "", 1.0}}, want: of(256, 0, 6), state: Live},
		"a reservation":                    {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {reserves, "a", "", 16.0}}, want: of(256, 16, 5), state: Live},
		"sizes of IPv6 are exact":          {samples: []sample{{sizes, "a", "", 0x1p128}, {uses, "a", "n1", 1.0}}, want: of(0x1p128, 0, 1), state: Live},
		"what is allocated wins over use":  {samples: []sample{{sizes, "a", "", 256.0}, {allocates, "a", "", 7.0}, {uses, "a", "n1", 5.0}}, want: of(256, 0, 7), state: Live},
		"also where use comes first":       {samples: []sample{{uses, "a", "n1", 5.0}, {sizes, "a", "", 256.0}, {allocates, "a", "", 7.0}}, want: of(256, 0, 7), state: Live},
		"also where it is none":            {samples: []sample{{uses, "a", "n1", 5.0}, {sizes, "a", "", 256.0}, {allocates, "a", "", 0.0}}, want: of(256, 0, 0), state: Live},
		"what is allocated needs no use":   {samples: []sample{{sizes, "a", "", 256.0}, {allocates, "a", "", 7.0}}, want: of(256, 0, 7), state: Live},
		"size alone":                       {samples: []sample{{sizes, "a", "", 256.0}}, state: Live},
		"use alone":                        {samples: []sample{{uses, "a", "n1", 5.0}}, state: Empty},
		"what is allocated alone":          {samples: []sample{{allocates, "a", "", 5.0}}, state: Empty},
		"size and reservation alone":       {samples: []sample{{sizes, "a", "", 256.0}, {reserves, "a", "", 5.0}}, state: Live},
		"nothing":                          {state: Empty},
		"the datastore without a reserve":  {exact: true, samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}}, state: Live},
		"the datastore with one of none":   {exact: true, samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {reserves, "a", "", 0.0}}, want: of(256, 0, 5), state: Live},
		"the datastore with a marker":      {exact: true, samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {reserves, "a", "", nil}}, state: Live},
		"a marker of use is no use":        {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", nil}}, state: Live},
		"a marker of another node's use":   {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", nil}, {uses, "a", "n2", 5.0}}, want: of(256, 0, 5), state: Live},
		"a marker of size is no size":      {samples: []sample{{sizes, "a", "", nil}, {uses, "a", "n1", 5.0}}, state: Gone},
		"another size keeps it live":       {samples: []sample{{sizes, "b", "", 1.0}, {sizes, "a", "", nil}, {uses, "a", "n1", 5.0}}, state: Live},
		"a marker of use ends no target":   {samples: []sample{{uses, "a", "n1", nil}}, state: Empty},
		"nor does one of no pool":          {samples: []sample{{sizes, calicometric.NoPool, "", nil}, {sizes, "", "", nil}}, state: Empty},
		"a marker, then a value":           {samples: []sample{{sizes, "a", "", nil}, {sizes, "a", "", 256.0}, {uses, "a", "n1", nil}, {uses, "a", "n1", 5.0}}, want: of(256, 0, 5), state: Live},
		"a value, then a marker":           {samples: []sample{{sizes, "a", "", 256.0}, {sizes, "a", "", nil}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", nil}}, want: of(256, 0, 5), state: Live},
		"points twice are points once":     {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", 5.0}, {sizes, "a", "", 256.0}}, want: of(256, 0, 5), state: Live},
		"an integer is the same double":    {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", 5}, {sizes, "a", "", 256}}, want: of(256, 0, 5), state: Live},
		"two sizes":                        {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {sizes, "a", "", 512.0}}, state: Live, conflicts: 1},
		"two uses of a node":               {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", 6.0}}, state: Live, conflicts: 1},
		"two reservations":                 {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {reserves, "a", "", 5.0}, {reserves, "a", "", 6.0}}, state: Live, conflicts: 1},
		"two uses and the first again":     {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", 6.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", 6.0}, {uses, "a", "n1", nil}}, state: Live, conflicts: 1},
		"two series with two values":       {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", 6.0}, {uses, "a", "n2", 5.0}, {uses, "a", "n2", 6.0}}, state: Live, conflicts: 2},
		"two values of another pool":       {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "b", "n1", 5.0}, {uses, "b", "n1", 6.0}}, want: of(256, 0, 5), state: Live, conflicts: 1},
		"two values of a metric no number": {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {calicometric.Blocks, "a", "n1", 5.0}, {calicometric.Blocks, "a", "n1", 6.0}}, want: of(256, 0, 5), state: Live, conflicts: 1},
		"one that is no number and one":    {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", math.NaN()}, {uses, "a", "n1", 5.0}}, state: Live, conflicts: 1},
		"one and one that is no number":    {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n1", math.NaN()}}, state: Live, conflicts: 1},
		"a negative size":                  {samples: []sample{{sizes, "a", "", -1.0}, {uses, "a", "n1", 5.0}}, state: Live},
		"a negative integer":               {samples: []sample{{sizes, "a", "", 256}, {uses, "a", "n1", -5}}, state: Live},
		"half an address":                  {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", 0.5}}, state: Live},
		"more than IPv6 has":               {samples: []sample{{sizes, "a", "", 0x1p129}, {uses, "a", "n1", 5.0}}, state: Live},
		"more than a node can have":        {samples: []sample{{sizes, "a", "", 0x1p128}, {uses, "a", "n1", 0x1p41}}, state: Live},
		"an infinite reservation":          {samples: []sample{{sizes, "a", "", 256.0}, {reserves, "a", "", math.Inf(1)}, {uses, "a", "n1", 5.0}}, state: Live},
		"no number of the same use":        {samples: []sample{{sizes, "a", "", 256.0}, {uses, "a", "n1", math.NaN()}, {uses, "a", "n2", 5.0}}, state: Live},
		"a point without a value":          {samples: []sample{{sizes, "a", "", 256.0}, {reserves, "a", "", "none"}, {uses, "a", "n1", 5.0}}, state: Live},
		"what is allocated is no number":   {samples: []sample{{sizes, "a", "", 256.0}, {allocates, "a", "", math.NaN()}, {uses, "a", "n1", 5.0}}, state: Live},
		"blocks that are no number":        {samples: []sample{{sizes, "a", "", 256.0}, {calicometric.Blocks, "a", "n1", -1.0}, {uses, "a", "n1", 5.0}}, want: of(256, 0, 5), state: Live},
		"points without a pool":            {samples: []sample{{sizes, "", "", 256.0}, {uses, "", "n1", 5.0}, {sizes, calicometric.NoPool, "", 1.0}}, state: Empty},
	} {
		t.Run(name, func(t *testing.T) {
			scrape := added(roomy, tc.exact, tc.samples...)
			require.Equal(t, tc.state, scrape.State())
			require.Equal(t, tc.conflicts, scrape.Conflicts)
			count, known := scrape.Count(pool(scrape, "a"))
			require.Equal(t, tc.want != nil, known)
			if tc.want == nil {
				require.Zero(t, count)
				return
			}
			require.Equal(t, poolmath.Pool{
				Size: exactly(t, tc.want.size), Reserved: exactly(t, tc.want.reserved), Allocated: exactly(t, tc.want.allocated),
			}, count)
		})
	}
}

func TestBlocks(t *testing.T) {
	const nodes, states = calicometric.Blocks, calicometric.PoolBlocks
	used, empty, unclaimed, reserved := calicometric.BlocksUsed, calicometric.BlocksEmpty, calicometric.BlocksUnclaimed, calicometric.BlocksReserved
	type blocks struct{ claimed, claimable float64 }
	for name, tc := range map[string]struct {
		exact   bool
		samples []sample
		want    *blocks // of pool a; nil is unknown
	}{
		"by state":                             {true, []sample{{states, "a", used, 3.0}, {states, "a", empty, 1.0}, {states, "a", unclaimed, 12.0}}, &blocks{4, 16}},
		"those reserved can not be claimed":    {true, []sample{{states, "a", reserved, 9.0}, {states, "a", used, 3.0}, {states, "a", empty, 1.0}, {states, "a", unclaimed, 12.0}}, &blocks{4, 16}},
		"all reserved":                         {true, []sample{{states, "a", reserved, 9.0}, {states, "a", used, 0.0}, {states, "a", empty, 0.0}, {states, "a", unclaimed, 0.0}}, &blocks{0, 0}},
		"by state, of any source":              {false, []sample{{states, "a", used, 3.0}, {states, "a", empty, 1.0}, {states, "a", unclaimed, 12.0}}, &blocks{4, 16}},
		"states win over nodes":                {false, []sample{{nodes, "a", "n1", 9.0}, {states, "a", used, 3.0}, {states, "a", empty, 1.0}, {states, "a", unclaimed, 12.0}}, &blocks{4, 16}},
		"a state that is missing":              {true, []sample{{nodes, "a", "n1", 9.0}, {states, "a", used, 3.0}, {states, "a", unclaimed, 12.0}}, nil},
		"a state that has ended":               {true, []sample{{states, "a", used, 3.0}, {states, "a", empty, nil}, {states, "a", unclaimed, 12.0}}, nil},
		"a state that is no number":            {true, []sample{{states, "a", used, 3.0}, {states, "a", empty, -1.0}, {states, "a", unclaimed, 12.0}}, nil},
		"a state of two numbers":               {true, []sample{{states, "a", used, 3.0}, {states, "a", used, 4.0}, {states, "a", empty, 1.0}, {states, "a", unclaimed, 12.0}}, nil},
		"a state twice":                        {true, []sample{{states, "a", used, 3.0}, {states, "a", used, 3.0}, {states, "a", empty, 1.0}, {states, "a", unclaimed, 12.0}}, &blocks{4, 16}},
		"by node":                              {false, []sample{{nodes, "a", "n1", 2.0}, {nodes, "a", "n2", 3.0}, {uses, "a", "n1", 9.0}}, &blocks{5, 0}},
		"by node, without use":                 {false, []sample{{nodes, "a", "n1", 2.0}}, &blocks{2, 0}},
		"by node, of the datastore":            {true, []sample{{nodes, "a", "n1", 2.0}, {nodes, "a", "n2", 3.0}}, nil},
		"a node's that are no number":          {false, []sample{{nodes, "a", "n1", 2.0}, {nodes, "a", "n2", math.Inf(1)}}, nil},
		"none in use, others have blocks":      {false, []sample{{nodes, "b", "n1", 2.0}, {uses, "a", "n1", 0.0}}, &blocks{0, 0}},
		"none in use, nobody tells of blocks":  {false, []sample{{uses, "a", "n1", 0.0}}, nil},
		"none in use, blocks of no pool":       {false, []sample{{nodes, calicometric.NoPool, "n1", 2.0}, {uses, "a", "n1", 0.0}}, nil},
		"some in use, only others have blocks": {false, []sample{{nodes, "b", "n1", 2.0}, {uses, "a", "n1", 1.0}}, nil},
		"none in use, and what is no number":   {false, []sample{{nodes, "b", "n1", 2.0}, {uses, "a", "n1", 0.0}, {uses, "a", "n2", math.NaN()}}, nil},
		"none in use, and some":                {false, []sample{{nodes, "b", "n1", 2.0}, {uses, "a", "n1", 0.0}, {uses, "a", "n1", 1.0}}, nil},
		"use is not known":                     {false, []sample{{nodes, "b", "n1", 2.0}, {sizes, "a", "", 256.0}}, nil},
		"none in use, of the datastore":        {true, []sample{{nodes, "b", "n1", 2.0}, {uses, "a", "n1", 0.0}}, nil},
		"use that is no number is not blocks'": {false, []sample{{nodes, "a", "n1", 2.0}, {uses, "a", "n1", math.NaN()}}, &blocks{2, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			scrape := added(roomy, tc.exact, tc.samples...)
			claimed, claimable, known := scrape.Blocks(pool(scrape, "a"))
			require.Equal(t, tc.want != nil, known)
			if tc.want == nil {
				tc.want = &blocks{}
			}
			require.Equal(t, exactly(t, tc.want.claimed), claimed)
			require.Equal(t, exactly(t, tc.want.claimable), claimable)
		})
	}
}

func TestNodeState(t *testing.T) {
	const has, may, gives = calicometric.NodeBlocks, calicometric.NodeBlocksLimit, calicometric.NodeAssignable
	const v4 = calicometric.IPv4
	for name, tc := range map[string]struct {
		samples []sample
		want    string // empty is unknown
	}{
		"blocks and addresses left":             {[]sample{{has, v4, "n1", 1.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 64.0}}, calicometric.NodeOK},
		"as many blocks as it may":              {[]sample{{has, v4, "n1", 20.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 1.0}}, calicometric.NodeCapped},
		"more blocks than it may":               {[]sample{{has, v4, "n1", 21.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 1.0}}, calicometric.NodeCapped},
		"no address left":                       {[]sample{{has, v4, "n1", 1.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 0.0}}, calicometric.NodeStarved},
		"neither blocks nor addresses":          {[]sample{{has, v4, "n1", 20.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 0.0}}, calicometric.NodeStarved},
		"more addresses than of a pool's share": {[]sample{{has, v4, "n1", 1.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 0x1p80}}, calicometric.NodeOK},
		"blocks are not told":                   {[]sample{{may, v4, "n1", 20.0}, {gives, v4, "n1", 0.0}}, ""},
		"the limit is not told":                 {[]sample{{has, v4, "n1", 1.0}, {gives, v4, "n1", 64.0}}, ""},
		"addresses are not told":                {[]sample{{has, v4, "n1", 1.0}, {may, v4, "n1", 20.0}}, ""},
		"addresses have ended":                  {[]sample{{has, v4, "n1", 1.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", nil}}, ""},
		"the limit is no number":                {[]sample{{has, v4, "n1", 1.0}, {may, v4, "n1", math.NaN()}, {gives, v4, "n1", 64.0}}, ""},
		"two numbers of blocks":                 {[]sample{{has, v4, "n1", 1.0}, {has, v4, "n1", 2.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 64.0}}, ""},
		"points twice":                          {[]sample{{has, v4, "n1", 1.0}, {has, v4, "n1", 1.0}, {may, v4, "n1", 20.0}, {gives, v4, "n1", 64.0}}, calicometric.NodeOK},
	} {
		t.Run(name, func(t *testing.T) {
			scrape := added(roomy, true, tc.samples...)
			require.Len(t, scrape.Nodes, 1)
			require.Equal(t, v4, scrape.Nodes[0].Family)
			state, known := scrape.Nodes[0].State()
			require.Equal(t, tc.want, state)
			require.Equal(t, tc.want != "", known)
			require.Empty(t, scrape.Pools)
			require.Equal(t, Empty, scrape.State())
		})
	}
}

func TestNodesAreToldApartByNameAndFamily(t *testing.T) {
	scrape := added(roomy, true,
		sample{calicometric.NodeBlocks, calicometric.IPv4, "n1", 1.0}, sample{calicometric.NodeBlocks, calicometric.IPv6, "n1", 1.0},
		sample{calicometric.NodeBlocks, calicometric.IPv4, "n2", 1.0}, sample{calicometric.NodeAssignable, calicometric.IPv6, "n1", 1.0},
		sample{calicometric.NodeBlocks, calicometric.IPv4, "n3", nil})
	families := make([]string, 0, len(scrape.Nodes))
	for _, node := range scrape.Nodes {
		families = append(families, node.Family)
	}
	require.Equal(t, []string{calicometric.IPv4, calicometric.IPv6, calicometric.IPv4}, families, "a node that has ended is none")
}

func TestSeriesAreCountedByWhatTheyEndAs(t *testing.T) {
	for name, tc := range map[string]struct {
		samples       []sample
		values, ended int
	}{
		"a value":                    {[]sample{{uses, "a", "n1", 1.0}}, 1, 0},
		"a value twice":              {[]sample{{uses, "a", "n1", 1.0}, {uses, "a", "n1", 1.0}}, 1, 0},
		"two values":                 {[]sample{{uses, "a", "n1", 1.0}, {uses, "a", "n1", 2.0}}, 1, 0},
		"a marker":                   {[]sample{{uses, "a", "n1", nil}}, 0, 1},
		"a marker twice":             {[]sample{{uses, "a", "n1", nil}, {uses, "a", "n1", nil}}, 0, 1},
		"a marker, then a value":     {[]sample{{uses, "a", "n1", nil}, {uses, "a", "n1", 1.0}, {uses, "a", "n1", nil}}, 1, 0},
		"a value, then a marker":     {[]sample{{uses, "a", "n1", 1.0}, {uses, "a", "n1", nil}}, 1, 0},
		"no number is a value":       {[]sample{{uses, "a", "n1", math.NaN()}}, 1, 0},
		"of another node":            {[]sample{{uses, "a", "n1", 1.0}, {uses, "a", "n2", nil}}, 1, 1},
		"of another pool":            {[]sample{{uses, "a", "n1", 1.0}, {uses, "b", "n1", nil}}, 1, 1},
		"of another metric":          {[]sample{{uses, "a", "n1", 1.0}, {calicometric.Blocks, "a", "n1", nil}}, 1, 1},
		"of a metric not used":       {[]sample{{calicometric.AllocationsBorrowed, "a", "n1", 1.0}, {calicometric.AllocationsPerNode, "", "n1", 1.0}}, 2, 0},
		"of no pool":                 {[]sample{{uses, calicometric.NoPool, "n1", 1.0}, {uses, "", "n1", 1.0}}, 2, 0},
		"of a state":                 {[]sample{{calicometric.PoolBlocks, "a", "used", 1.0}, {calicometric.PoolBlocks, "a", "empty", 1.0}}, 2, 0},
		"of a node of two families":  {[]sample{{calicometric.NodeBlocks, "IPv4", "n1", 1.0}, {calicometric.NodeBlocks, "IPv6", "n1", 1.0}}, 2, 0},
		"names do not run together":  {[]sample{{uses, "ab", "c", 1.0}, {uses, "a", "bc", 1.0}, {uses, "b", "a", 1.0}, {uses, "a", "b", 1.0}, {uses, "a", "a", 1.0}}, 5, 0},
		"a node's place is its name": {[]sample{{uses, "a", "", 1.0}, {uses, "", "a", 1.0}}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			scrape := added(roomy, false, tc.samples...)
			require.Equal(t, tc.values, scrape.Values)
			require.Equal(t, tc.ended, scrape.Ended)
			require.Equal(t, tc.values+tc.ended, scrape.Series())
		})
	}
}

func TestSharesOfNodesAreGatheredWhereTheyAreAskedFor(t *testing.T) {
	samples := []sample{
		{uses, "a", "n1", 3.0}, {uses, "a", "n1", 3.0}, {uses, "a", "n2", nil}, {calicometric.AllocationsPerNode, "", "n1", 4},
		{uses, "b", "n1", 3.0}, {uses, "b", "n3", math.NaN()}, {calicometric.Blocks, calicometric.NoPool, "n1", 5.0}, {sizes, "a", "", 256.0},
	}
	scrape := added(roomy, false, samples...)
	require.Equal(t, []nodeshares.Point{
		{Metric: nodeshares.InUse, Pool: "a", Node: "n1", Value: 3},
		{Metric: nodeshares.Blocks, Pool: calicometric.NoPool, Node: "n1", Value: 5},
		{Metric: nodeshares.AllocationsPerNode, Node: "n1", Value: 4},
	}, scrape.Shares.Points(full, nil))

	without := NewScrape(roomy, seed, false)
	without.Reset(1, false)
	add(without, samples...)
	require.Nil(t, without.Shares)
	require.Equal(t, tell(scrape), tell(without))
}

func TestResetForgetsTheScrapeBefore(t *testing.T) {
	scrape := added(Limits{Pools: 3, Series: 30}, true,
		sample{sizes, "z", "", 1.0}, sample{sizes, "a", "", math.NaN()}, sample{uses, "b", "n1", 5.0}, sample{uses, "b", "n1", 6.0},
		sample{uses, "c", "n1", 5.0}, sample{calicometric.Blocks, "a", "n1", 5.0}, sample{sizes, "y", "", nil},
		sample{calicometric.NodeBlocks, calicometric.IPv4, "n1", 1.0})
	require.EqualValues(t, 7, scrape.Timestamp)
	require.Equal(t, map[string]int{sizes: 1}, scrape.Unreadable)
	require.Equal(t, 1, scrape.Conflicts)
	require.Equal(t, 1, scrape.DroppedPools)
	scrape.Bound(0)

	scrape.Reset(8, false)
	require.Equal(t, added(roomy, false).State(), scrape.State())
	require.EqualValues(t, 8, scrape.Timestamp)
	require.False(t, scrape.Exact)
	require.Equal(t, tell(added(roomy, false)), tell(scrape))
	require.Nil(t, scrape.Unreadable)
	require.Zero(t, scrape.DroppedPools+scrape.DroppedSeries+scrape.Conflicts)
	require.Empty(t, scrape.Shares.Points(full, nil))

	again := []sample{{uses, "a", "n1", 0.0}, {sizes, "a", "", 256.0}, {uses, "b", "n1", 5.0}}
	add(scrape, again...)
	require.Equal(t, tell(added(roomy, false, again...)), tell(scrape))
}

func TestPoolsBeyondTheBoundAreLeftOut(t *testing.T) {
	scrape := added(Limits{Pools: 2, Series: 100}, false,
		sample{sizes, "a", "", 1.0}, sample{sizes, "b", "", 1.0}, sample{sizes, "c", "", 1.0}, sample{uses, "c", "n1", 1.0}, sample{uses, "a", "n1", 1.0})
	require.Len(t, scrape.Pools, 2)
	_, known := scrape.Count(pool(scrape, "a"))
	require.True(t, known)
	require.Equal(t, 2, scrape.DroppedPools)
	require.Equal(t, 5, scrape.Values, "their series are counted all the same")
}

func TestSeriesBeyondTheBoundAreLeftOut(t *testing.T) {
	five := []sample{{sizes, "a", "", 1.0}, {uses, "a", "n1", 1.0}, {uses, "a", "n2", 1.0}, {uses, "a", "n3", nil}, {sizes, "b", "", 1.0}}
	scrape := added(Limits{Pools: 9, Series: 3}, false, five...)
	require.Equal(t, 3, scrape.Series())
	require.Equal(t, 2, scrape.DroppedSeries)
	require.Len(t, scrape.Pools, 1)

	scrape.Reset(7, false)
	scrape.Bound(2)
	add(scrape, five...)
	require.Equal(t, 2, scrape.Series(), "a lower bound holds")
	require.Equal(t, 3, scrape.DroppedSeries)
	add(scrape, five[:2]...)
	require.Equal(t, 3, scrape.DroppedSeries, "what is there needs no room")

	scrape.Bound(100)
	add(scrape, five...)
	require.Equal(t, 3, scrape.Series(), "a higher bound than the limit does not")
}

func TestAddOfASteadyScrapeDoesNotAllocate(t *testing.T) {
	samples := []sample{
		{sizes, "a", "", 256.0}, {reserves, "a", "", 0.0}, {uses, "a", "n1", 5.0}, {uses, "a", "n2", 6.0}, {uses, "b", "n1", 5.0},
		{calicometric.PoolBlocks, "a", "used", 1.0}, {calicometric.NodeBlocks, "IPv4", "n1", 1.0}, {uses, "c", "n1", nil},
	}
	scrape := added(roomy, false, samples...)
	metrics, points := make([]Metric, len(samples)), resource(7, samples...).ScopeMetrics().At(0).Metrics()
	for i := range samples {
		metrics[i] = MetricOf(samples[i].metric)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		scrape.Reset(7, false)
		for i := range samples {
			scrape.Add(metrics[i], samples[i].metric, points.At(i).Gauge().DataPoints().At(0))
		}
	}))
	require.Equal(t, tell(added(roomy, false, samples...)), tell(scrape))
}

func TestCountsAreOfAddressesNotOfFloats(t *testing.T) {
	scrape := added(roomy, false, sample{sizes, "a", "", 0x1p80}, sample{uses, "a", "n1", 1.0}, sample{uses, "a", "n2", 2.0})
	count, known := scrape.Count(pool(scrape, "a"))
	require.True(t, known)
	require.Equal(t, addresses.Power(80).Minus(addresses.Of(3)), count.Available())
}
