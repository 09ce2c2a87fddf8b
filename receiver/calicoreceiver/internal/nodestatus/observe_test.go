package nodestatus

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// runs is a cluster in which calico-node runs on every node.
func runs(string) bool { return true }

func TestObserve(t *testing.T) {
	for _, tc := range []struct {
		name     string
		statuses []Status
		want     []string
	}{
		{name: "no objects"},
		{
			"a node of which all is well has its age and what is established", []Status{status()},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"},
		},
		{
			"a family without sessions has no series", []Status{status(onlyIPv4)},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3"},
		},
		{
			"sessions in other states are counted and named",
			[]Status{status(
				failing(calicometric.IPv4, peer("192.0.2.9", "NodeMesh", "Active"), peer("192.0.2.1", "GlobalPeer", "Idle")),
				failing(calicometric.IPv6, peer("2001:db8::1", "NodePeer", "OpenSent")),
			)},
			[]string{
				"age{a} 5",
				"peers{a,IPv4,Established} 1", "peers{a,IPv4,Idle} 1", "peers{a,IPv4,Active} 1",
				"peers{a,IPv6,Established} 2", "peers{a,IPv6,OpenSent} 1",
				"down{a,192.0.2.1,GlobalPeer,Idle} 1", "down{a,192.0.2.9,NodeMesh,Active} 1", "down{a,2001:db8::1,NodePeer,OpenSent} 1",
			},
		},
		{
			"that none is established is said", []Status{status(onlyIPv4, func(s *Status) { s.V4.Established = 1 },
				failing(calicometric.IPv4, peer("192.0.2.1", "NodeMesh", "Connect")))},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 0", "peers{a,IPv4,Connect} 1", "down{a,192.0.2.1,NodeMesh,Connect} 1"},
		},
		{
			"sessions that are not listed are in an unknown state",
			[]Status{status(onlyIPv4, failing(calicometric.IPv4, peer("192.0.2.1", "NodeMesh", "Idle")), func(s *Status) { s.V4.NotEstablished = 3 })},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 2", "peers{a,IPv4,Idle} 1", "peers{a,IPv4,Unknown} 2", "down{a,192.0.2.1,NodeMesh,Idle} 1"},
		},
		{
			"a session that went down between the two readings of BIRD is named although it is not counted",
			[]Status{status(onlyIPv4, func(s *Status) { s.V4.Down = []Peer{peer("192.0.2.1", "NodeMesh", "Idle")} })},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "peers{a,IPv4,Idle} 1", "down{a,192.0.2.1,NodeMesh,Idle} 1"},
		},
		{
			"what Calico cannot say is Unknown",
			[]Status{status(onlyIPv4, failing(calicometric.IPv4, peer("192.0.2.1", "NodeMesh", ""), peer("gateway", "Uplink", "Confused")))},
			[]string{
				"age{a} 5", "peers{a,IPv4,Established} 1", "peers{a,IPv4,Unknown} 2",
				"down{a,192.0.2.1,NodeMesh,Unknown} 1", "down{a,Unknown,Unknown,Unknown} 1",
			},
		},
		{
			"an address may name an interface", []Status{status(onlyIPv4, failing(calicometric.IPv4, peer("fe80::1%eth0", "NodePeer", "Idle")))},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 2", "peers{a,IPv4,Idle} 1", "down{a,fe80::1%eth0,NodePeer,Idle} 1"},
		},
		{
			"two sessions with one address and state have one series",
			[]Status{status(onlyIPv4, failing(calicometric.IPv4, peer("192.0.2.1", "NodePeer", "Idle"), peer("192.0.2.1", "NodePeer", "Idle")))},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 1", "peers{a,IPv4,Idle} 2", "down{a,192.0.2.1,NodePeer,Idle} 1"},
		},
		{
			"BIRD that is not ready", []Status{status(onlyIPv4, func(s *Status) { s.V4.BIRD, s.V6.BIRD = "NotReady", "NotReady" })},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "agent_down{a,IPv4} 1", "agent_down{a,IPv6} 1"},
		},
		{
			"BIRD of which nothing is said", []Status{status(onlyIPv4, func(s *Status) { s.V4.BIRD, s.V6.BIRD = "", "Restarting" })},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3"},
		},
		{
			"what is left of a class that is not asked for any more says nothing",
			[]Status{status(func(s *Status) { s.V4.BIRD, s.ReportsAgent, s.ReportsBGP = "NotReady", false, false })},
			[]string{"age{a} 5"},
		},
		{
			"a clock of a node that is ahead makes no negative age", []Status{status(onlyIPv4, updated(now.Add(time.Minute)))},
			[]string{"age{a} 0", "peers{a,IPv4,Established} 3"},
		},
		{"an object whose updates are switched off says nothing", []Status{status(func(s *Status) { s.Period = 0 })}, nil},
		{
			"nodes are ordered by name", []Status{healthy("c", 0), healthy("a", 0), healthy("b", 0)},
			[]string{"age{a} 5", "age{b} 5", "age{c} 5"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, series(Observe(tc.statuses, now, runs)))
		})
	}
}

