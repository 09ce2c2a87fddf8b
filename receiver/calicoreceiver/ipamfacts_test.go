package calicoreceiver

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	logobserver "go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

// handMade is an account of all that a cluster can have: two families, reservations, addresses that are borrowed, cooling, and of no node; a pool that
// is being deleted and one that is gone with addresses left in its blocks; and a node that has left.
func handMade() cluster.IPAM {
	v4, v6, leaving := pool("v4", "10.0.0.0/24", "enabled"), pool("v6", "fd00:10:244::/48", "disabled"), pool("w-leaving", "10.9.0.0/26", "terminating")
	v6.BlockSize = 122
	report := ipam.Report{
		Pools: []ipam.PoolReport{
			{
				Pool: v4, Size: addresses.Of(256), Reserved: addresses.Of(66), Allocated: 80, Cooling: 3, Assignable: addresses.Of(48),
				Used: 2, Empty: 1, ReservedBlocks: addresses.Of(1),
				Nodes: []ipam.NodeShare{
					{Node: "gone", InUse: 1, Blocks: 1},
					{Node: "node-1", InUse: 60, Blocks: 1, Lent: 8},
					{Node: "node-2", InUse: 8, Borrowed: 8},
					{Node: "unknown_node", InUse: 4},
				},
			},
			{
				Pool: v6, Size: addresses.Power(80), Assignable: addresses.Power(80).Minus(addresses.Of(3)), Allocated: 3,
				Used: 1, Unclaimed: addresses.Power(74).Minus(addresses.Of(1)),
				Nodes: []ipam.NodeShare{{Node: "no_affinity", Blocks: 1}, {Node: "unknown_node", InUse: 3}},
			},
			{Pool: leaving, Size: addresses.Of(64), Allocated: 1, Used: 1},
		},
		Orphaned:  2,
		NoPool:    []ipam.NodeShare{{Node: "node-1", InUse: 3, Blocks: 2}},
		NodeNames: []string{"node-1", "node-2"},
		Nodes: []ipam.NodeReport{
			{Node: "node-1", Family: "IPv4", BlocksLimit: 20, Blocks: 1, Assignable: addresses.Of(48)},
			{Node: "node-1", Family: "IPv6", BlocksLimit: 20, Assignable: addresses.Of(1280)},
			{Node: "node-2", Family: "IPv4", BlocksLimit: 20, Blocks: 20},
			{Node: "node-2", Family: "IPv6", BlocksLimit: 20, Assignable: addresses.Of(1280)},
		},
		Namespaces: []ipam.NamespaceReport{{Namespace: "default", Allocated: 68}, {Namespace: "kube-system", Allocated: 2}},
	}
	report.Pools[0].Uses = [5]int{68, 2, 1, 4, 2}
	report.Pools[1].Uses[ipam.UseLoadBalancer] = 3
	report.Pools[2].Uses[ipam.UseWorkload] = 1
	return cluster.IPAM{State: cluster.AccountReady, Report: report}
}

// exposition writes points one a line, as Prometheus shows them, those of each metric in order.
func exposition(md pmetric.Metrics) string {
	var lines []string
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			for _, p := range m.Gauge().DataPoints().All() {
				var labels []string
				for name, value := range p.Attributes().All() {
					labels = append(labels, fmt.Sprintf("%s=%q", name, value.AsString()))
				}
				value := strconv.FormatInt(p.IntValue(), 10)
				if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
					value = strconv.FormatFloat(p.DoubleValue(), 'g', -1, 64)
				}
				lines = append(lines, fmt.Sprintf("%s{%s} %s\n", m.Name(), strings.Join(labels, ","), value))
			}
		}
	}
	return strings.Join(lines, "")
}

