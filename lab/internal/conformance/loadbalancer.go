package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
)

// What Calico 3.30 and later write for the addresses of LoadBalancer Services (kube-controllers/pkg/controllers/loadbalancer). The library of the
// lab's Calico version does not know them, but for the block itself, whose affinity is any text.
const (
	virtualHost      = "load-balancer"
	virtualAffinity  = "virtual:" + virtualHost
	typeLoadBalancer = "LoadBalancer"
)

var blockAffinities = schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: "blockaffinities"}

// loadBalancer gives a Service an address, or takes one back.
func (d *Driver) loadBalancer(ctx context.Context, v *view, operation *Operation) error {
	virtual := where(v.blocks, func(pair *model.KVPair) bool { return ptr.Deref(blockOf(pair).Affinity, "") == virtualAffinity })
	taken := where(virtual, func(pair *model.KVPair) bool { return len(blockOf(pair).Attributes) > 0 })
	if len(taken) > 0 && d.chance(40) {
		return d.releaseService(ctx, pick(d, taken), operation)
	}
	pools := v.poolsFor(useLoadBalancer)
	if len(pools) == 0 {
		return errNothing
	}
	pool := pick(d, pools)
	operation.Pool = pool.Name
	network := networkOf(&pool)
	for _, pair := range virtual {
		if network.Covers(blockOf(pair).CIDR.IPNet) && len(blockOf(pair).Unallocated) > 0 {
			return d.assignService(ctx, pair, operation)
		}
	}
	ip := d.addressIn(&pool)
	_, cidr, err := cnet.ParseCIDR(fmt.Sprintf("%s/%d", ip, pool.Spec.BlockSize))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(v.blocks, func(pair *model.KVPair) bool { return blockOf(pair).CIDR.IsNetOverlap(cidr.IPNet) }) {
		return errNothing
	}
	pair, err := d.claimVirtual(ctx, *cidr)
	if err != nil {
		return err
	}
	return d.assignService(ctx, pair, operation)
}

func affinityName(cidr cnet.IPNet) string {
	return virtualHost + "-" + cluster.BlockName(cidr.String())
}

func (d *Driver) claimVirtual(ctx context.Context, cidr cnet.IPNet) (*model.KVPair, error) {
	err := d.createObject(ctx, "BlockAffinity", affinityName(cidr), map[string]any{
		"cidr": cidr.String(), "node": virtualHost, "type": "virtual", "state": string(model.StateConfirmed), "deleted": "false",
	})
	if err != nil {
		return nil, err
	}
	block := &model.AllocationBlock{CIDR: cidr, Affinity: ptr.To(virtualAffinity)}
	ones, bits := cidr.Mask.Size()
	block.Allocations = make([]*int, 1<<(bits-ones))
	for ordinal := range block.Allocations {
		block.Unallocated = append(block.Unallocated, ordinal)
	}
	return d.backend.Create(ctx, &model.KVPair{Key: model.BlockKey{CIDR: cidr}, Value: block})
}

func (d *Driver) assignService(ctx context.Context, pair *model.KVPair, operation *Operation) error {
	block, service := blockOf(pair), "service-"+d.id(3)
	ordinal := block.Unallocated[0]
	block.Unallocated = block.Unallocated[1:]
	block.Allocations[ordinal] = ptr.To(len(block.Attributes))
	block.SetSequenceNumberForOrdinal(ordinal)
	block.Attributes = append(block.Attributes, model.AllocationAttribute{
		AttrPrimary: ptr.To(cluster.LoadBalancerHandle(service)),
		AttrSecondary: map[string]string{
			"service": service, ipam.AttributeNamespace: "demo", ipam.AttributeType: typeLoadBalancer, ipam.AttributeTimestamp: time.Now().UTC().String(),
		},
	})
	operation.Object = block.OrdinalToIP(ordinal).String()
	return d.write(ctx, pair)
}

// releaseService takes back one address. With the last one of a block its affinity may go, and the block with it.
func (d *Driver) releaseService(ctx context.Context, pair *model.KVPair, operation *Operation) error {
	block := blockOf(pair)
	index := d.random.IntN(len(block.Attributes))
	block.Attributes = slices.Delete(block.Attributes, index, index+1)
	for ordinal, owner := range block.Allocations {
		switch {
		case owner == nil:
		case *owner == index:
			block.Allocations[ordinal] = nil
			block.Unallocated = append(block.Unallocated, ordinal)
			block.ClearSequenceNumberForOrdinal(ordinal)
			operation.Object = strings.TrimSpace(operation.Object + " " + block.OrdinalToIP(ordinal).String())
		case *owner > index:
			block.Allocations[ordinal] = ptr.To(*owner - 1)
		}
	}
	if len(block.Attributes) > 0 || d.chance(50) {
		return d.write(ctx, pair)
	}
	if _, err := d.backend.DeleteKVP(ctx, pair); err != nil {
		return err
	}
	// Blocks that the lab came with have none.
	err := d.client.CRD.Dynamic.Resource(blockAffinities).Delete(ctx, affinityName(block.CIDR), metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (d *Driver) write(ctx context.Context, pair *model.KVPair) error {
	blockOf(pair).SequenceNumber++
	_, err := d.backend.Update(ctx, pair)
	return err
}