func TestAnObjectForEachClass(t *testing.T) {
	agent := func(changes ...func(*Status)) Status {
		return status(append([]func(*Status){func(s *Status) {
			s.Name, s.ReportsBGP = "a-agent", false
			s.V4, s.V6 = Family{BIRD: "Ready"}, Family{BIRD: "NotReady"}
		}}, changes...)...)
	}
	bgp := func(changes ...func(*Status)) Status {
		return status(append([]func(*Status){func(s *Status) {
			s.Name, s.ReportsAgent = "a-bgp", false
			s.V4, s.V6 = Family{Established: 3}, Family{Established: 3}
		}}, changes...)...)
	}
	for _, tc := range []struct {
		name     string
		statuses []Status
		want     []string
	}{
		{
			"each says what it is asked", []Status{agent(), bgp()},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3", "agent_down{a,IPv6} 1"},
		},
		{
			"the age is that of the last word about the node", []Status{agent(updated(ago(time.Hour))), bgp()},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3", "agent_down{a,IPv6} 1"},
		},
		{
			"the last word about a class counts", []Status{
				bgp(updated(ago(20 * time.Second))), status(updated(ago(10*time.Second)), func(s *Status) { s.Name, s.V4.Established = "a-all", 2 }),
				agent(updated(ago(time.Minute))),
			},
			[]string{"age{a} 10", "peers{a,IPv4,Established} 2", "peers{a,IPv6,Established} 3"},
		},
		{
			"of two that are equally fresh the first by name counts",
			[]Status{bgp(func(s *Status) { s.Name, s.V4.Established = "z", 9 }), bgp(func(s *Status) { s.Name = "y" })},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"},
		},
		{
			"one that was never written does not hide one that was", []Status{bgp(updated(time.Time{})), bgp(func(s *Status) { s.Name = "z" })},
			[]string{"age{a} 5", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"},
		},
		{
			"one that is switched off does not count, however fresh",
			[]Status{bgp(func(s *Status) { s.Period, s.V4.Established = 0, 9 }), bgp(func(s *Status) { s.Name = "z" }, updated(ago(20*time.Second)))},
			[]string{"age{a} 20", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"},
		},
		{
			"a class that is stale does not take the other with it",
			[]Status{agent(), bgp(onlyIPv4, updated(ago(time.Minute)))},
			[]string{"age{a} 5", "stale{a} 1", "agent_down{a,IPv6} 1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, series(Observe(tc.statuses, now, runs)))
		})
	}
}

func TestFullMeshOf300NodesHasThreeSeriesANode(t *testing.T) {
	var statuses []Status
	for i := range 300 {
		statuses = append(statuses, healthy(fmt.Sprintf("node-%03d", i), 299))
	}
	facts := Observe(statuses, now, runs)
	require.Len(t, facts.Nodes, 300)
	require.Len(t, series(facts), 3*300)
	for _, n := range facts.Nodes {
		require.LessOrEqual(t, len(series(Facts{Nodes: []Node{n}})), 4)
	}
}

func TestSessionsThatFlapTakeTheirSeriesAlong(t *testing.T) {
	at := func(d time.Duration, changes ...func(*Status)) []string {
		return series(Observe([]Status{status(append(changes, updated(now.Add(d)))...)}, now.Add(d), runs))
	}
	rest := []string{"age{a} 0", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"}
	v4 := func(state string) func(*Status) {
		return failing(calicometric.IPv4, peer("192.0.2.1", "NodeMesh", state))
	}
	v6 := func(state string) func(*Status) {
		return failing(calicometric.IPv6, peer("2001:db8::1", "NodeMesh", state))
	}

	require.Equal(t, rest, at(0))
	require.Equal(t, []string{
		"age{a} 0", "peers{a,IPv4,Established} 2", "peers{a,IPv4,Idle} 1", "peers{a,IPv6,Established} 3", "down{a,192.0.2.1,NodeMesh,Idle} 1",
	}, at(10*time.Second, v4("Idle")))
	require.Equal(t, []string{
		"age{a} 0", "peers{a,IPv4,Established} 2", "peers{a,IPv4,Connect} 1", "peers{a,IPv6,Established} 2", "peers{a,IPv6,Idle} 1",
		"down{a,192.0.2.1,NodeMesh,Connect} 1", "down{a,2001:db8::1,NodeMesh,Idle} 1",
	}, at(20*time.Second, v4("Connect"), v6("Idle")))
	require.Equal(t, []string{
		"age{a} 0", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 2", "peers{a,IPv6,OpenConfirm} 1",
		"down{a,2001:db8::1,NodeMesh,OpenConfirm} 1",
	}, at(30*time.Second, v6("OpenConfirm")))
	require.Equal(t, rest, at(40*time.Second))
}

func TestNamedSessionsOfANodeAreBounded(t *testing.T) {
	var peers []Peer
	for i := range maxDown + 7 {
		peers = append(peers, peer(fmt.Sprintf("192.0.%d.%d", i/256, i%256), "NodeMesh", "Idle"))
	}
	node := Observe([]Status{status(failing(calicometric.IPv4, peers[:150]...), failing(calicometric.IPv6, peers[150:]...))}, now, runs).Nodes[0]
	require.Len(t, node.Down, maxDown)
	require.Contains(t, node.Peers, PeerCount{Family: "IPv4", State: "Idle", Count: 150}, "all are counted")
	require.Contains(t, node.Peers, PeerCount{Family: "IPv6", State: "Idle", Count: 57}, "all are counted")
}

func TestLabelsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	node := Observe([]Status{status(failing(calicometric.IPv4, peer("fe80::1%"+long, long, long)))}, now, runs).Nodes[0]
	require.Equal(t, []Peer{{Address: Unknown, Type: Unknown, State: Unknown}}, node.Down)
}

func TestNumbersNoClusterHas(t *testing.T) {
	s := status(onlyIPv4, func(s *Status) {
		s.V4 = Family{Established: math.MinInt, NotEstablished: math.MaxInt, Down: []Peer{peer("192.0.2.1", "NodeMesh", StateEstablished)}}
	})
	require.Equal(t, []PeerCount{{"IPv4", StateEstablished, 0}, {"IPv4", Unknown, math.MaxInt}}, Observe([]Status{s}, now, runs).Nodes[0].Peers)
}
