//go:build e2e

package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// states counts how often the cluster was in states that an account could get wrong: a run that meets few of them proves little.
type states map[string]int

// leastForAll are as many operations as meet every state.
const leastForAll = 2000

// is takes note of a state that the cluster is in, or is not.
func (s states) is(state string, holds bool) {
	n := s[state]
	if holds {
		n++
	}
	s[state] = n
}

// at takes note of the states that the cluster is in. One that many things of it can be in counts once for each.
func (s states) at(a account, o *objects) {
	a.shares(func(pool string, share ipam.NodeShare) {
		_, known := o.nodes[share.Node]
		nameless := share.Node == calicometric.UnknownNode
		s.is("a node borrows", share.Borrowed > 0)
		s.is("a node lends", share.Lent > 0)
		s.is("addresses of no node", nameless)
		s.is("a node that is gone has addresses", !known && !nameless && share.InUse > 0)
		s.is("a node has addresses of no pool", known && pool == "" && share.InUse > 0)
	})
	for _, b := range o.blocks {
		_, known := o.nodes[strings.TrimPrefix(b.affinity, "host:")]
		s.is("an IPv4 block of no pool", b.pool == "" && b.cidr.Addr().Is4())
		s.is("an IPv6 block of no pool", b.pool == "" && b.cidr.Addr().Is6())
		s.is("a block of no pool that is a node's", b.pool == "" && known)
		s.is("a block of nobody", b.affinity == "")
		s.is("a full block", b.free == 0)
		for addr, own := range b.addresses {
			s.is("an address without a handle", !own.handled)
			s.is("an address that is reserved and allocated", o.reserved[addr])
		}
	}
	for _, p := range a.report.Pools {
		for use, what := range []string{"pods", "tunnels", "services", "Windows", "others"} {
			s.is("a pool has addresses of "+what, p.Uses[use] > 0)
		}
		s.is("a pool has empty blocks", p.Empty > 0)
		s.is("a pool has blocks that are reserved whole", !p.ReservedBlocks.IsZero())
		s.is("a disabled pool is in use", p.State == calicometric.PoolDisabled && p.Allocated > 0)
		s.is("an enabled pool has nothing to give", p.State == calicometric.PoolEnabled && p.Assignable.IsZero())
	}
}

// refusals takes note of what Calico refused.
func (s states) refusals(operations []operation) {
	for _, o := range operations {
		s.is("a node is at its limit of blocks", strings.Contains(o.Result, "per host block limit"))
		s.is("a node gets fewer addresses than it asks for", strings.HasSuffix(o.Result, " addresses"))
	}
}

func (s states) missing() []string {
	var missing []string
	for _, state := range slices.Sorted(maps.Keys(s)) {
		if s[state] == 0 {
			missing = append(missing, state)
		}
	}
	return missing
}

func (s states) String() string {
	var text strings.Builder
	for _, state := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&text, "%s: %d times\n", state, s[state])
	}
	return text.String()
}
