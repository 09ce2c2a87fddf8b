package calicoapi

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

const blockHead = "kind: IPAMBlock\nmetadata: {name: 10-0-0-0-30}\n"

func TestParseIPAMBlock(t *testing.T) {
	pod := func(name, node string) ipam.Attribute {
		return ipam.Attribute{Handle: ptr("k8s-pod-network." + name), Node: node, Namespace: "default", Pod: name}
	}

	v1, err := ParseIPAMBlock(testdata(t, "ipamblock-v1"))
	require.NoError(t, err)
	require.Equal(t, &ipam.BlockSpec{
		CIDR: "10.50.0.0/29", Affinity: "host:node-2",
		Allocations: []int{0, 1, 2, 3, 4, 5, 6, 7}, Unallocated: []int{},
		Attributes: []ipam.Attribute{
			pod("small-node-2-0", "node-2"), pod("small-node-2-1", "node-2"), pod("small-node-2-2", "node-2"), pod("small-node-2-3", "node-2"),
			pod("small-node-2-4", "node-2"), pod("small-node-2-5", "node-2"), pod("more-node-4-2", "node-4"), pod("more-node-4-3", "node-4"),
		},
	}, v1)

	v3, err := ParseIPAMBlock(testdata(t, "ipamblock-v3"))
	require.NoError(t, err)
	allocations := make([]int, 64)
	var unallocated []int
	for i := range allocations {
		allocations[i] = i
		if i > 4 {
			allocations[i] = ipam.Free
			unallocated = append(unallocated, i)
		}
	}
	require.Equal(t, &ipam.BlockSpec{
		CIDR: "fd00:10:244:5486:2d90:6847:2ee5:5500/122", Affinity: "host:node-1", ClaimTime: time.Date(2026, 11, 23, 17, 14, 8, 0, time.UTC),
		Allocations: allocations, Unallocated: unallocated,
		Attributes: []ipam.Attribute{
			pod("six-node-1-0", "node-1"), pod("six-node-1-1", "node-1"), pod("six-node-1-2", "node-1"), pod("six-node-1-3", "node-1"),
			pod("six-node-1-4", "node-1"),
		},
	}, v3)

	for _, spec := range []*ipam.BlockSpec{v1, v3} {
		_, err := ipam.NewBlock(*spec, true)
		require.NoError(t, err)
	}
}

func TestParseIPAMBlockReadsWhatThereIs(t *testing.T) {
	released := time.Date(2026, 7, 1, 10, 0, 5, 0, time.UTC)
	attributes := func(list ...ipam.Attribute) ipam.BlockSpec {
		return ipam.BlockSpec{CIDR: "10.0.0.0/30", Allocations: []int{}, Unallocated: []int{}, Attributes: list}
	}
	for _, tc := range []struct {
		name, spec string
		want       ipam.BlockSpec
	}{
		{"null is a free address", "allocations: [null, 1, null, 0], unallocated: [2, 0]", ipam.BlockSpec{
			CIDR: "10.0.0.0/30", Allocations: []int{ipam.Free, 1, ipam.Free, 0}, Unallocated: []int{2, 0}, Attributes: []ipam.Attribute{},
		}},
		{"what is null is not set", "affinity: null, affinityClaimTime: null, allocations: null, unallocated: null, attributes: null, deleted: null",
			attributes([]ipam.Attribute{}...)},
		{"a virtual owner", "affinity: 'virtual:load-balancer', deleted: false", ipam.BlockSpec{
			CIDR: "10.0.0.0/30", Affinity: "virtual:load-balancer", Allocations: []int{}, Unallocated: []int{}, Attributes: []ipam.Attribute{},
		}},
		{
			"an address that cools down has no owner", "attributes: [{releasedAt: '2026-07-01T10:00:05Z'}]",
			attributes(ipam.Attribute{ReleasedAt: released}),
		},
		{"an address that nobody released is in use", "attributes: [{handle_id: a, releasedAt: null}]", attributes(ipam.Attribute{Handle: ptr("a")})},
		{
			"handles are told apart, and from none", "attributes: [{handle_id: a}, {}, {handle_id: ''}, {handle_id: null}, {handle_id: b}]",
			attributes(
				ipam.Attribute{Handle: ptr("a")}, ipam.Attribute{}, ipam.Attribute{Handle: ptr("")}, ipam.Attribute{}, ipam.Attribute{Handle: ptr("b")},
			),
		},
		{
			"the address of a tunnel", "attributes: [{handle_id: vxlan-tunnel-addr-node-1, secondary: {node: node-1, type: vxlanTunnelAddress}}]",
			attributes(ipam.Attribute{Handle: ptr("vxlan-tunnel-addr-node-1"), Node: "node-1", Type: "vxlanTunnelAddress"}),
		},
		{
			"the active owner of two", "attributes: [{secondary: {namespace: vms, pod: source, node: node-1}, alternateOwnerAttrs: {pod: target}}]",
			attributes(ipam.Attribute{Namespace: "vms", Pod: "source", Node: "node-1"}),
		},
		{
			"an owner that is null is none", "attributes: [{secondary: null}, {secondary: {node: null, timestamp: 2026}}]",
			attributes(ipam.Attribute{}, ipam.Attribute{}),
		},
		{"hostAffinity is no field of a block", "hostAffinity: node-1", attributes([]ipam.Attribute{}...)},
	} {
		for _, group := range []string{GroupV1.String(), GroupV3.String()} {
			t.Run(tc.name+" in "+group, func(t *testing.T) {
				if tc.want.Attributes == nil {
					tc.want.Attributes = []ipam.Attribute{}
				}
				got, err := ParseIPAMBlock(object(t, "apiVersion: "+group+"\n"+blockHead+"spec: {cidr: 10.0.0.0/30, "+tc.spec+"}"))
				require.NoError(t, err)
				require.Equal(t, &tc.want, got)
			})
		}
	}
}

