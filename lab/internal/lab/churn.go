package lab

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/fill"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/ipamops"
)

// Churn keeps the default pool's pods within these numbers, so that its utilisation moves without ever filling it.
const (
	churnLowest  = 90
	churnHighest = 190
	churnBatch   = 6
)

// churn allocates and releases addresses until ctx is done, as pods of a busy cluster come and go.
func (l *Lab) churn(ctx context.Context) {
	ticker := time.NewTicker(l.options.ChurnInterval)
	defer ticker.Stop()
	rising := true
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		held, err := l.ipam.Allocations(ctx, fill.DefaultPool)
		if err == nil {
			switch {
			case len(held) >= churnHighest:
				rising = false
			case len(held) <= churnLowest:
				rising = true
			}
			err = l.churnOnce(ctx, rising)
		}
		if err != nil && ctx.Err() == nil && !failing {
			l.out.Printf("churn: %v (it goes on; further failures are not shown)", err)
		}
		failing = err != nil
	}
}

func (l *Lab) churnOnce(ctx context.Context, rising bool) error {
	come, gone := 1+rand.IntN(churnBatch), rand.IntN(2)
	if !rising {
		come, gone = gone, come
	}
	if _, err := l.ipam.Release(ctx, fill.DefaultPool, gone); err != nil {
		return err
	}
	node := cluster.NodeName(1 + rand.IntN(l.options.Nodes))
	_, err := l.ipam.Allocate(ctx, fill.DefaultPool, node, come)
	if errors.Is(err, ipamops.ErrNoAddress) {
		return nil
	}
	return err
}
