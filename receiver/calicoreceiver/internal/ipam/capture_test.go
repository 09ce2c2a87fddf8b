package ipam_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// `go test ./receiver/calicoreceiver/internal/ipam -run Captured -update` writes the reports anew.
var update = flag.Bool("update", false, "write the reports of the captured clusters")

// captures are of clusters that ran Calico: what kube-controllers served and calicoctl showed of the same objects. Of these is left out what is
// neither the name, a label nor a field of Calico's.
var captures = []string{"v3.28.5", "v3.32.1"}

// capturedAt is after all that was captured.
var capturedAt = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)

// captured is the account of a captured cluster.
func captured(t *testing.T, version string) *ipam.Account {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("testdata", version, "calico-resources.yaml"))
	require.NoError(t, err)
	encoded, err := yaml.YAMLToJSON(document)
	require.NoError(t, err)
	var list unstructured.UnstructuredList
	require.NoError(t, list.UnmarshalJSON(encoded))

	a := ipam.New()
	var pools []ipam.Pool
	var reserved []netip.Prefix
	for i := range list.Items {
		u := &list.Items[i]
		switch u.GetKind() {
		case "IPPool":
			pool, err := calicoapi.ParseIPPool(u)
			require.NoError(t, err)
			pools = append(pools, pool)
		case "IPAMBlock":
			spec, err := calicoapi.ParseIPAMBlock(u)
			require.NoError(t, err)
			block, err := ipam.NewBlock(*spec, true)
			require.NoError(t, err)
			a.PutBlock(u.GetName(), block)
		case "BlockAffinity":
			affinity, err := calicoapi.ParseBlockAffinity(u)
			require.NoError(t, err)
			a.PutAffinity(u.GetName(), *affinity)
		case "IPReservation":
			reservation, err := calicoapi.ParseIPReservation(u)
			require.NoError(t, err)
			require.Empty(t, reservation.Ignored)
			reserved = append(reserved, reservation.CIDRs...)
		default:
			require.Fail(t, "not expected: "+u.GetKind())
		}
	}
	a.SetPools(pools)
	a.SetReservations(reserved)
	a.SetNodes(map[string]map[string]string{"node-1": nil, "node-2": nil, "node-3": nil, "node-4": nil})
	return a
}

// Calico up to 3.32 does not show what is reserved, and shows it as free.
func TestCapturedBlocksAndPoolsAreAsCalicoctlShowsThem(t *testing.T) {
	for _, version := range captures {
		t.Run(version, func(t *testing.T) {
			document, err := os.ReadFile(filepath.Join("testdata", version, "ipam-show.txt"))
			require.NoError(t, err)
			var want []string
			for line := range strings.Lines(string(document)) {
				if cells := strings.Split(line, "|"); len(cells) == 7 && !strings.Contains(line, "GROUPING") {
					for i := range cells {
						cells[i] = strings.TrimSpace(cells[i])
					}
					want = append(want, strings.Join(cells[1:6], " | "))
				}
			}

			a := captured(t, version)
			r := a.Report(capturedAt)
			var got []string
			row := func(kind string, cidr netip.Prefix, size addresses.Count, inUse int) {
				share := func(n addresses.Count) string {
					return fmt.Sprintf("%.5g (%.f%%)", n.Float64(), 100*n.Float64()/size.Float64())
				}
				got = append(got, fmt.Sprintf("%s | %s | %.5g | %s | %s",
					kind, cidr, size.Float64(), share(addresses.Of(inUse)), share(size.Minus(addresses.Of(inUse)))))
			}
			allocated := map[string]int{}
			for _, b := range a.Blocks() {
				row("Block", b.CIDR, addresses.Of(b.Size), b.Allocated)
				require.NotEmpty(t, b.Pool)
				allocated[b.Pool] += b.Allocated
			}
			for _, p := range r.Pools {
				row("IP Pool", p.CIDR, p.Size, p.Allocated)
				require.Equal(t, allocated[p.Name], p.Allocated)
			}
			require.NotEmpty(t, want)
			require.ElementsMatch(t, want, got)
			require.Zero(t, r.Orphaned)
		})
	}
}

