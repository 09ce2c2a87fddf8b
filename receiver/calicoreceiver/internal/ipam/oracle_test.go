package ipam

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// model is what an account was told, from which the oracle works out the report in the plainest way: it looks at every address of every pool.
// Nothing in it is taken from the account but the types that it reports in.
type model struct {
	pools      []Pool
	reserved   []netip.Prefix
	config     Config
	nodes      map[string]map[string]string
	blocks     map[string]BlockSpec
	affinities map[string]Affinity
	now        time.Time
}

// addressesOf are all addresses of a prefix.
func addressesOf(p netip.Prefix) []netip.Addr {
	var all []netip.Addr
	for addr := p.Masked().Addr(); p.Contains(addr); addr = addr.Next() {
		all = append(all, addr)
	}
	return all
}

func (m *model) isReserved(addr netip.Addr) bool {
	return slices.ContainsFunc(m.reserved, func(r netip.Prefix) bool { return r.Contains(addr) })
}

func covers(pool, block netip.Prefix) bool {
	return pool.Bits() <= block.Bits() && pool.Contains(block.Addr())
}

// poolOf is the position of the pool that a block or an affinity belongs to, −1 without one.
func (m *model) poolOf(block netip.Prefix) int {
	best := -1
	rank := map[string]int{calicometric.PoolEnabled: 0, calicometric.PoolDisabled: 1, calicometric.PoolTerminating: 2}
	for i, p := range m.pools {
		if !covers(p.CIDR, block) {
			continue
		}
		if best < 0 || cmp.Or(
			cmp.Compare(m.pools[best].CIDR.Bits(), p.CIDR.Bits()), cmp.Compare(rank[p.State], rank[m.pools[best].State]),
			strings.Compare(p.Name, m.pools[best].Name),
		) < 0 {
			best = i
		}
	}
	return best
}

// seen is one address of a block.
type seen struct {
	addr netip.Addr
	// attribute is that of an address which is allocated and was not released.
	attribute *Attribute
	// allocated says that it is not in the list of the free, and cooling that it was released and has not cooled.
	allocated, cooling bool
	// free says that it would be given out: it is free or has cooled, and is not reserved.
	free bool
}

func (m *model) addressesIn(b BlockSpec) []seen {
	var all []seen
	for ordinal, addr := range addressesOf(netip.MustParsePrefix(b.CIDR)) {
		s := seen{addr: addr, allocated: !slices.Contains(b.Unallocated, ordinal)}
		cooled := false
		if index := b.Allocations[ordinal]; index >= 0 {
			attribute := b.Attributes[index]
			if attribute.ReleasedAt.IsZero() {
				s.attribute = &attribute
			} else {
				s.cooling = !attribute.ReleasedAt.Before(m.now.Add(-m.config.Cooldown))
				cooled = !s.cooling
			}
		}
		s.free = (!s.allocated || cooled) && !m.isReserved(addr)
		all = append(all, s)
	}
	return all
}

// isWindows says whether an address is one that Windows keeps.
func isWindows(a *Attribute) bool {
	return a.Handle != nil && strings.EqualFold(*a.Handle, "windows-reserved-ipam-handle")
}

// useIn is what the words of spec say.
func useIn(a *Attribute) Use {
	switch {
	case isWindows(a):
		return UseWindowsReserved
	case a.Type == "LoadBalancer":
		return UseLoadBalancer
	case a.Type == "vxlanTunnelAddress":
		return UseTunnel
	case a.Pod != "":
		return UseWorkload
	}
	return UseOther
}

func (m *model) isEmpty(b BlockSpec) bool {
	return !slices.ContainsFunc(m.addressesIn(b), func(s seen) bool { return s.cooling || s.attribute != nil && !isWindows(s.attribute) })
}

// freeIn is how many addresses of a block can be given out.
func (m *model) freeIn(b BlockSpec) int {
	n := 0
	for _, s := range m.addressesIn(b) {
		if s.free {
			n++
		}
	}
	return n
}

func hostOf(b BlockSpec) (string, bool) { return strings.CutPrefix(b.Affinity, "host:") }

// blocksIn are the blocks that belong to a pool, or with −1 to none.
func (m *model) blocksIn(pool int) []BlockSpec {
	var list []BlockSpec
	for _, b := range m.blocks {
		if m.poolOf(netip.MustParsePrefix(b.CIDR)) == pool {
			list = append(list, b)
		}
	}
	return list
}

// addShares adds what kube-controllers counts of blocks.
func (m *model) addShares(shares map[string]NodeShare, blocks []BlockSpec) {
	add := func(node string, change func(*NodeShare)) {
		share := shares[node]
		share.Node = node
		change(&share)
		shares[node] = share
	}
	for _, b := range blocks {
		host, isHost := hostOf(b)
		if isHost {
			add(host, func(s *NodeShare) { s.Blocks++ })
		} else {
			add("no_affinity", func(s *NodeShare) { s.Blocks++ })
		}
		for _, s := range m.addressesIn(b) {
			if s.attribute == nil || s.attribute.Handle == nil {
				continue
			}
			node := s.attribute.Node
			if node == "" {
				add("unknown_node", func(s *NodeShare) { s.InUse++ })
				continue
			}
			borrowed := !isHost || host != node
			add(node, func(s *NodeShare) {
				s.InUse++
				if borrowed {
					s.Borrowed++
				}
			})
			if isHost && borrowed {
				add(host, func(s *NodeShare) { s.Lent++ })
			}
		}
	}
}

