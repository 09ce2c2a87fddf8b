package poolinfo

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

func batch(at pcommon.Timestamp, pools ...string) *ipampoints.InfoBatch {
	b := &ipampoints.InfoBatch{Timestamp: at}
	for _, pool := range pools {
		b.Pools = append(b.Pools, ipampoints.Info{Pool: pool, Family: calicometric.IPv4, ForPods: true})
	}
	return b
}

func TestUpdate(t *testing.T) {
	for name, tc := range map[string]struct {
		batches []*ipampoints.InfoBatch
		want    []string
	}{
		"the first is taken":                {[]*ipampoints.InfoBatch{batch(1, "a", "b")}, []string{"a", "b"}},
		"a newer one replaces all":          {[]*ipampoints.InfoBatch{batch(1, "a", "b"), batch(2, "b", "c")}, []string{"b", "c"}},
		"an older one is ignored":           {[]*ipampoints.InfoBatch{batch(2, "a"), batch(1, "b")}, []string{"a"}},
		"one of the same moment adds":       {[]*ipampoints.InfoBatch{batch(1, "a"), batch(1, "b")}, []string{"a", "b"}},
		"the same one again changes none":   {[]*ipampoints.InfoBatch{batch(1, "a"), batch(1, "a")}, []string{"a"}},
		"one that names none forgets all":   {[]*ipampoints.InfoBatch{batch(1, "a"), {Timestamp: 2, Ended: 1}}, nil},
		"a part of one waits for the rest":  {[]*ipampoints.InfoBatch{batch(1, "a", "b"), batch(2, "c")}, []string{"a", "b"}},
		"the rest makes it whole":           {[]*ipampoints.InfoBatch{batch(1, "a", "b"), batch(2, "c"), batch(2, "d")}, []string{"c", "d"}},
		"ends count for whole":              {[]*ipampoints.InfoBatch{batch(1, "a", "b"), {Timestamp: 2, Ended: 1, Pools: batch(2, "c").Pools}}, []string{"c"}},
		"half of one is no whole of next":   {[]*ipampoints.InfoBatch{batch(1, "a", "b"), batch(2, "a"), batch(3, "a")}, []string{"a", "b"}},
		"two halves in a row are believed":  {[]*ipampoints.InfoBatch{batch(1, "a", "b"), batch(2, "c"), batch(3, "c"), batch(4, "c")}, []string{"c"}},
		"one without any point is no batch": {[]*ipampoints.InfoBatch{batch(1, "a"), {Timestamp: 2, Empty: true}}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := NewStore(1, 10, selection.Selection{}, nil)
			for _, b := range tc.batches {
				require.Zero(t, store.Update("c1", b))
			}
			cluster := store.Cluster("c1", 0)
			for _, pool := range tc.want {
				info, known := cluster.Pool(pool)
				require.True(t, known)
				require.Equal(t, pool, info.Pool)
			}
			pools, known := cluster.ForPods(calicometric.IPv4)
			require.True(t, known)
			require.Len(t, tc.want, pools)
		})
	}
}

func TestAClusterOfTooManyPoolsIsNotCounted(t *testing.T) {
	store := NewStore(1, 2, selection.Selection{}, nil)
	require.Equal(t, 2, store.Update("c1", batch(1, "a", "b", "c", "d")))
	_, known := store.Cluster("c1", 0).ForPods(calicometric.IPv4)
	require.False(t, known)
	_, known = store.Cluster("c1", 0).Pool("b")
	require.True(t, known)

	require.Zero(t, store.Update("c1", batch(2, "a", "b")))
	pools, known := store.Cluster("c1", 0).ForPods(calicometric.IPv4)
	require.True(t, known)
	require.Equal(t, 2, pools)
}

func TestOneClusterTooManyForgetsOne(t *testing.T) {
	store := NewStore(2, 2, selection.Selection{}, nil)
	store.Update("c1", batch(1, "a"))
	store.Update("c2", batch(1, "a"))
	require.NotNil(t, store.Cluster("c1", 0))
	require.Zero(t, store.Update("c3", batch(1, "a")))
	require.Nil(t, store.Cluster("c2", 0))
	require.NotNil(t, store.Cluster("c1", 0))
}

