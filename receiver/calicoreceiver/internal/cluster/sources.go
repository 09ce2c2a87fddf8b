package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"

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

// nodes are watched for their labels only, and only where a FelixConfiguration selects by them.
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
	nodes: keep(func(node *metav1.PartialObjectMetadata) (map[string]string, error) {
		labels := make(map[string]string, len(node.Labels))
		for key, value := range node.Labels {
			labels[strings.Clone(key)] = strings.Clone(value)
		}
		return labels, nil
	}),
}

// source is the watch of one resource.
type source struct {
	gvr schema.GroupVersionResource
	// request is how the resource is asked for, without a verb.
	request  request
	informer cache.SharedIndexInformer
	stop     func() // returns when the watch has ended
	// next takes over once it has synced: the resource moved to another API group.
	next *source
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
	for resource, s := range w.sources {
		gvr, ok := wanted[resource]
		switch next := s.next; {
		case !ok:
			over = append(over, s.all()...)
			delete(w.sources, resource)
		case next == nil:
		case next.gvr != gvr:
			over, s.next = append(over, next), nil
		case next.informer.HasSynced():
			over, s.next = append(over, s), nil
			w.sources[resource] = next
		}
	}
	for resource, gvr := range wanted {
		switch s := w.sources[resource]; {
		case s == nil:
			w.sources[resource] = w.startSource(ctx, resource, gvr)
		case s.gvr != gvr && s.next == nil:
			s.next = w.startSource(ctx, resource, gvr)
		}
	}
	w.mu.Unlock()
	w.end(over)
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
// CalicoNodeStatus is written all the time.
func (w *Watcher) notifyOf(resource calicoapi.Resource) func() {
	reported := []calicoapi.Resource{calicoapi.CalicoNodeStatuses, calicoapi.TigeraStatuses, calicoapi.ClusterInformations}
	if slices.Contains(reported, resource) {
		return func() {}
	}
	return w.notify
}

func (w *Watcher) startSource(ctx context.Context, resource calicoapi.Resource, gvr schema.GroupVersionResource) *source {
	s := &source{gvr: gvr, request: request{resource: gvr.GroupResource().String(), namespace: namespaceOf(resource)}}
	from := listWatch{record: func(_ context.Context, verb string, err error) {
		req := s.request
		req.verb = verb
		w.health.record(req, err)
		if apierrors.IsNotFound(err) {
			w.catalog.notFound()
		}
	}}
	var example runtime.Object
	if resource == nodes {
		client := w.metadata.Resource(gvr)
		narrow := func(opts metav1.ListOptions) metav1.ListOptions {
			if w.options.Node != "" {
				opts.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, w.options.Node).String()
			}
			return opts
		}
		example = &metav1.PartialObjectMetadata{}
		from.client = w.metadata
		from.list = func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, narrow(opts))
		}
		from.watch = func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			return client.Watch(ctx, narrow(opts))
		}
	} else {
		client := w.dynamic.Resource(gvr).Namespace(namespaceOf(resource))
		example = &unstructured.Unstructured{}
		from.client = w.dynamic
		from.list = func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.List(ctx, opts)
		}
		from.watch = client.Watch
	}
	s.informer = newInformer(example, from, transforms[resource], w.notifyOf(resource))
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	w.runInformer(ctx, &running, s.informer)
	s.stop = func() {
		cancel()
		running.Wait()
	}
	return s
}

// settled says whether what is watched of a resource is known, or will stay unknown for want of a right. It is true of what is not watched.
func (w *Watcher) settled(resource calicoapi.Resource) bool {
	s := w.sources[resource]
	return s == nil || s.informer.HasSynced() || w.health.isRefused(s.request.resource, s.request.namespace)
}
