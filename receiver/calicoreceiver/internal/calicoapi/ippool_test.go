package calicoapi

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

const head = "apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: pool}\n"

func TestParseIPPool(t *testing.T) {
	defaults := ipam.Pool{
		Name: "pool", CIDR: netip.MustParsePrefix("10.0.0.0/16"), BlockSize: 26, State: "enabled",
		AllowedUses: []string{"Tunnel", "Workload"}, AssignmentMode: "Automatic", Encapsulation: "None",
	}
	with := func(change func(*ipam.Pool)) ipam.Pool { p := defaults; change(&p); return p }
	for _, tc := range []struct {
		name, spec string
		want       ipam.Pool
	}{
		{"Calico's defaults for IPv4", "spec: {cidr: 10.0.0.0/16}", defaults},
		{"Calico's defaults for IPv6", "spec: {cidr: 'fd00::/48'}", with(func(p *ipam.Pool) { p.CIDR, p.BlockSize = netip.MustParsePrefix("fd00::/48"), 122 })},
		{"block size 0 is not set", "spec: {cidr: 10.0.0.0/16, blockSize: 0}", defaults},
		{"host bits are dropped", "spec: {cidr: 10.0.3.4/16, blockSize: 29}", with(func(p *ipam.Pool) { p.BlockSize = 29 })},
		{
			"not allocatable", "spec: {cidr: 10.0.0.0/16}\nstatus: {conditions: [{type: Other, status: 'True'}, {type: Allocatable, status: 'False', reason: CIDROverlap}]}",
			with(func(p *ipam.Pool) { p.State = "disabled" }),
		},
		{"allocatable", "spec: {cidr: 10.0.0.0/16}\nstatus: {conditions: [{type: Allocatable, status: 'True'}]}", defaults},
		{"disabled pools may be smaller than a block", "spec: {cidr: 10.0.0.0/28, disabled: true}", with(func(p *ipam.Pool) {
			p.CIDR, p.State = netip.MustParsePrefix("10.0.0.0/28"), "disabled"
		})},
		{"disabled", "spec: {cidr: 10.0.0.0/16, disabled: true}", with(func(p *ipam.Pool) { p.State = "disabled" })},
		{
			"LoadBalancer", "spec: {cidr: 10.0.0.0/16, allowedUses: [LoadBalancer], assignmentMode: Manual}",
			with(func(p *ipam.Pool) { p.AllowedUses, p.AssignmentMode = []string{"LoadBalancer"}, "Manual" }),
		},
		{"what is null is not set", "spec: {cidr: 10.0.0.0/16, blockSize: null, disabled: null, allowedUses: null, assignmentMode: null}", defaults},
		{"uses are sorted", "spec: {cidr: 10.0.0.0/16, allowedUses: [Workload, Tunnel]}", defaults},
		{
			"a node selector as it is written, whether or not it can be read", "spec: {cidr: 10.0.0.0/16, nodeSelector: ' zone == '}",
			with(func(p *ipam.Pool) { p.NodeSelector = " zone == " }),
		},
		{"IPIP", "spec: {cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: Never}", with(func(p *ipam.Pool) { p.Encapsulation = "IPIP" })},
		{"VXLAN across subnets", "spec: {cidr: 10.0.0.0/16, ipipMode: Never, vxlanMode: CrossSubnet}", with(func(p *ipam.Pool) { p.Encapsulation = "VXLANCrossSubnet" })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseIPPool(object(t, head+tc.spec))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTerminatingPoolIsNoLongerEnabled(t *testing.T) {
	u := object(t, head+"spec: {cidr: 10.0.0.0/16}")
	now := metav1.Now()
	u.SetDeletionTimestamp(&now)
	pool, err := ParseIPPool(u)
	require.NoError(t, err)
	require.Equal(t, "terminating", pool.State)
}

func TestParseIPPoolNamesTheFieldThatIsWrong(t *testing.T) {
	for _, tc := range []struct{ name, spec, want string }{
		{"no CIDR", "spec: {}", "spec.cidr"},
		{"no CIDR at all", "spec: {cidr: everything}", "spec.cidr"},
		{"CIDR of another type", "spec: {cidr: 10}", "cidr"},
		{"block larger than the pool", "spec: {cidr: 10.0.0.0/28, blockSize: 26}", "spec.blockSize"},
		{"default block larger than the pool", "spec: {cidr: 10.0.0.0/27}", "spec.blockSize"},
		{"block longer than an address", "spec: {cidr: 10.0.0.0/16, blockSize: 64}", "spec.blockSize"},
		{"conditions of another type", "spec: {cidr: 10.0.0.0/16}\nstatus: {conditions: [true]}", "status.conditions"},
		{"a node selector of another type", "spec: {cidr: 10.0.0.0/16, nodeSelector: {zone: a}}", "spec.nodeSelector: an object instead of a string"},
		{"negative block", "spec: {cidr: 10.0.0.0/16, blockSize: -1}", "spec.blockSize"},
		{"uses of another type", "spec: {cidr: 10.0.0.0/16, allowedUses: Workload}", "allowedUses"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseIPPool(object(t, head+tc.spec))
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, `"pool"`)
		})
	}
}
