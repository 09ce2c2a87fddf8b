package nodeshares

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

var (
	full    = nodedetail.Detail{Mode: nodedetail.Full}
	nonzero = nodedetail.Detail{Mode: nodedetail.Nonzero}
	none    = nodedetail.Detail{Mode: nodedetail.None}
)

func top(n int) nodedetail.Detail { return nodedetail.Detail{Mode: nodedetail.Full, Top: n} }

// add adds points to a scrape.
func add(s *Shares, points []Point) {
	for _, p := range points {
		s.Add(p.Metric, p.Pool, p.Node, p.Value)
	}
}

// replaced are the points that replace those of a scrape.
func replaced(detail nodedetail.Detail, points []Point) []Point {
	var s Shares
	add(&s, points)
	return s.Points(detail, nil)
}

func TestWhatReplacesAScrape(t *testing.T) {
	const pool, other = "a-pool", "b-pool"
	for _, tc := range []struct {
		name   string
		detail nodedetail.Detail
		scrape []Point
		want   []Point
	}{
		{
			name: "full is what was scraped, ordered", detail: full,
			scrape: []Point{
				{Blocks, pool, "a", 1}, {InUse, other, "a", 0}, {InUse, pool, "b", 0}, {InUse, pool, "a", 3}, {AllocationsPerNode, "", "a", 3},
			},
			want: []Point{
				{InUse, pool, "a", 3}, {InUse, pool, "b", 0}, {InUse, other, "a", 0}, {Blocks, pool, "a", 1}, {AllocationsPerNode, "", "a", 3},
			},
		},
		{
			name: "nonzero leaves out zeros, but one of a metric that has nothing else", detail: nonzero,
			scrape: []Point{
				{InUse, pool, "a", 3}, {InUse, pool, "b", 0}, {Borrowed, pool, "a", 0}, {Borrowed, pool, "b", 0}, {Blocks, pool, "a", 1},
				{GCCandidates, pool, "a", 0}, {GCCandidates, pool, "b", 0}, {InUse, other, "a", 0}, {InUse, other, "b", 0},
			},
			want: []Point{
				{InUse, pool, "a", 3}, {InUse, other, "all_nodes", 0}, {Borrowed, pool, "all_nodes", 0}, {Blocks, pool, "a", 1},
				{GCCandidates, pool, "all_nodes", 0},
			},
		},
		{
			name: "none is one point for each metric and pool", detail: none,
			scrape: []Point{
				{InUse, pool, "a", 3}, {InUse, pool, "b", 4}, {InUse, pool, "unknown_node", 5}, {InUse, other, "a", 6},
				{Blocks, pool, "a", 1}, {Blocks, pool, "no_affinity", 2}, {Lent, pool, "a", 1}, {Lent, pool, "b", 1},
			},
			want: []Point{{InUse, pool, "all_nodes", 12}, {InUse, other, "all_nodes", 6}, {Blocks, pool, "all_nodes", 3}, {Lent, pool, "all_nodes", 2}},
		},
		{
			name: "the top nodes of a pool are those with the most addresses in use, in all metrics", detail: top(1),
			scrape: []Point{
				{Blocks, pool, "a", 9}, {Blocks, pool, "b", 1}, {Blocks, pool, "c", 1}, {Blocks, pool, "no_affinity", 1},
				{InUse, pool, "a", 1}, {InUse, pool, "b", 3}, {InUse, pool, "c", 2}, {InUse, pool, "unknown_node", 9},
				{InUse, other, "a", 2}, {InUse, other, "b", 1},
			},
			want: []Point{
				{InUse, pool, "b", 3}, {InUse, pool, "other_nodes", 3}, {InUse, pool, "unknown_node", 9},
				{InUse, other, "a", 2}, {InUse, other, "other_nodes", 1},
				{Blocks, pool, "b", 1}, {Blocks, pool, "no_affinity", 1}, {Blocks, pool, "other_nodes", 10},
			},
		},
		{
			name: "what is counted over all pools has a top of its own", detail: top(1),
			scrape: []Point{
				{InUse, pool, "a", 2}, {InUse, pool, "b", 1}, {InUse, other, "b", 3}, {BlocksPerNode, "", "a", 1}, {BlocksPerNode, "", "b", 2},
				{AllocationsPerNode, "", "a", 2}, {AllocationsPerNode, "", "b", 4}, {BorrowedPerNode, "", "a", 1},
			},
			want: []Point{
				{InUse, pool, "a", 2}, {InUse, pool, "other_nodes", 1}, {InUse, other, "b", 3},
				{AllocationsPerNode, "", "b", 4}, {AllocationsPerNode, "", "other_nodes", 2},
				{BorrowedPerNode, "", "other_nodes", 1},
				{BlocksPerNode, "", "b", 2}, {BlocksPerNode, "", "other_nodes", 1},
			},
		},
		{
			name: "the pool of a metric that has none is not looked at", detail: full,
			scrape: []Point{{AllocationsPerNode, pool, "a", 2}}, want: []Point{{AllocationsPerNode, "", "a", 2}},
		},
		{
			name: "points without a pool are not those over all pools", detail: none,
			scrape: []Point{{InUse, "", "a", 2}, {AllocationsPerNode, "", "a", 5}},
			want:   []Point{{InUse, "", "all_nodes", 2}, {AllocationsPerNode, "", "all_nodes", 5}},
		},
		{
			name: "blocks without a pool have points only while they are there", detail: nonzero,
			scrape: []Point{{InUse, "no_ippool", "a", 0}, {Blocks, "no_ippool", "a", 1}}, want: []Point{{Blocks, "no_ippool", "a", 1}},
		},
		{
			name: "nor does their sum", detail: none,
			scrape: []Point{{InUse, "no_ippool", "a", 0}, {Blocks, "no_ippool", "a", 1}}, want: []Point{{Blocks, "no_ippool", "all_nodes", 1}},
		},
		{
			name: "full has of them what was scraped", detail: full,
			scrape: []Point{{InUse, "no_ippool", "a", 0}}, want: []Point{{InUse, "no_ippool", "a", 0}},
		},
		{
			name: "nodes that are cut are added to the others that the receiver cut", detail: top(1),
			scrape: []Point{{InUse, pool, "a", 1}, {InUse, pool, "b", 2}, {InUse, pool, "other_nodes", 30}, {Blocks, pool, "other_nodes", 7}},
			want:   []Point{{InUse, pool, "b", 2}, {InUse, pool, "other_nodes", 31}, {Blocks, pool, "other_nodes", 7}},
		},
		{
			name: "a sum of all nodes of the receiver's stays", detail: top(1),
			scrape: []Point{{InUse, pool, "all_nodes", 30}, {Borrowed, pool, "all_nodes", 0}},
			want:   []Point{{InUse, pool, "all_nodes", 30}, {Borrowed, pool, "all_nodes", 0}},
		},
		{
			name: "none adds up the receiver's sums", detail: none,
			scrape: []Point{{InUse, pool, "a", 1}, {InUse, pool, "other_nodes", 30}, {Borrowed, pool, "all_nodes", 0}, {Blocks, pool, "all_nodes", 4}},
			want:   []Point{{InUse, pool, "all_nodes", 31}, {Borrowed, pool, "all_nodes", 0}, {Blocks, pool, "all_nodes", 4}},
		},
		{
			name: "of two values of a series the last is taken", detail: full,
			scrape: []Point{{InUse, pool, "a", 1}, {InUse, pool, "a", 2}}, want: []Point{{InUse, pool, "a", 2}},
		},
		{name: "no points are replaced by none", detail: none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, replaced(tc.detail, tc.scrape))
		})
	}
}