func TestFactsOfAnAccount(t *testing.T) {
	all := map[string]any{"calico_ipam_namespace_allocations": map[string]any{"enabled": true}, "calico_ipam_allocations_lent": map[string]any{"enabled": true}}
	for name, settings := range map[string]map[string]any{
		"default":   {},
		"all":       {"metrics": all},
		"nonzero":   {"metrics": all, "ipam": map[string]any{"node_detail": "nonzero"}},
		"none":      {"metrics": all, "ipam": map[string]any{"node_detail": "none"}},
		"top_nodes": {"metrics": all, "ipam": map[string]any{"top_nodes": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := load(t, settings)
			require.NoError(t, err)
			f := newFacts(config, receivertest.NewNopSettings(metadata.Type), "")
			// Other pools than those of the account: they were read at another moment.
			md := f.write(moment, cluster.Snapshot{UID: "4711", Pools: []ipam.Pool{pool("other", "10.1.0.0/16", "enabled")}}, handMade(), nil)
			require.Equal(t, 1, md.ResourceMetrics().Len())
			require.Equal(t, map[string]any{"service.name": "calico-ipam", "service.instance.id": "4711"}, md.ResourceMetrics().At(0).Resource().Attributes().AsRaw())
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				for _, p := range m.Gauge().DataPoints().All() {
					require.Equal(t, pcommon.NewTimestampFromTime(moment), p.Timestamp(), "one moment")
				}
			}
			golden := filepath.Join("testdata", "account", name+".prom")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
				require.NoError(t, os.WriteFile(golden, []byte(exposition(md)), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), exposition(md))
		})
	}
}

func TestWhatIsHeldBackOfScrapesIsWhatTheAccountHas(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "account", "all.prom"))
	require.NoError(t, err)
	families := map[string]bool{}
	for line := range strings.Lines(string(golden)) {
		if name, _, _ := strings.Cut(line, "{"); strings.HasPrefix(name, calicometric.IPAMPrefix) {
			families[name] = true
		}
	}
	require.Equal(t, ownFamilies, families)
}

func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	names := func(account cluster.IPAM) (names []string) {
		f := newFacts(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type), "")
		for line := range strings.Lines(exposition(f.write(moment, cluster.Snapshot{}, account, nil))) {
			name, labels, _ := strings.Cut(line, "{")
			if _, state, ok := strings.Cut(labels, `state="`); ok && name == "calico_ipam_pool_blocks" {
				state, _, _ = strings.Cut(state, `"`)
				name += " " + state
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return names
	}
	complete := names(handMade())
	for _, tc := range []struct {
		name    string
		unknown func(*cluster.IPAM)
		without []string
	}{
		{"reservations", func(a *cluster.IPAM) { a.ReservationsUnknown = true }, []string{
			"ipam_ippool_reserved", "calico_ipam_pool_assignable", "calico_ipam_node_assignable", "calico_ipam_pool_blocks unclaimed", "calico_ipam_pool_blocks reserved",
		}},
		{"configuration", func(a *cluster.IPAM) { a.ConfigUnknown = true }, []string{
			"calico_ipam_pool_assignable", "calico_ipam_pool_cooling", "calico_ipam_node_assignable", "calico_ipam_node_blocks", "calico_ipam_node_blocks_limit",
		}},
		{"nodes", func(a *cluster.IPAM) { a.NodesUnknown = true }, []string{
			"calico_ipam_pool_assignable", "calico_ipam_node_assignable", "calico_ipam_node_blocks", "calico_ipam_node_blocks_limit",
		}},
		{"an account", func(a *cluster.IPAM) { a.State = cluster.AccountPending }, complete},
	} {
		t.Run(tc.name, func(t *testing.T) {
			account := handMade()
			tc.unknown(&account)
			want := slices.DeleteFunc(slices.Clone(complete), func(name string) bool { return slices.Contains(tc.without, name) })
			require.ElementsMatch(t, want, names(account))
		})
	}
	unknown := handMade()
	unknown.NodesUnknown = true
	f := newFacts(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type), "")
	require.NotContains(t, exposition(f.write(moment, cluster.Snapshot{}, unknown, nil)), `node="node-2"} 0`, "no zeros for nodes that are not known")
}

