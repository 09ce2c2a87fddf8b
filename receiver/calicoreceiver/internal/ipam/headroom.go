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

func (a *Account) momentOf(l *ledger, now time.Time) *moment {
	m := &moment{ledger: l, cooled: map[name]int{}}
	taken := l.taken
	if l.odd > 0 {
		taken = l.takenBy(a.blocks)
	}
	m.unclaimed, m.unclaimedAddresses, m.reservedSlots = l.unclaimed(taken)
	released := now.Add(-a.config.Cooldown)
	for _, b := range l.variable {
		owner := b.host()
		stillCooling, assignable := 0, a.reserved.unreserved(b)
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
		// Before 3.32 Calico notes no time, and takes no block over; later ones take a block without one for an old one.
		old := a.timed > 0 && now.Sub(time.Unix(int64(b.claimed), 0)) >= reclaimAge
		if owner != unnamed && old && assignable > 0 {
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

// takeOver is how many addresses there are in so many empty blocks of the owners that are meant, and how many blocks are left to take over then.
func (m *moment) takeOver(blocks int, meant func(owner name) bool) (assignable, left int) {
	for _, r := range m.reclaimable {
		if blocks == 0 {
			break
		}
		if meant(r.owner) {
			assignable += r.assignable
			blocks--
		}
	}
	return assignable, blocks
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

// assignable is how many addresses of a pool can be given out now. Nodes at their limit neither claim blocks nor borrow addresses, and nobody borrows
// before all blocks are claimed.
func (s *survey) assignable(m *moment) addresses.Count {
	room := 0
	for c, n := range s.room {
		if s.mayUse(c, m) {
			room += n
		}
	}
	claimed, left := m.claimable(room), m.claimLeft(room)
	stranded, left := m.takeOver(left, func(owner name) bool {
		n := s.account.nodes.byName[owner]
		return n == nil || !s.mayUse(n.class, m)
	})
	if left > 0 && !s.account.config.StrictAffinity {
		// Somebody can borrow what the nodes do not have themselves.
		return claimed.Plus(addresses.Of(m.free()))
	}
	return claimed.Plus(addresses.Of(s.own[m] + stranded))
}

// nodeAssignable is how many addresses a node can give out now: of blocks of its own, of those that it claims pool by pool in the order of their
// names, of empty ones that it takes over then, and in the end of those of others.
func (s *survey) nodeAssignable(n *node) addresses.Count {
	room := s.roomOf(n)
	own := addresses.Of(s.free[n.index])
	var claimed addresses.Count
	for _, m := range s.pools {
		if s.mayUse(n.class, m) {
			claimed, room = claimed.Plus(m.claimable(room)), m.claimLeft(room)
		}
	}
	taken, borrowable := 0, -s.free[n.index]
	for _, m := range s.pools {
		if s.mayUse(n.class, m) {
			var sum int
			sum, room = m.takeOver(room, func(owner name) bool { return s.account.nodes.byName[owner] != n })
			taken += sum
			borrowable += m.free()
		}
	}
	if room > 0 && !s.account.config.StrictAffinity {
		return own.Plus(claimed).Plus(addresses.Of(borrowable))
	}
	// At its limit Calico gives up before it looks at the blocks of others.
	return own.Plus(claimed).Plus(addresses.Of(taken))
}

// loadBalancers computes what can be given out of pools for load balancers that one request may be served from. They have one owner for all, who may
// claim as many blocks as a node.
func (a *Account) loadBalancers(pools []*moment, byPool map[*moment]addresses.Count) {
	room := a.config.blocksLimit()
	for _, m := range pools {
		room -= m.blocks
	}
	if !a.config.AutoAllocateBlocks {
		room = 0
	}
	for _, m := range pools {
		byPool[m] = addresses.Of(m.free()).Plus(m.claimable(max(0, room)))
	}
}

// offers are the pools of one IP family by how they are asked for.
type offers struct {
	// pods, tunnels and balancers are served of any pool that allows the use, of which some serve pods and tunnels.
	pods, tunnels, balancers []*moment
	// named are served by themselves: to who asks for them by name, or to pods of some namespaces, which may have no other in common.
	named []domain
	// namedBalancers are those for load balancers that ask for them by name.
	namedBalancers []*moment
	// any is true where there is a pool of the family.
	any bool
}

func (a *Account) offersOf(moments []*moment, family string) offers {
	var o offers
	for _, m := range moments {
		if m.pool.Family() != family {
			continue
		}
		o.any = true
		pods, tunnels := m.gives(calicometric.UseWorkload), m.gives(calicometric.UseTunnel)
		switch {
		case m.gives(calicometric.UseLoadBalancer) && m.automatic():
			o.balancers = append(o.balancers, m)
		case m.gives(calicometric.UseLoadBalancer):
			o.namedBalancers = append(o.namedBalancers, m)
		case !pods && !tunnels:
		case !m.automatic() || !a.nodes.selectedBy(m.ledger):
			// Who asks by name gets addresses whatever the pool selects (libcalico-go/lib/ipam/ipam.go, determinePools).
			o.named = append(o.named, domain{pools: []*moment{m}, anyNode: true})
		case m.pool.forSomeNamespaces():
			o.named = append(o.named, domain{pools: []*moment{m}})
		default:
			if pods {
				o.pods = append(o.pods, m)
			}
			if tunnels {
				o.tunnels = append(o.tunnels, m)
			}
		}
	}
	return o
}

// headrooms computes what can be given out of every pool, and by every node to pods.
func (a *Account) headrooms(moments []*moment) (byPool map[*moment]addresses.Count, byNode []NodeReport) {
	byPool = map[*moment]addresses.Count{}
	families := []string{calicometric.IPv4, calicometric.IPv6}
	surveys := map[string]*survey{}
	for _, family := range families {
		o := a.offersOf(moments, family)
		a.loadBalancers(o.balancers, byPool)
		for _, m := range o.namedBalancers {
			a.loadBalancers([]*moment{m}, byPool)
		}
		for _, d := range o.named {
			byPool[d.pools[0]] = a.survey(d).assignable(d.pools[0])
		}
		if slices.ContainsFunc(o.tunnels, func(m *moment) bool { return !m.gives(calicometric.UseWorkload) }) {
			s := a.survey(domain{pools: o.tunnels})
			for _, m := range o.tunnels {
				byPool[m] = s.assignable(m)
			}
		}
		// After the tunnels: what serves both counts as pods are served.
		s := a.survey(domain{pools: o.pods})
		for _, m := range o.pods {
			byPool[m] = s.assignable(m)
		}
		if o.any {
			surveys[family] = s
		}
	}
	for _, n := range a.nodes.ordered {
		for _, family := range families {
			if s := surveys[family]; s != nil {
				byNode = append(byNode, NodeReport{
					Node: n.name, Family: family, Blocks: s.owned[n.index], BlocksLimit: a.config.blocksLimit(), Assignable: s.nodeAssignable(n),
				})
			}
		}
	}
	return byPool, byNode
}
