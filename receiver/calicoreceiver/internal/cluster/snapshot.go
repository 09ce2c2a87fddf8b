package cluster

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/nodestatus"
)

// Snapshot is the cluster as it was last seen.
type Snapshot struct {
	// UID is that of the namespace kube-system; empty where it cannot be read.
	UID string
	// Group is the API group that holds Calico's data; empty where the API server serves none.
	Group schema.GroupVersion
	// Discovery is what the cluster says for the rules that find endpoints.
	Discovery discovery.Input
	// Policies are those that may close the port of kube-controllers, where NeedPolicies asked for them.
	Policies discovery.Policies
	// Pools are ordered by name.
	Pools []ipam.Pool
	// ClusterInformation is nil where there is none, or it cannot be read.
	ClusterInformation *calicoapi.ClusterInformation
	// TigeraStatuses and NodeStatuses are ordered by name.
	TigeraStatuses []calicoapi.TigeraStatus
	NodeStatuses   []nodestatus.Status
}

// gateTimeout bounds how long Snapshot waits for one part of the API while the rest is known.
const gateTimeout = 30 * time.Second

// NeedPolicies has the policies that may close the port of kube-controllers read, or not any longer.
func (w *Watcher) NeedPolicies(needed bool) { w.catalog.need(calicoapi.NetworkPolicies, needed) }

// Snapshot returns what is known, and ok once all that decides on endpoints has been listed, or refused for want of a right: before that a
// component could be taken for one without a metrics server only because its settings were not read yet. What goes on failing is waited for no
// longer than gateTimeout; ask again then.
func (w *Watcher) Snapshot() (snapshot Snapshot, ok bool) {
	group, installed, known := w.catalog.dataGroup()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.uidDone || !known {
		return Snapshot{}, false
	}
	settled := w.podsSettled() && w.settled(calicoapi.FelixConfigurations) && w.settled(calicoapi.KubeControllersConfigurations)
	bySelector := false
	for _, c := range objects[discovery.FelixConfiguration](w, calicoapi.FelixConfigurations) {
		bySelector = bySelector || c.NodeSelector != nil
	}
	w.catalog.need(nodes, bySelector)
	if bySelector && (w.sources[nodes] == nil || !w.settled(nodes)) {
		settled = false
	}
	switch {
	case settled:
		w.waiting = time.Time{}
	case w.waiting.IsZero():
		w.waiting = time.Now()
		return Snapshot{}, false
	case time.Since(w.waiting) < gateTimeout:
		return Snapshot{}, false
	}
	snapshot.UID = string(w.uid)
	snapshot.Group = group
	in := &snapshot.Discovery
	in.CalicoInstalled = installed
	in.APIFails = w.health.faulty()
	in.Pods, in.PodsMissing = w.podsNow()
	in.FelixConfigurations = readable(w, calicoapi.FelixConfigurations, objects[discovery.FelixConfiguration])
	if bySelector {
		in.NodeLabels = readable(w, nodes, objects[map[string]string])
	}
	in.KubeControllers = readable(w, calicoapi.KubeControllersConfigurations, object[discovery.KubeControllersConfiguration])
	in.Installation = object[discovery.Installation](w, calicoapi.Installations)
	snapshot.Pools = ordered(objects[ipam.Pool](w, calicoapi.IPPools))
	in.Pools = discovery.Readable[int]{Value: len(snapshot.Pools), Missing: w.missing(calicoapi.IPPools)}
	in.BlocksMissing = w.missing(calicoapi.IPAMBlocks)
	in.BlocksUnserved = w.options.IPAM != nil && installed && w.sources[calicoapi.IPAMBlocks] == nil
	snapshot.ClusterInformation = object[calicoapi.ClusterInformation](w, calicoapi.ClusterInformations)
	snapshot.TigeraStatuses = ordered(objects[calicoapi.TigeraStatus](w, calicoapi.TigeraStatuses))
	snapshot.NodeStatuses = ordered(objects[nodestatus.Status](w, calicoapi.CalicoNodeStatuses))
	snapshot.Policies = w.policiesNow()
	return snapshot, true
}

