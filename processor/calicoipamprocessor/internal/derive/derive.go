// Package derive computes from one scrape, and what is known of its pools, the numbers this processor adds.
// It is a function of plain values: when it runs and how its results are written down is decided elsewhere.
package derive

import (
	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolmath"
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

// Pool is what follows for one pool.
type Pool struct {
	Labels Labels
	// Available is calico_ipam_pool_available, in addresses, rounded once.
	Available float64
	// Utilization is calico_ipam_pool_utilization_ratio, 0..1. It means something only where Rated.
	Utilization float64
	// Rated is set where there is a ratio: some address of the pool is usable.
	Rated bool
}

// Family is what follows for all pools of one IP family that any pod can use.
type Family struct {
	// Name is the ip_family label: calicometric.IPv4 or IPv6.
	Name string
	// Utilization is calico_ipam_cluster_utilization_ratio, 0..1.
	Utilization float64
}

// Result is all that follows from one scrape: a pool or family that it does not name has no honest number.
type Result struct {
	// Pools holds the pools in the order of the scrape.
	Pools []Pool
	// Families holds IPv4 before IPv6.
	Families []Family
}

// Scrape fills result with what follows from a scrape. cluster may be nil.
//
// The ratio of a family is given only where the scrape holds known numbers for every pool that counts in it:
// a sum that lacks a pool would be a wrong number, not an approximate one.
func Scrape(result *Result, scrape *ipampoints.Scrape, cluster *poolinfo.Cluster) {
	result.Pools = result.Pools[:0]
	result.Families = result.Families[:0]
	var ipv4, ipv6 familyTotal
	for i := range scrape.Pools {
		pool := &scrape.Pools[i]
		if !pool.Known() {
			continue
		}
		info, known := cluster.Pool(pool.Name)
		if !known && cluster != nil {
			// The pool was made or deleted between the two looks at the cluster. The next look tells; a series without its labels until
			// then would be another series.
			continue
		}
		utilization, rated := pool.Count.Utilization()
		result.Pools = append(result.Pools, Pool{
			Labels:      Labels{Pool: pool.Name, CIDR: info.CIDR, Family: family(info, pool.Count.Size)},
			Available:   pool.Count.Available().Float64(),
			Utilization: utilization,
			Rated:       rated,
		})
		if !info.ForPods {
			continue
		}
		switch info.Family {
		case calicometric.IPv4:
			ipv4.add(pool.Count)
		case calicometric.IPv6:
			ipv6.add(pool.Count)
		}
	}
	result.family(calicometric.IPv4, ipv4, cluster)
	result.family(calicometric.IPv6, ipv6, cluster)
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
