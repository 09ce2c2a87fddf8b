package ipam

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

func (m *model) limit() int {
	if m.config.MaxBlocksPerHost > 0 {
		return m.config.MaxBlocksPerHost
	}
	return 20
}

// selects knows the few selectors that the property test draws.
func (m *model) selects(pool int, node string) bool {
	switch label := m.nodes[node]["rack"]; m.pools[pool].NodeSelector {
	case "", "all()":
		return true
	case "rack == '1'":
		return label == "1"
	case "rack != '1'":
		return label != "1"
	case "has(rack)":
		return label != ""
	}
	return false // one that cannot be read
}

func (m *model) gives(pool int, use string) bool {
	p := m.pools[pool]
	return p.State == calicometric.PoolEnabled && slices.Contains(p.AllowedUses, use)
}

func (m *model) isAutomatic(pool int) bool {
	return m.pools[pool].AssignmentMode == calicometric.AssignmentAutomatic
}

// automaticFor are the pools that a request for a use is served from where it names none.
func (m *model) automaticFor(use, family string) []int {
	var list []int
	for i, p := range m.pools {
		if m.gives(i, use) && m.isAutomatic(i) && p.Family() == family {
			list = append(list, i)
		}
	}
	return list
}

// mine are those of some pools that a node may use.
func (m *model) mine(pools []int, node string) []int {
	return slices.DeleteFunc(slices.Clone(pools), func(pool int) bool { return !m.selects(pool, node) })
}

// mineOfAll are the nodes that may use a pool.
func (m *model) mineOfAll(pool int) []string {
	var nodes []string
	for node := range m.nodes {
		if m.selects(pool, node) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// room is how many blocks a node may claim beside those that it has in some pools.
func (m *model) room(pools []int, node string) int {
	if !m.config.AutoAllocateBlocks {
		return 0
	}
	return max(0, m.limit()-m.owned(pools, node))
}

// owned are the blocks that a node has in some pools.
func (m *model) owned(pools []int, node string) int {
	owned := 0
	for _, affinity := range m.affinities {
		if affinity.Node == node && slices.Contains(pools, m.poolOf(affinity.CIDR)) {
			owned++
		}
	}
	if len(m.affinities) == 0 {
		for _, b := range m.blocks {
			if host, ok := hostOf(b); ok && host == node && slices.Contains(pools, m.poolOf(netip.MustParsePrefix(b.CIDR))) {
				owned++
			}
		}
	}
	return owned
}

// freeOf are the addresses that can be given out of the blocks of a pool whose host is meant.
func (m *model) freeOf(pool int, meant func(host string) bool) int {
	n := 0
	for _, b := range m.blocksIn(pool) {
		if host, ok := hostOf(b); ok && meant(host) {
			n += m.freeIn(b)
		}
	}
	return n
}

func (m *model) freeOfAll(pool int) int {
	n := 0
	for _, b := range m.blocksIn(pool) {
		n += m.freeIn(b)
	}
	return n
}

// claim is at most how many addresses there are in so many blocks of a pool that nobody has, and how many blocks are then left to claim.
func (m *model) claim(pool, blocks int) (n, left int) {
	unclaimed, _, free := m.slotsOf(m.pools[pool])
	size := 1 << (m.pools[pool].CIDR.Addr().BitLen() - m.pools[pool].BlockSize)
	return min(min(blocks, unclaimed)*size, free), max(0, blocks-unclaimed)
}

// takeOver is at most how many addresses there are in so many empty blocks of others, and how many blocks are then left to take over.
func (m *model) takeOver(pool, blocks int, others func(host string) bool) (n, left int) {
	var sizes []int
	timed := false // only Calico 3.32+ takes blocks over
	for _, b := range m.blocks {
		timed = timed || !b.ClaimTime.IsZero()
	}
	for _, b := range m.blocksIn(pool) {
		host, ok := hostOf(b)
		old := timed && m.now.Sub(b.ClaimTime) >= time.Minute
		if free := m.freeIn(b); ok && others(host) && m.isEmpty(b) && old && free > 0 {
			sizes = append(sizes, free)
		}
	}
	slices.SortFunc(sizes, func(x, y int) int { return cmp.Compare(y, x) })
	sizes = sizes[:min(blocks, len(sizes))]
	for _, size := range sizes {
		n += size
	}
	return n, blocks - len(sizes)
}

func (m *model) assignable(pool int) int {
	family := m.pools[pool].Family()
	switch {
	case m.gives(pool, calicometric.UseLoadBalancer):
		return m.balancerAssignable(pool, m.automaticFor(calicometric.UseLoadBalancer, family))
	case !m.gives(pool, calicometric.UseWorkload) && !m.gives(pool, calicometric.UseTunnel):
		return 0
	case !m.isAutomatic(pool) || len(m.mineOfAll(pool)) == 0:
		// Asked for by its name, whatever it selects.
		return m.assignableIn(pool, func(string) []int { return []int{pool} })
	case m.gives(pool, calicometric.UseWorkload):
		return m.assignableIn(pool, func(node string) []int { return m.mine(m.automaticFor(calicometric.UseWorkload, family), node) })
	case m.gives(pool, calicometric.UseTunnel):
		return m.assignableIn(pool, func(node string) []int { return m.mine(m.automaticFor(calicometric.UseTunnel, family), node) })
	}
	return 0
}

// assignableIn is what the nodes can give of a pool, each of which is served of the pools that are its own.
func (m *model) assignableIn(pool int, pools func(node string) []int) int {
	room := 0
	uses := map[string]bool{}
	for node := range m.nodes {
		if mine := pools(node); slices.Contains(mine, pool) {
			uses[node] = true
			room += m.room(mine, node)
		}
	}
	own := m.freeOf(pool, func(host string) bool { return uses[host] })
	claimed, left := m.claim(pool, room)
	taken, left := m.takeOver(pool, left, func(host string) bool { return !uses[host] })
	if left > 0 && !m.config.StrictAffinity {
		return m.freeOfAll(pool) + claimed
	}
	return own + claimed + taken
}

// balancerAssignable is what load balancers, who are like one node, can give of a pool.
func (m *model) balancerAssignable(pool int, pools []int) int {
	if !m.isAutomatic(pool) {
		pools = []int{pool}
	}
	room := m.limit()
	for _, i := range pools {
		room -= len(m.blocksIn(i))
	}
	if !m.config.AutoAllocateBlocks {
		room = 0
	}
	claimed, _ := m.claim(pool, max(0, room))
	return m.freeOfAll(pool) + claimed
}

func (m *model) nodeAssignable(node, family string) int {
	pools := m.mine(m.automaticFor(calicometric.UseWorkload, family), node)
	slices.SortFunc(pools, func(x, y int) int {
		return strings.Compare(m.pools[x].Name, m.pools[y].Name)
	})
	total := 0
	for _, pool := range pools {
		total += m.freeOf(pool, func(host string) bool { return host == node })
	}
	room := m.room(pools, node)
	for _, pool := range pools {
		var n int
		n, room = m.claim(pool, room)
		total += n
	}
	taken, others := 0, 0
	for _, pool := range pools {
		var n int
		n, room = m.takeOver(pool, room, func(host string) bool { return host != node })
		taken += n
		others += m.freeOfAll(pool) - m.freeOf(pool, func(host string) bool { return host == node })
	}
	if room > 0 && !m.config.StrictAffinity {
		return total + others
	}
	return total + taken
}
