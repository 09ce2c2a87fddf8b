package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// nodes are watched for their labels only, and only for the account of addresses or where a FelixConfiguration selects by them.
const nodes calicoapi.Resource = "nodes"

var nodesGVR = schema.GroupVersionResource{Version: "v1", Resource: string(nodes)}

// transforms say what is kept of the objects of each resource.
var transforms = map[calicoapi.Resource]cache.TransformFunc{
	calicoapi.IPPools:                       keep(calicoapi.ParseIPPool),
	calicoapi.FelixConfigurations:           keep(calicoapi.ParseFelixConfiguration),
	calicoapi.KubeControllersConfigurations: keep(calicoapi.ParseKubeControllersConfiguration),
	calicoapi.ClusterInformations:           keep(calicoapi.ParseClusterInformation),
	calicoapi.CalicoNodeStatuses:            keep(calicoapi.ParseCalicoNodeStatus),
	calicoapi.NetworkPolicies:               keep(calicoapi.ParseNetworkPolicy),
	calicoapi.Installations:                 keep(calicoapi.ParseInstallation),
	calicoapi.TigeraStatuses:                keep(calicoapi.ParseTigeraStatus),
	calicoapi.IPReservations:                keep(calicoapi.ParseIPReservation),
	calicoapi.IPAMConfigs:                   keep(calicoapi.ParseIPAMConfig),
	nodes: keep(func(node *metav1.PartialObjectMetadata) (map[string]string, error) {
		labels := make(map[string]string, len(node.Labels))
		for key, value := range node.Labels {
			labels[strings.Clone(key)] = strings.Clone(value)
		}
		return labels, nil
	}),
}

// feed is what follows a resource: an informer, or a table.
type feed interface {
	// RunWithContext follows the resource until the context ends.
	RunWithContext(context.Context)
	// HasSynced says whether all objects were read once.
	HasSynced() bool
}

// source is the watch of one resource.
type source struct {
	gvr schema.GroupVersionResource
	// request is how the resource is asked for, without a verb.
	request request
	feed    feed
	// changes counts those of objects in an informer.
	changes atomic.Uint64
	since   time.Time // when it was started
	stop    func()    // returns when the watch has ended
	// next takes over once it has synced: the resource moved to another API group.
	next *source
}

// objects are the kept objects of an informer, of which a table has none.
func (s *source) objects() []any {
	if informer, ok := s.feed.(cache.SharedIndexInformer); ok {
		return informer.GetStore().List()
	}
	return nil
}

func (s *source) all() []*source {
	if s.next == nil {
		return []*source{s}
	}
	return []*source{s, s.next}
}

// namespaceOf is the namespace that a resource is watched in; empty for what is cluster-scoped.
func namespaceOf(resource calicoapi.Resource) string {
	if resource == calicoapi.NetworkPolicies {
		return discovery.PolicyNamespace
	}
	return metav1.NamespaceNone
}

// reconcile starts and stops watches until they are those that are wanted.
func (w *Watcher) reconcile(ctx context.Context, wanted map[calicoapi.Resource]schema.GroupVersionResource) {
	var over []*source
	w.mu.Lock()
	w.books.Lock()
	together := w.moveTogether(wanted)
	for resource, s := range w.sources {
		gvr, ok := wanted[resource]
		waits := !together && slices.Contains(ofAccount, resource)
		switch next := s.next; {
		case !ok && waits:
		case !ok:
			over = append(over, s.all()...)
			delete(w.sources, resource)
			delete(w.broken, resource)
			if t, ok := s.feed.(counted); ok {
				t.leave()
			}
		case next == nil:
		case next.gvr != gvr:
			over, s.next = append(over, next), nil
		case next.feed.HasSynced() && !waits:
			over, s.next = append(over, s), nil
			w.sources[resource] = next
			if t, ok := next.feed.(counted); ok {
				t.count(s.feed)
			}
		}
	}
	for resource, gvr := range wanted {
		switch s := w.sources[resource]; {
		case s == nil:
			s = w.startSource(ctx, resource, gvr)
			w.sources[resource] = s
			if t, ok := s.feed.(counted); ok {
				t.count(nil)
			}
		case s.gvr != gvr && s.next == nil:
			s.next = w.startSource(ctx, resource, gvr)
		}
	}
	w.books.Unlock()
	w.mu.Unlock()
	w.end(over)
}

