// Package cluster watches one Kubernetes cluster: the pods of Calico's components and Calico's resources, stripped to what is read.
// It is the thin shell around the rules of the packages discovery and calicoapi.
package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// identityNamespace is the namespace whose UID stands for the cluster: it lives as long as the cluster does.
const identityNamespace = metav1.NamespaceSystem

// watched are Calico's resources that a Watcher follows.
var watched = []calicoapi.Resource{
	calicoapi.IPPools,
	calicoapi.FelixConfigurations,
	calicoapi.KubeControllersConfigurations,
}

// Snapshot is the cluster as it was last seen.
type Snapshot struct {
	// UID is that of the namespace kube-system; empty where it cannot be read.
	UID string
	// Discovery is the input of the rules that find endpoints.
	Discovery discovery.Input
	// Pools are ordered by name.
	Pools []calicoapi.IPPool
}

// Watcher follows a cluster until its Run ends.
type Watcher struct {
	logger  *zap.Logger
	core    kubernetes.Interface
	dynamic dynamic.Interface
	changed chan struct{} // holds at most one notice
	health  *health
	pods    map[string]cache.SharedIndexInformer // by namespace

	mu      sync.Mutex
	uid     types.UID
	uidDone bool // the UID is known, or refused
	// calico is nil until the API group is known, and stays so where no Calico is installed.
	calico map[calicoapi.Resource]cache.SharedIndexInformer
	group  schema.GroupVersion
	// groupDone is true once the API server said which of Calico's groups it serves, also if none.
	groupDone bool
	broken    map[string]string // objects that cannot be parsed, and why; each is logged once
}

// New makes a Watcher for the pods in some namespaces and for Calico's cluster-wide resources.
func New(config *rest.Config, namespaces []string, logger *zap.Logger) (*Watcher, error) {
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	w := &Watcher{
		logger:  logger,
		core:    core,
		dynamic: dyn,
		changed: make(chan struct{}, 1),
		pods:    map[string]cache.SharedIndexInformer{},
		broken:  map[string]string{},
	}
	w.health = newHealth(logger, w.notify)
	for _, namespace := range namespaces {
		w.pods[namespace] = w.podInformer(namespace)
	}
	return w, nil
}

// Changed delivers a notice after something changed; several changes make one notice.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Err says which requests fail at present, joined; nil when the API server answers them all.
func (w *Watcher) Err() error { return w.health.err() }

func (w *Watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default: // a notice is waiting already
	}
}

// Run watches until the context ends, and returns when all that it started has ended.
func (w *Watcher) Run(ctx context.Context) {
	// client-go logs through its context what it does not return, such as an error in the middle of a watch.
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(zapslog.NewHandler(w.logger.Core())))
	var running sync.WaitGroup
	defer running.Wait()
	for _, informer := range w.pods {
		w.runInformer(ctx, &running, informer)
	}
	running.Go(func() { w.identify(ctx) })

	group, ok := w.awaitCalico(ctx)
	if !ok {
		return
	}
	informers := map[calicoapi.Resource]cache.SharedIndexInformer{}
	for _, resource := range watched {
		informers[resource] = w.calicoInformer(resource.In(group))
	}
	w.mu.Lock()
	w.group, w.calico, w.groupDone = group, informers, true
	w.mu.Unlock()
	for _, informer := range informers {
		w.runInformer(ctx, &running, informer)
	}
	w.notify()
}

// runInformer runs an informer, and notifies once it has synced: one that finds nothing has no other event to tell of.
func (w *Watcher) runInformer(ctx context.Context, running *sync.WaitGroup, informer cache.SharedIndexInformer) {
	running.Go(func() { informer.RunWithContext(ctx) })
	running.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			w.notify()
		}
	})
}

// retry are the pauses between two tries of what has no informer that tries by itself.
func retry() wait.Backoff {
	return wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 6, Cap: 30 * time.Second}
}

// identify reads the cluster's UID, until it has it or is refused. A UID that came later would make other series of all that was sent before.
func (w *Watcher) identify(ctx context.Context) {
	req := request{verb: "get", resource: "namespaces/" + identityNamespace}
	_ = retry().DelayFunc().Until(ctx, true, true, func(ctx context.Context) (done bool, err error) {
		ns, err := w.core.CoreV1().Namespaces().Get(ctx, identityNamespace, metav1.GetOptions{})
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		w.health.record(req, err)
		if err != nil && !refused(err) {
			return false, nil
		}
		w.mu.Lock()
		w.uidDone = true
		if err == nil {
			w.uid = ns.UID
		}
		w.mu.Unlock()
		w.notify()
		return true, nil
	})
}

