package cluster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// ledger has the values of the table that counts in tests: what counts, and what was done to it.
type ledger struct {
	sync.Mutex
	counts map[string]int64
	done   []string
}

func newLedger() *ledger { return &ledger{counts: map[string]int64{}} }

// changes are what was done since the last time, in the order of the names.
func (l *ledger) changes() []string {
	done := slices.Sorted(slices.Values(l.done))
	l.done = nil
	return done
}

var errNegative = errors.New("spec.n: must not be negative")

// table makes one whose objects have a number.
func (l *ledger) table(logger *zap.Logger) *table[int64] {
	return newTable(kind[int64]{
		read: func(u *unstructured.Unstructured) (int64, bool, error) {
			n, _, _ := unstructured.NestedInt64(u.Object, "spec", "n")
			deleted, _, _ := unstructured.NestedBool(u.Object, "spec", "deleted")
			if n < 0 {
				return 0, false, errNegative
			}
			return n, !deleted, nil
		},
		account: shelf[int64]{
			get: func(name string) (int64, bool) { n, ok := l.counts[name]; return n, ok },
			put: func(name string, n int64) {
				l.counts[name] = n
				l.done = append(l.done, name+"="+strconv.FormatInt(n, 10))
			},
			drop: func(name string) {
				if _, known := l.counts[name]; known {
					delete(l.counts, name)
					l.done = append(l.done, name+" goes")
				}
			},
			names: func() iter.Seq[string] { return maps.Keys(l.counts) },
		},
	}, "things.example.org", l, logger, listWatch{record: func(context.Context, string, error) {}}, nil)
}

func numbered(name string, n int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name}, "spec": map[string]any{"n": n}}}
}

func markedDeleted(name string) *unstructured.Unstructured {
	object := numbered(name, 1)
	object.Object["spec"].(map[string]any)["deleted"] = true
	return object
}

func TestTableChangesWhatChangedAndNothingElse(t *testing.T) {
	l := newLedger()
	table := l.table(zap.NewNop())
	table.count(nil)
	require.False(t, table.HasSynced())
	require.NoError(t, table.Replace([]any{numbered("a", 1), numbered("b", 2), markedDeleted("c")}, "7"))
	require.True(t, table.HasSynced())
	require.Equal(t, []string{"a=1", "b=2"}, l.changes(), "an object that is marked deleted is absent")

	for _, step := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"an object that comes", func() error { return table.Add(numbered("d", 4)) }, []string{"d=4"}},
		{"an object that changes in nothing that is read", func() error { return table.Update(numbered("a", 1)) }, nil},
		{"an object that changes", func() error { return table.Update(numbered("a", 5)) }, []string{"a=5"}},
		{"an object that is marked deleted", func() error { return table.Update(markedDeleted("a")) }, []string{"a goes"}},
		{"and goes", func() error { return table.Delete(markedDeleted("a")) }, nil},
		{"an object that goes", func() error { return table.Delete(numbered("b", 2)) }, []string{"b goes"}},
		{"an object that was never there", func() error { return table.Delete(numbered("x", 2)) }, nil},
		{"a row that was made before", func() error { return table.Add(table.compact(numbered("e", 6))) }, []string{"e=6"}},
		{"all objects after a lost watch", func() error {
			return table.Replace([]any{numbered("d", 4), numbered("e", 7), numbered("f", 8)}, "9")
		}, []string{"e=7", "f=8"}},
		{"all objects without one that was there", func() error { return table.Replace([]any{numbered("d", 4)}, "9") }, []string{"e goes", "f goes"}},
		{"no objects", func() error { return table.Replace(nil, "11") }, []string{"d goes"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			require.NoError(t, step.do())
			require.Equal(t, step.want, l.changes())
		})
	}
	require.Error(t, table.Add(&metav1.Status{}))
}