func TestAnUnknownClusterKnowsNothing(t *testing.T) {
	cluster := NewStore(1, 1, selection.Selection{}, nil).Cluster("c1", 0)
	require.Nil(t, cluster)
	_, known := cluster.Pool("a")
	require.False(t, known)
	_, known = cluster.ForPods(calicometric.IPv4)
	require.False(t, known)
}

// configured is a pool of a cluster that any pod can use.
func configured(cluster, pool, cidr string) Configured {
	return Configured{Cluster: cluster, Info: ipampoints.Info{Pool: pool, CIDR: cidr, Family: calicometric.IPv4, Enabled: true, ForPods: true}}
}

func TestConfiguredPools(t *testing.T) {
	for name, tc := range map[string]struct {
		configured []Configured
		told       *ipampoints.InfoBatch // of cluster c1
		want       map[string]string     // the ranges of the pools of cluster c1; nil is a cluster that nothing is known of
	}{
		"none":                             {},
		"for every cluster":                {[]Configured{configured("", "a", "10.0.0.0/24")}, nil, map[string]string{"a": "10.0.0.0/24"}},
		"for this one":                     {[]Configured{configured("c1", "a", "10.0.0.0/24")}, nil, map[string]string{"a": "10.0.0.0/24"}},
		"for another one":                  {[]Configured{configured("c2", "a", "10.0.0.0/24")}, nil, nil},
		"for this one, another and all":    {[]Configured{configured("c2", "a", "10.2.0.0/24"), configured("", "b", "10.3.0.0/24"), configured("c1", "c", "10.1.0.0/24")}, nil, map[string]string{"b": "10.3.0.0/24", "c": "10.1.0.0/24"}},
		"for all where others have theirs": {[]Configured{configured("c2", "a", "10.2.0.0/24"), configured("", "b", "10.3.0.0/24")}, nil, map[string]string{"b": "10.3.0.0/24"}},
		"its own wins over that of all":    {[]Configured{configured("c1", "a", "10.1.0.0/24"), configured("", "a", "10.0.0.0/24")}, nil, map[string]string{"a": "10.1.0.0/24"}},
		"in whatever order":                {[]Configured{configured("", "a", "10.0.0.0/24"), configured("c1", "a", "10.1.0.0/24")}, nil, map[string]string{"a": "10.1.0.0/24"}},
		"what the stream tells wins":       {[]Configured{configured("", "a", "10.0.0.0/24"), configured("c1", "b", "10.1.0.0/24")}, batch(1, "c"), map[string]string{"c": ""}},
		"also that there is no pool":       {[]Configured{configured("c1", "a", "10.1.0.0/24")}, batch(1), map[string]string{}},
		"but not that it tells nothing":    {[]Configured{configured("c1", "a", "10.1.0.0/24")}, &ipampoints.InfoBatch{Empty: true}, map[string]string{"a": "10.1.0.0/24"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := NewStore(5, 1, selection.Selection{}, tc.configured)
			if tc.told != nil {
				store.Update("c1", tc.told)
			}
			cluster := store.Cluster("c1", 0)
			require.Equal(t, tc.want == nil, cluster == nil)
			pools, known := cluster.ForPods(calicometric.IPv4)
			require.Equal(t, tc.want != nil, known)
			require.Len(t, tc.want, pools)
			for _, pool := range []string{"a", "b", "c"} {
				info, known := cluster.Pool(pool)
				cidr, wanted := tc.want[pool]
				require.Equal(t, wanted, known, pool)
				require.Equal(t, cidr, info.CIDR, pool)
			}
		})
	}
}

func TestAForgottenClusterIsAsConfigured(t *testing.T) {
	store := NewStore(1, 5, selection.Selection{}, []Configured{configured("", "a", "10.0.0.0/24")})
	store.Update("c1", batch(1, "b"))
	_, known := store.Cluster("c1", 0).Pool("a")
	require.False(t, known)
	require.Zero(t, store.Update("c2", batch(1, "b")))
	_, known = store.Cluster("c1", 0).Pool("a")
	require.True(t, known)
}

