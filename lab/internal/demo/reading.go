// Package demo shows a collector at work in the lab: what Prometheus answers about every IP pool, beside what calicoctl
// says of the same datastore, and about every component of Calico.
package demo

import (
	"context"
	"fmt"
	"time"

	promapi "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

const queryTimeout = 10 * time.Second

// Queries are what the table is read back by. Sums, so that a series that arrives twice shows as a wrong number.
const (
	queryUsed        = `sum by (ippool) (ipam_allocations_in_use)`
	querySize        = `sum by (ippool) (ipam_ippool_size)`
	queryReserved    = `sum by (ippool) (ipam_ippool_reserved)`
	queryAvailable   = `sum by (ippool) (calico_ipam_pool_available)`
	queryUtilization = `calico_ipam_pool_utilization_ratio`

	// queryPopular is what many dashboards show as the use of all pools.
	queryPopular     = `sum(ipam_allocations_in_use)/sum(ipam_ippool_size)*100`
	queryClusterIPv4 = `calico_ipam_cluster_utilization_ratio{ip_family="IPv4"} * 100`
	queryFullest     = `topk(1, calico_ipam_pool_utilization_ratio) * 100`
)

// PoolReading is what Prometheus knows of one pool.
type PoolReading struct {
	Pool, CIDR string
	// Used, Size, Reserved and Available are addresses; Utilization is a ratio, 0..1. Nil means that there is no series.
	Used, Size, Reserved, Available, Utilization *float64
}

// Reading is what Prometheus knows at one moment.
type Reading struct {
	Pools []PoolReading
	// Popular and ClusterIPv4 are percentages, nil without an answer.
	Popular, ClusterIPv4 *float64
	// Fullest is the fullest pool, empty without an answer, and FullestPercent its utilisation.
	Fullest        string
	FullestPercent float64
	// States are those of the components, sorted, empty as long as the collector has told none.
	States []ComponentState
}

// Prometheus reads the derived series back.
type Prometheus struct{ api promv1.API }

// NewPrometheus returns a Prometheus that asks the server at url.
func NewPrometheus(url string) (*Prometheus, error) {
	client, err := promapi.NewClient(promapi.Config{Address: url})
	if err != nil {
		return nil, fmt.Errorf("create Prometheus client: %w", err)
	}
	return &Prometheus{api: promv1.NewAPI(client)}, nil
}

func (p *Prometheus) query(ctx context.Context, query string) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, _, err := p.api.Query(ctx, query, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("query Prometheus for %s: %w", query, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query Prometheus for %s: the answer is a %s", query, value.Type())
	}
	return vector, nil
}

// Read asks for everything that the demo shows.
func (p *Prometheus) Read(ctx context.Context) (Reading, error) {
	var reading Reading
	utilization, err := p.query(ctx, queryUtilization)
	if err != nil {
		return reading, err
	}
	index := map[string]int{}
	for _, sample := range utilization {
		pool := string(sample.Metric["ippool"])
		index[pool] = len(reading.Pools)
		ratio := float64(sample.Value)
		reading.Pools = append(reading.Pools, PoolReading{Pool: pool, CIDR: string(sample.Metric["cidr"]), Utilization: &ratio})
	}
	for _, part := range []struct {
		query string
		into  func(*PoolReading) **float64
	}{
		{queryUsed, func(r *PoolReading) **float64 { return &r.Used }},
		{querySize, func(r *PoolReading) **float64 { return &r.Size }},
		{queryReserved, func(r *PoolReading) **float64 { return &r.Reserved }},
		{queryAvailable, func(r *PoolReading) **float64 { return &r.Available }},
	} {
		vector, err := p.query(ctx, part.query)
		if err != nil {
			return reading, err
		}
		for _, sample := range vector {
			if at, known := index[string(sample.Metric["ippool"])]; known {
				value := float64(sample.Value)
				*part.into(&reading.Pools[at]) = &value
			}
		}
	}
	if reading.States, err = p.readStates(ctx); err != nil {
		return reading, err
	}
	return reading, p.readCluster(ctx, &reading)
}

func (p *Prometheus) readCluster(ctx context.Context, reading *Reading) error {
	for query, into := range map[string]**float64{queryPopular: &reading.Popular, queryClusterIPv4: &reading.ClusterIPv4} {
		vector, err := p.query(ctx, query)
		if err != nil {
			return err
		}
		if len(vector) == 1 {
			value := float64(vector[0].Value)
			*into = &value
		}
	}
	vector, err := p.query(ctx, queryFullest)
	if err != nil {
		return err
	}
	if len(vector) > 0 {
		reading.Fullest, reading.FullestPercent = string(vector[0].Metric["ippool"]), float64(vector[0].Value)
	}
	return nil
}
