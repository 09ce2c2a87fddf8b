package calicoipamprocessor

import (
	"hash/fnv"
	"math"
	"time"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/derive"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/forecast"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/recent"
)

const (
	// forecastInterval is how often a forecast is made anew: a history gains a sample no more often.
	forecastInterval = 5 * time.Minute
	// absent is after how long without a sample a pool is not counted any more, forgotten after how long its history is given up: it has no sample then.
	absent, forgotten = time.Hour, 15 * 24 * time.Hour
)

// outlook is when the pools of a cluster will be full, as far as their histories tell.
type outlook struct {
	pools *recent.Map[string, poolOutlook]
	// newest is when the newest scrape was; changed is set where something is not kept yet.
	newest  time.Time
	changed bool
}

// poolOutlook is that of one pool.
type poolOutlook struct {
	cidr    string
	history forecast.History
	// seen is when the newest sample was, next when the forecast is to be made anew.
	seen, next time.Time
	usable     float64
	full       bool
	given      forecast.Forecast
}

func newOutlook(maxPools int) *outlook {
	return &outlook{pools: recent.New[string, poolOutlook](maxPools)}
}

// forecast enters when the pools of a result will be full.
func (p *ipamProcessor) forecast(scrape *assembly.Scrape, cluster *clusterState, result *derive.Result) {
	at := scrape.Timestamp.AsTime()
	if cluster.outlook == nil {
		cluster.outlook = newOutlook(p.config.MaxPools)
	}
	cluster.outlook.newest, cluster.outlook.changed = at, true
	if !p.config.Forecast.Enabled {
		return
	}
	for i := range result.Pools {
		pool := &result.Pools[i]
		if pool.Demand.Forecast && !p.config.Forecast.Exclude.Match(pool.Labels.Pool) {
			cluster.outlook.pool(&p.scratch.forecaster, pool, at)
		}
	}
}

// pool adds to the history of a pool, and enters when it will be full.
func (o *outlook) pool(forecaster *forecast.Forecaster, pool *derive.Pool, at time.Time) {
	known, _ := o.pools.Add(pool.Labels.Pool)
	if cidr := pool.Labels.CIDR; cidr != "" && cidr != known.cidr {
		if known.cidr != "" {
			*known = poolOutlook{} // another pool of the same name
		}
		known.cidr = cidr
	}
	sample := forecast.Sample{Allocated: pool.Demand.Allocated, Blocks: math.NaN()}
	limits := forecast.Limits{Addresses: pool.Demand.Usable, Blocks: math.NaN()}
	if pool.Demand.BlocksKnown {
		sample.Blocks, limits.Blocks = pool.Demand.ClaimedBlocks, pool.Demand.AllBlocks
	}
	known.history.Add(at, sample)
	known.seen = at

	full := known.history.Full(limits.Addresses)
	if !at.Before(known.next) || full && !known.full || limits.Addresses != known.usable {
		known.given = forecaster.Predict(&known.history, at, limits)
		known.usable = limits.Addresses
		wait := forecastInterval
		if known.next.IsZero() {
			wait -= spread(pool.Labels.Pool)
		}
		known.next = at.Add(wait)
	}
	known.full = full
	if known.given.Refusal == "" {
		pool.Set(derive.Earliest, known.secondsUntil(known.given.Earliest, at))
		pool.Set(derive.Expected, known.secondsUntil(known.given.Expected, at))
		if !known.given.Latest.IsZero() {
			pool.Set(derive.Latest, known.secondsUntil(known.given.Latest, at))
		}
	}
	if known.given.Grows {
		pool.Set(derive.Growth, known.given.Growth)
	}
}

// secondsUntil is how many seconds are left: 0 for a pool that is full, and for no other.
func (p *poolOutlook) secondsUntil(then, now time.Time) float64 {
	if p.full {
		return 0
	}
	return max(then.Sub(now).Seconds(), 1)
}

// spread tells the pools of a cluster apart, so that not all forecasts are made with the same scrape.
func spread(pool string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(pool)) // which never fails
	return time.Duration(h.Sum32()) % forecastInterval
}

// sizes returns those of the state.
func (p *ipamProcessor) sizes() sizes {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := sizes{clusters: p.clusters.Len(), waiting: p.assembly.Waiting(), forecasts: make(map[string]int)}
	for _, cluster := range p.clusters.All() {
		s.pools += len(cluster.series.Pools)
		if cluster.outlook == nil {
			continue
		}
		for _, pool := range cluster.outlook.pools.All() {
			s.historyBytes += pool.history.Size()
			if pool.next.IsZero() || cluster.outlook.newest.Sub(pool.seen) > absent {
				continue
			}
			outcome := string(pool.given.Refusal)
			if outcome == "" {
				outcome = given
			}
			s.forecasts[outcome]++
		}
	}
	return s
}
