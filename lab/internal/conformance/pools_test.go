package conformance

import (
	"net/netip"
	"testing"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/stretchr/testify/require"
)

// ofEveryLab are the CIDRs of the pools that a lab is filled with.
var ofEveryLab = []string{"192.168.0.0/24", "10.50.0.0/27", "10.60.0.0/24", "10.70.0.0/26", "fd00:10:244::/48"}

func TestNoTwoPlansOverlap(t *testing.T) {
	var others []netip.Prefix
	for _, cidr := range ofEveryLab {
		others = append(others, netip.MustParsePrefix(cidr))
	}
	names := map[string]bool{}
	for _, p := range plans {
		require.False(t, names[p.name], p.name)
		names[p.name] = true
		var own []netip.Prefix
		for _, cidr := range p.cidrs {
			prefix := netip.MustParsePrefix(cidr)
			require.Equal(t, prefix.Masked(), prefix, p.name)
			for _, other := range others {
				require.False(t, prefix.Overlaps(other), "%s and %s", cidr, other)
			}
			require.True(t, netip.MustParsePrefix(p.cidrs[0]).Overlaps(prefix), "a pool is found by the address that all its CIDRs begin with")
			own = append(own, prefix)
		}
		others = append(others, own...)
	}
}

func TestEveryBlockSizeFitsIntoEveryCIDR(t *testing.T) {
	for _, p := range plans {
		for _, cidr := range p.cidrs {
			prefix := netip.MustParsePrefix(cidr)
			for _, size := range p.blockSizes {
				require.LessOrEqual(t, prefix.Bits(), size, p.name)
				require.LessOrEqual(t, size, prefix.Addr().BitLen(), p.name)
			}
		}
	}
}

func TestReservationsLeaveMostOfAHugePool(t *testing.T) {
	pool := v3.NewIPPool()
	pool.Spec = v3.IPPoolSpec{CIDR: "fd00:23::/48", BlockSize: 122}
	v := &view{pools: []v3.IPPool{*pool}}
	for seed := range uint64(500) {
		text := seeded(seed).reserve(v)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			_, err = netip.ParseAddr(text)
			require.NoError(t, err)
			continue
		}
		if prefix.Addr().Is6() {
			require.GreaterOrEqual(t, prefix.Bits(), 122, text)
		}
	}
}
