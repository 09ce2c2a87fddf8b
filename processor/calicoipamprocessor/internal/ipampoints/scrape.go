package ipampoints

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolmath"
)

// Pool is what one scrape says of one pool.
type Pool struct {
	// Name is the ippool label: metadata.name of the IPPool.
	Name string
	// Count holds the pool's numbers, in addresses. They mean something only where Known.
	Count poolmath.Pool

	sized, used, unreadable bool
}

// Known reports whether the scrape holds the pool's size and its use, and every point of them could be read.
// Right after a restart kube-controllers publishes sizes without any use: then use is unknown, not none (rule 3 of the design).
func (p *Pool) Known() bool { return p.sized && p.used && !p.unreadable }

// State is what a scrape says of its source.
type State uint8

const (
	// Empty is a scrape without a pool size: nothing follows from it.
	Empty State = iota
	// Live is a scrape with at least one pool size that has a value.
	Live
	// Gone is a scrape with staleness markers in place of all pool sizes: the target has vanished or does not answer.
	Gone
)

// Scrape holds the IPAM points of one scrape of one target. It is reused from scrape to scrape, the zero value is ready.
type Scrape struct {
	// Timestamp is that of all points of the scrape (rule 6 of the design).
	Timestamp pcommon.Timestamp
	// State says whether there is something to compute.
	State State
	// Pools holds the pools in the order in which the scrape first names them.
	Pools []Pool
	// Unreadable counts, by metric, the points that hold no number of addresses. Nil where all could be read.
	Unreadable map[string]int
	// Dropped counts the points of pools beyond the bound.
	Dropped int

	index map[string]int
	last  int
}

// Read fills s with the scrape in rm, and takes at most maxPools pools.
//
// Where a relay has put several scrapes into one resource, only the points of the newest are taken: numbers of two moments never meet in a sum.
// Points without a pool, or of calicometric.NoPool, are no pool's and are left out.
func (s *Scrape) Read(rm pmetric.ResourceMetrics, maxPools int) {
	s.reset(0)
	first := true
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		metrics := scopes.At(i).Metrics()
		for j := range metrics.Len() {
			metric := metrics.At(j)
			name := metric.Name()
			switch name {
			case calicometric.IPPoolSize, calicometric.IPPoolReserved, calicometric.AllocationsInUse:
			default:
				continue
			}
			points, ok := numberPoints(metric)
			if !ok {
				continue
			}
			for k := range points.Len() {
				point := points.At(k)
				timestamp := point.Timestamp()
				switch {
				case first || timestamp > s.Timestamp:
					first = false
					s.reset(timestamp)
				case timestamp < s.Timestamp:
					continue
				}
				s.add(name, point, maxPools)
			}
		}
	}
}

func (s *Scrape) reset(timestamp pcommon.Timestamp) {
	s.Timestamp = timestamp
	s.State = Empty
	s.Pools = s.Pools[:0]
	s.Unreadable = nil
	s.Dropped = 0
	clear(s.index)
	s.last = 0
}

func (s *Scrape) add(metric string, point pmetric.NumberDataPoint, maxPools int) {
	name := label(point, calicometric.LabelIPPool)
	if name == "" || name == calicometric.NoPool {
		return
	}
	marker := isMarker(point)
	if metric == calicometric.IPPoolSize {
		if !marker {
			s.State = Live
		} else if s.State == Empty {
			s.State = Gone
		}
	}
	if marker {
		return
	}
	pool := s.pool(name, maxPools)
	if pool == nil {
		s.Dropped++
		return
	}
	value, ok := count(point)
	if !ok {
		pool.unreadable = true
		if s.Unreadable == nil {
			s.Unreadable = make(map[string]int)
		}
		s.Unreadable[metric]++
		return
	}
	switch metric {
	case calicometric.IPPoolSize:
		pool.Count.Size = value
		pool.sized = true
	case calicometric.IPPoolReserved:
		pool.Count.Reserved = value
	case calicometric.AllocationsInUse:
		pool.Count.Allocated = pool.Count.Allocated.Plus(value)
		pool.used = true
	}
}

// pool returns the pool of that name, nil where there is no room for one more.
func (s *Scrape) pool(name string, maxPools int) *Pool {
	// The points of one pool follow each other in an exposition.
	if s.last < len(s.Pools) && s.Pools[s.last].Name == name {
		return &s.Pools[s.last]
	}
	at, found := s.index[name]
	if !found {
		if len(s.Pools) >= maxPools {
			return nil
		}
		if s.index == nil {
			s.index = make(map[string]int)
		}
		at = len(s.Pools)
		s.index[name] = at
		s.Pools = append(s.Pools, Pool{Name: name})
	}
	s.last = at
	return &s.Pools[at]
}