// What kube-controllers publishes of nodes it publishes of all nodes for every pool, but for blocks.
func TestCapturedSharesAreAsKubeControllersPublishesThem(t *testing.T) {
	for _, version := range captures {
		t.Run(version, func(t *testing.T) {
			exposition, err := os.ReadFile(filepath.Join("testdata", version, "kube-controllers.prom"))
			require.NoError(t, err)
			parser := expfmt.NewTextParser(model.UTF8Validation)
			families, err := parser.TextToMetricFamilies(bytes.NewReader(exposition))
			require.NoError(t, err)
			want := map[string]float64{}
			for _, name := range []string{"ipam_ippool_size", "ipam_allocations_in_use", "ipam_allocations_borrowed", "ipam_blocks"} {
				require.NotEmpty(t, families[name].GetMetric(), name)
				for _, metric := range families[name].GetMetric() {
					labels := map[string]string{}
					for _, label := range metric.GetLabel() {
						labels[label.GetName()] = label.GetValue()
					}
					want[series(name, labels["ippool"], labels["node"])] = metric.GetGauge().GetValue()
				}
			}

			r := captured(t, version).Report(capturedAt)
			got := map[string]float64{}
			for _, p := range r.Pools {
				got[series("ipam_ippool_size", p.Name, "")] = p.Size.Float64()
				for _, node := range r.NodeNames {
					got[series("ipam_allocations_in_use", p.Name, node)] = 0
					got[series("ipam_allocations_borrowed", p.Name, node)] = 0
				}
				for _, share := range p.Nodes {
					got[series("ipam_allocations_in_use", p.Name, share.Node)] = float64(share.InUse)
					got[series("ipam_allocations_borrowed", p.Name, share.Node)] = float64(share.Borrowed)
					if share.Blocks > 0 {
						got[series("ipam_blocks", p.Name, share.Node)] = float64(share.Blocks)
					}
				}
			}
			require.Equal(t, want, got)
			require.Empty(t, r.NoPool)
		})
	}
}

func series(name, pool, node string) string { return name + " of " + pool + " on " + node }

// The whole of a report, numbers in full, as people can read it.
func TestCapturedReportsAreAsTheyWere(t *testing.T) {
	for _, version := range captures {
		t.Run(version, func(t *testing.T) {
			encoded, err := yaml.Marshal(readable(captured(t, version).Report(capturedAt)))
			require.NoError(t, err)
			path := filepath.Join("testdata", version, "report.yaml")
			if *update {
				require.NoError(t, os.WriteFile(path, encoded, 0o600))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(encoded))
		})
	}
}

func TestCapturedPoolsThatGoAndComeLeaveNoTrace(t *testing.T) {
	for _, version := range captures {
		t.Run(version, func(t *testing.T) {
			a := captured(t, version)
			first := a.Report(capturedAt)
			var pools []ipam.Pool
			allocated := 0
			for _, p := range first.Pools {
				pools = append(pools, p.Pool)
				allocated += p.Allocated
			}
			a.SetPools(nil)
			gone := a.Report(capturedAt)
			require.Equal(t, allocated, gone.Orphaned)
			borrowed := 0
			for _, share := range gone.NoPool {
				borrowed += share.Borrowed
			}
			require.Equal(t, 6, borrowed)
			slices.Reverse(pools)
			a.SetPools(pools)
			require.Equal(t, first, a.Report(capturedAt))
		})
	}
}

func readable(r ipam.Report) any {
	text := func(n addresses.Count) string { return n.BigInt().String() }
	shares := func(list []ipam.NodeShare) map[string]any {
		byNode := map[string]any{}
		for _, s := range list {
			byNode[s.Node] = map[string]int{"inUse": s.InUse, "borrowed": s.Borrowed, "lent": s.Lent, "blocks": s.Blocks}
		}
		return byNode
	}
	pools, nodes, namespaces := map[string]any{}, map[string]any{}, map[string]int{}
	for _, p := range r.Pools {
		pools[p.Name] = map[string]any{
			"cidr": p.CIDR, "family": p.Family(), "blockSize": p.BlockSize, "state": p.State, "allowedUses": p.AllowedUses,
			"assignmentMode": p.AssignmentMode, "encapsulation": p.Encapsulation, "nodeSelector": p.NodeSelector,
			"size": text(p.Size), "reserved": text(p.Reserved), "allocated": p.Allocated, "cooling": p.Cooling, "assignable": text(p.Assignable),
			"uses": map[string]int{
				"workload": p.Uses[ipam.UseWorkload], "tunnel": p.Uses[ipam.UseTunnel], "loadBalancer": p.Uses[ipam.UseLoadBalancer],
				"windowsReserved": p.Uses[ipam.UseWindowsReserved], "other": p.Uses[ipam.UseOther],
			},
			"blocks": map[string]any{"used": p.Used, "empty": p.Empty, "unclaimed": text(p.Unclaimed), "reserved": text(p.ReservedBlocks)},
			"nodes":  shares(p.Nodes),
		}
	}
	for _, n := range r.Nodes {
		nodes[n.Node+" "+n.Family] = map[string]any{"blocksLimit": n.BlocksLimit, "assignable": text(n.Assignable)}
	}
	for _, n := range r.Namespaces {
		namespaces[n.Namespace] = n.Allocated
	}
	return map[string]any{
		"pools": pools, "nodes": nodes, "nodeNames": r.NodeNames, "namespaces": namespaces, "noPool": shares(r.NoPool), "orphaned": r.Orphaned,
	}
}
