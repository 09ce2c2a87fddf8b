package cluster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

func TestBrokenObjectsAreNamedUpToALimitUntilTheyAreGone(t *testing.T) {
	w, logs := unserved(t)
	w.fill(t)
	pools := func(list ...*unstructured.Unstructured) map[string]ipam.Pool {
		w.sources[calicoapi.IPPools].read(t, list...)
		return objects[ipam.Pool](w, calicoapi.IPPools)
	}
	named := func() int { return logs.FilterMessageSnippet(" cannot be read and is left out").Len() }
	odd := poolObject("odd", "nonsense")

	require.Len(t, pools(poolObject("pool", "10.0.0.0/16"), odd), 1)
	require.Empty(t, pools(odd))
	require.Equal(t, 1, named())
	require.Empty(t, pools())
	require.Zero(t, w.broken[calicoapi.IPPools].count(), "it is gone")
	require.Empty(t, pools(odd))
	require.Equal(t, 2, named(), "it came again")
	require.Empty(t, pools())

	var many []*unstructured.Unstructured
	for i := range 10 * maxNamed {
		many = append(many, poolObject(fmt.Sprintf("odd-%d", i), "nonsense"))
	}
	require.Empty(t, pools(many...))
	require.Empty(t, pools(many...))
	require.Equal(t, 10*maxNamed, w.broken[calicoapi.IPPools].count())
	require.Equal(t, 2+maxNamed, named())
	require.Len(t, logs.FilterMessage("more of ippools cannot be read and are left out").All(), 1)

	w.reconcile(t.Context(), nil)
	require.Empty(t, w.broken, "what is not watched any longer")
}

func TestBlocksThatAreAskedForAndNotServed(t *testing.T) {
	for _, tc := range []struct {
		name      string
		do        func(w *Watcher)
		installed bool
		want      bool
	}{
		{"they are served", func(*Watcher) {}, true, false},
		{"they are refused", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.deny(w.sources[calicoapi.IPAMBlocks])
		}, true, false},
		{"they are not served", func(w *Watcher) { delete(w.sources, calicoapi.IPAMBlocks) }, true, true},
		{"nor is anything of Calico", func(w *Watcher) { delete(w.sources, calicoapi.IPAMBlocks) }, false, false},
		{"nobody asks for them", func(w *Watcher) {
			delete(w.sources, calicoapi.IPAMBlocks)
			w.options.IPAM = nil
		}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _ := unserved(t)
			w.fill(t)
			tc.do(w)
			w.uidDone = true
			if !tc.installed {
				w.catalog.publish(schema.GroupVersion{}, false)
			}
			snapshot, ok := w.Snapshot()
			require.True(t, ok)
			require.Equal(t, tc.want, snapshot.Discovery.BlocksUnserved)
		})
	}
}