func TestAScrapeKnowsNothingOfTheLast(t *testing.T) {
	var s Shares
	add(&s, []Point{{InUse, "p", "a", 1}, {InUse, "p", "b", 2}, {Blocks, "p", "a", 1}, {InUse, "q", "a", 4}, {BlocksPerNode, "", "a", 1}})
	s.Reset()
	require.Empty(t, s.Points(full, nil))
	add(&s, []Point{{InUse, "p", "b", 3}})
	require.Equal(t, []Point{{InUse, "p", "b", 3}}, s.Points(full, nil))
	require.Equal(t, []Point{{InUse, "p", "all_nodes", 3}}, s.Points(none, nil), "the same scrape can be asked again")
}

func TestPointsAreAppended(t *testing.T) {
	var s Shares
	s.Add(InUse, "p", "a", 1)
	first := Point{Metric: Blocks, Pool: "x"}
	require.Equal(t, []Point{first, {InUse, "p", "a", 1}}, s.Points(full, []Point{first}))
}

func TestNamesDoNotKeepAScrapeAlive(t *testing.T) {
	labels := []byte("pool node")
	line := string(labels)
	var s Shares
	s.Add(InUse, line[:4], line[5:], 1)
	p := s.pools[0]
	require.NotSame(t, stringData(line[:4]), stringData(p.name))
	require.NotSame(t, stringData(line[5:]), stringData(p.shares[0].Node))
}

func TestEnded(t *testing.T) {
	a, b, c := Point{InUse, "p", "a", 1}, Point{InUse, "p", "b", 2}, Point{Blocks, "p", "a", 3}
	again := Point{InUse, "p", "a", 9}
	for _, tc := range []struct {
		name            string
		last, now, want []Point
	}{
		{"nothing ends that is there again", []Point{a, b}, []Point{a, b}, nil},
		{"another value is the same series", []Point{a}, []Point{again}, nil},
		{"a node that is gone has ended", []Point{a, b, c}, []Point{a, c}, []Point{b}},
		{"so has one that was cut", []Point{a, b}, []Point{a, {InUse, "p", "other_nodes", 2}}, []Point{b}},
		{"what is new has not", []Point{b}, []Point{a, b, c}, nil},
		{"all ends where there is nothing", []Point{a, b, c}, nil, []Point{a, b, c}},
		{"nothing ends where there was nothing", nil, []Point{a}, nil},
		{"the metric tells series apart", []Point{a}, []Point{c}, []Point{a}},
		{"so does the pool", []Point{a}, []Point{{InUse, "q", "a", 1}}, []Point{a}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, Ended(tc.last, tc.now, nil))
		})
	}
}