func TestPoolsAreThoseOfTheSnapshotWhileThereIsNoAccount(t *testing.T) {
	f := newFacts(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type), "")
	snapshot := cluster.Snapshot{Pools: []ipam.Pool{pool("a", "10.1.0.0/16", "enabled")}}
	for _, state := range []cluster.AccountState{cluster.AccountPending, cluster.AccountUnavailable} {
		require.Len(t, values(f.write(moment, snapshot, cluster.IPAM{State: state}, nil), "calico_ipam_pool_info"), 1)
	}
}

// large is an account of a cluster of 5,000 nodes, each with blocks of four of the pools.
func large(pools int) cluster.IPAM {
	const nodes, perNode = 5000, 4
	account := cluster.IPAM{State: cluster.AccountReady}
	report := &account.Report
	for i := range pools {
		p := pool(fmt.Sprintf("pool-%03d", i), "10.0.0.0/14", "enabled")
		p.CIDR = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i), 0, 0}), 16)
		report.Pools = append(report.Pools, ipam.PoolReport{Pool: p, Size: addresses.Of(1 << 16), Used: nodes * perNode / pools})
	}
	for i := range nodes {
		name := fmt.Sprintf("node-%04d.example.internal", i)
		report.NodeNames = append(report.NodeNames, name)
		for _, family := range []string{"IPv4", "IPv6"} {
			report.Nodes = append(report.Nodes, ipam.NodeReport{Node: name, Family: family, BlocksLimit: 20, Assignable: addresses.Of(64)})
		}
		for j := range perNode {
			of := &report.Pools[(i+j*pools/perNode)%pools]
			of.Nodes = append(of.Nodes, ipam.NodeShare{Node: name, InUse: 1 + i%64, Blocks: 1})
		}
	}
	return account
}

func TestZerosThatWouldBeTooManyAreLeftOutAndSaidOnce(t *testing.T) {
	core, logs := logobserver.New(zap.InfoLevel)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	f := newFacts(createDefaultConfig().(*Config), set, "")
	account := large(200)
	for range 2 {
		md := f.write(moment, cluster.Snapshot{}, account, nil)
		require.Len(t, gauges(md, "ipam_allocations_in_use"), 20_000)
		require.Len(t, gauges(md, "ipam_allocations_borrowed"), 200, "one for each pool says that nothing is borrowed")
	}
	require.Len(t, logs.FilterMessageSnippet("too many nodes and pools").All(), 1)
}

// BenchmarkFactsOfALargeAccount writes the metrics of 5,000 nodes and 20,000 shares, with and without what is kept of them to end them: of 200 pools,
// and of 10, which is as many as have zeros for all of these nodes.
func BenchmarkFactsOfALargeAccount(b *testing.B) {
	for _, bc := range []struct {
		detail NodeDetail
		pools  int
	}{{NodeDetailFull, 10}, {NodeDetailFull, 200}, {NodeDetailNone, 200}} {
		account := large(bc.pools)
		config := createDefaultConfig().(*Config)
		config.IPAM.NodeDetail = bc.detail
		name := fmt.Sprintf("%s/pools=%d", bc.detail, bc.pools)
		b.Run("write/"+name, func(b *testing.B) {
			f := newFacts(config, receivertest.NewNopSettings(metadata.Type), "")
			b.ReportAllocs()
			for b.Loop() {
				f.write(moment, cluster.Snapshot{}, account, nil)
			}
		})
		b.Run("report/"+name, func(b *testing.B) {
			f := newFacts(config, receivertest.NewNopSettings(metadata.Type), "")
			e := newEnded()
			b.ReportAllocs()
			for b.Loop() {
				md := f.write(moment, cluster.Snapshot{}, account, nil)
				e.mark(md, pcommon.NewTimestampFromTime(moment))
				sent := pmetric.NewMetrics()
				md.CopyTo(sent)
				e.sent(sent)
			}
			b.ReportMetric(float64(e.last.DataPointCount()), "points")
		})
	}
}
