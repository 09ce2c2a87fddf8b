package cluster

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// podSelector asks the API server for the pods of Calico's components and no others.
var podSelector = discovery.AppLabel + " in (" + strings.Join(discovery.Apps(), ",") + ")"

func (w *Watcher) podInformer(namespace string) cache.SharedIndexInformer {
	pods := w.core.CoreV1().Pods(namespace)
	return w.informer(&corev1.Pod{}, w.core,
		request{resource: "pods", namespace: namespace},
		func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.LabelSelector = podSelector
			return pods.List(ctx, opts)
		},
		func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.LabelSelector = podSelector
			return pods.Watch(ctx, opts)
		},
		func(obj any) (any, error) {
			if pod, ok := obj.(*corev1.Pod); ok {
				return stripPod(pod), nil
			}
			return obj, nil
		},
	)
}

func (w *Watcher) calicoInformer(gvr schema.GroupVersionResource) cache.SharedIndexInformer {
	resource := w.dynamic.Resource(gvr)
	return w.informer(&unstructured.Unstructured{}, w.dynamic,
		request{resource: gvr.GroupResource().String()},
		func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return resource.List(ctx, opts)
		},
		resource.Watch,
		func(obj any) (any, error) {
			if u, ok := obj.(*unstructured.Unstructured); ok {
				return calicoapi.Strip(u), nil
			}
			return obj, nil
		},
	)
}

// informer makes an informer that records the outcome of its requests, notifies of every change, and caches what transform leaves.
func (w *Watcher) informer(
	example runtime.Object,
	client any,
	req request,
	list cache.ListWithContextFunc,
	watchFrom cache.WatchFuncWithContext,
	transform cache.TransformFunc,
) cache.SharedIndexInformer {
	listRequest, watchRequest := req, req
	listRequest.verb, watchRequest.verb = "list", "watch"
	listWatch := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			obj, err := list(ctx, opts)
			w.recordUnlessEnding(ctx, listRequest, err)
			return obj, err
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			events, err := watchFrom(ctx, opts)
			if apierrors.IsInvalid(err) && opts.SendInitialEvents != nil {
				// A server that cannot stream a list yet says so; the informer lists instead.
				return events, err
			}
			w.recordUnlessEnding(ctx, watchRequest, err)
			if err == nil {
				// What is watched needs no list, so that nothing else would end an earlier failure of one.
				w.recordUnlessEnding(ctx, listRequest, nil)
			}
			return events, err
		},
	}, client)

	informer := cache.NewSharedIndexInformerWithOptions(listWatch, example, cache.SharedIndexInformerOptions{})
	// The three calls below fail only on an informer that runs already.
	_ = informer.SetTransform(transform)
	_ = informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {
		// Recorded where the request was made.
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.notify() },
		UpdateFunc: func(any, any) { w.notify() },
		DeleteFunc: func(any) { w.notify() },
	})
	return informer
}

// stripPod keeps what toPod reads, and what an informer needs.
func stripPod(pod *corev1.Pod) *corev1.Pod {
	stripped := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       pod.Namespace,
			Name:            pod.Name,
			UID:             pod.UID,
			ResourceVersion: pod.ResourceVersion,
			Labels:          map[string]string{discovery.AppLabel: pod.Labels[discovery.AppLabel]},
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{Phase: pod.Status.Phase, PodIP: pod.Status.PodIP},
	}
	if controller := metav1.GetControllerOf(pod); controller != nil {
		stripped.OwnerReferences = []metav1.OwnerReference{{Kind: controller.Kind, Name: controller.Name, Controller: controller.Controller}}
	}
	for _, c := range pod.Spec.Containers {
		kept := corev1.Container{Name: c.Name}
		for _, e := range c.Env {
			if e.ValueFrom == nil && discovery.IsSetting(e.Name) {
				kept.Env = append(kept.Env, corev1.EnvVar{Name: e.Name, Value: e.Value})
			}
		}
		stripped.Spec.Containers = append(stripped.Spec.Containers, kept)
	}
	return stripped
}

func toPod(pod *corev1.Pod) discovery.Pod {
	p := discovery.Pod{
		Namespace: pod.Namespace,
		Name:      pod.Name,
		UID:       string(pod.UID),
		App:       pod.Labels[discovery.AppLabel],
		Node:      pod.Spec.NodeName,
		IP:        pod.Status.PodIP,
		Running:   pod.Status.Phase == corev1.PodRunning,
	}
	if controller := metav1.GetControllerOfNoCopy(pod); controller != nil {
		p.ControllerKind, p.ControllerName = controller.Kind, controller.Name
	}
	for _, c := range pod.Spec.Containers {
		container := discovery.Container{Name: c.Name}
		for _, e := range c.Env {
			container.Env = append(container.Env, discovery.EnvVar{Name: e.Name, Value: e.Value})
		}
		p.Containers = append(p.Containers, container)
	}
	return p
}