func TestObjectThatCannotBeReadIsLeftOutAndNamedOnce(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	l := newLedger()
	table := l.table(zap.New(core))
	table.count(nil)
	require.NoError(t, table.Replace([]any{numbered("a", 1), numbered("b", -1)}, "7"))
	require.Equal(t, map[string]int64{"a": 1}, l.counts)
	require.Equal(t, 1, table.invalid())
	require.NoError(t, table.Update(numbered("b", -2)))
	require.NoError(t, table.Replace([]any{numbered("a", 1), numbered("b", -2)}, "8"))
	require.Len(t, logs.FilterMessage("things.example.org/b cannot be read and is left out").All(), 1)

	require.NoError(t, table.Update(numbered("a", -1)))
	require.Empty(t, l.counts, "an object that breaks is left out from then on")
	require.Equal(t, 2, table.invalid())
	require.Equal(t, 2, logs.Len())

	require.NoError(t, table.Update(numbered("a", 3)))
	require.NoError(t, table.Delete(numbered("b", -1)))
	require.Zero(t, table.invalid(), "one healed, and one went")
	require.Equal(t, map[string]int64{"a": 3}, l.counts)
	require.NoError(t, table.Update(numbered("a", -1)))
	require.Equal(t, 3, logs.Len(), "one that breaks again is named again")
	require.NoError(t, table.Replace(nil, "9"))
	require.Zero(t, table.invalid(), "it is no longer there")
}

func TestOnlySomeOfManyObjectsThatCannotBeReadAreNamed(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	table := newLedger().table(zap.New(core))
	var all []any
	for i := range 10 * maxNamed {
		all = append(all, numbered("a"+strconv.Itoa(i), -1))
	}
	require.NoError(t, table.Replace(all, "7"))
	require.NoError(t, table.Replace(all, "8"))
	require.Equal(t, 10*maxNamed, table.invalid())
	require.Len(t, logs.FilterMessageSnippet(" cannot be read and is left out").All(), maxNamed)
	require.Len(t, logs.FilterMessage("more of things.example.org cannot be read and are left out").All(), 1)
}

func TestTableTakesOverInOneStepAndTheOtherCountsForNothing(t *testing.T) {
	l := newLedger()
	before, after := l.table(zap.NewNop()), l.table(zap.NewNop())
	before.count(nil)
	require.NoError(t, before.Replace([]any{numbered("same", 1), numbered("other", 2), numbered("gone", 3), numbered("broken", -1)}, "7"))
	l.changes()
	require.NoError(t, after.Replace([]any{numbered("same", 1), numbered("other", 4)}, "8"))
	require.NoError(t, after.Add(numbered("new", 5)))
	require.Empty(t, l.changes(), "a table that only stands by changes nothing")

	after.count(before)
	require.Equal(t, []string{"gone goes", "new=5", "other=4"}, l.changes())
	require.NoError(t, before.Add(numbered("late", 6)))
	require.NoError(t, before.Update(numbered("broken", -2)))
	require.NoError(t, before.Delete(numbered("same", 1)))
	require.NoError(t, before.Replace(nil, "9"))
	before.leave()
	require.Empty(t, l.changes(), "what is heard of the table that lost")
	require.NoError(t, after.Update(numbered("same", 9)))
	require.Equal(t, []string{"same=9"}, l.changes())

	after.leave()
	require.Empty(t, l.counts, "what is served no longer leaves nothing")
	require.NoError(t, after.Add(numbered("late", 6)))
	require.Empty(t, l.counts)
}

func TestListIsPagedAndEachPageIsMadeCompactAtOnce(t *testing.T) {
	table := newLedger().table(zap.NewNop())
	var asked []metav1.ListOptions
	pages := map[string]*unstructured.UnstructuredList{
		"":    {Items: []unstructured.Unstructured{*numbered("a", 1), *numbered("b", -1)}},
		"two": {Items: []unstructured.Unstructured{*numbered("c", 3)}},
	}
	pages[""].SetContinue("two")
	pages["two"].SetResourceVersion("7")
	list := paged(func(_ context.Context, opts metav1.ListOptions) (*unstructured.UnstructuredList, error) {
		asked = append(asked, opts)
		if page := pages[opts.Continue]; page != nil {
			return page, nil
		}
		return nil, apierrors.NewResourceExpired("too old")
	}, table.object)
	got, err := list(t.Context(), metav1.ListOptions{ResourceVersion: "0", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan})
	require.NoError(t, err)
	require.Equal(t, []metav1.ListOptions{{Limit: pageSize}, {Limit: pageSize, Continue: "two"}}, asked)
	all := got.(*metainternalversion.List)
	require.Equal(t, "7", all.ResourceVersion)
	require.Len(t, all.Items, 3)
	require.Equal(t, &row[int64]{name: "a", value: 1, there: true}, all.Items[0])
	require.Equal(t, &row[int64]{name: "b", err: errNegative}, all.Items[1])

	pages["two"].SetContinue("three")
	_, err = list(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsResourceExpired(err), "the reflector begins anew when a page is no longer there")
	require.Len(t, asked, 5)
}

