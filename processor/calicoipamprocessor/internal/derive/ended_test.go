package derive

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

func setOf(quantities ...Quantity) Set {
	var p Pool
	for _, q := range quantities {
		p.Set(q, 1)
	}
	return p.Known
}

func TestSetOfQuantities(t *testing.T) {
	var p Pool
	for q := range Quantity(Quantities) {
		require.False(t, p.Known.Has(q))
	}
	p.Set(Growth, -3)
	p.Set(Utilization, 0.5)
	p.Set(Utilization, 0.25)
	require.Equal(t, setOf(Utilization, Growth), p.Known)
	require.True(t, p.Known.Has(Growth))
	require.False(t, p.Known.Has(Available))
	require.Equal(t, [Quantities]float64{Utilization: 0.25, Growth: -3}, p.Values)
}

func TestEnded(t *testing.T) {
	label := func(pool string) Labels { return Labels{Pool: pool, CIDR: "10.0.0.0/24", Family: calicometric.IPv4} }
	with := func(pool string, quantities ...Quantity) Pool {
		return Pool{Labels: label(pool), Known: setOf(quantities...)}
	}
	ended := func(pool string, quantities ...Quantity) PoolSeries {
		return PoolSeries{label(pool), setOf(quantities...)}
	}
	relabelled := with("a", Available)
	relabelled.Labels.CIDR = "10.9.0.0/24"
	ipv4, ipv6 := Family{Name: calicometric.IPv4, Utilization: 1}, Family{Name: calicometric.IPv6}
	ok4, capped4, ok6 := Nodes{"IPv4", "ok", 3}, Nodes{"IPv4", "capped", 1}, Nodes{"IPv6", "ok", 3}
	pools := func(pools ...Pool) Result { return Result{Pools: pools} }

	for name, tc := range map[string]struct {
		previous, current Result
		want              Series
	}{
		"nothing before":           {current: Result{Pools: []Pool{with("a", Available)}, Families: []Family{ipv4}, Nodes: []Nodes{ok4}}},
		"the same, in order":       {previous: pools(with("a", Available), with("b", Available)), current: pools(with("a", Available), with("b", Available))},
		"the same, in other order": {previous: pools(with("a", Available), with("b", Growth)), current: pools(with("b", Growth), with("a", Available))},
		"the first went":           {pools(with("a", Available), with("b", Available)), pools(with("b", Available)), Series{Pools: []PoolSeries{ended("a", Available)}}},
		"the last went":            {pools(with("a", Available), with("b", Available)), pools(with("a", Available)), Series{Pools: []PoolSeries{ended("b", Available)}}},
		"one came, one went":       {pools(with("a", Available)), pools(with("b", Available)), Series{Pools: []PoolSeries{ended("a", Available)}}},
		"one came before the others": {
			previous: pools(with("b", Available), with("c", Growth)), current: pools(with("a", Available), with("b", Available), with("c", Growth)),
		},
		"a label changed":            {pools(with("a", Available)), pools(relabelled), Series{Pools: []PoolSeries{ended("a", Available)}}},
		"one quantity went":          {pools(with("a", Available, Utilization)), pools(with("a", Available)), Series{Pools: []PoolSeries{ended("a", Utilization)}}},
		"all quantities went":        {pools(with("a", Available, Utilization)), pools(with("a")), Series{Pools: []PoolSeries{ended("a", Available, Utilization)}}},
		"one quantity for another":   {pools(with("a", Expected)), pools(with("a", Growth)), Series{Pools: []PoolSeries{ended("a", Expected)}}},
		"there was nothing to end":   {previous: pools(with("a"))},
		"a quantity came":            {previous: pools(with("a", Available)), current: pools(with("a", Available, Utilization))},
		"a value changed":            {previous: Result{Families: []Family{ipv4}, Nodes: []Nodes{ok4}}, current: Result{Families: []Family{{Name: ipv4.Name}}, Nodes: []Nodes{{"IPv4", "ok", 9}}}},
		"a family went":              {Result{Families: []Family{ipv4, ipv6}}, Result{Families: []Family{ipv6}}, Series{Families: []string{calicometric.IPv4}}},
		"the nodes of a family went": {Result{Nodes: []Nodes{ok4, capped4, ok6}}, Result{Nodes: []Nodes{ok4, capped4}}, Series{Nodes: []Nodes{ok6}}},
		"a state went":               {Result{Nodes: []Nodes{ok4, capped4}}, Result{Nodes: []Nodes{ok4}}, Series{Nodes: []Nodes{capped4}}},
		"all went": {
			Result{Pools: []Pool{with("a", Available), with("b", Growth)}, Families: []Family{ipv6}, Nodes: []Nodes{ok6}},
			Result{},
			Series{Pools: []PoolSeries{ended("a", Available), ended("b", Growth)}, Families: []string{calicometric.IPv6}, Nodes: []Nodes{ok6}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// What a comparison before left behind must not show.
			before := Series{Pools: []PoolSeries{ended("x", Growth)}, Families: []string{"x"}, Nodes: []Nodes{{State: "x"}}}
			got := Series{Pools: []PoolSeries{ended("x", Growth)}, Families: []string{"x"}, Nodes: []Nodes{{State: "x"}}}
			before.Of(&tc.previous)
			got.Ended(&before, &tc.current)
			require.ElementsMatch(t, tc.want.Pools, got.Pools)
			require.ElementsMatch(t, tc.want.Families, got.Families)
			require.ElementsMatch(t, tc.want.Nodes, got.Nodes)
			require.Equal(t, tc.want.None(), got.None())
		})
	}
}

func TestNoneIsFalseWhereAnythingIsNamed(t *testing.T) {
	require.True(t, (&Series{}).None())
	require.False(t, (&Series{Pools: make([]PoolSeries, 1)}).None())
	require.False(t, (&Series{Families: make([]string, 1)}).None())
	require.False(t, (&Series{Nodes: make([]Nodes, 1)}).None())
}

func TestSeriesOfAResultAreAllThatHaveAPoint(t *testing.T) {
	named := Series{Families: []string{"x"}, Nodes: make([]Nodes, 1), Pools: make([]PoolSeries, 3)}
	result := Result{
		Pools:    []Pool{{Labels: Labels{Pool: "a"}, Known: setOf(Available, Growth)}, {Labels: Labels{Pool: "b"}}},
		Families: []Family{{Name: calicometric.IPv6, Utilization: 0.5}},
		Nodes:    []Nodes{{"IPv4", "ok", 3}},
	}
	named.Of(&result)
	require.Equal(t, Series{
		Pools:    []PoolSeries{{Labels{Pool: "a"}, setOf(Available, Growth)}, {Labels: Labels{Pool: "b"}}},
		Families: []string{calicometric.IPv6},
		Nodes:    []Nodes{{"IPv4", "ok", 3}},
	}, named)

	result.Nodes[0] = Nodes{}
	require.Equal(t, "ok", named.Nodes[0].State, "the result is used again")

	named.Of(&Result{})
	require.True(t, named.None())
}
