package derive

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

func TestEnded(t *testing.T) {
	label := func(pool string) Labels { return Labels{Pool: pool, CIDR: "10.0.0.0/24", Family: calicometric.IPv4} }
	rated := func(pool string) Pool { return Pool{Labels: label(pool), Rated: true} }
	unrated := func(pool string) Pool { return Pool{Labels: label(pool)} }
	relabelled := rated("a")
	relabelled.Labels.CIDR = "10.9.0.0/24"
	ipv4, ipv6 := Family{Name: calicometric.IPv4}, Family{Name: calicometric.IPv6}

	for name, tc := range map[string]struct {
		previous, current      Result
		available, utilization []string
		families               []string
	}{
		"nothing before":            {current: Result{Pools: []Pool{rated("a")}, Families: []Family{ipv4}}},
		"the same, in order":        {previous: Result{Pools: []Pool{rated("a"), rated("b")}}, current: Result{Pools: []Pool{rated("a"), rated("b")}}},
		"the same, in other order":  {previous: Result{Pools: []Pool{rated("a"), rated("b")}}, current: Result{Pools: []Pool{rated("b"), rated("a")}}},
		"the first went":            {Result{Pools: []Pool{rated("a"), rated("b")}}, Result{Pools: []Pool{rated("b")}}, []string{"a"}, []string{"a"}, nil},
		"the last went":             {Result{Pools: []Pool{rated("a"), rated("b")}}, Result{Pools: []Pool{rated("a")}}, []string{"b"}, []string{"b"}, nil},
		"one came, one went":        {Result{Pools: []Pool{rated("a")}}, Result{Pools: []Pool{rated("b")}}, []string{"a"}, []string{"a"}, nil},
		"a label changed":           {Result{Pools: []Pool{rated("a")}}, Result{Pools: []Pool{relabelled}}, []string{"a"}, []string{"a"}, nil},
		"only the ratio went":       {Result{Pools: []Pool{rated("a")}}, Result{Pools: []Pool{unrated("a")}}, nil, []string{"a"}, nil},
		"there was no ratio to end": {Result{Pools: []Pool{unrated("a")}}, Result{}, []string{"a"}, nil, nil},
		"a ratio came":              {previous: Result{Pools: []Pool{unrated("a")}}, current: Result{Pools: []Pool{rated("a")}}},
		"a family went":             {Result{Families: []Family{ipv4, ipv6}}, Result{Families: []Family{ipv6}}, nil, nil, []string{calicometric.IPv4}},
		"all went": {
			Result{Pools: []Pool{rated("a"), unrated("b")}, Families: []Family{ipv6}},
			Result{},
			[]string{"a", "b"},
			[]string{"a"},
			[]string{calicometric.IPv6},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// What a comparison before left behind must not show.
			ended := Ended{Available: []Labels{label("x")}, Utilization: []Labels{label("x")}, Families: []string{"x"}}
			ended.Compare(&tc.previous, &tc.current)
			require.ElementsMatch(t, labelsOf(tc.available, label), ended.Available)
			require.ElementsMatch(t, labelsOf(tc.utilization, label), ended.Utilization)
			require.ElementsMatch(t, tc.families, ended.Families)
			require.Equal(t, tc.available == nil && tc.utilization == nil && tc.families == nil, ended.None())
		})
	}
}

func labelsOf(pools []string, label func(string) Labels) []Labels {
	var labels []Labels
	for _, pool := range pools {
		labels = append(labels, label(pool))
	}
	return labels
}