func TestMetricsByName(t *testing.T) {
	for m := range Metrics {
		got, found := MetricOf(m.Name())
		require.True(t, found, m.Name())
		require.Equal(t, m, got)
		require.Equal(t, strings.HasSuffix(m.Name(), "_per_node"), m.PerNode(), m.Name())
	}
	for _, name := range []string{"", "ipam_ippool_size", "ipam_allocations_gc_reclamations", "ipam_blocks_per_nodes", "felix_cluster_num_hosts"} {
		_, found := MetricOf(name)
		require.False(t, found, name)
	}
}

// scrape is one of kube-controllers: of each pool and node the metrics that it seeds with 0, and blocks, in the order of an exposition.
func scrape(pools, nodes int) []Point {
	points := make([]Point, 0, 4*pools*nodes)
	for _, m := range []Metric{Borrowed, GCCandidates, InUse, Blocks} {
		for pool := range pools {
			name := fmt.Sprintf("pool-%03d", pool)
			for node := range nodes {
				value := 0
				if m == InUse || m == Blocks {
					value = node%(7+pool) + 1
				}
				points = append(points, Point{m, name, fmt.Sprintf("ip-10-0-%05d.eu-central-1.compute.internal", node), value})
			}
		}
	}
	return points
}

// sums are the values of each metric and pool, added up.
func sums(points []Point) map[Point]int {
	all := make(map[Point]int)
	for _, p := range points {
		all[Point{Metric: p.Metric, Pool: p.Pool}] += p.Value
	}
	return all
}

func TestALargeClusterHasFewPoints(t *testing.T) {
	points := scrape(10, 5000)
	points = append(points, Point{InUse, "pool-000", calicometric.UnknownNode, 5}, Point{Blocks, "pool-000", calicometric.NoAffinity, 5})
	require.Len(t, points, 200_002)
	var s Shares
	add(&s, points)
	want := sums(points)
	for _, tc := range []struct {
		detail nodedetail.Detail
		points int
	}{{full, 200_002}, {none, 40}, {top(30), 4*10*31 + 2}} {
		got := s.Points(tc.detail, nil)
		require.Len(t, got, tc.points, tc.detail)
		require.Equal(t, want, sums(got), tc.detail)
	}
}

func TestASteadyClusterAllocatesNothing(t *testing.T) {
	for _, points := range [][]Point{scrape(3, 100), backwards(scrape(3, 100))} {
		var s Shares
		var out []Point
		round := func() {
			s.Reset()
			add(&s, points)
			out = s.Points(top(5), out[:0])
		}
		round()
		round()
		require.Zero(t, testing.AllocsPerRun(5, round))
	}
}

func backwards(points []Point) []Point {
	slices.Reverse(points)
	return points
}

func TestReplacedNodesAndPoolsAreForgotten(t *testing.T) {
	const nodes, scrapes = 50, 200
	var s Shares
	for n := range scrapes {
		s.Reset()
		for node := range nodes {
			s.Add(InUse, "stays", fmt.Sprintf("node-%d", n*nodes+node), 1)
			s.Add(AllocationsPerNode, "", fmt.Sprintf("node-%d", n*nodes+node), 1)
			s.Add(InUse, fmt.Sprintf("pool-%d", n), fmt.Sprintf("node-%d", node), 1)
		}
		require.Len(t, s.Points(full, nil), 3*nodes)
	}
	s.Reset() // forgets the last but one scrape
	require.Len(t, s.pools, 2)
	require.Len(t, s.index, 2)
	for _, p := range []*pool{s.index["stays"], &s.perNode} {
		require.Len(t, p.shares, nodes)
		require.Len(t, p.index, nodes)
		require.LessOrEqual(t, cap(p.shares), 4*nodes)
	}
	s.Reset()
	require.Empty(t, s.pools)
	require.Empty(t, s.index)
	require.Empty(t, s.perNode.shares)
	require.Empty(t, s.perNode.index)
}

func TestAShrunkenClusterGivesUpItsRoom(t *testing.T) {
	var s Shares
	add(&s, scrape(1, 1000))
	s.Reset()
	add(&s, scrape(1, 10))
	s.Reset()
	require.LessOrEqual(t, cap(s.pools[0].shares), 40)
	add(&s, scrape(1, 10))
	require.Len(t, s.Points(full, nil), 40)
}

func TestNodesAreOrderedForTheNextScrape(t *testing.T) {
	var s Shares
	s.Add(InUse, "p", "b", 1)
	s.Add(InUse, "p", "a", 1)
	s.Reset()
	for at, node := range []string{"a", "b"} {
		require.Equal(t, node, s.pools[0].shares[at].Node)
		require.Equal(t, at, s.pools[0].index[node])
	}
}
