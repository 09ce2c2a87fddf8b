package ipam

import (
	"cmp"
	"slices"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// reclaimAge is how long an empty block stays with its node before another may take it over
// (Calico 3.32+; libcalico-go/lib/ipam/ipam_block_reader_writer.go, EmptyBlockMinReclaimAge).
const reclaimAge = time.Minute

// moment is what the account knows of a pool beyond its sums: what changes with the clock.
type moment struct {
	*ledger
	// empty are the blocks without an address in use, and stillCooling the addresses that were released and cannot be given out yet.
	empty, stillCooling int
	// cooled are addresses whose time has passed: Calico gives them out as if they were free. By the node that has the block, unnamed without one.
	cooled    map[name]int
	allCooled int
	// reclaimable are empty blocks that another node may take over, those with the most addresses first.
	reclaimable []reclaimable
	// What can be claimed.
	unclaimed, unclaimedAddresses, reservedSlots addresses.Count
}

type reclaimable struct {
	owner      name
	assignable int
}

func (a *Account) at(l *ledger, now time.Time) *moment {
	m := &moment{ledger: l, cooled: map[name]int{}}
	m.unclaimed, m.unclaimedAddresses, m.reservedSlots = l.unclaimed()
	released := now.Add(-a.config.Cooldown)
	for blockName, b := range l.variable {
		owner := unnamed
		if b.ownerKind == ownerHost {
			owner = b.owner
		}
		stillCooling, assignable := 0, a.blocks[blockName].assignable
		for _, c := range b.released() {
			switch {
			case !time.Unix(c.at, 0).Before(released): // as in libcalico-go/lib/ipam/ipam_block.go, garbageCollect
				stillCooling++
			case !a.reserved.reserves(b, int(c.ordinal)):
				m.cooled[owner]++
				m.allCooled++
				assignable++
			}
		}
		m.stillCooling += stillCooling
		if !b.empty(stillCooling) {
			continue
		}
		m.empty++
		// Before 3.32 Calico says no time, and takes no block over.
		if b.ownerKind == ownerHost && b.claimed != 0 && now.Sub(time.Unix(int64(b.claimed), 0)) >= reclaimAge && assignable > 0 {
			m.reclaimable = append(m.reclaimable, reclaimable{owner: owner, assignable: assignable})
		}
	}
	slices.SortFunc(m.reclaimable, func(x, y reclaimable) int { return cmp.Compare(y.assignable, x.assignable) })
	return m
}

// free is how many addresses of the pool's blocks can be given out by somebody, and of those of one node by that.
func (m *moment) free() int                      { return m.assignable + m.allCooled }
func (m *moment) freeOf(node name, t *tally) int { return int(t.assignable) + m.cooled[node] }

// claimable is how many addresses the pool has in as many blocks as can be claimed, at most.
func (m *moment) claimable(blocks int) addresses.Count {
	return m.unclaimed.Min(addresses.Of(blocks)).ShiftLeft(m.hostBits(m.pool.BlockSize)).Min(m.unclaimedAddresses)
}

// claimLeft is how many blocks are left to take over once all are claimed that can be.
func (m *moment) claimLeft(blocks int) int {
	unclaimed := addresses.Of(blocks).Minus(m.unclaimed)
	return int(unclaimed.Float64()) // no more than blocks
}

// domain is a set of pools that one request for an address may be served from: Calico counts the blocks that a node has in all of them against the
// node's limit (libcalico-go/lib/ipam/ipam.go, prepareAffinityBlocksForHost and autoAssign).
type domain struct {
	pools []*moment
	// anyNode is true where pools are asked for by name, so that their selectors do not matter.
	anyNode bool
}

// survey is what the nodes can do in a domain.
type survey struct {
	domain
	account *Account
	// owned and free are the blocks and addresses of each node, by its index.
	owned, free []int
	// room is how many blocks the nodes of a class may still claim.
	room map[*class]int
	// own are the addresses of each pool that the nodes that may use it have in blocks of their own.
	own map[*moment]int
}

func (a *Account) survey(d domain) *survey {
	s := &survey{
		domain: d, account: a, owned: make([]int, len(a.nodes.ordered)), free: make([]int, len(a.nodes.ordered)),
		room: map[*class]int{}, own: map[*moment]int{},
	}
	for _, m := range d.pools {
		for name, t := range m.nodes {
			n := a.nodes.byName[name]
			if n == nil || !s.mayUse(n.class, m) {
				continue
			}
			owned := t.blocks
			if len(a.affinities) > 0 {
				owned = t.affinities
			}
			free := m.freeOf(name, t)
			s.owned[n.index] += int(owned)
			s.free[n.index] += free
			s.own[m] += free
		}
	}
	for _, n := range a.nodes.ordered {
		s.room[n.class] += s.roomOf(n)
	}
	return s
}

func (s *survey) mayUse(c *class, m *moment) bool { return s.anyNode || c.selected[m.position] }

// roomOf is how many blocks a node may still claim.
func (s *survey) roomOf(n *node) int {
	if !s.account.config.AutoAllocateBlocks {
		return 0
	}
	return max(0, s.account.config.blocksLimit()-s.owned[n.index])
}

// assignable is how many addresses of a pool can be given out now. Nodes at their limit neither claim blocks nor borrow addresses.
func (s *survey) assignable(m *moment) addresses.Count {
	room := 0
	for c, n := range s.room {
		if s.mayUse(c, m) {
			room += n
		}
	}
	own := s.own[m]
	total := addresses.Of(own)
	switch {
	case room == 0:
		return total
	case !s.account.config.StrictAffinity:
		// Somebody can borrow what the nodes do not have themselves.
		total = addresses.Of(m.free())
	default:
		total = total.Plus(addresses.Of(s.takeOver(m, m.claimLeft(room), func(owner name) bool {
			n := s.account.nodes.byName[owner]
			return n == nil || !s.mayUse(n.class, m)
		})))
	}
	return total.Plus(m.claimable(room))
}

// takeOver is how many addresses there are in so many empty blocks of the owners that are meant.
func (s *survey) takeOver(m *moment, blocks int, meant func(owner name) bool) int {
	sum := 0
	for _, r := range m.reclaimable {
		if blocks == 0 {
			break
		}
		if meant(r.owner) {
			sum += r.assignable
			blocks--
		}
	}
	return sum
}

// nodeAssignable is how many addresses a node can give out now: of blocks of its own, of those that it can claim, and of those of others.
func (s *survey) nodeAssignable(n *node) addresses.Count {
	room := s.roomOf(n)
	total := addresses.Of(s.free[n.index])
	if room == 0 {
		return total
	}
	borrowable := -s.free[n.index]
	for _, m := range s.pools { // those with the largest blocks first
		if !s.mayUse(n.class, m) {
			continue
		}
		borrowable += m.free()
		total = total.Plus(m.claimable(room))
		room = m.claimLeft(room)
	}
	if !s.account.config.StrictAffinity {
		return total.Plus(addresses.Of(borrowable))
	}
	for _, m := range s.pools {
		if !s.mayUse(n.class, m) {
			continue
		}
		sum := s.takeOver(m, room, func(owner name) bool { return s.account.nodes.byName[owner] != n })
		total = total.Plus(addresses.Of(sum))
		room -= min(room, len(m.reclaimable))
	}
	return total
}

// loadBalancers is how many addresses of a pool for load balancers can be given out: they have one owner for all, who may claim as many blocks as
// a node.
func (a *Account) loadBalancers(m *moment) addresses.Count {
	total := addresses.Of(m.free())
	if !a.config.AutoAllocateBlocks {
		return total
	}
	return total.Plus(m.claimable(max(0, a.config.blocksLimit()-m.blocks)))
}

// headrooms computes what can be given out of every pool, and by every node to pods.
func (a *Account) headrooms(moments []*moment) (byPool map[*moment]addresses.Count, byNode []NodeReport) {
	byPool = map[*moment]addresses.Count{}
	surveys := map[string]*survey{}
	for _, family := range []string{calicometric.IPv4, calicometric.IPv6} {
		var pods, tunnels, manual domain
		known := false
		for _, m := range moments {
			if m.pool.Family() != family {
				continue
			}
			known = true
			switch {
			case m.gives(calicometric.UseLoadBalancer):
				byPool[m] = a.loadBalancers(m)
			case !m.automatic():
				if m.gives(calicometric.UseWorkload) || m.gives(calicometric.UseTunnel) {
					manual.pools = append(manual.pools, m)
				}
			case m.gives(calicometric.UseWorkload):
				pods.pools = append(pods.pools, m)
				if m.gives(calicometric.UseTunnel) {
					tunnels.pools = append(tunnels.pools, m)
				}
			case m.gives(calicometric.UseTunnel):
				tunnels.pools = append(tunnels.pools, m)
			}
		}
		for _, m := range manual.pools {
			byPool[m] = a.survey(domain{pools: []*moment{m}, anyNode: true}).assignable(m)
		}
		if slices.ContainsFunc(tunnels.pools, func(m *moment) bool { return !m.gives(calicometric.UseWorkload) }) {
			s := a.survey(tunnels)
			for _, m := range tunnels.pools {
				byPool[m] = s.assignable(m)
			}
		}
		slices.SortStableFunc(pods.pools, func(x, y *moment) int { return cmp.Compare(x.pool.BlockSize, y.pool.BlockSize) })
		s := a.survey(pods)
		for _, m := range pods.pools {
			byPool[m] = s.assignable(m)
		}
		if known {
			surveys[family] = s
		}
	}
	for _, n := range a.nodes.ordered {
		for _, family := range []string{calicometric.IPv4, calicometric.IPv6} {
			if s := surveys[family]; s != nil {
				byNode = append(byNode, NodeReport{
					Node: n.name, Family: family, BlocksLimit: a.config.blocksLimit(), Assignable: s.nodeAssignable(n),
				})
			}
		}
	}
	return byPool, byNode
}
