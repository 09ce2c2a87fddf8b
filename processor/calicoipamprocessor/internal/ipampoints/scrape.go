package ipampoints

import (
	"hash/maphash"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolmath"
)

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

// Limits bound what one scrape holds.
type Limits struct {
	// Pools is the most pools, and Series the most series.
	Pools, Series int
}

// Scrape holds the IPAM points of one scrape of one target: those of one timestamp, added piece by piece in any order.
// It can be used again after Reset.
type Scrape struct {
	// Timestamp is that of all points of the scrape (rule 6 of the design).
	Timestamp pcommon.Timestamp
	// Exact is set for a scrape of the datastore source, where what is not there is not known.
	Exact bool
	// Pools holds the pools in the order in which the scrape first names them.
	Pools []Pool
	// Nodes holds the nodes, once for each IP family, in the order in which the scrape first names them.
	Nodes []Node
	// Shares are the nodes' shares, where they are asked for.
	Shares *nodeshares.Shares

	// Values is the number of series that have a value, and Ended that of those that have only the marker of their end.
	Values, Ended int
	// Conflicts is the number of series with two values, and Unreadable the points, by metric, that hold no number of addresses.
	Conflicts  int
	Unreadable map[string]int
	// DroppedPools is the number of points of pools beyond the bound, and DroppedSeries that of the points of series beyond it.
	DroppedPools, DroppedSeries int

	limits    Limits
	bound     int
	live, end bool
	anyBlocks bool
	pools     map[string]int
	nodes     map[nodeKey]int
	last      int
	seed      maphash.Seed
	series    map[uint64]uint64
}

// NewScrape returns a scrape that is to be Reset before use. Scrapes of one seed give a series the same identity. withShares has the nodes' shares
// gathered.
func NewScrape(limits Limits, seed maphash.Seed, withShares bool) *Scrape {
	s := &Scrape{
		limits: limits,
		pools:  make(map[string]int),
		nodes:  make(map[nodeKey]int),
		seed:   seed,
		series: make(map[uint64]uint64),
	}
	if withShares {
		s.Shares = &nodeshares.Shares{}
	}
	return s
}

// Reset empties s for the points of a moment.
func (s *Scrape) Reset(at pcommon.Timestamp, exact bool) {
	s.Timestamp, s.Exact, s.bound = at, exact, s.limits.Series
	s.Pools, s.Nodes = s.Pools[:0], s.Nodes[:0]
	if s.Shares != nil {
		s.Shares.Reset()
	}
	s.Values, s.Ended, s.Conflicts, s.Unreadable, s.DroppedPools, s.DroppedSeries = 0, 0, 0, nil, 0, 0
	s.live, s.end, s.anyBlocks, s.last = false, false, false, 0
	clear(s.pools)
	clear(s.nodes)
	clear(s.series)
}

// Bound lets the scrape hold at most so many series, where its own bound is not lower, until it is bounded again.
func (s *Scrape) Bound(series int) { s.bound = min(series, s.limits.Series) }

// State says whether there is something to compute.
func (s *Scrape) State() State {
	switch {
	case s.live:
		return Live
	case s.end:
		return Gone
	default:
		return Empty
	}
}

// Series is the number of series that the scrape has a point of.
func (s *Scrape) Series() int { return s.Values + s.Ended }

// mostOfNode is more than a node can have a share of, and little enough for the shares of all nodes to be added up in 64 bits.
var mostOfNode = addresses.Power(40)

// marker stands in series for the marker of an end: a NaN that no value becomes, as values that are NaN are noted as unreadable.
const marker = ^uint64(0)

// unreadable stands in series for a value that is no number, and contradicted for two values.
const (
	unreadable   = ^uint64(0) - 1
	contradicted = ^uint64(0) - 2
)

// Add takes in a point of a metric that is part of scrapes, and returns the identity of its series. A point that is there already changes nothing;
// one that contradicts it makes what it is about unknown.
func (s *Scrape) Add(m Metric, name string, point pmetric.NumberDataPoint) uint64 {
	first, second := m.labels(point)
	series := identity(s.seed, m, first, second)
	s.add(m, name, point, first, second, series)
	return series
}

