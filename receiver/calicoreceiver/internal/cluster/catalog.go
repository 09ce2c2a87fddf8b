package cluster

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
)

// catalog knows which resources the API server serves, and has those watched that are wanted.
type catalog struct {
	w        *Watcher
	wake     chan struct{} // holds at most one notice
	arrivals chan struct{} // holds at most one notice

	mu       sync.Mutex
	needed   map[calicoapi.Resource]bool // wanted for the moment, beyond the options
	lost     bool                        // something that was watched is no longer served
	done     bool                        // the API server answered once
	group    schema.GroupVersion         // that holds Calico's data
	hasGroup bool
}

func newCatalog(w *Watcher) *catalog {
	return &catalog{w: w, wake: make(chan struct{}, 1), arrivals: make(chan struct{}, 1), needed: map[calicoapi.Resource]bool{}}
}

// reconsider has the catalog look whether what is watched is what should be.
func (c *catalog) reconsider() { signal(c.wake) }

// arrived tells of a new pod of Calico: where there was no Calico it is being installed.
func (c *catalog) arrived() { signal(c.arrivals) }

// notFound tells that a resource that was watched is no longer served.
func (c *catalog) notFound() {
	c.mu.Lock()
	c.lost = true
	c.mu.Unlock()
	c.reconsider()
}

// need has a resource watched, or not watched any longer, that the options do not name.
func (c *catalog) need(resource calicoapi.Resource, needed bool) {
	c.mu.Lock()
	changed := c.needed[resource] != needed
	if needed {
		c.needed[resource] = true
	} else {
		delete(c.needed, resource)
	}
	c.mu.Unlock()
	if changed {
		c.reconsider()
	}
}

// dataGroup is the group that holds Calico's data; known is false until the API server answered, installed where it serves none.
func (c *catalog) dataGroup() (group schema.GroupVersion, installed, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.group, c.hasGroup, c.done
}

// run keeps what is watched to what is served and wanted, until the context ends. It waits for all that it started.
func (c *catalog) run(ctx context.Context) {
	defer c.w.stopSources()
	backoff := retry()
	var current plan
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		var detect bool
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			detect = true
		case <-c.arrivals:
			_, installed, known := c.dataGroup()
			detect = known && !installed
		case <-c.wake:
			c.mu.Lock()
			detect, c.lost = c.lost, false
			c.mu.Unlock()
		}
		if detect {
			served, ok := c.detect(ctx)
			switch {
			case ok:
				current, backoff = served, retry()
				next.Reset(wait.Jitter(c.w.options.Redetect, 0.2))
			case ctx.Err() != nil:
				return
			default:
				next.Reset(min(backoff.Step(), backoff.Cap))
			}
			c.w.reconcile(ctx, c.wanted(current.resources))
			if ok {
				// Not before the watches exist: what is not watched counts as settled.
				c.publish(current.group, current.installed)
			}
			continue
		}
		c.w.reconcile(ctx, c.wanted(current.resources))
	}
}

// plan is what the API server serves of Calico.
type plan struct {
	resources map[calicoapi.Resource]schema.GroupVersionResource
	group     schema.GroupVersion
	installed bool
}

// publish lets others know which group holds Calico's data.
func (c *catalog) publish(group schema.GroupVersion, installed bool) {
	c.mu.Lock()
	changed := !c.done || c.group != group || c.hasGroup != installed
	c.done, c.group, c.hasGroup = true, group, installed
	c.mu.Unlock()
	if !changed {
		return
	}
	if installed {
		c.w.logger.Info("found Calico's resources", zap.Stringer("group", group))
	} else {
		c.w.logger.Info("the cluster serves no Calico resources; they are looked for again",
			zap.Stringers("groups", []schema.GroupVersion{calicoapi.GroupV3, calicoapi.GroupV1}))
	}
	c.w.notify()
}

// detect asks the API server what it serves. That it serves nothing of Calico is no failure: Calico may be installed later.
func (c *catalog) detect(ctx context.Context) (found plan, ok bool) {
	req := request{verb: "get", resource: "the API groups of Calico"}
	served, err := calicoapi.Discover(ctx, c.listResources)
	if ctx.Err() != nil {
		return plan{}, false
	}
	c.w.health.record(req, err)
	if refused(err) {
		// Who may not ask which groups are served may still read what they hold.
		served, err = calicoapi.Assumed(), nil
	}
	if err != nil {
		return plan{}, false
	}
	group, installed := served.DataGroup(c.migrationPhase(ctx, served))
	resources := served.Resources(group)
	resources[nodes] = nodesGVR // which every API server serves
	return plan{resources: resources, group: group, installed: installed}, true
}

// migrationPhase is how far a migration between the two groups is; empty where there is none.
func (c *catalog) migrationPhase(ctx context.Context, served calicoapi.Served) calicoapi.MigrationPhase {
	req := request{verb: "list", resource: calicoapi.MigrationResource}
	gvr, ok := served.Migration()
	if !ok {
		c.w.health.forget(req)
		return ""
	}
	list, err := c.w.dynamic.Resource(gvr).List(ctx, metav1.ListOptions{Limit: 1})
	if ctx.Err() != nil {
		return ""
	}
	if apierrors.IsNotFound(err) {
		c.w.health.record(req, nil)
		return "" // it has just gone
	}
	c.w.health.record(req, err)
	if err != nil {
		// Which group is right cannot be known: the one that was goes on.
		if group, installed, _ := c.dataGroup(); installed && group == calicoapi.GroupV3 {
			return calicoapi.MigrationConverged
		}
		return calicoapi.MigrationPending
	}
	if len(list.Items) == 0 {
		return ""
	}
	phase, err := calicoapi.ParseDatastoreMigration(&list.Items[0])
	if err != nil {
		c.w.logger.Warn("the phase of a migration cannot be read", zap.Error(err))
	}
	return phase
}

func (c *catalog) listResources(ctx context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error) {
	list := &metav1.APIResourceList{}
	return list, c.w.core.Discovery().RESTClient().Get().AbsPath("/apis", group.Group, group.Version).Do(ctx).Into(list)
}

// wanted is what should be watched of what is served.
func (c *catalog) wanted(served map[calicoapi.Resource]schema.GroupVersionResource) map[calicoapi.Resource]schema.GroupVersionResource {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[calicoapi.Resource]schema.GroupVersionResource{}
	for _, resource := range slices.Concat(c.w.options.watched(), slices.Collect(maps.Keys(c.needed))) {
		if gvr, ok := served[resource]; ok {
			wanted[resource] = gvr
		}
	}
	return wanted
}
