package conformance

import (
	"context"
	"testing"

	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
)

type attributes = map[string]string

// blockWith is a block of eight addresses, the first of which have these handles, none where one is empty, and attributes.
func blockWith(cidr, affinity string, owners ...address) *model.KVPair {
	b := &model.AllocationBlock{CIDR: cnet.MustParseNetwork(cidr), Allocations: make([]*int, 8)}
	if affinity != "" {
		b.Affinity = &affinity
	}
	for ordinal := range b.Allocations {
		if ordinal >= len(owners) {
			b.Unallocated = append(b.Unallocated, ordinal)
			continue
		}
		b.Allocations[ordinal] = ptr.To(ordinal)
		attribute := model.AllocationAttribute{AttrSecondary: owners[ordinal].attrs}
		if owners[ordinal].handle != "" {
			attribute.AttrPrimary = &owners[ordinal].handle
		}
		b.Attributes = append(b.Attributes, attribute)
	}
	return &model.KVPair{Key: model.BlockKey{CIDR: b.CIDR}, Value: b}
}

func viewOf(blocks ...*model.KVPair) *view {
	v := &view{blocks: blocks}
	for _, pair := range blocks {
		v.held = append(v.held, held(blockOf(pair))...)
	}
	return v
}

func podOn(node string) address {
	return address{handle: "k8s-pod-network.1", attrs: attributes{ipam.AttributeNode: node, ipam.AttributePod: "p", ipam.AttributeNamespace: "n"}}
}

func TestAddressesOfServicesAndOfWindowsAreNotReleased(t *testing.T) {
	v := viewOf(blockWith("10.0.0.0/29", "host:a",
		address{handle: ipam.WindowsReservedHandle, attrs: attributes{"note": "windows host rsvd"}},
		address{handle: "lb-1", attrs: attributes{ipam.AttributeType: typeLoadBalancer}},
		podOn("a"),
		address{},
	))
	require.Len(t, v.held, 2)
	require.Equal(t, "10.0.0.2", v.held[0].ip)
	require.Equal(t, address{ip: "10.0.0.3", block: "10.0.0.0/29"}, v.held[1])
}

func TestStrangersKeepABlockWithItsNode(t *testing.T) {
	for _, test := range []struct {
		name   string
		blocks []*model.KVPair
		want   bool
	}{
		{"a node with its own pods has none", []*model.KVPair{blockWith("10.0.0.0/29", "host:a", podOn("a"))}, false},
		{"the pod of another is one", []*model.KVPair{blockWith("10.0.0.0/29", "host:a", podOn("b"))}, true},
		{
			"an address without a handle is one",
			[]*model.KVPair{blockWith("10.0.0.0/29", "host:a", address{attrs: attributes{ipam.AttributeNode: "a"}})}, true,
		},
		{"others in the blocks of others are none", []*model.KVPair{blockWith("10.0.0.0/29", "host:b", podOn("a"), podOn("b"))}, false},
		{
			"an address of the node whose owner is not known is one wherever it is",
			[]*model.KVPair{blockWith("10.0.0.0/29", "host:b", address{handle: "h", attrs: attributes{ipam.AttributeNode: "a"}})}, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, viewOf(test.blocks...).hasStrangers("a")) })
	}
}

func TestNodeThatIsGoneIsCleanWithoutBlocksAndPods(t *testing.T) {
	require.True(t, viewOf(blockWith("10.0.0.0/29", "host:b", podOn("b"))).isClean("a"))
	require.False(t, viewOf(blockWith("10.0.0.0/29", "host:a")).isClean("a"))
	require.False(t, viewOf(blockWith("10.0.0.0/29", "host:b", podOn("a"))).isClean("a"))
	unknown := address{handle: "h", attrs: attributes{ipam.AttributeNode: "a"}}
	require.True(t, viewOf(blockWith("10.0.0.0/29", "host:b", unknown)).isClean("a"), "nobody releases what is nobody's")
}

// keeping is a backend that keeps what is written.
type keeping struct {
	api.Client
	written *model.AllocationBlock
}

func (k *keeping) Update(_ context.Context, pair *model.KVPair) (*model.KVPair, error) {
	k.written = blockOf(pair)
	return pair, nil
}

func TestAddressOfAServiceThatIsReleasedLeavesThoseOfTheOthers(t *testing.T) {
	service := func(name string) address { return address{handle: "lb-" + name, attrs: attributes{"service": name}} }
	for seed := range uint64(20) {
		pair := blockWith("10.0.0.0/29", virtualAffinity, service("a"), service("b"), service("c"))
		backend := &keeping{}
		d := seeded(seed)
		d.backend = backend
		operation := Operation{}
		require.NoError(t, d.releaseService(t.Context(), pair, &operation))
		b := backend.written
		require.Len(t, b.Attributes, 2)
		require.Len(t, b.Unallocated, 6)
		for ordinal, name := range []string{"a", "b", "c"} {
			if ip := b.OrdinalToIP(ordinal).String(); operation.Object == ip {
				require.Nil(t, b.Allocations[ordinal])
				require.Equal(t, ordinal, b.Unallocated[5], "it is given out last")
				continue
			}
			require.Equal(t, name, b.Attributes[*b.Allocations[ordinal]].AttrSecondary["service"])
		}
		operation = Operation{}
		require.NoError(t, d.assignService(t.Context(), pair, &operation))
		require.Len(t, backend.written.Attributes, 3)
	}
}
