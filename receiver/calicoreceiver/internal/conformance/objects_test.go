//go:build e2e

package conformance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/selector"
	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// objects are those that the account is made of, as a fresh list has them, and what is counted of them here without the account.
type objects struct {
	// byResource has the lists of Calico's resources, each in the order of names.
	byResource map[string][]unstructured.Unstructured
	// nodes have the labels of each node.
	nodes map[string]map[string]string

	pools    map[string]netip.Prefix
	blocks   []block
	reserved map[netip.Addr]bool
}

// block is what is read of an IPAMBlock.
type block struct {
	cidr netip.Prefix
	// pool is the name of the pool that covers it. Pools never overlap here.
	pool, affinity string
	size, free     int
	addresses      map[netip.Addr]owner
}

// owner is who has an address.
type owner struct {
	handled    bool
	attributes map[string]string
}

// resourcesV1 are the plurals of what the account is made of.
var resourcesV1 = []string{"ippools", "ipamblocks", "blockaffinities", "ipreservations", "ipamconfigs", "clusterinformations"}

func list(t *testing.T, l *labtest.Lab) *objects {
	t.Helper()
	o := &objects{byResource: map[string][]unstructured.Unstructured{}, nodes: map[string]map[string]string{}}
	for _, resource := range resourcesV1 {
		o.byResource[resource] = listResource(t, l, calicoapi.GroupV1.WithResource(resource))
	}
	nodes, err := l.Kube(t).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, node := range nodes.Items {
		o.nodes[node.Name] = node.Labels
	}
	o.read(t)
	return o
}

func listResource(t *testing.T, l *labtest.Lab, resource schema.GroupVersionResource) []unstructured.Unstructured {
	t.Helper()
	found, err := l.Dynamic(t).Resource(resource).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	return found.Items
}

func (o *objects) read(t *testing.T) {
	t.Helper()
	o.pools, o.reserved = map[string]netip.Prefix{}, map[netip.Addr]bool{}
	for _, pool := range o.byResource["ippools"] {
		o.pools[pool.GetName()] = netip.MustParsePrefix(text(t, pool, "cidr"))
	}
	for _, u := range o.byResource["ipamblocks"] {
		if deleted, _, _ := unstructured.NestedBool(u.Object, "spec", "deleted"); !deleted {
			o.blocks = append(o.blocks, o.block(t, u))
		}
	}
	for _, reservation := range o.byResource["ipreservations"] {
		ranges, _, err := unstructured.NestedStringSlice(reservation.Object, "spec", "reservedCIDRs")
		require.NoError(t, err)
		for _, r := range ranges {
			prefix := prefixOf(t, r)
			// Address by address, which is slow and hard to get wrong.
			for addr := prefix.Masked().Addr(); prefix.Contains(addr); addr = addr.Next() {
				o.reserved[addr] = true
			}
		}
	}
}

// prefixOf is a range, of one address where no length is given.
func prefixOf(t *testing.T, text string) netip.Prefix {
	t.Helper()
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		require.NoError(t, err)
		return netip.PrefixFrom(addr, addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	require.NoError(t, err)
	return prefix
}

func text(t *testing.T, u unstructured.Unstructured, field string) string {
	t.Helper()
	value, _, err := unstructured.NestedString(u.Object, "spec", field)
	require.NoError(t, err)
	return value
}

func (o *objects) block(t *testing.T, u unstructured.Unstructured) block {
	t.Helper()
	var object struct {
		Spec struct {
			CIDR        string `json:"cidr"`
			Affinity    string `json:"affinity"`
			Allocations []*int `json:"allocations"`
			Unallocated []int  `json:"unallocated"`
			Attributes  []struct {
				Handle    *string           `json:"handle_id"`
				Secondary map[string]string `json:"secondary"`
			} `json:"attributes"`
		} `json:"spec"`
	}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &object))
	spec := object.Spec
	b := block{
		cidr: netip.MustParsePrefix(spec.CIDR), affinity: spec.Affinity, size: len(spec.Allocations), free: len(spec.Unallocated),
		addresses: map[netip.Addr]owner{},
	}
	for name, pool := range o.pools {
		if covers(pool, b.cidr) {
			b.pool = name
		}
	}
	addr := b.cidr.Addr()
	for _, index := range spec.Allocations {
		if index != nil {
			attribute := spec.Attributes[*index]
			b.addresses[addr] = owner{handled: attribute.Handle != nil, attributes: attribute.Secondary}
		}
		addr = addr.Next()
	}
	return b
}

// claimed is how many blocks a node has that count against its limit: its affinities in all pools that its pods may use
// (libcalico-go/lib/ipam/ipam.go, prepareAffinityBlocksForHost).
func (o *objects) claimed(t *testing.T, node string, v4 bool) int {
	t.Helper()
	var usable []netip.Prefix
	for _, pool := range o.byResource["ippools"] {
		disabled, _, _ := unstructured.NestedBool(pool.Object, "spec", "disabled")
		uses, found, _ := unstructured.NestedStringSlice(pool.Object, "spec", "allowedUses")
		selects, err := selector.Parse(text(t, pool, "nodeSelector"))
		require.NoError(t, err)
		cidr := o.pools[pool.GetName()]
		if !disabled && (!found || slices.Contains(uses, calicometric.UseWorkload)) && selects.Matches(o.nodes[node]) && cidr.Addr().Is4() == v4 {
			usable = append(usable, cidr)
		}
	}
	n := 0
	for _, affinity := range o.byResource["blockaffinities"] {
		cidr := netip.MustParsePrefix(text(t, affinity, "cidr"))
		if text(t, affinity, "node") == node && text(t, affinity, "deleted") != "true" &&
			slices.ContainsFunc(usable, func(pool netip.Prefix) bool { return covers(pool, cidr) }) {
			n++
		}
	}
	return n
}

// in are the blocks of a pool; of none where the name is empty.
func (o *objects) in(pool string) []block {
	var found []block
	for _, b := range o.blocks {
		if b.pool == pool {
			found = append(found, b)
		}
	}
	return found
}

// allocated is how many addresses of a block are not free.
func (b block) allocated() int { return b.size - b.free }
