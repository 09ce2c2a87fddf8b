package poolinfo

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
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
		"one that names none forgets all":   {[]*ipampoints.InfoBatch{batch(1, "a"), batch(2)}, nil},
		"one without any point is no batch": {[]*ipampoints.InfoBatch{batch(1, "a"), {Timestamp: 2, Empty: true}}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := NewStore(1, 10)
			for _, b := range tc.batches {
				require.Zero(t, store.Update("c1", b))
			}
			cluster := store.Cluster("c1")
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
	store := NewStore(1, 2)
	require.Equal(t, Loss{Pools: 2}, store.Update("c1", batch(1, "a", "b", "c", "d")))
	_, known := store.Cluster("c1").ForPods(calicometric.IPv4)
	require.False(t, known)
	_, known = store.Cluster("c1").Pool("b")
	require.True(t, known)

	require.Zero(t, store.Update("c1", batch(2, "a", "b")))
	pools, known := store.Cluster("c1").ForPods(calicometric.IPv4)
	require.True(t, known)
	require.Equal(t, 2, pools)
}

func TestOneClusterTooManyForgetsOne(t *testing.T) {
	store := NewStore(2, 2)
	store.Update("c1", batch(1, "a"))
	store.Update("c2", batch(1, "a"))
	require.NotNil(t, store.Cluster("c1"))
	require.Equal(t, Loss{Cluster: true}, store.Update("c3", batch(1, "a")))
	require.Nil(t, store.Cluster("c2"))
	require.NotNil(t, store.Cluster("c1"))
}

func TestAnUnknownClusterKnowsNothing(t *testing.T) {
	cluster := NewStore(1, 1).Cluster("c1")
	require.Nil(t, cluster)
	_, known := cluster.Pool("a")
	require.False(t, known)
	_, known = cluster.ForPods(calicometric.IPv4)
	require.False(t, known)
}
