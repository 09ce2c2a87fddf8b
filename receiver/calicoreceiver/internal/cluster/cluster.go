// Package cluster watches one Kubernetes cluster: the pods of Calico's components and the resources of Calico and of its operator, stripped
// to what is read of them, and its blocks of addresses into the account of the package ipam. It is the thin shell around the rules of the packages
// discovery, calicoapi, ipam and nodestatus.
package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// identityNamespace is the namespace whose UID stands for the cluster: it lives as long as the cluster does.
const identityNamespace = metav1.NamespaceSystem

// Options say what of a cluster is watched.
type Options struct {
	// Namespaces are those whose pods are watched.
	Namespaces []string
	// Node limits what is watched to one node's pods and labels; empty is all nodes.
	Node string
	// Resources are watched wherever the API server serves them. Others are read only when they are needed.
	Resources []calicoapi.Resource
	// IPAM has the account of the cluster's addresses kept, and watched all that it is made of; nil is no account.
	IPAM *IPAMOptions
	// Redetect is how often the API server is asked which of the resources it serves: they may come, go, and move to another API group.
	// It is asked at once when one that was watched is no longer found.
	Redetect time.Duration
}

// watched are all resources that are watched wherever they are served.
func (o Options) watched() []calicoapi.Resource {
	if o.IPAM == nil {
		return o.Resources
	}
	return slices.Concat(o.Resources, ofAccount)
}

// Watcher follows a cluster until its Run ends.
type Watcher struct {
	logger   *zap.Logger
	options  Options
	core     kubernetes.Interface
	dynamic  dynamic.Interface
	metadata metadata.Interface
	changed  chan struct{} // holds at most one notice
	health   *health
	pods     map[string]cache.SharedIndexInformer // by namespace
	settings *configMaps
	catalog  *catalog
	books    *books

	mu      sync.Mutex
	uid     types.UID
	uidDone bool            // the UID is known, or refused
	absent  map[string]bool // namespaces that do not exist
	// sources are what is watched of the resources that are served.
	sources map[calicoapi.Resource]*source
	broken  map[calicoapi.Resource]*leftOut // objects that cannot be parsed
	ignored map[string]string               // entries of reservations that reserve nothing
	// entered is what was brought into the account of what informers hold.
	entered map[calicoapi.Resource]entry
	// accounted is true from when there was an account until there can be none any longer.
	accounted bool
	// abandoned is true from when there is no account because reading what it needs goes on failing, or without an end, until that was read: who
	// takes another source meanwhile would switch back and forth otherwise, since a watch that opens counts as an answer before it brings objects.
	abandoned bool
	// waiting is since when Snapshot waits for what decides on endpoints; zero while it does not.
	waiting time.Time
}

// New makes a Watcher.
func New(config *rest.Config, options Options, logger *zap.Logger) (*Watcher, error) {
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	protobuf.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	core, err := kubernetes.NewForConfig(protobuf)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	meta, err := metadata.NewForConfig(protobuf)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	w := &Watcher{
		logger:   logger,
		options:  options,
		core:     core,
		dynamic:  dyn,
		metadata: meta,
		changed:  make(chan struct{}, 1),
		pods:     map[string]cache.SharedIndexInformer{},
		absent:   map[string]bool{},
		sources:  map[calicoapi.Resource]*source{},
		broken:   map[calicoapi.Resource]*leftOut{},
		entered:  map[calicoapi.Resource]entry{},
		books:    &books{account: ipam.New()},
	}
	w.health = newHealth(logger, w.notify)
	w.settings = newConfigMaps(core, w.health, w.notify, w.usesConfigMap)
	w.catalog = newCatalog(w)
	for _, namespace := range options.Namespaces {
		w.pods[namespace] = w.podInformer(namespace)
	}
	return w, nil
}

// Changed delivers a notice after something changed; several changes make one notice.
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Err says which requests fail at present, joined; nil when the API server answers them all.
func (w *Watcher) Err() error { return w.health.err() }

func (w *Watcher) notify() { signal(w.changed) }

// signal leaves a notice in a channel that holds one.
func signal(notices chan<- struct{}) {
	select {
	case notices <- struct{}{}:
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
		w.runFeed(ctx, &running, informer)
	}
	running.Go(func() { w.identify(ctx) })
	running.Go(func() { w.settings.run(ctx) })
	w.catalog.run(ctx)
}

// runFeed runs a feed, and notifies once it has synced: one that finds nothing has no other event to tell of.
func (w *Watcher) runFeed(ctx context.Context, running *sync.WaitGroup, f feed) {
	running.Go(func() { f.RunWithContext(ctx) })
	running.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), f.HasSynced) {
			w.catalog.reconsider()
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
		if err == nil && !w.uidDone {
			w.uid = ns.UID
		}
		w.uidDone = true
		w.mu.Unlock()
		w.notify()
		// Who is refused asks on, to see the failure end.
		return err == nil, nil
	})
}
