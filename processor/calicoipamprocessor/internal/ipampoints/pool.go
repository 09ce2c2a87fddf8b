package ipampoints

import (
	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Pool is what one scrape says of one pool.
type Pool struct {
	// Name is the ippool label: metadata.name of the IPPool.
	Name string

	size, reserved, inUse, allocated addresses.Count
	blocks, claimed, unclaimed       addresses.Count
	roles                            uint16
	states                           uint8
	bad, badBlocks                   bool
}

// The states of blocks that a pool's numbers need, as bits.
const (
	usedBlocks = 1 << iota
	emptyBlocks
	unclaimedBlocks
	allBlockStates = usedBlocks | emptyBlocks | unclaimedBlocks
)

func (p *Pool) has(r role) bool { return p.roles&(1<<r) != 0 }

// add takes in a value. One that is not good leaves unknown what it is about.
func (p *Pool) add(r role, state string, value addresses.Count, good bool) {
	if !good {
		if r == blocks || r == poolBlocks {
			p.badBlocks = true
		} else {
			p.bad = true
		}
		return
	}
	p.roles |= 1 << r
	switch r {
	case size:
		p.size = value
	case reserved:
		p.reserved = value
	case inUse:
		p.inUse = p.inUse.Plus(value)
	case poolAllocated:
		p.allocated = value
	case blocks:
		p.blocks = p.blocks.Plus(value)
	case poolBlocks:
		switch state {
		case calicometric.BlocksUsed:
			p.states |= usedBlocks
			p.claimed = p.claimed.Plus(value)
		case calicometric.BlocksEmpty:
			p.states |= emptyBlocks
			p.claimed = p.claimed.Plus(value)
		case calicometric.BlocksUnclaimed:
			p.states |= unclaimedBlocks
			p.unclaimed = value
		}
	case none, info, nodeBlocks, nodeBlocksLimit, nodeAssignable: // not of a pool
	}
}
