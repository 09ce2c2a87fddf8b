// Package fill is the state of IPAM that a new lab starts with: one pool for each case that an IPAM metric must tell apart.
package fill

import (
	"context"
	"fmt"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/options"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/ipamops"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// Names of the pools.
const (
	// DefaultPool is about half used and has a reservation.
	DefaultPool = "default-ipv4-ippool"
	// SmallPool is full, with addresses borrowed from other nodes' blocks.
	SmallPool = "small-pool"
	// IPv6Pool is so large that it swallows all others in a sum.
	IPv6Pool = "default-ipv6-ippool"
	// DisabledPool has no address in use and gives none.
	DisabledPool = "disabled-pool"
	// LoadBalancerPool has addresses of Services, which belong to no node.
	LoadBalancerPool = "loadbalancer-pool"

	defaultPoolSize  = 256
	smallPoolSize    = 32
	reservedCIDR     = "192.168.0.0/28"
	reservedSize     = 16
	loadBalancerCIDR = "10.70.0.0/26"
)

var pools = []v3.IPPool{
	pool(DefaultPool, v3.IPPoolSpec{CIDR: "192.168.0.0/24", BlockSize: 28, IPIPMode: v3.IPIPModeAlways, VXLANMode: v3.VXLANModeNever, NATOutgoing: true}),
	pool(SmallPool, v3.IPPoolSpec{
		CIDR: "10.50.0.0/27", BlockSize: 29, IPIPMode: v3.IPIPModeNever, VXLANMode: v3.VXLANModeNever,
		AllowedUses: []v3.IPPoolAllowedUse{v3.IPPoolAllowedUseWorkload},
	}),
	pool(IPv6Pool, v3.IPPoolSpec{CIDR: "fd00:10:244::/48", BlockSize: 122, IPIPMode: v3.IPIPModeNever, VXLANMode: v3.VXLANModeNever}),
	pool(DisabledPool, v3.IPPoolSpec{CIDR: "10.60.0.0/24", BlockSize: 26, IPIPMode: v3.IPIPModeNever, VXLANMode: v3.VXLANModeNever, Disabled: true}),
}

func pool(name string, spec v3.IPPoolSpec) v3.IPPool {
	spec.NodeSelector = "all()"
	made := v3.NewIPPool()
	made.Name, made.Spec = name, spec
	return *made
}

// CreatePools makes the datastore ready for Calico and creates the pools, the reservation and the load balancer's block.
func CreatePools(ctx context.Context, c *ipamops.Client, calicoVersion, clusterType string) ([]state.Pool, error) {
	if err := c.Calico.EnsureInitialized(ctx, calicoVersion, clusterType); err != nil {
		return nil, fmt.Errorf("initialise Calico's datastore: %w", err)
	}
	for _, p := range pools {
		if _, err := c.Calico.IPPools().Create(ctx, &p, options.SetOptions{}); err != nil {
			return nil, fmt.Errorf("create IP pool %q: %w", p.Name, err)
		}
	}
	reservation := &v3.IPReservation{
		TypeMeta:   metav1.TypeMeta{Kind: v3.KindIPReservation, APIVersion: v3.GroupVersionCurrent},
		ObjectMeta: metav1.ObjectMeta{Name: "reserved"},
		Spec:       v3.IPReservationSpec{ReservedCIDRs: []string{reservedCIDR}},
	}
	if _, err := c.Calico.IPReservations().Create(ctx, reservation, options.SetOptions{}); err != nil {
		return nil, fmt.Errorf("create IP reservation: %w", err)
	}
	if err := c.CRD.CreateLoadBalancerPool(ctx, LoadBalancerPool, loadBalancerCIDR); err != nil {
		return nil, err
	}
	return List(ctx, c)
}

// List returns the pools that exist.
func List(ctx context.Context, c *ipamops.Client) ([]state.Pool, error) {
	existing, err := c.Pools(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]state.Pool, 0, len(existing))
	for _, p := range existing {
		list = append(list, state.Pool{Name: p.Name, CIDR: p.Spec.CIDR})
	}
	return list, nil
}
