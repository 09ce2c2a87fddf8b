package nodestatus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStale(t *testing.T) {
	never := updated(time.Time{})
	old := updated(ago(time.Minute))
	onlyIPv6 := func(s *Status) { s.V4 = Family{BIRD: "Ready"} }
	noSessions := func(s *Status) { s.V4, s.V6 = Family{BIRD: "Ready"}, Family{BIRD: "Ready"} }
	withoutAgent := func(s *Status) { s.ReportsAgent, s.V4.BIRD, s.V6.BIRD = false, "", "" }
	for _, tc := range []struct {
		name   string
		status Status
		want   []string
	}{
		{
			"three periods old is not stale", status(onlyIPv4, updated(ago(30*time.Second))),
			[]string{"age{a} 30", "peers{a,IPv4,Established} 3"},
		},
		{
			"older than three periods is stale, and its sessions are not known any more", status(onlyIPv4, updated(ago(31*time.Second))),
			[]string{"age{a} 31", "stale{a} 1"},
		},
		{
			"nor are those that were down, nor BIRD",
			status(onlyIPv4, old, failing("IPv4", peer("192.0.2.1", "NodeMesh", "Idle")), func(s *Status) { s.V4.BIRD = "NotReady" }),
			[]string{"age{a} 60", "stale{a} 1"},
		},
		{"a long period", status(onlyIPv4, old, func(s *Status) { s.Period = time.Minute }), []string{"age{a} 60", "peers{a,IPv4,Established} 3"}},
		{
			"the longest period", status(onlyIPv4, updated(ago(73*time.Hour)), func(s *Status) { s.Period = 24 * time.Hour }),
			[]string{"age{a} 262800", "stale{a} 1"},
		},
		{"never written, three periods after it was made", status(never, func(s *Status) { s.Created = ago(30 * time.Second) }), nil},
		{"never written, more than three periods after it was made", status(never), []string{"stale{a} 1"}},
		{"never written for a class of which nothing is read", status(never, func(s *Status) { s.ReportsAgent, s.ReportsBGP = false, false }), []string{"stale{a} 1"}},
		{"never written and made nobody knows when", status(never, func(s *Status) { s.Created = time.Time{} }), nil},
		{
			"old where the sessions of both families are up: nothing changed since", status(updated(ago(48 * time.Hour))),
			[]string{"age{a} 172800", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"},
		},
		{
			"old where a session stays down: nothing changed since", status(old, failing("IPv6", peer("2001:db8::1", "NodePeer", "Active"))),
			[]string{
				"age{a} 60", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 2", "peers{a,IPv6,Active} 1",
				"down{a,2001:db8::1,NodePeer,Active} 1",
			},
		},
		{"old where IPv6 has no sessions, also where BIRD is not asked for", status(onlyIPv4, withoutAgent, old), []string{"age{a} 60", "stale{a} 1"}},
		{"old where IPv4 has no sessions and its BIRD is ready", status(onlyIPv6, old), []string{"age{a} 60", "stale{a} 1"}},
		{
			"old where IPv4 has no sessions and its BIRD may not run", status(onlyIPv6, withoutAgent, old),
			[]string{"age{a} 60", "peers{a,IPv6,Established} 3"},
		},
		{"old without any session while BIRD is ready", status(noSessions, old), []string{"age{a} 60", "stale{a} 1"}},
		{"old without any session where BIRD may not run", status(noSessions, withoutAgent, old), []string{"age{a} 60"}},
		{
			"old where only BIRD is asked for: nothing changed since",
			status(old, func(s *Status) { s.ReportsBGP, s.V6.BIRD = false, "NotReady" }), []string{"age{a} 60", "agent_down{a,IPv6} 1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, series(Observe([]Status{tc.status}, now, runs)))
		})
	}
}

func TestOldStatusWithoutACalicoNodeThatRunsIsStale(t *testing.T) {
	elsewhere := func(node string) bool { return node != "a" }
	dual := status(updated(ago(31 * time.Second)))
	require.Equal(t, []string{"age{a} 31", "stale{a} 1"}, series(Observe([]Status{dual}, now, elsewhere)))
	require.Equal(t, []string{"age{a} 31", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"}, series(Observe([]Status{dual}, now, runs)))
	fresh := status(updated(ago(30 * time.Second)))
	require.Equal(t, []string{"age{a} 30", "peers{a,IPv4,Established} 3", "peers{a,IPv6,Established} 3"}, series(Observe([]Status{fresh}, now, elsewhere)))
}

func TestNodeThatStopsWritingGoesStaleAndComesBack(t *testing.T) {
	last := status(onlyIPv4, updated(now))
	at := func(d time.Duration, s Status) []string { return series(Observe([]Status{s}, now.Add(d), runs)) }
	require.Equal(t, []string{"age{a} 0", "peers{a,IPv4,Established} 3"}, at(0, last))
	require.Equal(t, []string{"age{a} 30", "peers{a,IPv4,Established} 3"}, at(30*time.Second, last))
	require.Equal(t, []string{"age{a} 40", "stale{a} 1"}, at(40*time.Second, last))
	require.Equal(t, []string{"age{a} 0", "peers{a,IPv4,Established} 3"}, at(50*time.Second, status(onlyIPv4, updated(now.Add(50*time.Second)))))
}