func sortedShares(shares map[string]NodeShare) []NodeShare {
	return slices.SortedFunc(maps.Values(shares), func(x, y NodeShare) int { return strings.Compare(x.Node, y.Node) })
}

// slotsOf are the blocks that a pool can be divided into and that no block lies in, without and with those that are reserved whole, and the
// addresses of them that are not reserved.
func (m *model) slotsOf(p Pool) (unclaimed, reserved, free int) {
	if p.BlockSize < p.CIDR.Bits() {
		return 0, 0, 0
	}
	slots := map[netip.Prefix]int{} // by how many of their addresses are not reserved
	for _, addr := range addressesOf(p.CIDR) {
		slot, err := addr.Prefix(p.BlockSize)
		if err != nil {
			panic(err)
		}
		if _, ok := slots[slot]; !ok {
			slots[slot] = 0
		}
		if !m.isReserved(addr) {
			slots[slot]++
		}
	}
	for _, b := range m.blocks {
		block := netip.MustParsePrefix(b.CIDR)
		if covers(p.CIDR, block) {
			maps.DeleteFunc(slots, func(slot netip.Prefix, _ int) bool { return slot.Overlaps(block) })
		}
	}
	for _, n := range slots {
		if n == 0 {
			reserved++
		} else {
			unclaimed++
			free += n
		}
	}
	return unclaimed, reserved, free
}

// namespaces are of the addresses that are in use.
func (m *model) namespaces() []NamespaceReport {
	counts := map[string]int{}
	for _, b := range m.blocks {
		for _, s := range m.addressesIn(b) {
			if s.attribute != nil && s.attribute.Namespace != "" {
				counts[s.attribute.Namespace]++
			}
		}
	}
	var list []NamespaceReport
	for _, namespace := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, NamespaceReport{Namespace: namespace, Allocated: counts[namespace]})
	}
	return list
}

func (m *model) report() Report {
	var r Report
	noPool := map[string]NodeShare{}
	m.addShares(noPool, m.blocksIn(-1))
	for _, b := range m.blocksIn(-1) {
		r.Orphaned += len(b.Allocations) - len(b.Unallocated)
	}
	for i, pool := range m.pools {
		p := PoolReport{Pool: pool}
		size, reserved := 0, 0
		for _, addr := range addressesOf(pool.CIDR) {
			size++
			if m.isReserved(addr) {
				reserved++
			}
		}
		unclaimed, reservedBlocks, _ := m.slotsOf(pool)
		p.Size, p.Reserved = addresses.Of(size), addresses.Of(reserved)
		p.Unclaimed, p.ReservedBlocks = addresses.Of(unclaimed), addresses.Of(reservedBlocks)
		for _, b := range m.blocksIn(i) {
			if m.isEmpty(b) {
				p.Empty++
			} else {
				p.Used++
			}
			for ordinal, s := range m.addressesIn(b) {
				if s.allocated {
					p.Allocated++
				}
				if s.cooling {
					p.Cooling++
				}
				switch {
				case s.attribute != nil:
					p.Uses[useIn(s.attribute)]++
				case s.allocated && b.Allocations[ordinal] == Free:
					p.Uses[UseOther]++
				}
			}
		}
		if pool.State == calicometric.PoolTerminating {
			m.addShares(noPool, m.blocksIn(i))
		} else {
			shares := map[string]NodeShare{}
			m.addShares(shares, m.blocksIn(i))
			p.Nodes = sortedShares(shares)
		}
		p.Assignable = addresses.Of(m.assignable(i))
		r.Pools = append(r.Pools, p)
	}
	slices.SortFunc(r.Pools, func(x, y PoolReport) int { return strings.Compare(x.Name, y.Name) })
	r.NoPool, r.Namespaces = sortedShares(noPool), m.namespaces()
	r.NodeNames = slices.Sorted(maps.Keys(m.nodes))
	for _, node := range r.NodeNames {
		for _, family := range []string{"IPv4", "IPv6"} {
			if slices.ContainsFunc(m.pools, func(p Pool) bool { return p.Family() == family }) {
				mine := m.mine(m.automaticFor(calicometric.UseWorkload, family), node)
				r.Nodes = append(r.Nodes, NodeReport{
					Node: node, Family: family, Blocks: m.owned(mine, node), BlocksLimit: m.limit(), Assignable: addresses.Of(m.nodeAssignable(node, family)),
				})
			}
		}
	}
	return r
}

func (m *model) blockReports() []BlockReport {
	list := []BlockReport{}
	for _, b := range m.blocks {
		block := BlockReport{
			CIDR: netip.MustParsePrefix(b.CIDR), Affinity: b.Affinity, Size: len(b.Allocations), Allocated: len(b.Allocations) - len(b.Unallocated),
		}
		if i := m.poolOf(block.CIDR); i >= 0 {
			block.Pool = m.pools[i].Name
		}
		list = append(list, block)
	}
	slices.SortFunc(list, func(x, y BlockReport) int { return x.CIDR.Compare(y.CIDR) })
	return list
}