// moveTogether says whether all that the account is made of may leave the API group that it was read from, because in the other all of it has been
// read that can be: so the account moves in one step, and none of its numbers jumps. What is refused there, or goes on failing, holds up nothing
// and stays as it was read last.
func (w *Watcher) moveTogether(wanted map[calicoapi.Resource]schema.GroupVersionResource) bool {
	for _, resource := range ofAccount {
		gvr, ok := wanted[resource]
		s := w.sources[resource]
		if ok && s != nil && s.gvr != gvr && (s.next == nil || s.next.gvr != gvr || !w.done(s.next)) {
			return false
		}
	}
	return true
}

// done says whether a source has been read, or need not be waited for any longer.
func (w *Watcher) done(s *source) bool {
	return w.answered(s) || time.Since(s.since) >= gateTimeout
}

// answered says whether a source has been read, or is refused.
func (w *Watcher) answered(s *source) bool {
	return s.feed.HasSynced() || w.health.isRefused(s.request.resource, s.request.namespace)
}

// stopSources ends all watches and waits for them.
func (w *Watcher) stopSources() {
	w.mu.Lock()
	var over []*source
	for _, s := range w.sources {
		over = append(over, s.all()...)
	}
	clear(w.sources)
	w.mu.Unlock()
	w.end(over)
}

// end stops watches, without the lock that those who hear of their last events take.
func (w *Watcher) end(over []*source) {
	for _, s := range over {
		s.stop()
		w.health.forget(s.request)
	}
	if len(over) > 0 {
		w.notify()
	}
}

// notifyOf is what is done when an object of a resource changes. What decides on no endpoint is read when it is reported: in a large cluster some
// CalicoNodeStatus is written all the time. A table tells of no change at all.
func (w *Watcher) notifyOf(resource calicoapi.Resource) func() {
	reported := []calicoapi.Resource{
		calicoapi.CalicoNodeStatuses, calicoapi.TigeraStatuses, calicoapi.ClusterInformations, calicoapi.IPReservations, calicoapi.IPAMConfigs,
	}
	if slices.Contains(reported, resource) {
		return func() {}
	}
	return w.notify
}

func (w *Watcher) startSource(ctx context.Context, resource calicoapi.Resource, gvr schema.GroupVersionResource) *source {
	s := &source{
		gvr: gvr, request: request{resource: gvr.GroupResource().String(), namespace: namespaceOf(resource)},
		since: time.Now(),
	}
	record := func(_ context.Context, verb string, err error) {
		req := s.request
		req.verb = verb
		w.health.record(req, err)
		switch {
		case apierrors.IsNotFound(err):
			w.catalog.notFound()
		case refused(err):
			w.catalog.reconsider() // it is not waited for
		}
	}
	notify := w.notifyOf(resource)
	changed := func() {
		s.changes.Add(1)
		notify()
	}
	client := w.dynamic.Resource(gvr).Namespace(namespaceOf(resource))
	ask := listWatch{client: w.dynamic, watch: client.Watch, record: record}
	switch resource {
	case calicoapi.IPAMBlocks:
		s.feed = newTable(w.blockKind(), s.request.resource, w.books, w.logger, ask, client.List)
	case calicoapi.BlockAffinities:
		s.feed = newTable(w.affinityKind(), s.request.resource, w.books, w.logger, ask, client.List)
	case nodes:
		s.feed = newInformer(&metav1.PartialObjectMetadata{}, w.askNodes(record), transforms[nodes], changed)
	default:
		ask.list = func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, opts)
		}
		s.feed = newInformer(&unstructured.Unstructured{}, ask, transforms[resource], changed)
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	w.runFeed(ctx, &running, s.feed)
	patience := time.AfterFunc(gateTimeout, w.catalog.reconsider) // others that wait for it do so no longer
	s.stop = func() {
		patience.Stop()
		cancel()
		running.Wait()
	}
	return s
}

func (w *Watcher) askNodes(record func(ctx context.Context, verb string, err error)) listWatch {
	client := w.metadata.Resource(nodesGVR)
	narrow := func(opts metav1.ListOptions) metav1.ListOptions {
		if w.options.Node != "" {
			opts.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, w.options.Node).String()
		}
		return opts
	}
	return listWatch{
		client: w.metadata,
		list: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, narrow(opts))
		},
		watch: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, narrow(opts))
		},
		record: record,
	}
}

// settled says whether what is watched of a resource is known, or will stay unknown for want of a right. It is true of what is not watched.
func (w *Watcher) settled(resource calicoapi.Resource) bool {
	s := w.sources[resource]
	return s == nil || w.answered(s)
}
