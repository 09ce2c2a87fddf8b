package conformance

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	"github.com/stretchr/testify/require"
)

func seeded(seed uint64) *Driver { return &Driver{random: rand.New(rand.NewPCG(seed, 0))} }

func TestTheSameSeedMakesTheSameChoices(t *testing.T) {
	choices := func(seed uint64) []string {
		d := seeded(seed)
		var names []string
		for held := range 40 {
			names = append(names, d.choose(held*20).name, d.id(8))
		}
		return names
	}
	seven := choices(7)
	require.Equal(t, seven, choices(7))
	require.NotEqual(t, seven, choices(8))
}

func TestAddressesGoToAndFro(t *testing.T) {
	for _, test := range []struct {
		name string
		// held are the addresses in use at one choice after the other.
		held    []int
		falling bool
	}{
		{"a cluster with few addresses gets more", []int{0, lowest + 1}, false},
		{"one with many loses some", []int{0, highest}, true},
		{"and goes on losing until few are left", []int{highest, lowest + 1}, true},
		{"then it gets more again", []int{highest, lowest}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := seeded(1)
			for _, held := range test.held {
				d.choose(held)
			}
			require.Equal(t, test.falling, d.falling)
			taken := 0
			for range 1000 {
				taken += d.choose(test.held[len(test.held)-1]).tide
			}
			require.Equal(t, test.falling, taken < 0, "%d more took addresses than gave some back", taken)
		})
	}
}

func TestEveryActionIsChosen(t *testing.T) {
	d := seeded(1)
	chosen := map[string]bool{}
	for range 5000 {
		chosen[d.choose(lowest).name] = true
	}
	require.Len(t, chosen, len(actions))
}

func TestRefusedTellsAnswersFromFailures(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"the limit of blocks is an answer", ipam.ErrBlockLimit, true},
		{"that no pool can be used is an answer", ipam.ErrNoQualifiedPool, true},
		{"that the API server does not answer is a failure", errors.New("dial tcp 127.0.0.1:6443: connect: connection refused"), false},
		{"that a right is missing is a failure", errors.New(`ipamblocks.crd.projectcalico.org is forbidden: User "x" cannot list resource`), false},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, refused(test.err)) })
	}
}
