package calicoapi

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseIPReservation(t *testing.T) {
	for _, name := range []string{"ipreservation-v1", "ipreservation-v3"} {
		got, err := ParseIPReservation(testdata(t, name))
		require.NoError(t, err)
		require.Equal(t, Reservation{CIDRs: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/28")}}, got, name)
	}
}

func TestWhatAnIPReservationReserves(t *testing.T) {
	for _, tc := range []struct {
		name, spec string
		want       []string
		ignored    []string
	}{
		{name: "nothing where nothing is said", spec: "{}"},
		{name: "nothing where it is null", spec: "{reservedCIDRs: null}"},
		{name: "nothing where it is empty", spec: "{reservedCIDRs: []}"},
		{name: "ranges of both families", spec: "{reservedCIDRs: [10.0.0.0/28, 'fd00::/120']}", want: []string{"10.0.0.0/28", "fd00::/120"}},
		{name: "single addresses", spec: "{reservedCIDRs: [10.0.0.7, 'fd00::7']}", want: []string{"10.0.0.7/32", "fd00::7/128"}},
		{name: "all of a range, wherever in it the entry begins", spec: "{reservedCIDRs: [10.0.0.7/28]}", want: []string{"10.0.0.0/28"}},
		{name: "ranges that overlap", spec: "{reservedCIDRs: [10.0.0.0/28, 10.0.0.0/24]}", want: []string{"10.0.0.0/28", "10.0.0.0/24"}},
		{name: "what is between spaces", spec: "{reservedCIDRs: [' 10.0.0.0/28 ', \"\\t10.0.1.1\\n\"]}", want: []string{"10.0.0.0/28", "10.0.1.1/32"}},
		{name: "nothing by an empty entry", spec: "{reservedCIDRs: ['', ' ', 10.0.0.0/28]}", want: []string{"10.0.0.0/28"}},
		{
			name: "IPv4 that is written as IPv6", spec: "{reservedCIDRs: ['::ffff:10.0.0.9', '::ffff:10.0.0.9/124', '::ffff:10.0.0.0/96']}",
			want: []string{"10.0.0.9/32", "10.0.0.0/28", "0.0.0.0/0"},
		},
		{name: "IPv6 around all that is IPv4", spec: "{reservedCIDRs: ['::ffff:10.0.0.0/80']}", want: []string{"::/80"}},
		{
			name: "the good ones beside malformed ones",
			spec: "{reservedCIDRs: [10.0.0.0/33, 10.0.0.0/28, gateway, '', 10.0.0.1-10.0.0.9, 'fe80::1%eth0', 'fd00::1']}",
			want: []string{"10.0.0.0/28", "fd00::1/128"},
			ignored: []string{
				"spec.reservedCIDRs: element 0: must be a CIDR or an address", "spec.reservedCIDRs: element 2: must be a CIDR or an address",
				"spec.reservedCIDRs: element 4: must be a CIDR or an address", "spec.reservedCIDRs: element 5: must be a CIDR or an address",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseIPReservation(object(t, "apiVersion: v1\nkind: IPReservation\nmetadata: {name: r}\nspec: "+tc.spec))
			require.NoError(t, err)
			var want []netip.Prefix
			for _, prefix := range tc.want {
				want = append(want, netip.MustParsePrefix(prefix))
			}
			require.Equal(t, Reservation{CIDRs: want, Ignored: tc.ignored}, got)
		})
	}
}

func TestParseIPReservationNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "ipreservation", ParseIPReservation, []wrong{
		{"a range by itself", "spec: {reservedCIDRs: 10.0.0.0/28}", "spec.reservedCIDRs: a string instead of a list"},
		{"a range that is a number", "spec: {reservedCIDRs: [10.0.0.0/28, 10]}", "spec.reservedCIDRs: element 1: an integer instead of a string"},
		{"a range that is null", "spec: {reservedCIDRs: [null]}", "spec.reservedCIDRs: element 0: null instead of a string"},
	})
}
