// Package ippool holds Calico's defaults for what an IPPool leaves out.
package ippool

import (
	"net/netip"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// BlockSize returns the prefix length of the blocks of a pool that does not say it.
func BlockSize(cidr netip.Prefix) int {
	if cidr.Addr().Is4() {
		return 26
	}
	return 122
}

// AllowedUses returns what a pool may be used for that does not say it, sorted. The caller may keep the slice.
func AllowedUses() []string { return []string{calicometric.UseTunnel, calicometric.UseWorkload} }