// TestTableEndsAtOnceWhileTheAPIServerCannotBeReached is of a pause that has grown long.
func TestTableEndsAtOnceWhileTheAPIServerCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		refused := &unreachable{}
		table := newTable(kind[int64]{}, "things.example.org", &sync.Mutex{}, zap.NewNop(), listWatch{
			watch:  func(context.Context, metav1.ListOptions) (watch.Interface, error) { return nil, refused },
			record: func(context.Context, string, error) { failures++ },
		}, func(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) { return nil, refused })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		table.RunWithContext(ctx)
		deadline, _ := ctx.Deadline()
		require.Equal(t, deadline, time.Now())
		require.Greater(t, failures, 100, "it is tried for ever")
		require.Less(t, failures, 500, "and not too often")
	})
}

type unreachable struct{}

func (*unreachable) Error() string { return "connection refused" }
func (*unreachable) Unwrap() error { return syscall.ECONNREFUSED }

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// blockObject is a block of 64 addresses as Calico writes it, of which 40 are in use by pods of its node, and its affinity.
func blockObject(i int) (block, affinity *unstructured.Unstructured) {
	node := fmt.Sprintf("node-%04d.eu-central-1.example.com", i%5000)
	cidr := fmt.Sprintf("10.%d.%d.%d/26", i>>10, i>>2&0xff, i&3*64)
	name := fmt.Sprintf("10-%d-%d-%d-26", i>>10, i>>2&0xff, i&3*64)
	var allocations, unallocated, attributes []any
	for ordinal := range int64(64) {
		if ordinal >= 40 {
			allocations, unallocated = append(allocations, nil), append(unallocated, ordinal)
			continue
		}
		allocations = append(allocations, ordinal)
		attributes = append(attributes, map[string]any{
			"handle_id": fmt.Sprintf("k8s-pod-network.%064x", i*64+int(ordinal)),
			"secondary": map[string]any{
				"node": node, "namespace": fmt.Sprintf("namespace-%d", ordinal%20), "pod": fmt.Sprintf("pod-%d-%d", i, ordinal),
			},
		})
	}
	metadata := func(name string) map[string]any { return map[string]any{"name": name} }
	return &unstructured.Unstructured{Object: map[string]any{"metadata": metadata(name), "spec": map[string]any{
			"cidr": cidr, "affinity": "host:" + node, "strictAffinity": false,
			"allocations": allocations, "unallocated": unallocated, "attributes": attributes,
		}}}, &unstructured.Unstructured{Object: map[string]any{"metadata": metadata(node + "-" + name), "spec": map[string]any{
			"cidr": cidr, "node": node, "state": "confirmed", "deleted": "false",
		}}}
}

// BenchmarkMemory reports what blocks and their affinities cost that are kept, with the account that has them.
func BenchmarkMemory(b *testing.B) {
	const blocks = 20_000
	for range b.N {
		w := &Watcher{options: Options{IPAM: &IPAMOptions{}}, books: &books{account: ipam.New()}}
		ask := listWatch{record: func(context.Context, string, error) {}}
		kept := newTable(w.blockKind(), "ipamblocks", w.books, zap.NewNop(), ask, nil)
		affine := newTable(w.affinityKind(), "blockaffinities", w.books, zap.NewNop(), ask, nil)
		kept.count(nil)
		affine.count(nil)
		fill := func(store cache.ReflectorStore, compact func(i int) any) float64 {
			before := heap()
			var rows []any
			for i := range blocks {
				rows = append(rows, compact(i))
			}
			require.NoError(b, store.Replace(rows, ""))
			return float64(heap()-before) / blocks
		}
		b.ReportMetric(fill(kept, func(i int) any { block, _ := blockObject(i); return kept.compact(block) }), "B/block")
		b.ReportMetric(fill(affine, func(i int) any { _, affinity := blockObject(i); return affine.compact(affinity) }), "B/affinity")
		require.Zero(b, kept.invalid()+affine.invalid())
		require.Len(b, w.books.account.Blocks(), blocks)
		runtime.KeepAlive(affine)
	}
}
