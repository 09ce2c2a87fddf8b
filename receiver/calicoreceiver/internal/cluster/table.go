package cluster

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
)

const (
	// pageSize is how many objects are asked for at a time where the API server cannot stream them.
	pageSize = 500
	// steady is how long a watch lasts that was no failure.
	steady = 2 * time.Minute
)

// kind is how the objects of a resource are read that are kept in a table.
type kind[V any] struct {
	// read says also whether the object is there: one that is marked deleted is not, for Calico.
	read func(*unstructured.Unstructured) (value V, there bool, err error)
	// account has the values of the table that counts.
	account shelf[V]
}

// shelf keeps values by the names of their objects.
type shelf[V any] struct {
	get   func(name string) (value V, ok bool)
	put   func(name string, value V)
	drop  func(name string)
	names func() iter.Seq[string]
}

// newShelf makes one of its own.
func newShelf[V any]() shelf[V] {
	values := map[string]V{}
	return shelf[V]{
		get:   func(name string) (V, bool) { value, ok := values[name]; return value, ok },
		put:   func(name string, value V) { values[name] = value },
		drop:  func(name string) { delete(values, name) },
		names: func() iter.Seq[string] { return maps.Keys(values) },
	}
}

// row is what is kept of an object while it is on its way to a table. In a list it has the place of the object.
type row[V any] struct {
	name  string
	value V
	there bool
	err   error // why the object could not be read
}

func (r *row[V]) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

func (r *row[V]) DeepCopyObject() runtime.Object {
	c := *r // the value does not change
	return &c
}

// standing is what the account has to do with a table.
type standing uint8

const (
	// standby is a table that fills, and may take over.
	standby standing = iota
	// counting is the table that the account follows.
	counting
	// over is a table that has lost: whatever is heard of it still counts for nothing.
	over
)

// table follows the objects of a resource of which there are too many for a cache of client-go. It keeps a value of each, under the object's name
// alone, until it counts: then the account has them.
type table[V any] struct {
	kind[V]
	resource string // with its group
	from     cache.ListerWatcher
	synced   atomic.Bool

	mu       sync.Locker // guards what follows, and with it whatever the values go to
	standing standing
	// values are those of the account from when the table counts.
	values shelf[V]
	broken *leftOut
}

var _ cache.TransformingStore = (*table[int])(nil)

// newTable makes a table of what is asked for as ask says, in pages where it is listed.
func newTable[V any](k kind[V], resource string, mu sync.Locker, logger *zap.Logger, ask listWatch, list listPage) *table[V] {
	t := &table[V]{
		kind: k, resource: resource,
		mu: mu, standing: standby, values: newShelf[V](), broken: newLeftOut(logger, resource),
	}
	ask.list = paged(list, t.object)
	t.from = ask.recorded()
	return t
}

// listPage asks for one page of a list.
type listPage func(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error)

// paged lists in pages, each of which is made compact before the next one is asked for. A state that is not the newest would do, but of such a
// state the API server sends all objects at once, whatever the limit (resourceVersion "0").
//
// What a page cannot be continued by any longer is an error, upon which the reflector begins anew; its own pager would ask for all objects at once.
func paged(list listPage, compact func(*unstructured.Unstructured) runtime.Object) cache.ListWithContextFunc {
	return func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
		opts.ResourceVersion, opts.ResourceVersionMatch, opts.Limit = "", "", pageSize
		all := &metainternalversion.List{}
		for {
			page, err := list(ctx, opts)
			if err != nil {
				return nil, err
			}
			for i := range page.Items {
				all.Items = append(all.Items, compact(&page.Items[i]))
			}
			all.ResourceVersion = page.GetResourceVersion()
			if opts.Continue = page.GetContinue(); opts.Continue == "" {
				return all, nil
			}
		}
	}
}