// awaitCalico waits until the API server serves Calico's resources. That none are served is no failure: Calico may be installed later.
func (w *Watcher) awaitCalico(ctx context.Context) (group schema.GroupVersion, ok bool) {
	req := request{verb: "get", resource: "the API groups of Calico"}
	err := retry().DelayFunc().Until(ctx, true, true, func(ctx context.Context) (done bool, err error) {
		group, ok, err = calicoapi.DetectGroup(ctx, w.listResources)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		w.health.record(req, err)
		if refused(err) {
			// Who may not ask which groups are served may still read what they hold.
			group, ok, err = calicoapi.GroupV1, true, nil
		}
		if ok || err != nil {
			return ok, nil //nolint:nilerr // recorded above, and tried again
		}
		w.mu.Lock()
		first := !w.groupDone
		w.groupDone = true
		w.mu.Unlock()
		if first {
			w.logger.Info("the cluster serves no Calico resources; they are looked for again",
				zap.Stringers("groups", []schema.GroupVersion{calicoapi.GroupV3, calicoapi.GroupV1}))
		}
		w.notify()
		return false, nil
	})
	if err != nil {
		return schema.GroupVersion{}, false
	}
	w.logger.Info("found Calico's resources", zap.Stringer("group", group))
	return group, true
}

func (w *Watcher) listResources(ctx context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error) {
	list := &metav1.APIResourceList{}
	return list, w.core.Discovery().RESTClient().Get().AbsPath("/apis", group.Group, group.Version).Do(ctx).Into(list)
}

// Snapshot returns what is known, and ok once everything that is watched has been listed, or refused for want of a right: before that a
// component could be taken for one without a metrics server only because its settings were not read yet.
func (w *Watcher) Snapshot() (snapshot Snapshot, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.uidDone || !w.groupDone {
		return Snapshot{}, false
	}
	for namespace, informer := range w.pods {
		if !informer.HasSynced() && !w.health.isRefused("pods", namespace) {
			return Snapshot{}, false
		}
	}
	for resource, informer := range w.calico {
		if !informer.HasSynced() && !w.health.isRefused(resource.In(w.group).GroupResource().String(), "") {
			return Snapshot{}, false
		}
	}

	snapshot.UID = string(w.uid)
	for _, namespace := range slices.Sorted(maps.Keys(w.pods)) {
		for _, obj := range w.pods[namespace].GetStore().List() {
			snapshot.Discovery.Pods = append(snapshot.Discovery.Pods, toPod(obj.(*corev1.Pod)))
		}
	}
	if felix := w.calico[calicoapi.FelixConfigurations]; felix == nil || felix.HasSynced() {
		snapshot.Discovery.FelixConfigurations = parseAll(w, calicoapi.FelixConfigurations, calicoapi.ParseFelixConfiguration)
	}
	if c, found := parseAll(w, calicoapi.KubeControllersConfigurations, calicoapi.ParseKubeControllersConfiguration)[calicoapi.DefaultName]; found {
		snapshot.Discovery.KubeControllers = &c
	}
	pools := parseAll(w, calicoapi.IPPools, calicoapi.ParseIPPool)
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		snapshot.Pools = append(snapshot.Pools, pools[name])
	}
	return snapshot, true
}

// parseAll parses every cached object of a resource, by name. What cannot be parsed is left out and named once in the log.
func parseAll[T any](w *Watcher, resource calicoapi.Resource, parse func(*unstructured.Unstructured) (T, error)) map[string]T {
	parsed := map[string]T{}
	informer := w.calico[resource]
	if informer == nil {
		return parsed
	}
	for _, obj := range informer.GetStore().List() {
		u := obj.(*unstructured.Unstructured)
		key := string(resource) + "/" + u.GetName()
		value, err := parse(u)
		if err != nil {
			if w.broken[key] != err.Error() {
				w.logger.Warn("an object cannot be read and is left out", zap.Error(err))
				w.broken[key] = err.Error()
			}
			continue
		}
		delete(w.broken, key)
		parsed[u.GetName()] = value
	}
	return parsed
}

// recordUnlessEnding notes the outcome of a request; that a shutdown ends it is no failure.
func (w *Watcher) recordUnlessEnding(ctx context.Context, req request, err error) {
	if ctx.Err() != nil {
		return
	}
	// An expired resource version is how the API server asks to list again; the informer does.
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	w.health.record(req, err)
}
