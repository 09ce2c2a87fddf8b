// Package derive computes from one scrape, and what is known of its pools, the numbers this processor adds.
// It is a function of plain values: when it runs and how its results are written down is decided elsewhere.
package derive

import (
	"cmp"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolmath"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

// Labels are the labels of a series about one pool.
type Labels struct {
	// Pool is the ippool label.
	Pool string
	// CIDR is the cidr label; empty for none.
	CIDR string
	// Family is the ip_family label: calicometric.IPv4, IPv6 or IPUnknown.
	Family string
}

// Quantity is a number that there may be of a pool.
type Quantity uint8

// The quantities of a pool. The forecast's are filled in by its owner.
const (
	Utilization Quantity = iota
	BlockUtilization
	Available
	Earliest
	Expected
	Latest
	Growth
)

// Quantities is how many there are.
const Quantities = int(Growth) + 1

// Set is a set of quantities.
type Set uint8

// Has reports whether a quantity is in the set.
func (s Set) Has(q Quantity) bool { return s&(1<<q) != 0 }

// Pool is what follows for one pool.
type Pool struct {
	Labels Labels
	// Known are the quantities that there is an honest number of.
	Known Set
	// Values holds them, rounded once.
	Values [Quantities]float64
	// Demand is what a forecast looks at.
	Demand Demand
}

// Demand is what of a pool is taken, and what can be at most.
type Demand struct {
	// Forecast is set for a pool whose addresses are given out, as far as is known.
	Forecast bool
	// Allocated and Usable are addresses.
	Allocated, Usable float64
	// Blocks are set where BlocksKnown.
	BlocksKnown              bool
	ClaimedBlocks, AllBlocks float64
}

// Set enters a quantity.
func (p *Pool) Set(q Quantity, value float64) {
	p.Known |= 1 << q
	p.Values[q] = value
}

// Family is what follows for all pools of one IP family that any pod can use.
type Family struct {
	// Name is the ip_family label: calicometric.IPv4 or IPv6.
	Name string
	// Utilization is calico_ipam_cluster_utilization_ratio, 0..1.
	Utilization float64
}

// Nodes is how many nodes are in a state.
type Nodes struct {
	// Family is the ip_family label, State the state label.
	Family, State string
	Count         int
}

// Result is all that follows from one scrape: a pool or family that it does not name has no honest number.
type Result struct {
	// Pools holds the pools in the order of the scrape.
	Pools []Pool
	// Families holds IPv4 before IPv6.
	Families []Family
	// Nodes holds all states of each family that there are nodes of, IPv4 before IPv6.
	Nodes []Nodes
}

// Reset empties r.
func (r *Result) Reset() {
	r.Pools, r.Families, r.Nodes = r.Pools[:0], r.Families[:0], r.Nodes[:0]
}

// Scrape fills result with what follows from a scrape. cluster may be nil.
//
// The ratio of a family is given only where the scrape holds known numbers for every pool that counts in it:
// a sum that lacks a pool would be a wrong number, not an approximate one.
func Scrape(result *Result, scrape *ipampoints.Scrape, cluster *poolinfo.Cluster, selected selection.Selection) {
	result.Reset()
	var ipv4, ipv6 familyTotal
	for i := range scrape.Pools {
		pool := &scrape.Pools[i]
		if !selected.Selects(pool.Name) {
			continue
		}
		count, complete := scrape.Count(pool)
		if !complete {
			continue
		}
		info, known := cluster.Pool(pool.Name)
		if !known && cluster != nil {
			// The pool was made or deleted between the two looks at the cluster. The next look tells; a series without its labels until
			// then would be another series.
			continue
		}
		result.Pools = append(result.Pools, Pool{Labels: Labels{Pool: cmp.Or(info.Pool, pool.Name), CIDR: info.CIDR, Family: family(info, count.Size)}})
		derived := &result.Pools[len(result.Pools)-1]
		derived.Set(Available, count.Available().Float64())
		if utilization, rated := count.Utilization(); rated {
			derived.Set(Utilization, utilization)
		}
		derived.Demand = Demand{
			Forecast:  !known || info.Enabled,
			Allocated: count.Allocated.Float64(),
			Usable:    count.Usable().Float64(),
		}
		derived.blocks(scrape, pool, info)
		if !info.ForPods {
			continue
		}
		switch info.Family {
		case calicometric.IPv4:
			ipv4.add(count)
		case calicometric.IPv6:
			ipv6.add(count)
		}
	}
	result.family(calicometric.IPv4, ipv4, cluster)
	result.family(calicometric.IPv6, ipv6, cluster)
	result.nodes(scrape.Nodes)
}

// blocks enters what is known of the pool's blocks. How many there can be is what the scrape says, else what the pool's description says.
func (p *Pool) blocks(scrape *ipampoints.Scrape, pool *ipampoints.Pool, info ipampoints.Info) {
	claimed, claimable, known := scrape.Blocks(pool)
	if claimable.IsZero() && !scrape.Exact {
		claimable = info.Blocks()
	}
	if !known || claimable.IsZero() {
		return
	}
	if utilization, rated := poolmath.BlockUtilization(claimed, claimable); rated {
		p.Set(BlockUtilization, utilization)
	}
	p.Demand.BlocksKnown, p.Demand.ClaimedBlocks, p.Demand.AllBlocks = true, claimed.Float64(), claimable.Float64()
}

func (r *Result) family(name string, total familyTotal, cluster *poolinfo.Cluster) {
	expected, known := cluster.ForPods(name)
	if !known || total.pools != expected {
		return
	}
	if utilization, ok := total.sum.Utilization(); ok {
		r.Families = append(r.Families, Family{Name: name, Utilization: utilization})
	}
}

// nodes counts the nodes by state. A family that one node's state is not known of has no numbers: they would not add up to its nodes.
func (r *Result) nodes(nodes []ipampoints.Node) {
	for _, family := range []string{calicometric.IPv4, calicometric.IPv6} {
		states := [...]Nodes{
			{Family: family, State: calicometric.NodeOK},
			{Family: family, State: calicometric.NodeCapped},
			{Family: family, State: calicometric.NodeStarved},
		}
		found, complete := false, true
		for i := range nodes {
			if nodes[i].Family != family {
				continue
			}
			state, known := nodes[i].State()
			found, complete = true, complete && known
			for j := range states {
				if states[j].State == state {
					states[j].Count++
				}
			}
		}
		if found && complete {
			r.Nodes = append(r.Nodes, states[:]...)
		}
	}
}

type familyTotal struct {
	pools int
	sum   poolmath.Total
}

func (t *familyTotal) add(pool poolmath.Pool) {
	t.pools++
	t.sum = t.sum.Plus(pool)
}

// family is what is known of the pool, else what its size proves.
func family(info ipampoints.Info, size addresses.Count) string {
	switch {
	case info.Family != "":
		return info.Family
	case size.ExceedsIPv4():
		return calicometric.IPv6
	default:
		return calicometric.IPUnknown
	}
}
