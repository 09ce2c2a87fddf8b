package calicoapi

import (
	"fmt"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Reservation is what is read of an IPReservation.
type Reservation struct {
	// CIDRs are the ranges whose addresses Calico does not give out; they may overlap.
	CIDRs []netip.Prefix
	// Ignored names the entries that reserve nothing, since they are neither a CIDR nor an address, each as in
	// "spec.reservedCIDRs: element 1: must be a CIDR or an address". Calico leaves them out as well and goes by the others.
	Ignored []string
}

// ParseIPReservation reads an IPReservation of either API group as Calico does (libcalico-go/lib/ipam/reserved.go, reservedCIDRs): an address
// stands for itself, spaces do not matter and neither does what is empty. That an entry is malformed is no error, see Reservation.
func ParseIPReservation(u *unstructured.Unstructured) (Reservation, error) {
	f := fieldsOf(u)
	var reservation Reservation
	for i, text := range f.strings("spec", "reservedCIDRs") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		prefix, ok := cidrOrAddress(text)
		if !ok {
			reservation.Ignored = append(reservation.Ignored, fmt.Sprintf("spec.reservedCIDRs: element %d: must be a CIDR or an address", i))
			continue
		}
		reservation.CIDRs = append(reservation.CIDRs, prefix)
	}
	if err := f.failed("ipreservation", u); err != nil {
		return Reservation{}, err
	}
	return reservation, nil
}

// mappedBits are those in front of the IPv4 address in an IPv6 address that holds one (RFC 4291, section 2.5.5.2).
const mappedBits = 96

// cidrOrAddress is a range without host bits. IPv4 that is written as IPv6 is IPv4 to Calico.
func cidrOrAddress(text string) (prefix netip.Prefix, ok bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	prefix = prefix.Masked()
	if prefix.Addr().Is4In6() {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mappedBits)
	}
	return prefix, true
}