// RunWithContext follows the resource until the context ends.
func (t *table[V]) RunWithContext(ctx context.Context) {
	named := cache.ReflectorOptions{Name: t.resource, TypeDescription: t.resource}
	reflector := cache.NewReflectorWithOptions(t.from, &unstructured.Unstructured{}, t, named)
	pauses := retry()
	for ctx.Err() == nil {
		began := time.Now()
		// The error was recorded where the request was made; the reflector's own loop would log it once more.
		_ = reflector.ListAndWatchWithContext(ctx)
		if time.Since(began) > steady {
			pauses = retry()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauses.Step()):
		}
	}
}

// HasSynced says whether all objects were read once.
func (t *table[V]) HasSynced() bool { return t.synced.Load() }

func (t *table[V]) compact(object *unstructured.Unstructured) *row[V] {
	r := &row[V]{name: object.GetName()}
	r.value, r.there, r.err = t.read(object)
	return r
}

// object is a compact form that is an object still, as far as the lists of client-go are concerned.
func (t *table[V]) object(object *unstructured.Unstructured) runtime.Object { return t.compact(object) }

// Transformer has the reflector keep rows, and not objects, while it collects what there is.
func (t *table[V]) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) { return t.rowOf(obj) }
}

func (t *table[V]) rowOf(obj any) (*row[V], error) {
	switch o := obj.(type) {
	case *row[V]:
		return o, nil
	case *unstructured.Unstructured:
		return t.compact(o), nil
	}
	return nil, fmt.Errorf("%T instead of an object of %s", obj, t.resource)
}

// Add takes an object that came.
func (t *table[V]) Add(obj any) error {
	r, err := t.rowOf(obj)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.take(r)
	return nil
}

// Update takes an object that changed.
func (t *table[V]) Update(obj any) error { return t.Add(obj) }

// Delete drops an object that is gone.
func (t *table[V]) Delete(obj any) error {
	object, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.standing != over {
		t.values.drop(object.GetName())
		t.broken.heal(object.GetName())
	}
	return nil
}

// Replace takes all objects that there are. What is not among them is gone.
func (t *table[V]) Replace(list []any, _ string) error {
	rows := make(map[string]*row[V], len(list))
	for _, obj := range list {
		r, err := t.rowOf(obj)
		if err != nil {
			return err
		}
		rows[r.name] = r
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.standing == over {
		return nil
	}
	for name := range t.values.names() {
		if rows[name] == nil {
			t.values.drop(name)
		}
	}
	t.broken.prune(func(name string) bool { return rows[name] != nil })
	for _, r := range rows {
		t.take(r)
	}
	t.synced.Store(true)
	return nil
}

// Resync has nothing to do: no one misses what was forwarded.
func (t *table[V]) Resync() error { return nil }

func (t *table[V]) take(r *row[V]) {
	if t.standing == over {
		return
	}
	if r.err != nil {
		t.values.drop(r.name)
		t.broken.add(r.name, r.err)
		return
	}
	t.broken.heal(r.name)
	if !r.there {
		t.values.drop(r.name)
		return
	}
	if before, known := t.values.get(r.name); !known || !reflect.DeepEqual(before, r.value) {
		t.values.put(r.name, r.value)
	}
}

// invalid is how many objects cannot be read. The caller has the lock.
func (t *table[V]) invalid() int { return t.broken.count() }

// count has the account keep the values from now on. The table whose values it has until now, if there is one, has lost: what both have the same
// stays as it is, so that at no moment there is less than either has. The caller has the lock.
func (t *table[V]) count(instead feed) {
	for name := range t.account.names() {
		if _, stays := t.values.get(name); !stays {
			t.account.drop(name)
		}
	}
	for name := range t.values.names() {
		value, _ := t.values.get(name)
		if before, known := t.account.get(name); !known || !reflect.DeepEqual(before, value) {
			t.account.put(name, value)
		}
	}
	t.standing, t.values = counting, t.account
	if before, ok := instead.(*table[V]); ok {
		before.end()
	}
}

// leave takes all values back. The caller has the lock.
func (t *table[V]) leave() {
	for name := range t.values.names() {
		t.values.drop(name)
	}
	t.end()
}

func (t *table[V]) end() {
	t.standing, t.values = over, newShelf[V]()
	t.broken.prune(func(string) bool { return false })
}