func (s *Scrape) add(m Metric, name string, point pmetric.NumberDataPoint, pool, second string, series uint64) {
	value, readable := count(point)
	if m.shared && value.Compare(mostOfNode) > 0 {
		readable = false
	}
	bits := unreadable
	switch {
	case IsMarker(point):
		bits = marker
	case readable:
		bits = math.Float64bits(value.Float64())
	}
	known, first := s.note(series, bits)
	switch {
	case !known:
		return
	case bits == marker:
		s.end = s.end || m.role == size && pool != "" && pool != calicometric.NoPool
		return
	case bits == unreadable:
		if s.Unreadable == nil {
			s.Unreadable = make(map[string]int)
		}
		s.Unreadable[name]++
	}
	if !first {
		s.Conflicts++
	}
	good := readable && first

	if m.PerNode() {
		s.addNode(m.role, nodeKey{name: second, family: pool}, value, good)
		return
	}
	if m.shared && s.Shares != nil {
		if good {
			s.Shares.Add(m.share, pool, second, int(value.Float64()))
		} else {
			s.Shares.Refuse(m.share, pool)
		}
	}
	if m.role == none || m.role == info || pool == "" || pool == calicometric.NoPool {
		return
	}
	s.live = s.live || m.role == size
	s.anyBlocks = s.anyBlocks || m.role == blocks
	p := s.pool(pool)
	if p == nil {
		s.DroppedPools++
		return
	}
	p.add(m.role, second, value, good)
}

// note enters a series with the bits of its value. It reports false for a point that says nothing new: one that is there already, the end of a
// series that has a value, or one beyond the bound. first is false for a second value of a series.
func (s *Scrape) note(series, bits uint64) (news, first bool) {
	was, found := s.series[series]
	switch {
	case !found && len(s.series) >= s.bound:
		s.DroppedSeries++
		return false, false
	case !found:
		s.series[series] = bits
		if bits == marker {
			s.Ended++
		} else {
			s.Values++
		}
		return true, true
	case was == bits || was == contradicted || bits == marker:
		return false, false
	case was == marker:
		s.series[series] = bits
		s.Ended--
		s.Values++
		return true, true
	default:
		s.series[series] = contradicted
		return true, false
	}
}

// pool returns the pool of that name, nil where there is no room for one more.
func (s *Scrape) pool(name string) *Pool {
	// The points of one pool follow each other in an exposition.
	if s.last < len(s.Pools) && s.Pools[s.last].Name == name {
		return &s.Pools[s.last]
	}
	at, found := s.pools[name]
	if !found {
		if len(s.Pools) >= s.limits.Pools {
			return nil
		}
		at = len(s.Pools)
		s.pools[name] = at
		s.Pools = append(s.Pools, Pool{Name: name})
	}
	s.last = at
	return &s.Pools[at]
}

func (s *Scrape) addNode(r role, key nodeKey, value addresses.Count, good bool) {
	at, found := s.nodes[key]
	if !found {
		at = len(s.Nodes)
		s.nodes[key] = at
		s.Nodes = append(s.Nodes, Node{Family: key.family})
	}
	s.Nodes[at].add(r, value, good)
}

// Count returns the numbers of a pool, in addresses. It reports false where they are not known: the scrape has to hold the pool's size and its use,
// all points of them readable and without contradiction, and from the datastore source what is reserved, which it leaves out as long as it does not
// know. Right after a restart kube-controllers publishes sizes without any use: then use is unknown, not none (rule 3 of the design).
func (s *Scrape) Count(p *Pool) (poolmath.Pool, bool) {
	if p.bad || !p.has(size) || s.Exact && !p.has(reserved) {
		return poolmath.Pool{}, false
	}
	count := poolmath.Pool{Size: p.size, Reserved: p.reserved}
	switch {
	case p.has(poolAllocated):
		// What Calico hands out no second time: more than what is in use by the allocations that have a handle.
		count.Allocated = p.allocated
	case p.has(inUse):
		count.Allocated = p.inUse
	default:
		return poolmath.Pool{}, false
	}
	return count, true
}

// Tells reports whether the numbers of a pool are known.
func (s *Scrape) Tells() bool {
	for i := range s.Pools {
		if _, known := s.Count(&s.Pools[i]); known {
			return true
		}
	}
	return false
}

// Blocks returns how many blocks of a pool are claimed, and how many ever can be where the scrape says so. It reports false where that is not known.
func (s *Scrape) Blocks(p *Pool) (claimed addresses.Count, claimable addresses.Count, known bool) {
	switch {
	case p.badBlocks:
		return addresses.Count{}, addresses.Count{}, false
	case p.states == allBlockStates:
		return p.claimed, p.claimed.Plus(p.unclaimed), true
	case s.Exact:
		return addresses.Count{}, addresses.Count{}, false
	case p.has(blocks):
		return p.blocks, addresses.Count{}, true
	default:
		// Calico names no pair of a pool and a node without blocks. Where it names others, a pool without an address in use has none.
		return addresses.Count{}, addresses.Count{}, s.anyBlocks && !p.bad && p.has(inUse) && p.inUse.IsZero()
	}
}
