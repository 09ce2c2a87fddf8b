//go:build e2e

package conformance

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// blockOf26 is the spec of a block of 64 addresses: the first ones are allocated, each with an attribute of its own, and the rest is free.
func blockOf26(cidr, affinity string, claimed time.Time, attributes ...any) map[string]any {
	allocations, unallocated := make([]any, 64), []any{}
	for ordinal := range allocations {
		if ordinal < len(attributes) {
			allocations[ordinal] = int64(ordinal)
		} else {
			unallocated = append(unallocated, int64(ordinal))
		}
	}
	return map[string]any{
		"cidr": cidr, "affinity": affinity, "affinityClaimTime": stamp(claimed), "allocations": allocations, "unallocated": unallocated,
		"attributes": append([]any{}, attributes...), "strictAffinity": false, "deleted": false,
	}
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func pod(name, node string) any {
	return map[string]any{
		"handle_id": "k8s-pod-network." + name, "secondary": map[string]any{"node": node, "namespace": "shop", "pod": name},
		// The other side of a virtual machine that migrates.
		"alternateOwnerAttrs": map[string]any{"node": "node-c", "namespace": "shop", "pod": name + "-target"},
	}
}

func released(at time.Time) any { return map[string]any{"releasedAt": stamp(at)} }

// TestAccountOfWhatLaterVersionsWrite has what Calico 3.32 and 3.33 write, in v3 CRDs, and the lab's version does not: the time at which a block was
// claimed, addresses that cool down, blocks and affinities that are marked as deleted, and pools that are terminating or not allocatable.
func TestAccountOfWhatLaterVersionsWrite(t *testing.T) {
	n := startNative(t)
	now := time.Now().Truncate(time.Second)
	n.mirrorNodes(t, map[string]map[string]string{"node-a": {}, "node-b": {}})
	n.write(t, "ipamconfigurations", "IPAMConfiguration", calicoapi.DefaultName, map[string]any{
		"strictAffinity": true, "autoAllocateBlocks": true, "ipCooldownSeconds": int64(600),
	})
	for name, cidr := range map[string]string{"cooling": "10.0.0.0/24", "overlapping": "10.1.0.0/24", "terminating": "10.2.0.0/24"} {
		n.write(t, "ippools", "IPPool", name, map[string]any{"cidr": cidr, "blockSize": int64(26)})
	}
	deleted := blockOf26("10.0.0.128/26", "host:node-b", now, pod("gone", "node-b"))
	deleted["deleted"] = true
	for name, spec := range map[string]map[string]any{
		"10-0-0-0-26": blockOf26("10.0.0.0/26", "host:node-a", now.Add(-time.Hour),
			pod("a", "node-a"), pod("b", "node-a"),
			released(now.Add(-time.Minute)), released(now.Add(-2*time.Minute)), released(now.Add(-9*time.Minute)), released(now.Add(-11*time.Minute))),
		"10-0-0-64-26":  blockOf26("10.0.0.64/26", "host:node-b", now.Add(-time.Minute)),
		"10-0-0-128-26": deleted,
		"10-2-0-0-26":   blockOf26("10.2.0.0/26", "host:node-b", now, pod("c", "node-b"), pod("d", "node-a")),
	} {
		n.write(t, "ipamblocks", "IPAMBlock", name, spec)
	}
	for name, affinity := range map[string][]any{
		"node-a-10-0-0-0-26":   {"10.0.0.0/26", "node-a", false},
		"node-b-10-0-0-64-26":  {"10.0.0.64/26", "node-b", false},
		"node-b-10-0-0-128-26": {"10.0.0.128/26", "node-b", true},
		"node-b-10-2-0-0-26":   {"10.2.0.0/26", "node-b", false},
	} {
		n.write(t, "blockaffinities", "BlockAffinity", name, map[string]any{
			"cidr": affinity[0], "node": affinity[1], "deleted": affinity[2], "state": "confirmed", "type": "host",
		})
	}
	pools := n.lab.Dynamic(t).Resource(calicoapi.GroupV3.WithResource("ippools"))
	overlapping, err := pools.Get(t.Context(), "overlapping", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, unstructured.SetNestedSlice(overlapping.Object, []any{map[string]any{
		"type": "Allocatable", "status": "False", "reason": "CIDROverlap", "message": "", "lastTransitionTime": stamp(now),
	}}, "status", "conditions"))
	_, err = pools.UpdateStatus(t.Context(), overlapping, metav1.UpdateOptions{})
	require.NoError(t, err)
	terminating, err := pools.Get(t.Context(), "terminating", metav1.GetOptions{})
	require.NoError(t, err)
	terminating.SetFinalizers([]string{"projectcalico.org/ippool-finalizer"})
	_, err = pools.Update(t.Context(), terminating, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, pools.Delete(t.Context(), "terminating", metav1.DeleteOptions{}))

	report := func(c require.TestingT, now time.Time) ipam.Report {
		var check check
		a := read(&check, n.watcher, now)
		require.Empty(c, check.differences)
		require.Len(c, a.report.Pools, 3)
		return a.report
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		r := report(c, now)
		require.Equal(c, []string{"node-a", "node-b"}, r.NodeNames)
		require.Equal(c, []string{"enabled", "disabled", "terminating"}, []string{r.Pools[0].State, r.Pools[1].State, r.Pools[2].State})
		require.Equal(c, 6, r.Pools[0].Allocated)
		require.Equal(c, []ipam.NodeShare{{Node: "node-a", InUse: 1, Borrowed: 1}, {Node: "node-b", InUse: 1, Lent: 1, Blocks: 1}}, r.NoPool)
	}, accountPatience, poll)

	r := report(t, now)
	p := r.Pools[0]
	require.Equal(t, 3, p.Cooling, "one of the four that were released has cooled")
	require.Equal(t, 2, p.Uses[ipam.UseWorkload])
	require.Equal(t, []int{1, 1}, []int{p.Used, p.Empty})
	require.Equal(t, addresses.Of(2), p.Unclaimed, "what is marked as deleted is gone")
	require.Equal(t, []ipam.NodeShare{{Node: "node-a", InUse: 2, Blocks: 1}, {Node: "node-b", Blocks: 1}}, p.Nodes)
	require.Equal(t, addresses.Of(256-2-3), p.Assignable)
	require.Equal(t, addresses.Count{}, r.Pools[1].Assignable, "another pool has the CIDR")
	require.Equal(t, addresses.Count{}, r.Pools[2].Assignable)
	require.Equal(t, 2, r.Pools[2].Allocated)
	require.Equal(t, []ipam.NamespaceReport{{Namespace: "shop", Allocated: 4}}, r.Namespaces)
	for _, test := range []struct {
		name string
		now  time.Time
		a, b int
	}{
		// A block of a pool that is terminating does not count against the limit.
		{"a block that was claimed a moment ago stays with its node", now.Add(-time.Second), 59 + 128, 64 + 128},
		{"an empty block may be taken over after a minute", now, 59 + 128 + 64, 64 + 128},
		{"addresses are given out when they have cooled", now.Add(10 * time.Minute), 62 + 128 + 64, 64 + 128},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, []ipam.NodeReport{
				{Node: "node-a", Family: calicometric.IPv4, BlocksLimit: 20, Blocks: 1, Assignable: addresses.Of(test.a)},
				{Node: "node-b", Family: calicometric.IPv4, BlocksLimit: 20, Blocks: 1, Assignable: addresses.Of(test.b)},
			}, report(t, test.now).Nodes)
		})
	}
}
