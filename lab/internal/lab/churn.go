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

// churnBatch is how many addresses come or go at a time, at most.
const churnBatch = 6

// tide turns the number of pods that hold an address between two bounds, so that the utilisation of a pool moves without
// ever filling it.
type tide struct {
	lowest, highest int
	falling         bool
}

// newTide returns the tide of a pool that has addresses for so many pods.
func newTide(capacity int) tide { return tide{lowest: capacity * 2 / 5, highest: capacity * 4 / 5} }

// next returns how many pods come and go where held is how many there are; busy and idle are how many that are in a batch.
func (t *tide) next(held, busy, idle int) (come, gone int) {
	switch {
	case held >= t.highest:
		t.falling = true
	case held <= t.lowest:
		t.falling = false
	}
	come, gone = busy, idle
	if t.falling {
		come, gone = idle, busy
	}
	return come, min(gone, held)
}

// churn allocates and releases addresses until ctx is done, as pods of a busy cluster come and go.
func (l *Lab) churn(ctx context.Context) {
	ticker := time.NewTicker(l.options.ChurnInterval)
	defer ticker.Stop()
	level := newTide(fill.DefaultPoolPods(l.options.Nodes))
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := l.churnOnce(ctx, &level)
		if err != nil && ctx.Err() == nil && !failing {
			l.out.Printf("churn: %v (it goes on; further failures are not shown)", err)
		}
		failing = err != nil
	}
}

func (l *Lab) churnOnce(ctx context.Context, level *tide) error {
	held, err := l.ipam.Allocations(ctx, fill.DefaultPool)
	if err != nil {
		return err
	}
	come, gone := level.next(len(held), 1+rand.IntN(churnBatch), rand.IntN(2))
	if _, err := l.ipam.Release(ctx, fill.DefaultPool, gone); err != nil {
		return err
	}
	node := cluster.NodeName(1 + rand.IntN(l.options.Nodes))
	_, err = l.ipam.Allocate(ctx, fill.DefaultPool, node, come)
	if errors.Is(err, ipamops.ErrNoAddress) {
		// Somebody else fills the pool.
		level.falling = true
		return nil
	}
	return err
}
