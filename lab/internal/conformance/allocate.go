package conformance

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	"k8s.io/utils/ptr"
)

const (
	network = "k8s-pod-network"
	// fillChunk and fillChunks bound how much of a pool one operation takes.
	fillChunk  = 8
	fillChunks = 16
)

var namespaces = []string{"billing", "search", "shop"}

// podAttributes are those that the CNI plugin gives an address. There is no such pod: kube-controllers takes the address for leaked, and would
// release it after its grace period, which is longer than any run (see prepare).
func (d *Driver) podAttributes(node string) map[string]string {
	return map[string]string{
		ipam.AttributeNode: node, ipam.AttributeNamespace: pick(d, namespaces), ipam.AttributePod: "pod-" + d.id(5),
		ipam.AttributeTimestamp: time.Now().UTC().String(),
	}
}

// pod is the request of a new pod on a node. Its handle is new as well: kube-controllers 3.28 does not notice that an address changed its node where
// handle and address stay the same (onBlockUpdated in kube-controllers/pkg/controllers/node/ipam.go).
func (d *Driver) pod(node string) ipam.AutoAssignArgs {
	return ipam.AutoAssignArgs{
		Hostname: node, HandleID: ptr.To(network + "." + d.id(32)), Attrs: d.podAttributes(node), IntendedUse: v3.IPPoolAllowedUseWorkload,
	}
}

// unknown is a request that says no more of the owner than its node.
func (d *Driver) unknown(node string) ipam.AutoAssignArgs {
	args := d.pod(node)
	delete(args.Attrs, ipam.AttributePod)
	delete(args.Attrs, ipam.AttributeNamespace)
	return args
}

// autoAssign asks for addresses of a pool, or of any pool of the family where that is nil, and notes those that it got.
func (d *Driver) autoAssign(ctx context.Context, pool *v3.IPPool, version, count int, args ipam.AutoAssignArgs, operation *Operation) (int, error) {
	var pools []cnet.IPNet
	if pool != nil {
		pools = []cnet.IPNet{*networkOf(pool)}
	}
	if version == 4 {
		args.Num4, args.IPv4Pools = count, pools
	} else {
		args.Num6, args.IPv6Pools = count, pools
	}
	operation.Node = args.Hostname
	wanted, got := args.Num4+args.Num6, 0
	v4, v6, err := d.ipam.AutoAssign(ctx, args)
	for _, assigned := range []*ipam.IPAMAssignments{v4, v6} {
		if assigned == nil {
			continue
		}
		for _, ip := range assigned.IPs {
			got++
			operation.Object = strings.TrimSpace(operation.Object + " " + ip.IP.String())
		}
	}
	if err == nil && got < wanted {
		operation.Result = fmt.Sprintf("refused: %d of %d addresses", wanted-got, wanted)
	}
	return got, err
}

// place chooses a node, and a pool that pods may use; nil is any pool of the family.
func (d *Driver) place(v *view, operation *Operation) (node string, pool *v3.IPPool, version int, err error) {
	pools, nodes := v.poolsFor(v3.IPPoolAllowedUseWorkload), v.workers()
	if len(pools) == 0 || len(nodes) == 0 {
		return "", nil, 0, errNothing
	}
	node = pick(d, nodes).Name
	pool = ptr.To(pick(d, pools))
	version = networkOf(pool).Version()
	if d.chance(12) {
		return node, nil, version, nil
	}
	operation.Pool = pool.Name
	return node, pool, version, nil
}

func (d *Driver) allocatePods(ctx context.Context, v *view, operation *Operation) error {
	node, pool, version, err := d.place(v, operation)
	if err != nil {
		return err
	}
	for range 1 + d.random.IntN(4) {
		got, err := d.autoAssign(ctx, pool, version, 1, d.pod(node), operation)
		if err != nil || got == 0 {
			return err
		}
	}
	return nil
}

// allocateMany gives one pod several addresses.
func (d *Driver) allocateMany(ctx context.Context, v *view, operation *Operation) error {
	node, pool, version, err := d.place(v, operation)
	if err != nil {
		return err
	}
	_, err = d.autoAssign(ctx, pool, version, 2+d.random.IntN(6), d.pod(node), operation)
	return err
}

func (d *Driver) allocateDualStack(ctx context.Context, v *view, operation *Operation) error {
	node, _, _, err := d.place(v, operation)
	if err != nil {
		return err
	}
	operation.Pool = ""
	args := d.pod(node)
	args.Num6 = 1
	_, err = d.autoAssign(ctx, nil, 4, 1, args, operation)
	return err
}

// allocateWithoutOwner leaves attributes out, as Calico's first versions and other users of its IPAM do.
func (d *Driver) allocateWithoutOwner(ctx context.Context, v *view, operation *Operation) error {
	node, pool, version, err := d.place(v, operation)
	if err != nil {
		return err
	}
	args := d.unknown(node)
	if d.chance(50) {
		args = d.pod(node)
		delete(args.Attrs, ipam.AttributeNode)
	}
	_, err = d.autoAssign(ctx, pool, version, 1+d.random.IntN(2), args, operation)
	return err
}

