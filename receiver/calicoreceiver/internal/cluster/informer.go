package cluster

import (
	"context"
	"errors"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// kept is what the cache of an informer holds of an object: what identifies it, and what was read of it.
type kept[T any] struct {
	metav1.ObjectMeta
	value T
	err   error // why the object could not be read
}

// keptObject is what an informer keeps.
type keptObject interface{ same(other any) bool }

// same says whether nothing changed that is read.
func (k *kept[T]) same(other any) bool {
	o, ok := other.(*kept[T])
	return ok && k.UID == o.UID && k.err == nil && o.err == nil && reflect.DeepEqual(k.value, o.value)
}

// keep makes the transformation that an informer applies before it caches an object.
func keep[O metav1.Object, T any](read func(O) (T, error)) cache.TransformFunc {
	return func(obj any) (any, error) {
		object, ok := obj.(O)
		if !ok {
			return obj, nil // transformed already, or the informer's note of a deletion that it missed
		}
		k := &kept[T]{ObjectMeta: metav1.ObjectMeta{
			Namespace:       object.GetNamespace(),
			Name:            object.GetName(),
			UID:             object.GetUID(),
			ResourceVersion: object.GetResourceVersion(),
		}}
		k.value, k.err = read(object)
		return k, nil
	}
}

// listWatch is how the objects of a resource are asked for.
type listWatch struct {
	// client is asked whether it can stream lists.
	client any
	list   cache.ListWithContextFunc
	watch  cache.WatchFuncWithContext
	// record notes the outcome of every request.
	record func(ctx context.Context, verb string, err error)
}

// recorded asks as l says, and records the outcome of every request.
func (l listWatch) recorded() cache.ListerWatcher {
	record := func(ctx context.Context, verb string, err error) {
		// That a shutdown ends a request is no failure. An expired resource version is how the API server asks to list again; the reflector does.
		if ctx.Err() == nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			l.record(ctx, verb, err)
		}
	}
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			obj, err := l.list(ctx, opts)
			record(ctx, "list", err)
			return obj, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			events, err := l.watch(ctx, opts)
			if apierrors.IsInvalid(err) && opts.SendInitialEvents != nil {
				// A server that cannot stream a list yet says so; the reflector lists instead.
				return events, err
			}
			record(ctx, "watch", err)
			if opts.SendInitialEvents != nil && (utilnet.IsConnectionRefused(err) || apierrors.IsTooManyRequests(err)) {
				// The reflector would sit out its pause, of up to a minute, without a look at the context, and with it whoever waits for its end
				// (client-go, tools/cache/reflector.go, watchList). An error that it does not know makes it list, which it does not do so.
				return events, errors.New(err.Error())
			}
			if err == nil {
				// What is watched needs no list, so that nothing else would end an earlier failure of one.
				record(ctx, "list", nil)
			}
			return events, err
		},
	}, l.client)
}

// newInformer makes an informer that records the outcome of its requests, tells of every change, and caches what transform leaves.
func newInformer(example runtime.Object, from listWatch, transform cache.TransformFunc, changed func()) cache.SharedIndexInformer {
	informer := cache.NewSharedIndexInformerWithOptions(from.recorded(), example, cache.SharedIndexInformerOptions{})
	// The three calls below fail only on an informer that runs already.
	_ = informer.SetTransform(transform)
	_ = informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {
		// Recorded where the request was made.
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() },
		UpdateFunc: func(before, after any) {
			if b, ok := before.(keptObject); !ok || !b.same(after) {
				changed()
			}
		},
		DeleteFunc: func(any) { changed() },
	})
	return informer
}
