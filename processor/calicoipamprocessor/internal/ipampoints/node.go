package ipampoints

import (
	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Node is what one scrape says of what a node can give out of one IP family.
type Node struct {
	// Family is calicometric.IPv4 or IPv6, or whatever the point has.
	Family string

	blocks, limit addresses.Count
	starved, bad  bool
	roles         uint16
}

type nodeKey struct{ name, family string }

// nodeRoles are what has to be known of a node.
const nodeRoles = 1<<nodeBlocks | 1<<nodeBlocksLimit | 1<<nodeAssignable

func (n *Node) add(r role, value addresses.Count, good bool) {
	n.bad = n.bad || !good
	n.roles |= 1 << r
	switch r {
	case nodeBlocks:
		n.blocks = value
	case nodeBlocksLimit:
		n.limit = value
	case nodeAssignable:
		n.starved = value.IsZero()
	case none, info, size, reserved, inUse, blocks, poolAllocated, poolBlocks: // not of a node
	}
}

// State returns one of calicometric's states of nodes: starved where there is no address left to give to a pod, else capped where the node may
// claim no block more, else ok. It reports false where that is not known.
func (n *Node) State() (string, bool) {
	switch {
	case n.bad || n.roles != nodeRoles:
		return "", false
	case n.starved:
		return calicometric.NodeStarved, true
	case n.blocks.Compare(n.limit) >= 0:
		return calicometric.NodeCapped, true
	default:
		return calicometric.NodeOK, true
	}
}
