package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	"github.com/projectcalico/calico/libcalico-go/lib/options"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
)

// Uses of a pool, beside those that the library of the lab's Calico version knows.
const useLoadBalancer = v3.IPPoolAllowedUse("LoadBalancer")

// plan is a pool that may be there or not, each time with one of its CIDRs, block sizes and two names. Those of two plans never overlap, because
// kube-controllers keeps a block with the pool that it found first (pool_manager.go), in the order of a Go map.
type plan struct {
	name       string
	cidrs      []string
	blockSizes []int
	uses       []v3.IPPoolAllowedUse
	selector   string
}

var plans = []plan{
	{name: "alpha", cidrs: []string{"10.20.0.0/24", "10.20.0.0/25"}, blockSizes: []int{26, 28}},
	{name: "bravo", cidrs: []string{"10.21.0.0/26"}, blockSizes: []int{28, 29, 30}},
	{
		name: "charlie", cidrs: []string{"10.22.0.0/27", "10.22.0.0/26"}, blockSizes: []int{29, 30},
		uses: []v3.IPPoolAllowedUse{v3.IPPoolAllowedUseWorkload},
	},
	{name: "delta", cidrs: []string{"10.23.0.0/28"}, blockSizes: []int{28, 29, 30}},
	{name: "echo", cidrs: []string{"10.24.0.0/25"}, blockSizes: []int{27, 28}, selector: zoneLabel + " == 'a'"},
	// It has more blocks than a node may claim where no limit is set.
	{name: "foxtrot", cidrs: []string{"10.25.0.0/24"}, blockSizes: []int{30}},
	{name: "tunnels", cidrs: []string{"10.26.0.0/27"}, blockSizes: []int{28, 29}, uses: []v3.IPPoolAllowedUse{v3.IPPoolAllowedUseTunnel}},
	{name: "services", cidrs: []string{"10.27.0.0/27"}, blockSizes: []int{28, 29}, uses: []v3.IPPoolAllowedUse{useLoadBalancer}},
	{name: "six-alpha", cidrs: []string{"fd00:20::/116"}, blockSizes: []int{122, 124}},
	{name: "six-bravo", cidrs: []string{"fd00:21::/120", "fd00:21::/119"}, blockSizes: []int{122, 123, 124}},
	{name: "six-charlie", cidrs: []string{"fd00:22::/118"}, blockSizes: []int{122}, selector: "!has(" + zoneLabel + ") || " + zoneLabel + " == 'b'"},
	{name: "six-huge", cidrs: []string{"fd00:23::/48"}, blockSizes: []int{122}},
}

// minPools are as many of the planned pools as there always are, beside those of every lab.
const minPools = 5

// planned pairs the plans with the pools that are there of them, which are nil where there is none.
func planned(v *view) []*v3.IPPool {
	pools := make([]*v3.IPPool, len(plans))
	for i, p := range plans {
		for j := range v.pools {
			if networkOf(&v.pools[j]).Contains(cnet.MustParseNetwork(p.cidrs[0]).IP) {
				pools[i] = &v.pools[j]
			}
		}
	}
	return pools
}

func existing(v *view) []*v3.IPPool {
	return where(planned(v), func(p *v3.IPPool) bool { return p != nil })
}

func (d *Driver) createPool(ctx context.Context, v *view, operation *Operation) error {
	var missing []plan
	for i, pool := range planned(v) {
		if pool == nil {
			missing = append(missing, plans[i])
		}
	}
	if len(missing) == 0 {
		return errNothing
	}
	return d.create(ctx, v, pick(d, missing), operation)
}

// create makes a pool over what a former one may have left. Calico refuses it where blocks of another size are left, so it mostly has theirs.
func (d *Driver) create(ctx context.Context, v *view, p plan, operation *Operation) error {
	pool := v3.NewIPPool()
	pool.Name = p.name
	if d.chance(25) {
		pool.Name += "-2"
	}
	pool.Spec = v3.IPPoolSpec{
		CIDR: pick(d, p.cidrs), BlockSize: pick(d, p.blockSizes), AllowedUses: p.uses, NodeSelector: p.selector, Disabled: d.chance(10),
		IPIPMode: v3.IPIPModeNever, VXLANMode: v3.VXLANModeNever,
	}
	if pool.Spec.NodeSelector == "" {
		pool.Spec.NodeSelector = "all()"
	}
	forServices := slices.Contains(p.uses, useLoadBalancer)
	// Who writes an object is not refused anything.
	if left := v.blocksIn(networkOf(pool)); len(left) > 0 && (forServices || d.chance(80)) {
		pool.Spec.BlockSize, _ = blockOf(left[0]).CIDR.Mask.Size()
	}
	operation.Pool, operation.Object = pool.Name, fmt.Sprintf("%s of /%d", pool.Spec.CIDR, pool.Spec.BlockSize)
	if forServices {
		return d.createObject(ctx, "IPPool", pool.Name, map[string]any{
			"cidr": pool.Spec.CIDR, "blockSize": int64(pool.Spec.BlockSize), "ipipMode": "Never", "vxlanMode": "Never", "nodeSelector": "all()",
			"allowedUses": []any{string(useLoadBalancer)}, "disabled": pool.Spec.Disabled,
		})
	}
	_, err := d.client.Calico.IPPools().Create(ctx, pool, options.SetOptions{})
	return err
}