// podsSettled says whether the pods, and the settings that they take from ConfigMaps, are known or will stay unknown for want of a right.
func (w *Watcher) podsSettled() bool {
	for namespace, informer := range w.pods {
		if !informer.HasSynced() && !w.absent[namespace] && !w.health.isRefused("pods", namespace) {
			return false
		}
		for _, obj := range informer.GetStore().List() {
			for _, name := range obj.(*kept[pod]).value.configMaps {
				if _, known := w.settings.get(name); !known {
					return false
				}
			}
		}
	}
	return true
}

func (w *Watcher) podsNow() (pods []discovery.Pod, missing []string) {
	for _, namespace := range slices.Sorted(maps.Keys(w.pods)) {
		right := w.health.missing("pods", namespace)
		if right == "" && !w.pods[namespace].HasSynced() {
			right = w.health.failing("pods", namespace)
		}
		if right != "" {
			missing = append(missing, right)
		}
		for _, obj := range w.pods[namespace].GetStore().List() {
			p := obj.(*kept[pod]).value
			found := p.Pod
			found.Containers = slices.Clone(found.Containers)
			for i := range found.Containers {
				found.Containers[i].Env = environment(p.sources[i], p.Namespace, w.settings.get)
			}
			pods = append(pods, found)
		}
	}
	return pods, missing
}

func (w *Watcher) policiesNow() discovery.Policies {
	if s := w.sources[calicoapi.NetworkPolicies]; s == nil || !w.settled(calicoapi.NetworkPolicies) {
		return discovery.Policies{}
	}
	return discovery.Policies{
		Known: true, Missing: w.missing(calicoapi.NetworkPolicies),
		List: ordered(objects[discovery.Policy](w, calicoapi.NetworkPolicies)),
	}
}

// missing is the right that is missing to read a resource that is watched, in the group that it moves to first; empty where none is.
func (w *Watcher) missing(resource calicoapi.Resource) string {
	s := w.sources[resource]
	if s == nil {
		return ""
	}
	if s.next != nil {
		if right := w.health.missing(s.next.request.resource, s.next.request.namespace); right != "" {
			return right
		}
	}
	return w.health.missing(s.request.resource, s.request.namespace)
}

// readable are the objects of a resource, or the right that is missing. A right that was taken away later leaves what was read with it.
func readable[T any](w *Watcher, resource calicoapi.Resource, read func(*Watcher, calicoapi.Resource) T) discovery.Readable[T] {
	answer := discovery.Readable[T]{Value: read(w, resource)}
	if s := w.sources[resource]; s != nil && !s.feed.HasSynced() {
		if answer.Missing = w.missing(resource); answer.Missing == "" {
			answer.Missing = w.health.failing(s.request.resource, s.request.namespace)
		}
	}
	return answer
}

// objects are all cached objects of a resource, by name. What cannot be parsed is left out.
func objects[T any](w *Watcher, resource calicoapi.Resource) map[string]T {
	found := map[string]T{}
	s := w.sources[resource]
	if s == nil {
		return found
	}
	broken := map[string]error{}
	for _, obj := range s.objects() {
		object := obj.(*kept[T])
		if object.err != nil {
			broken[object.Name] = object.err
			continue
		}
		found[object.Name] = object.value
	}
	if w.broken[resource] == nil {
		w.broken[resource] = newLeftOut(w.logger, string(resource))
	}
	w.broken[resource].prune(func(name string) bool { return broken[name] != nil })
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		w.broken[resource].add(name, broken[name])
	}
	return found
}

// object is the object of a resource that holds for a whole cluster; nil where there is none.
func object[T any](w *Watcher, resource calicoapi.Resource) *T {
	value, ok := objects[T](w, resource)[calicoapi.DefaultName]
	if !ok {
		return nil
	}
	return &value
}

// ordered are the values of a map in the order of its keys.
func ordered[T any](byName map[string]T) []T {
	values := make([]T, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		values = append(values, byName[name])
	}
	return values
}
