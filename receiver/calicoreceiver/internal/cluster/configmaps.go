package cluster

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
)

// refusedPause is how long it takes until a ConfigMap that may not be read is asked for once more.
const refusedPause = time.Minute

// configMaps holds the ConfigMaps that pods take settings from. A container reads its environment when it starts and never again, so that each is
// read when a pod that uses it comes or restarts, and not watched.
type configMaps struct {
	core    kubernetes.Interface
	health  *health
	changed func()
	// used says whether a pod that is known takes settings from a ConfigMap.
	used  func(configMapName) bool
	queue workqueue.TypedRateLimitingInterface[configMapName]

	mu   sync.Mutex
	read map[configMapName]configMap
}

type configMapName struct{ namespace, name string }

func (n configMapName) request() request {
	return request{verb: "get", resource: "configmaps/" + n.name, namespace: n.namespace}
}

type configMap struct {
	data       map[string]string
	unreadable string // the right that is missing; empty if it could be read, or does not exist
}

func newConfigMaps(core kubernetes.Interface, h *health, changed func(), used func(configMapName) bool) *configMaps {
	pauses := workqueue.NewTypedItemExponentialFailureRateLimiter[configMapName](time.Second, 30*time.Second)
	return &configMaps{
		core: core, health: h, changed: changed, used: used,
		queue: workqueue.NewTypedRateLimitingQueue(pauses),
		read:  map[configMapName]configMap{},
	}
}

// want has the ConfigMaps of a pod read. It does not wait.
func (c *configMaps) want(p pod) {
	for _, name := range p.configMaps {
		c.queue.Add(name)
	}
}

// get returns what was read last. What was not read yet is unreadable, and not known.
func (c *configMaps) get(name configMapName) (read configMap, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read, known = c.read[name]; !known {
		read.unreadable = name.request().String()
	}
	return read, known
}

// run reads what is wanted until the context ends.
func (c *configMaps) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, c.queue.ShutDown)
	defer stop()
	for {
		name, shutdown := c.queue.Get()
		if shutdown {
			return
		}
		c.fetch(ctx, name)
		c.queue.Done(name)
	}
}

func (c *configMaps) fetch(ctx context.Context, name configMapName) {
	if !c.used(name) {
		// What failed does not matter any more.
		c.queue.Forget(name)
		c.health.forget(name.request())
		c.mu.Lock()
		delete(c.read, name)
		c.mu.Unlock()
		c.changed()
		return
	}
	object, err := c.core.CoreV1().ConfigMaps(name.namespace).Get(ctx, name.name, metav1.GetOptions{})
	if ctx.Err() != nil {
		return
	}
	var read configMap
	switch {
	case err == nil:
		read.data = object.Data
	case apierrors.IsNotFound(err):
		err = nil // optional, or the pod would not run
	case apierrors.IsForbidden(err):
		read.unreadable = name.request().String()
		c.queue.AddAfter(name, refusedPause)
	default:
		c.health.record(name.request(), err)
		c.queue.AddRateLimited(name)
		return
	}
	c.queue.Forget(name)
	c.health.record(name.request(), err)
	c.mu.Lock()
	c.read[name] = read
	c.mu.Unlock()
	c.changed()
}
