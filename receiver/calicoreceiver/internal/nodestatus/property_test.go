package nodestatus

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// arbitrary makes objects about few nodes, so that many are about the same.
func arbitrary(r *rand.Rand) []Status {
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	family := func() Family {
		f := Family{BIRD: pick("Ready", "NotReady", "", "odd"), Established: r.IntN(4), NotEstablished: r.IntN(4)}
		for range r.IntN(5) {
			f.Down = append(f.Down, Peer{
				Address: pick("192.0.2.1", "192.0.2.2", "2001:db8::1", "gateway", ""),
				Type:    pick("NodeMesh", "NodePeer", "GlobalPeer", "odd", ""),
				State:   pick("Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established", "Close", "Unknown", "odd", ""),
			})
		}
		return f
	}
	var statuses []Status
	for i := range r.IntN(12) {
		s := Status{
			Name: fmt.Sprintf("status-%d", i), Node: pick("a", "b", "c"), ReportsAgent: r.IntN(2) == 0, ReportsBGP: r.IntN(2) == 0,
			Period: time.Duration(r.IntN(4)) * 10 * time.Second, Created: ago(time.Duration(r.IntN(200)) * time.Second), V4: family(), V6: family(),
		}
		if r.IntN(4) > 0 {
			s.Updated = ago(time.Duration(r.IntN(120)-10) * time.Second)
		}
		statuses = append(statuses, s)
	}
	return statuses
}

// check is what holds of all facts.
func check(t *testing.T, statuses []Status) {
	facts := Observe(statuses, now, runs)
	seen := map[string]bool{}
	for _, s := range series(facts) {
		labels, _, _ := strings.Cut(s, " ")
		require.False(t, seen[labels], "two series %s of %+v", labels, statuses)
		seen[labels] = true
	}
	require.True(t, slices.IsSortedFunc(facts.Nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) }))
	for _, n := range facts.Nodes {
		require.True(t, n.Age != nil || n.Stale)
		if n.Age != nil {
			require.GreaterOrEqual(t, *n.Age, time.Duration(0))
		}
		established := map[string]bool{}
		for _, c := range n.Peers {
			require.Contains(t, states, c.State)
			require.GreaterOrEqual(t, c.Count, 0)
			established[c.Family] = established[c.Family] || c.State == StateEstablished
			require.True(t, established[c.Family], "what is established comes first")
		}
		for _, p := range n.Down {
			require.NotEqual(t, StateEstablished, p.State)
			require.Contains(t, states, p.State)
			require.Contains(t, append(types, Unknown), p.Type)
		}
		require.LessOrEqual(t, len(n.Down), maxDown)
	}
}

func TestNoTwoSeriesHaveTheSameLabels(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		check(t, arbitrary(r))
	}
}

func TestTheOrderOfTheObjectsDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		statuses := arbitrary(r)
		want := Observe(slices.Clone(statuses), now, runs)
		r.Shuffle(len(statuses), func(i, j int) { statuses[i], statuses[j] = statuses[j], statuses[i] })
		require.Equal(t, want, Observe(statuses, now, runs))
	}
}

func TestObserveLeavesTheObjectsAsTheyAre(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		statuses := arbitrary(r)
		before := fmt.Sprintf("%+v", statuses)
		Observe(statuses, now, runs)
		require.Equal(t, before, fmt.Sprintf("%+v", statuses))
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(uint64(1), "192.0.2.1", "NodeMesh", "Idle", 1, 2, int64(10), int64(5))
	f.Add(uint64(2), "fe80::1%eth0", "", "Established", -1, 1<<62, int64(1)<<62, int64(-1)<<62)
	f.Fuzz(func(t *testing.T, seed uint64, address, peerType, state string, established, notEstablished int, period, age int64) {
		statuses := arbitrary(rand.New(rand.NewPCG(seed, 7)))
		statuses = append(statuses, Status{
			Name: "fuzz", Node: "a", ReportsAgent: true, ReportsBGP: true, Period: time.Duration(period), Created: created, Updated: ago(time.Duration(age)),
			V4: Family{Established: established, NotEstablished: notEstablished, Down: []Peer{{address, peerType, state}, {address, peerType, state}}},
		})
		check(t, statuses)
	})
}