// createObject writes what the library of the lab's Calico version does not know.
func (d *Driver) createObject(ctx context.Context, kind, name string, spec map[string]any) error {
	return d.client.CRD.Create(ctx, map[string]any{
		"apiVersion": "crd.projectcalico.org/v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	})
}

// deletePool deletes a pool as calicoctl does, which takes its blocks from their nodes first, or as kubectl does, which does not. Addresses that
// are in use stay, in blocks without a pool.
func (d *Driver) deletePool(ctx context.Context, v *view, operation *Operation) error {
	pools := existing(v)
	if len(pools) <= minPools {
		return errNothing
	}
	operation.Pool = pick(d, pools).Name
	if d.chance(30) {
		operation.Object = "the object alone"
		return d.client.CRD.Dynamic.Resource(cluster.IPPools).Delete(ctx, operation.Pool, metav1.DeleteOptions{})
	}
	return d.client.DeletePool(ctx, operation.Pool)
}

// switchPool disables a pool, or enables it again.
func (d *Driver) switchPool(ctx context.Context, v *view, operation *Operation) error {
	pools := existing(v)
	if disabled := where(pools, func(p *v3.IPPool) bool { return p.Spec.Disabled }); len(disabled) > 1 {
		pools = disabled
	}
	if len(pools) == 0 {
		return errNothing
	}
	pool := pick(d, pools)
	operation.Pool, operation.Object = pool.Name, fmt.Sprintf("disabled: %t", !pool.Spec.Disabled)
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"disabled": !pool.Spec.Disabled}})
	if err != nil {
		return err
	}
	_, err = d.client.CRD.Dynamic.Resource(cluster.IPPools).Patch(ctx, pool.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

const maxReservations = 5

// createReservation reserves a few ranges, anywhere: they may overlap each other, cover a block or a pool whole, lie outside of all, or hold
// addresses that are in use.
func (d *Driver) createReservation(ctx context.Context, v *view, operation *Operation) error {
	if len(v.reservations) >= maxReservations {
		return errNothing
	}
	reservation := v3.NewIPReservation()
	reservation.ObjectMeta = metav1.ObjectMeta{Name: "reservation-" + d.id(4)}
	for range 1 + d.random.IntN(3) {
		reservation.Spec.ReservedCIDRs = append(reservation.Spec.ReservedCIDRs, d.reserve(v))
	}
	operation.Object = reservation.Name + " " + strings.Join(reservation.Spec.ReservedCIDRs, " ")
	_, err := d.client.Calico.IPReservations().Create(ctx, reservation, options.SetOptions{})
	return err
}

// reserve chooses one range. Of a huge pool it takes little: Calico's library looks at one block after the other for one that is not reserved.
func (d *Driver) reserve(v *view) string {
	if len(v.pools) == 0 || d.chance(5) {
		return "203.0.113.0/24"
	}
	pool := pick(d, v.pools)
	ip := d.addressIn(&pool)
	ones, bits := networkOf(&pool).Mask.Size()
	length := pool.Spec.BlockSize
	switch n := d.random.IntN(10); {
	case n < 3:
		return ip.String()
	case n < 6:
		length = min(length+1+d.random.IntN(2), bits)
	case n < 7 && isFinite(&pool):
		length = ones + d.random.IntN(2)
	}
	// Calico takes a range that begins in its middle for the whole of it.
	return fmt.Sprintf("%s/%d", ip, length)
}

func (d *Driver) deleteReservation(ctx context.Context, v *view, operation *Operation) error {
	if len(v.reservations) == 0 {
		return errNothing
	}
	operation.Object = pick(d, v.reservations).Name
	_, err := d.client.Calico.IPReservations().Delete(ctx, operation.Object, options.DeleteOptions{})
	return err
}
