// Package poolinfo keeps what is known of the pools of each cluster: the newest calico_ipam_pool_info batch, as a whole.
// A pool that the newest batch does not name is forgotten.
package poolinfo

import (
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/recent"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

// Store holds the pools of a bounded number of clusters. It is not safe for concurrent use.
type Store struct {
	maxPools   int
	selection  selection.Selection
	clusters   *recent.Map[string, Cluster]
	configured map[string]*Cluster
}

// Configured is a pool that the configuration describes, for clusters whose pools nothing else tells of.
type Configured struct {
	// Cluster is what the cluster is known by; empty for every one.
	Cluster string
	Info    ipampoints.Info
}

// NewStore returns a store for at most maxClusters clusters of at most maxPools pools each. Pools that are not selected do not count.
func NewStore(maxClusters, maxPools int, selected selection.Selection, configured []Configured) *Store {
	s := &Store{
		maxPools:   maxPools,
		selection:  selected,
		clusters:   recent.New[string, Cluster](maxClusters),
		configured: make(map[string]*Cluster),
	}
	for _, pool := range configured {
		if s.configured[pool.Cluster] == nil {
			s.configured[pool.Cluster] = &Cluster{}
		}
	}
	for name, cluster := range s.configured {
		// What is said of the cluster replaces what is said of every one.
		for _, of := range []string{"", name} {
			for _, pool := range configured {
				if pool.Cluster == of {
					cluster.put(pool.Info, math.MaxInt)
				}
			}
		}
		cluster.count(selected)
	}
	return s
}

// Update takes a batch in. A batch older than the last one is ignored; one with the same timestamp is another part of it and adds to it.
//
// A newer batch replaces all that was known as soon as it is whole: when it has as many pools and ends of pools as were known. Of a part of it alone the
// pools of the other part would seem to be gone. Where two in a row are not whole when the next one begins, the second counts as it is.
// It returns the number of pools that there was no room for.
func (s *Store) Update(cluster string, batch *ipampoints.InfoBatch) (dropped int) {
	if batch.Empty {
		return 0
	}
	known, _ := s.clusters.Add(cluster)
	into := &known.set
	switch {
	case batch.Timestamp < max(known.timestamp, known.next.timestamp):
		return dropped
	case batch.Timestamp > known.timestamp:
		if batch.Timestamp > known.next.timestamp {
			known.giveUp(s.selection)
			known.next.timestamp = batch.Timestamp
			known.next.pools = make([]ipampoints.Info, 0, min(len(batch.Pools), s.maxPools))
		}
		into = &known.next
	}
	for _, pool := range batch.Pools {
		if !into.put(pool, s.maxPools) {
			into.truncated = true
			dropped++
		}
	}
	into.ended += batch.Ended
	if into == &known.next && len(into.pools)+into.ended < len(known.pools) {
		return dropped
	}
	known.turn(s.selection)
	known.count(s.selection)
	return dropped
}

// Restore enters what was known of a cluster before a restart, truncated where that was not all. Whatever is configured or told replaces it.
func (s *Store) Restore(cluster string, pools []ipampoints.Info, truncated bool) {
	if len(pools) == 0 {
		return
	}
	known, _ := s.clusters.Add(cluster)
	known.restored, known.truncated = true, truncated
	for _, pool := range pools {
		known.truncated = !known.put(pool, s.maxPools) || known.truncated
	}
	known.count(s.selection)
}

// believed is how long it is believed that a cluster has no pool at all: where there is a size of one still, whoever told so has only stopped to tell.
const believed = pcommon.Timestamp(2 * time.Minute)

// Cluster returns what is known of a cluster at a moment, nil where nothing is. What the metrics tell replaces what is configured.
func (s *Store) Cluster(cluster string, at pcommon.Timestamp) *Cluster {
	told := s.clusters.Get(cluster)
	if told != nil && !told.restored && (len(told.pools) > 0 || told.truncated || at < told.timestamp+believed) {
		return told
	}
	if own := s.configured[cluster]; own != nil {
		return own
	}
	if every := s.configured[""]; every != nil {
		return every
	}
	if told != nil && told.restored {
		return told
	}
	return nil
}

// Cluster is what is known of the pools of one cluster. A nil one knows nothing.
type Cluster struct {
	set
	// next is a newer set that is not whole yet; short is set where the one before it never was.
	next  set
	short bool
	// ipv4 and ipv6 are how many pools any pod can get an address from.
	ipv4, ipv6 int
}

// set are the pools of one moment.
type set struct {
	timestamp pcommon.Timestamp
	// restored is set for what was known before a restart.
	restored bool
	// truncated is set where there was no room for all, ended is how many have ended.
	truncated bool
	ended     int
	// pools are ordered by name: most clusters have a handful, for which a map would take several times the room.
	pools []ipampoints.Info
}

// giveUp ends the waiting for the rest of the next set.
func (c *Cluster) giveUp(selected selection.Selection) {
	if c.next.timestamp == 0 {
		return
	}
	if c.short {
		c.turn(selected)
		return
	}
	c.short, c.next = true, set{}
}

// turn puts the next set in the place of the one that is known, if there is one.
func (c *Cluster) turn(selected selection.Selection) {
	if c.next.timestamp == 0 {
		return
	}
	c.set, c.next, c.short = c.next, set{}, false
	c.count(selected)
}

// Told returns the pools of a cluster that the metrics have told of, ordered by name, and whether those are not all. They are not to be changed.
func (s *Store) Told(cluster string) (pools []ipampoints.Info, truncated bool) {
	if told := s.clusters.Peek(cluster); told != nil {
		return told.pools, told.truncated
	}
	return nil, false
}

// put enters a pool, in place of the one of its name. It reports false where there is no room for one more.
func (c *set) put(pool ipampoints.Info, maxPools int) bool {
	at, found := c.find(pool.Pool)
	switch {
	case found:
		c.pools[at] = pool
	case len(c.pools) >= maxPools:
		return false
	default:
		c.pools = slices.Insert(c.pools, at, pool)
	}
	return true
}

func (c *set) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c.pools, name, func(pool ipampoints.Info, name string) int { return strings.Compare(pool.Pool, name) })
}

func (c *Cluster) count(selected selection.Selection) {
	c.ipv4, c.ipv6 = 0, 0
	for i := range c.pools {
		pool := &c.pools[i]
		if !pool.ForPods || !selected.Selects(pool.Pool) {
			continue
		}
		if pool.Family == calicometric.IPv4 {
			c.ipv4++
		} else {
			c.ipv6++
		}
	}
}

// Pool returns what is known of a pool.
func (c *Cluster) Pool(name string) (ipampoints.Info, bool) {
	if c == nil {
		return ipampoints.Info{}, false
	}
	at, found := c.find(name)
	if !found {
		return ipampoints.Info{}, false
	}
	return c.pools[at], true
}

// ForPods returns the number of pools of an IP family from which any pod can get an address.
// It reports false where that is not known, because the cluster has more pools than could be kept.
func (c *Cluster) ForPods(family string) (int, bool) {
	if c == nil || c.truncated {
		return 0, false
	}
	if family == calicometric.IPv4 {
		return c.ipv4, true
	}
	return c.ipv6, true
}
