package nodedetail

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDetailsThatCanBeUsed(t *testing.T) {
	for _, detail := range []Detail{{Mode: Full}, {Mode: Nonzero}, {Mode: None}, {Mode: Full, Top: 1}, {Mode: Nonzero, Top: MaxTop}} {
		require.NoError(t, detail.Validate(), detail)
	}
}

func TestDetailsThatCannotBeUsed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		detail Detail
		want   string
	}{
		{"no mode", Detail{}, `node_detail: "" is not one of: full, nonzero, none`},
		{"a mode that does not exist", Detail{Mode: "some"}, `node_detail: "some" is not one of: full, nonzero, none`},
		{"a negative number of nodes", Detail{Mode: Full, Top: -1}, "top_nodes: must not be negative, not -1"},
		{"more nodes than there can be", Detail{Mode: Full, Top: MaxTop + 1}, "top_nodes: must be at most 100000, not 100001; 0 is all"},
		{"nodes one by one and none at all", Detail{Mode: None, Top: 5}, "top_nodes: no node has series of its own with node_detail: none"},
		{"all of it", Detail{Mode: "some", Top: -1}, "node_detail: \"some\" is not one of: full, nonzero, none\ntop_nodes: must not be negative, not -1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.EqualError(t, tc.detail.Validate(), tc.want)
		})
	}
}
