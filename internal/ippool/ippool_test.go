package ippool

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultsAreCalicos(t *testing.T) {
	require.Equal(t, 26, BlockSize(netip.MustParsePrefix("10.0.0.0/16")))
	require.Equal(t, 122, BlockSize(netip.MustParsePrefix("fd00::/48")))
	require.Equal(t, []string{"Tunnel", "Workload"}, AllowedUses())
}
