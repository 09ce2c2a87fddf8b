package nodestatus

import (
	"fmt"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Times of the tests.
var (
	now     = time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)
	created = now.Add(-24 * time.Hour)
)

// ago is a moment before now.
func ago(d time.Duration) time.Time { return now.Add(-d) }

// series are facts as the metrics that are made of them: name, labels and value.
func series(facts Facts) []string {
	var all []string
	add := func(value any, format string, args ...any) {
		all = append(all, fmt.Sprintf(format, args...)+fmt.Sprintf(" %v", value))
	}
	for _, n := range facts.Nodes {
		if n.Age != nil {
			add(n.Age.Seconds(), "age{%s}", n.Name)
		}
		if n.Stale {
			add(1, "stale{%s}", n.Name)
		}
		for _, c := range n.Peers {
			add(c.Count, "peers{%s,%s,%s}", n.Name, c.Family, c.State)
		}
		for _, p := range n.Down {
			add(1, "down{%s,%s,%s,%s}", n.Name, p.Address, p.Type, p.State)
		}
		for _, family := range n.AgentsDown {
			add(1, "agent_down{%s,%s}", n.Name, family)
		}
	}
	return all
}

// healthy is a node of a cluster with both IP families whose sessions are all established.
func healthy(node string, sessions int) Status {
	return Status{
		Name: node, Node: node, ReportsAgent: true, ReportsBGP: true, Period: 10 * time.Second, Created: created, Updated: ago(5 * time.Second),
		V4: Family{BIRD: "Ready", Established: sessions},
		V6: Family{BIRD: "Ready", Established: sessions},
	}
}

// status is a healthy node named a with changes.
func status(changes ...func(*Status)) Status {
	s := healthy("a", 3)
	for _, change := range changes {
		change(&s)
	}
	return s
}

// onlyIPv4 leaves the sessions of one family, as in most clusters. BIRD runs for both all the same.
func onlyIPv4(s *Status) { s.V6 = Family{BIRD: "Ready"} }

func updated(t time.Time) func(*Status) { return func(s *Status) { s.Updated = t } }

// failing has sessions that are not established instead of as many that are.
func failing(family string, peers ...Peer) func(*Status) {
	return func(s *Status) {
		f := &s.V4
		if family == calicometric.IPv6 {
			f = &s.V6
		}
		f.Established -= len(peers)
		f.NotEstablished += len(peers)
		f.Down = append(f.Down, peers...)
	}
}

func peer(address, peerType, state string) Peer {
	return Peer{Address: address, Type: peerType, State: state}
}