func TestOnlySelectedPoolsOfTheFamilyThatPodsCanUseAreForPods(t *testing.T) {
	pools := []ipampoints.Info{
		{Pool: "a1", Family: calicometric.IPv4, Enabled: true, ForPods: true},
		{Pool: "a2", Family: calicometric.IPv4, Enabled: true, ForPods: true},
		{Pool: "a3", Family: calicometric.IPv4, Enabled: true},
		{Pool: "a6", Family: calicometric.IPv6, Enabled: true, ForPods: true},
		{Pool: "b1", Family: calicometric.IPv4, Enabled: true, ForPods: true},
	}
	var fixed []Configured
	for _, pool := range pools {
		fixed = append(fixed, Configured{Info: pool})
	}
	for name, tc := range map[string]struct {
		selected   selection.Selection
		ipv4, ipv6 int
	}{
		"all":               {selection.Selection{}, 3, 1},
		"some are included": {selection.Selection{Include: selection.Patterns{"a*"}}, 2, 1},
		"some are excluded": {selection.Selection{Exclude: selection.Patterns{"a1", "a6"}}, 2, 0},
		"none is left":      {selection.Selection{Include: selection.Patterns{"c"}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			store := NewStore(5, 9, tc.selected, fixed)
			store.Update("told", &ipampoints.InfoBatch{Timestamp: 1, Pools: pools})
			for _, cluster := range []string{"told", "configured"} {
				for family, want := range map[string]int{calicometric.IPv4: tc.ipv4, calicometric.IPv6: tc.ipv6} {
					got, known := store.Cluster(cluster, 0).ForPods(family)
					require.True(t, known)
					require.Equal(t, want, got, "%s %s", cluster, family)
				}
				for _, pool := range pools {
					_, known := store.Cluster(cluster, 0).Pool(pool.Pool)
					require.True(t, known, "%s: a pool that does not count is known", pool.Pool)
				}
			}
		})
	}
}

func TestAPoolOfTheSameMomentReplacesTheOneOfItsName(t *testing.T) {
	store := NewStore(1, 1, selection.Selection{}, nil)
	store.Update("c1", batch(1, "a"))
	later := batch(1, "a")
	later.Pools[0].ForPods = false
	require.Zero(t, store.Update("c1", later), "there is room for it")
	pools, known := store.Cluster("c1", 0).ForPods(calicometric.IPv4)
	require.True(t, known)
	require.Zero(t, pools)
}

func TestThatThereIsNoPoolIsBelievedForAWhile(t *testing.T) {
	store := NewStore(1, 10, selection.Selection{}, nil)
	store.Update("c1", batch(1, "a"))
	store.Update("c1", &ipampoints.InfoBatch{Timestamp: 2, Ended: 1})
	require.NotNil(t, store.Cluster("c1", 3))
	require.Nil(t, store.Cluster("c1", 2+believed), "whoever told of the pools has only stopped to tell")
}

func TestWhatIsRestoredGivesWay(t *testing.T) {
	configured := []Configured{{Info: ipampoints.Info{Pool: "a", CIDR: "10.1.0.0/24"}}}
	restored := []ipampoints.Info{{Pool: "a", CIDR: "10.2.0.0/24"}, {Pool: "b"}, {Pool: "c"}}
	cidr := func(store *Store) string {
		info, known := store.Cluster("c1", 0).Pool("a")
		require.True(t, known)
		return info.CIDR
	}
	store := NewStore(1, 10, selection.Selection{}, configured)
	store.Restore("c1", restored, false)
	require.Equal(t, "10.1.0.0/24", cidr(store), "to what is configured")

	store = NewStore(1, 2, selection.Selection{}, nil)
	store.Restore("c1", restored, false)
	require.Equal(t, "10.2.0.0/24", cidr(store))
	_, all := store.Cluster("c1", 0).ForPods(calicometric.IPv4)
	require.False(t, all, "there was no room for one")
	store.Update("c1", &ipampoints.InfoBatch{Timestamp: 1, Pools: []ipampoints.Info{{Pool: "a", CIDR: "10.3.0.0/24"}, {Pool: "b"}}})
	require.Equal(t, "10.3.0.0/24", cidr(store), "to what is told")
}