// assignWithoutHandle takes an address that it names itself. Reservations do not keep it from that, nor does the limit of a node's blocks.
func (d *Driver) assignWithoutHandle(ctx context.Context, v *view, operation *Operation) error {
	pools := where(v.pools, func(p v3.IPPool) bool {
		return !p.Spec.Disabled && !slices.Contains(p.Spec.AllowedUses, useLoadBalancer)
	})
	if len(pools) == 0 {
		return errNothing
	}
	pool, node := pick(d, pools), pick(d, v.workers()).Name
	operation.Pool, operation.Node = pool.Name, node
	attrs := d.podAttributes(node)
	switch d.random.IntN(3) {
	case 0:
		attrs = nil
	case 1:
		attrs = map[string]string{ipam.AttributeNode: node}
	}
	ip := d.addressIn(&pool)
	operation.Object = ip.String()
	return d.ipam.AssignIP(ctx, ipam.AssignIPArgs{IP: ip, Hostname: node, Attrs: attrs})
}

// addressIn is any address of a pool, or of the first few of a huge one, where others have a chance to be as well.
func (d *Driver) addressIn(pool *v3.IPPool) cnet.IP {
	network := networkOf(pool)
	ones, bits := network.Mask.Size()
	offset := d.random.IntN(1 << min(bits-ones, 8))
	return cnet.IncrementIP(cnet.IP{IP: network.IP}, big.NewInt(int64(offset)))
}

// fill takes addresses of a pool until it has none for the node: free blocks first, then, unless affinity is strict, those of other nodes' blocks.
func (d *Driver) fill(ctx context.Context, v *view, operation *Operation) error {
	pools := where(v.poolsFor(v3.IPPoolAllowedUseWorkload), func(p v3.IPPool) bool { return isFinite(&p) })
	if len(pools) == 0 {
		return errNothing
	}
	pool, node := pick(d, pools), pick(d, v.workers()).Name
	operation.Pool = pool.Name
	for range fillChunks {
		got, err := d.autoAssign(ctx, &pool, networkOf(&pool).Version(), fillChunk, d.pod(node), operation)
		if err != nil || got < fillChunk {
			return err
		}
	}
	return nil
}

// allocateWindows starts pods on the node that runs Windows, with what the CNI plugin asks for there: four addresses of every block are kept, and
// the node has one block only (cni-plugin/pkg/ipamplugin/ipam_plugin.go).
func (d *Driver) allocateWindows(ctx context.Context, v *view, operation *Operation) error {
	pools := where(v.poolsFor(v3.IPPoolAllowedUseWorkload), func(p v3.IPPool) bool { return networkOf(&p).Version() == 4 })
	if len(pools) == 0 {
		return errNothing
	}
	pool := pick(d, pools)
	operation.Pool = pool.Name
	args := d.pod(windowsNode)
	args.MaxBlocksPerHost = 1
	args.HostReservedAttrIPv4s = &ipam.HostReservedAttr{StartOfBlock: 3, EndOfBlock: 1, Handle: ipam.WindowsReservedHandle, Note: "windows host rsvd"}
	_, err := d.autoAssign(ctx, &pool, 4, 1+d.random.IntN(3), args, operation)
	return err
}

// tunnelKind is a kind of tunnel that a node may have, each with an address of its own (node/pkg/allocateip/allocateip.go).
type tunnelKind struct {
	kind, handle string
	version      int
}

var tunnels = []tunnelKind{
	{ipam.AttributeTypeIPIP, "ipip-tunnel-addr-", 4},
	{ipam.AttributeTypeVXLAN, "vxlan-tunnel-addr-", 4},
	{ipam.AttributeTypeVXLANV6, "vxlan-v6-tunnel-addr-", 6},
	{ipam.AttributeTypeWireguard, "wireguard-tunnel-addr-", 4},
	{ipam.AttributeTypeWireguardV6, "wireguard-v6-tunnel-addr-", 6},
}

// tunnel gives a node its tunnel address as calico-node does, or takes it back where it has one.
func (d *Driver) tunnel(ctx context.Context, v *view, operation *Operation) error {
	kind, node := pick(d, tunnels), pick(d, v.workers()).Name
	operation.Node = node
	handle := kind.handle + node
	for _, a := range v.held {
		if a.handle == handle {
			return d.releaseHandleOf(ctx, a, operation)
		}
	}
	pools := where(v.poolsFor(v3.IPPoolAllowedUseTunnel), func(p v3.IPPool) bool { return networkOf(&p).Version() == kind.version })
	if len(pools) == 0 {
		return errNothing
	}
	pool := pick(d, pools)
	operation.Pool = pool.Name
	_, err := d.autoAssign(ctx, &pool, kind.version, 1, ipam.AutoAssignArgs{
		Hostname: node, HandleID: &handle, IntendedUse: v3.IPPoolAllowedUseTunnel,
		Attrs: map[string]string{ipam.AttributeNode: node, ipam.AttributeType: kind.kind},
	}, operation)
	return err
}
