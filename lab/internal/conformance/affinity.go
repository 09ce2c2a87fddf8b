package conformance

import (
	"context"
	"fmt"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
)

// releaseBlock takes a block from its node. One with addresses in use, where that is not refused, stays and belongs to nobody.
func (d *Driver) releaseBlock(ctx context.Context, v *view, operation *Operation) error {
	affine := where(v.blocks, func(pair *model.KVPair) bool { return blockOf(pair).Host() != "" })
	if len(affine) == 0 {
		return errNothing
	}
	block := blockOf(pick(d, affine))
	operation.Node, operation.Object = block.Host(), block.CIDR.String()
	mustBeEmpty := d.chance(40)
	if d.chance(50) {
		return d.ipam.ReleaseAffinity(ctx, block.CIDR, block.Host(), mustBeEmpty)
	}
	return d.ipam.ReleaseBlockAffinity(ctx, block, mustBeEmpty)
}

func (d *Driver) releaseHost(ctx context.Context, v *view, operation *Operation) error {
	operation.Node = pick(d, v.nodes).Name
	return d.ipam.ReleaseHostAffinities(ctx, operation.Node, d.chance(50))
}

// claimBlock gives a node a block in advance, whatever its limit is. The block may be there already.
func (d *Driver) claimBlock(ctx context.Context, v *view, operation *Operation) error {
	pools := v.poolsFor(v3.IPPoolAllowedUseWorkload)
	if len(pools) == 0 {
		return errNothing
	}
	pool := pick(d, pools)
	ip := d.addressIn(&pool)
	_, block, err := cnet.ParseCIDR(fmt.Sprintf("%s/%d", ip, pool.Spec.BlockSize))
	if err != nil {
		return err
	}
	operation.Pool, operation.Node, operation.Object = pool.Name, pick(d, v.workers()).Name, block.String()
	_, _, err = d.ipam.ClaimAffinity(ctx, *block, operation.Node)
	return err
}

// configurations are those that SetIPAMConfig takes: a limit of blocks and blocks that are not claimed by themselves both need strict affinity.
var configurations = []ipam.IPAMConfig{
	{AutoAllocateBlocks: true},
	{AutoAllocateBlocks: true},
	{AutoAllocateBlocks: true},
	{AutoAllocateBlocks: true, StrictAffinity: true},
	{AutoAllocateBlocks: true, StrictAffinity: true, MaxBlocksPerHost: 1},
	{AutoAllocateBlocks: true, StrictAffinity: true, MaxBlocksPerHost: 3},
	{StrictAffinity: true},
}

func (d *Driver) configure(ctx context.Context, _ *view, operation *Operation) error {
	configuration := pick(d, configurations)
	operation.Object = fmt.Sprintf("%+v", configuration)
	return d.ipam.SetIPAMConfig(ctx, configuration)
}