func TestIPAMBlockThatIsMarkedAsDeletedIsNone(t *testing.T) {
	for _, spec := range []string{"{cidr: 10.0.0.0/30, deleted: true}", "{deleted: true, allocations: all}"} {
		got, err := ParseIPAMBlock(object(t, "apiVersion: crd.projectcalico.org/v1\n"+blockHead+"spec: "+spec))
		require.NoError(t, err)
		require.Nil(t, got)
	}
}

func TestParseIPAMBlockNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "ipamblock", ParseIPAMBlock, []wrong{
		{"a CIDR that is a number", "spec: {cidr: 10}", "spec.cidr: an integer instead of a string"},
		{"a mark in words", "spec: {deleted: 'true'}", "spec.deleted: a string instead of a boolean"},
		{"an affinity that is an object", "spec: {affinity: {host: node-1}}", "spec.affinity: an object instead of a string"},
		{"a claim at no time", "spec: {affinityClaimTime: yesterday}", "spec.affinityClaimTime: must be a time"},
		{"allocations by address", "spec: {allocations: {}}", "spec.allocations: an object instead of a list"},
		{"an allocation that is a word", "spec: {allocations: [0, one]}", "spec.allocations: element 1: a string instead of an integer"},
		{"an allocation with a fraction", "spec: {allocations: [0.5]}", "spec.allocations: element 0: a float instead of an integer"},
		{"an allocation that would stand for a free address", "spec: {allocations: [null, -1]}", "spec.allocations: element 1: must be a position"},
		{"an allocation that some machines cannot count to", "spec: {allocations: [2147483648]}", "spec.allocations: element 0: must be a position"},
		{"free addresses that are a number", "spec: {unallocated: 3}", "spec.unallocated: an integer instead of a list"},
		{"a free address that is null", "spec: {unallocated: [0, null]}", "spec.unallocated: element 1: null instead of an integer"},
		{"a free address below 0", "spec: {unallocated: [-1]}", "spec.unallocated: element 0: must be a position, from 0"},
		{"attributes that are an object", "spec: {attributes: {}}", "spec.attributes: an object instead of a list"},
		{"an attribute that is null", "spec: {attributes: [{}, null]}", "spec.attributes: element 1: null instead of an object"},
		{
			"a handle that is a number", "spec: {attributes: [{handle_id: a}, {handle_id: 7}]}",
			"spec.attributes: element 1: handle_id: an integer instead of a string",
		},
		{
			"a release at no time", "spec: {attributes: [{releasedAt: soon}]}",
			"spec.attributes: element 0: releasedAt: must be a time",
		},
		{
			"an owner that is a word", "spec: {attributes: [{secondary: pod}]}",
			"spec.attributes: element 0: secondary: a string instead of an object",
		},
		{
			"a node that is a number", "spec: {attributes: [{secondary: {node: 1}}]}",
			"spec.attributes: element 0: secondary.node: an integer instead of a string",
		},
		{"the first of several", "spec: {cidr: [], allocations: [-1]}", "spec.cidr: a list instead of a string"},
	})
}

// BenchmarkParseIPAMBlock is what every allocation and release in the cluster costs, and at the start each block once.
func BenchmarkParseIPAMBlock(b *testing.B) {
	const pods, size = 60, 64
	var allocations, unallocated, attributes []string
	for i := range size {
		switch {
		case i < pods:
			allocations = append(allocations, strconv.Itoa(i+1))
			attributes = append(attributes, fmt.Sprintf("{handle_id: k8s-pod-network.%064x, secondary: {namespace: shop-%d, node: worker-17.example.net, "+
				"pod: checkout-7c9d8f6b5-%05d, timestamp: '2026-11-23 15:55:46.%09d +0000 UTC'}}", i, i%7, i, i))
		case i == pods:
			allocations = append(allocations, "0")
		default:
			allocations = append(allocations, "null")
			unallocated = append(unallocated, strconv.Itoa(i))
		}
	}
	tunnel := "{handle_id: vxlan-tunnel-addr-worker-17.example.net, secondary: {node: worker-17.example.net, type: vxlanTunnelAddress}}"
	block := object(b, fmt.Sprintf("apiVersion: projectcalico.org/v3\nkind: IPAMBlock\nmetadata: {name: 10-244-3-64-26}\nspec:\n"+
		"  cidr: 10.244.3.64/26\n  affinity: host:worker-17.example.net\n  affinityClaimTime: '2026-11-23T15:55:46Z'\n  deleted: false\n"+
		"  allocations: [%s]\n  unallocated: [%s]\n  attributes: [%s]\n",
		strings.Join(allocations, ", "), strings.Join(unallocated, ", "), strings.Join(append([]string{tunnel}, attributes...), ", ")))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseIPAMBlock(block); err != nil {
			b.Fatal(err)
		}
	}
}
