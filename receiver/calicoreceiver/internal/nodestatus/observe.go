package nodestatus

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

const (
	// maxDown bounds the sessions of one node that are named. Counted are all.
	maxDown = 200
	// maxAddress is longer than every IPv6 address with the name of an interface.
	maxAddress = 64
)

// Facts are what is known of the BGP of a cluster.
type Facts struct {
	// Nodes are ordered by name. A node of which nothing is known yet is not among them.
	Nodes []Node
}

// Node is what is known of the BGP of one node. No two of its entries have the same labels.
type Node struct {
	Name string
	// Age is the time since calico-node last wrote about the node, never negative; nil where it never did. That something is old need not mean
	// that it is wrong: see Stale.
	Age *time.Duration
	// Stale is true where calico-node should have written and did not, for more than three periods. What it should have written is left out.
	Stale bool
	// Peers are numbers of sessions: of each family that has any those that are established, also 0, and those in other states where there are
	// any.
	Peers []PeerCount
	// Down are the sessions that are not established, ordered, with the labels of Calico; at most 200.
	Down []Peer
	// AgentsDown are the IP families whose BIRD is not ready.
	AgentsDown []string
}

// PeerCount is the number of sessions of one IP family, calicometric.IPv4 or IPv6, that are in one state.
type PeerCount struct {
	Family, State string
	Count         int
}

// Observe says what follows from the objects of a cluster at a moment. Of several objects about one node the one that was written last counts,
// for each class. An object whose updates are switched off (Period 0) does not count. runs says whether calico-node runs on a node, true where that is
// not known.
func Observe(statuses []Status, now time.Time, runs func(node string) bool) Facts {
	byNode := map[string][]Status{}
	for _, s := range statuses {
		if s.Period > 0 {
			byNode[s.Node] = append(byNode[s.Node], s)
		}
	}
	var facts Facts
	for _, name := range slices.Sorted(maps.Keys(byNode)) {
		if node := observe(byNode[name], now, runs(name)); node.Age != nil || node.Stale {
			facts.Nodes = append(facts.Nodes, node)
		}
	}
	return facts
}

// observe is Observe for the objects about one node, at least one, which it reorders.
func observe(statuses []Status, now time.Time, runs bool) Node {
	slices.SortFunc(statuses, func(a, b Status) int {
		return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(a.Name, b.Name))
	})
	newest := statuses[0]
	node := Node{Name: newest.Node}
	if !newest.Updated.IsZero() {
		age := max(now.Sub(newest.Updated), 0)
		node.Age = &age
	}
	agent := slices.IndexFunc(statuses, func(s Status) bool { return s.ReportsAgent })
	bgp := slices.IndexFunc(statuses, func(s Status) bool { return s.ReportsBGP })
	if agent < 0 && bgp < 0 {
		node.Stale = newest.stale(now, runs)
	}
	if agent >= 0 {
		s := statuses[agent]
		if s.stale(now, runs) {
			node.Stale = true
		} else if !s.Updated.IsZero() {
			node.AgentsDown = agentsDown(s)
		}
	}
	if bgp >= 0 {
		s := statuses[bgp]
		if s.stale(now, runs) {
			node.Stale = true
		} else if !s.Updated.IsZero() {
			node.Peers = append(count(calicometric.IPv4, s.V4), count(calicometric.IPv6, s.V6)...)
			node.Down = down(s)
		}
	}
	return node
}

func agentsDown(s Status) []string {
	var families []string
	if s.V4.BIRD == birdNotReady {
		families = append(families, calicometric.IPv4)
	}
	if s.V6.BIRD == birdNotReady {
		families = append(families, calicometric.IPv6)
	}
	return families
}

// count is the number of a family's sessions by state. Sessions that are not established and not listed are in a state that is not known.
func count(family string, f Family) []PeerCount {
	if !f.hasSessions() {
		return nil
	}
	byState := map[string]int{StateEstablished: max(f.Established, 0)}
	listed := 0
	for _, peer := range f.Down {
		if state := oneOf(states, peer.State); state != StateEstablished {
			byState[state]++
			listed++
		}
	}
	if rest := f.NotEstablished - listed; rest > 0 {
		byState[Unknown] += rest
	}
	var counts []PeerCount
	for _, state := range states {
		if n, ok := byState[state]; ok {
			counts = append(counts, PeerCount{Family: family, State: state, Count: n})
		}
	}
	return counts
}

// down are the sessions of both families that are not established, each once, at most maxDown.
func down(s Status) []Peer {
	var peers []Peer
	for _, peer := range slices.Concat(s.V4.Down, s.V6.Down) {
		if peer.State != StateEstablished {
			peers = append(peers, Peer{Address: address(peer.Address), Type: oneOf(types, peer.Type), State: oneOf(states, peer.State)})
		}
	}
	slices.SortFunc(peers, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Type, b.Type), cmp.Compare(a.State, b.State))
	})
	peers = slices.Compact(peers)
	return slices.Clip(peers[:min(len(peers), maxDown)])
}

// oneOf is the value if Calico knows it, else Unknown, so that no object makes up label values.
func oneOf(known []string, value string) string {
	if slices.Contains(known, value) {
		return value
	}
	return Unknown
}

func address(s string) string {
	if _, err := netip.ParseAddr(s); err != nil || len(s) > maxAddress {
		return Unknown
	}
	return s
}
