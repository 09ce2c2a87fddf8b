package cluster

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// podSelector asks the API server for the pods of Calico's components and no others.
var podSelector = discovery.AppLabel + " in (" + strings.Join(discovery.Apps(), ",") + ")"

// pod is what is kept of a pod: what discovery reads, and what its environment takes from elsewhere.
type pod struct {
	discovery.Pod
	// restarts of its containers: each reads its environment anew.
	restarts int32
	// sources of the environment, by container as in Containers.
	sources [][]envSource
	// configMaps are those among the sources, each once.
	configMaps []configMapName
}

func (w *Watcher) podInformer(namespace string) cache.SharedIndexInformer {
	pods := w.core.CoreV1().Pods(namespace)
	narrow := func(opts metav1.ListOptions) metav1.ListOptions {
		opts.LabelSelector = podSelector
		// What has ended for good, such as an evicted pod, is kept for long, and says nothing of the component.
		selectors := []fields.Selector{
			fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
			fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		}
		if w.options.Node != "" {
			selectors = append(selectors, fields.OneTermEqualSelector("spec.nodeName", w.options.Node))
		}
		opts.FieldSelector = fields.AndSelectors(selectors...).String()
		return opts
	}
	informer := newInformer(&corev1.Pod{}, listWatch{
		client: w.core,
		list: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return pods.List(ctx, narrow(opts))
		},
		watch: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			return pods.Watch(ctx, narrow(opts))
		},
		record: func(ctx context.Context, verb string, err error) { w.recordPods(ctx, verb, namespace, err) },
	}, keep(readPod), w.notify)
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			w.settings.want(obj.(*kept[pod]).value)
			w.catalog.arrived()
		},
		UpdateFunc: func(before, after any) {
			if before, after := before.(*kept[pod]), after.(*kept[pod]); before.UID != after.UID || before.value.restarts != after.value.restarts {
				w.settings.want(after.value)
			}
		},
	})
	return informer
}

// usesConfigMap says whether a pod that is known takes settings from a ConfigMap.
func (w *Watcher) usesConfigMap(name configMapName) bool {
	informer := w.pods[name.namespace]
	if informer == nil {
		return false
	}
	for _, obj := range informer.GetStore().List() {
		if slices.Contains(obj.(*kept[pod]).value.configMaps, name) {
			return true
		}
	}
	return false
}

// recordPods notes the outcome of a request for the pods of a namespace. Where they may not be read because there is no such namespace, nothing
// is missing: an install by Calico's manifests has none of the operator's namespaces, and nobody can be granted rights in them.
func (w *Watcher) recordPods(ctx context.Context, verb, namespace string, err error) {
	absent := false
	if apierrors.IsForbidden(err) {
		_, getErr := w.core.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if absent = apierrors.IsNotFound(getErr); absent {
			err = nil
		}
	}
	w.mu.Lock()
	changed := w.absent[namespace] != absent
	w.absent[namespace] = absent
	w.mu.Unlock()
	w.health.record(request{verb: verb, resource: "pods", namespace: namespace}, err)
	if changed {
		w.notify()
	}
}

// readPod keeps nothing of a pod that discovery does not read, and so no secret.
func readPod(p *corev1.Pod) (pod, error) {
	read := pod{Pod: discovery.Pod{
		Namespace: p.Namespace,
		Name:      p.Name,
		UID:       string(p.UID),
		App:       p.Labels[discovery.AppLabel],
		Labels:    map[string]string{},
		Node:      p.Spec.NodeName,
		IP:        p.Status.PodIP,
		Running:   p.Status.Phase == corev1.PodRunning,

		HostNetwork: p.Spec.HostNetwork,
	}}
	for _, label := range []string{discovery.AppLabel, discovery.NameLabel} {
		if value, ok := p.Labels[label]; ok {
			read.Labels[label] = value
		}
	}
	if controller := metav1.GetControllerOfNoCopy(p); controller != nil {
		read.ControllerKind, read.ControllerName = controller.Kind, controller.Name
	}
	for _, c := range p.Spec.Containers {
		read.Containers = append(read.Containers, discovery.Container{Name: c.Name})
		sources := envSources(p, c)
		read.sources = append(read.sources, sources)
		for _, source := range sources {
			name := configMapName{namespace: p.Namespace, name: source.configMap}
			if source.configMap != "" && !slices.Contains(read.configMaps, name) {
				read.configMaps = append(read.configMaps, name)
			}
		}
	}
	for _, status := range p.Status.ContainerStatuses {
		read.restarts += status.RestartCount
	}
	return read, nil
}
