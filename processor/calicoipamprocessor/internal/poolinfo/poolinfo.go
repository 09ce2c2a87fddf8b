// Package poolinfo keeps what is known of the pools of each cluster: the newest calico_ipam_pool_info batch, as a whole.
// A pool that the newest batch does not name is forgotten.
package poolinfo

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/recent"
)

// Store holds the pools of a bounded number of clusters. It is not safe for concurrent use.
type Store struct {
	maxPools int
	clusters *recent.Map[string, Cluster]
}

// NewStore returns a store for at most maxClusters clusters of at most maxPools pools each.
func NewStore(maxClusters, maxPools int) *Store {
	return &Store{maxPools: maxPools, clusters: recent.New[string, Cluster](maxClusters)}
}

// Loss says what a batch cost for want of room.
type Loss struct {
	// Pools is the number of pools of the batch that were not kept.
	Pools int
	// Cluster is set where the cluster not used for the longest time was forgotten.
	Cluster bool
}

// Update takes a batch in. A batch older than the last one is ignored; one with the same timestamp is another part of it and adds to it.
func (s *Store) Update(cluster string, batch *ipampoints.InfoBatch) Loss {
	if batch.Empty {
		return Loss{}
	}
	known, evicted := s.clusters.Add(cluster)
	loss := Loss{Cluster: evicted}
	if known.pools == nil {
		known.pools = make(map[string]ipampoints.Info, len(batch.Pools))
	}
	switch {
	case batch.Timestamp < known.timestamp:
		return loss
	case batch.Timestamp > known.timestamp:
		known.timestamp = batch.Timestamp
		known.truncated = false
		clear(known.pools)
	}
	for _, pool := range batch.Pools {
		if _, exists := known.pools[pool.Pool]; !exists && len(known.pools) >= s.maxPools {
			known.truncated = true
			loss.Pools++
			continue
		}
		known.pools[pool.Pool] = pool
	}
	known.count()
	return loss
}

// Cluster returns what is known of a cluster, nil where nothing is.
func (s *Store) Cluster(cluster string) *Cluster { return s.clusters.Get(cluster) }

// Cluster is what is known of the pools of one cluster. A nil one knows nothing.
type Cluster struct {
	timestamp pcommon.Timestamp
	truncated bool
	pools     map[string]ipampoints.Info
	forPods   map[string]int
}

func (c *Cluster) count() {
	if c.forPods == nil {
		c.forPods = make(map[string]int)
	}
	clear(c.forPods)
	for _, pool := range c.pools {
		if pool.ForPods {
			c.forPods[pool.Family]++
		}
	}
}

// Pool returns what is known of a pool.
func (c *Cluster) Pool(name string) (ipampoints.Info, bool) {
	if c == nil {
		return ipampoints.Info{}, false
	}
	pool, known := c.pools[name]
	return pool, known
}

// ForPods returns the number of pools of an IP family from which any pod can get an address.
// It reports false where that is not known, because the cluster has more pools than could be kept.
func (c *Cluster) ForPods(family string) (int, bool) {
	if c == nil || c.truncated {
		return 0, false
	}
	return c.forPods[family], true
}
