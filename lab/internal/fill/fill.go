package fill

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/ipamops"
)

const (
	// ownBlock is what each node but the borrower takes of SmallPool: most of one block of eight.
	ownBlock       = 6
	smallPoolNodes = 4
	ipv6Addresses  = 5
	// MinNodes is the least number of nodes with which an address can be borrowed.
	MinNodes = 2
)

// Borrower is the number of the node that finds no free block of SmallPool and so borrows from those of others.
func Borrower(nodes int) int { return min(nodes, smallPoolNodes) }

// DefaultPoolPods is how many pods DefaultPool has addresses for beside the reservation and the nodes' tunnels.
func DefaultPoolPods(nodes int) int { return defaultPoolSize - reservedSize - nodes }

// AllocateTunnels gives every node its tunnel address. Felix starts anew when its node's changes, so this comes first.
func AllocateTunnels(ctx context.Context, c *ipamops.Client, nodes int) error {
	for i := range nodes {
		if _, err := c.AllocateTunnel(ctx, DefaultPool, cluster.NodeName(i+1)); err != nil {
			return fmt.Errorf("fill: %w", err)
		}
	}
	return nil
}

// Allocate fills the pools on nodes node-1 to node-<nodes>. It calls progress with the number of addresses so far and in all.
func Allocate(ctx context.Context, c *ipamops.Client, nodes int, progress func(done, all int)) error {
	// The nodes' tunnel addresses are part of the half.
	used := defaultPoolSize/2 - nodes
	all := used + smallPoolSize + ipv6Addresses
	counted := make(chan int)
	group, ctx := errgroup.WithContext(ctx)
	count := func(n int) error {
		select {
		case counted <- n:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	take := func(pool, node string, n int) error {
		for range n {
			if _, err := c.Allocate(ctx, pool, node, 1); err != nil {
				return fmt.Errorf("fill: %w", err)
			}
			if err := count(1); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range nodes {
		share := used / nodes
		if i < used%nodes {
			share++
		}
		node := cluster.NodeName(i + 1)
		group.Go(func() error {
			return take(DefaultPool, node, share)
		})
	}
	group.Go(func() error {
		// In order: the borrower must find no free block.
		borrower := Borrower(nodes)
		for i := 1; i < borrower; i++ {
			if err := take(SmallPool, cluster.NodeName(i), ownBlock); err != nil {
				return err
			}
		}
		if err := take(SmallPool, cluster.NodeName(borrower), smallPoolSize-ownBlock*(borrower-1)); err != nil {
			return err
		}
		return take(IPv6Pool, cluster.NodeName(1), ipv6Addresses)
	})
	finished := make(chan error, 1)
	go func() { finished <- group.Wait() }()
	done := 0
	for {
		select {
		case n := <-counted:
			done += n
			progress(done, all)
		case err := <-finished:
			return err
		}
	}
}
