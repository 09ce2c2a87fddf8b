package calicoipamprocessor

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/forecast"
)

// restore takes in what was kept. What cannot be read begins anew; only a storage that fails is an error.
func (p *ipamProcessor) restore(ctx context.Context) error {
	all, unreadable, err := p.histories.load(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if unreadable != nil {
		p.storageFailed(ctx, "what was kept of a cluster cannot be read; its forecasts begin anew", unreadable)
	}
	for i := range all {
		p.pools.Restore(all[i].Cluster, all[i].Known, all[i].Truncated)
		o := newOutlook(p.config.MaxPools)
		// The newest are the last to be forgotten.
		slices.SortFunc(all[i].Histories, func(a, b keptHistory) int { return a.Seen.Compare(b.Seen) })
		for _, h := range all[i].Histories {
			var history forecast.History
			if err := history.UnmarshalBinary(h.History); err != nil {
				p.storageFailed(ctx, "what was kept of a pool cannot be read; its forecast begins anew", err)
				continue
			}
			pool, _ := o.pools.Add(h.Pool)
			pool.cidr, pool.history, pool.seen = h.CIDR, history, h.Seen
		}
		state, _ := p.clusters.Add(all[i].id())
		state.outlook = o
	}
	return nil
}

// save writes each cluster that has changed, one after the other so that batches are not held up.
func (p *ipamProcessor) save(ctx context.Context) {
	if !p.histories.stored() {
		return
	}
	p.mu.Lock()
	var all, changed []clusterID
	for id, cluster := range p.clusters.All() {
		if cluster.outlook == nil {
			continue
		}
		all = append(all, id)
		if cluster.outlook.changed {
			changed = append(changed, id)
		}
	}
	p.mu.Unlock()
	failed := func(err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.storageFailed(ctx, "what is known of the pools cannot be kept over a restart", err)
	}
	for _, id := range changed {
		p.mu.Lock()
		entry, found := p.entry(id)
		p.mu.Unlock()
		if !found {
			continue
		}
		if err := p.histories.write(ctx, entry); err != nil {
			failed(err)
			return // the next time
		}
		p.mu.Lock()
		if cluster := p.clusters.Peek(id); cluster != nil && cluster.outlook != nil && cluster.outlook.newest.Equal(entry.newest) {
			cluster.outlook.changed = false
		}
		p.mu.Unlock()
	}
	if err := p.histories.writeList(ctx, all); err != nil {
		failed(err)
	}
}

// entry returns what is to be kept of a cluster, false where it is forgotten.
func (p *ipamProcessor) entry(id clusterID) (kept, bool) {
	cluster := p.clusters.Peek(id)
	if cluster == nil || cluster.outlook == nil {
		return kept{}, false
	}
	known, truncated := p.pools.Told(id.cluster)
	entry := kept{Cluster: id.cluster, Source: id.source, Known: slices.Clone(known), Truncated: truncated, newest: cluster.outlook.newest}
	for name, pool := range cluster.outlook.pools.All() {
		if cluster.outlook.newest.Sub(pool.seen) > forgotten {
			continue
		}
		history, err := pool.history.AppendBinary(nil)
		if err != nil {
			continue // which a history does not, but encoding.BinaryAppender may
		}
		entry.Histories = append(entry.Histories, keptHistory{Pool: name, CIDR: pool.cidr, Seen: pool.seen, History: history})
	}
	return entry, true
}

func (p *ipamProcessor) storageFailed(ctx context.Context, message string, err error) {
	if total, due := p.telemetry.storageFailures(ctx); due {
		p.logger.Warn(message, zap.Error(err), zap.Uint64("failures", total))
	}
}
