package calicoapi

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

func TestParseBlockAffinity(t *testing.T) {
	v1, err := ParseBlockAffinity(testdata(t, "blockaffinity-v1"))
	require.NoError(t, err)
	require.Equal(t, &ipam.Affinity{CIDR: netip.MustParsePrefix("192.168.3.192/26"), Node: "node-1"}, v1)

	v3, err := ParseBlockAffinity(testdata(t, "blockaffinity-v3"))
	require.NoError(t, err)
	require.Equal(t, &ipam.Affinity{CIDR: netip.MustParsePrefix("fd00:10:244:5486:2d90:6847:2ee5:5500/122"), Node: "node-1"}, v3)
}

func TestWhoseABlockAffinityIs(t *testing.T) {
	for _, tc := range []struct{ name, spec, node string }{
		{"without a type it is a node's", "node: node-1", "node-1"},
		{"of an empty type it is a node's", "node: node-1, type: ''", "node-1"},
		{"of type host it is a node's", "node: node-1, type: host", "node-1"},
		{"of type virtual it is no node's", "node: load-balancer, type: virtual", ""},
		{"of another type it is no node's", "node: node-1, type: rack", ""},
		{"of no node it needs none", "type: virtual", ""},
		{"in any state it counts", "node: node-1, state: pendingDeletion", "node-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseBlockAffinity(object(t, "apiVersion: v1\nkind: BlockAffinity\nmetadata: {name: a}\nspec: {cidr: 10.0.0.9/29, "+tc.spec+"}"))
			require.NoError(t, err)
			require.Equal(t, &ipam.Affinity{CIDR: netip.MustParsePrefix("10.0.0.8/29"), Node: tc.node}, got)
		})
	}
}

func TestBlockAffinityThatIsMarkedAsDeletedIsNone(t *testing.T) {
	for _, tc := range []struct {
		name, deleted string
		want          bool
	}{
		{"not said", "null", false},
		{"not said in v1", "''", false},
		{"no in v1", "'false'", false},
		{"yes in v1", "'true'", true},
		{"yes in v1 as Go has it too", "'1'", true},
		{"no in v3", "false", false},
		{"yes in v3", "true", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseBlockAffinity(object(t,
				"apiVersion: v1\nkind: BlockAffinity\nmetadata: {name: a}\nspec: {cidr: 10.0.0.0/26, node: node-1, deleted: "+tc.deleted+"}"))
			require.NoError(t, err)
			require.Equal(t, tc.want, got == nil)
		})
	}
}

func TestParseBlockAffinityNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "blockaffinity", ParseBlockAffinity, []wrong{
		{"no CIDR", "spec: {node: node-1}", "spec.cidr: must be a CIDR"},
		{"an address", "spec: {node: node-1, cidr: 10.0.0.0}", "spec.cidr: must be a CIDR"},
		{"a CIDR that is a list", "spec: {node: node-1, cidr: []}", "spec.cidr: a list instead of a string"},
		{"no node", "spec: {cidr: 10.0.0.0/26}", "spec.node: must be the name of a node"},
		{"a node that is a number", "spec: {cidr: 10.0.0.0/26, node: 1}", "spec.node: an integer instead of a string"},
		{"a type that is a number", "spec: {cidr: 10.0.0.0/26, node: node-1, type: 1}", "spec.type: an integer instead of a string"},
		{"a mark in other words", "spec: {cidr: 10.0.0.0/26, node: node-1, deleted: soon}", "spec.deleted: must be true or false"},
		{"a mark that is a number", "spec: {cidr: 10.0.0.0/26, node: node-1, deleted: 1}", "spec.deleted: an integer instead of a boolean"},
	})
}
