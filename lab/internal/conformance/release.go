package conformance

import (
	"context"
	"slices"
	"strings"

	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
)

// releaseHandle ends one owner, with all addresses that it has.
func (d *Driver) releaseHandle(ctx context.Context, v *view, operation *Operation) error {
	owned := where(v.held, func(a address) bool { return a.handle != "" })
	if len(owned) == 0 {
		return errNothing
	}
	chosen := pick(d, owned)
	operation.Node = chosen.attrs[ipam.AttributeNode]
	return d.releaseHandleOf(ctx, chosen, operation)
}

func (d *Driver) releaseHandleOf(ctx context.Context, a address, operation *Operation) error {
	operation.Object = strings.TrimSpace(operation.Object + " " + a.ip)
	return d.ipam.ReleaseByHandle(ctx, a.handle)
}

// releaseAddresses gives back addresses by themselves, wherever they are. It is the only way for those that have no handle.
func (d *Driver) releaseAddresses(ctx context.Context, v *view, operation *Operation) error {
	if len(v.held) == 0 {
		return errNothing
	}
	chosen := map[string]address{}
	for range 1 + d.random.IntN(5) {
		a := pick(d, v.held)
		chosen[a.ip] = a
	}
	if loose := where(v.held, func(a address) bool { return a.handle == "" }); len(loose) > 0 && d.chance(50) {
		a := pick(d, loose)
		chosen[a.ip] = a
	}
	return d.release(ctx, chosen, operation)
}

func (d *Driver) release(ctx context.Context, addresses map[string]address, operation *Operation) error {
	releases := make([]ipam.ReleaseOptions, 0, len(addresses))
	for ip, a := range addresses {
		releases = append(releases, ipam.ReleaseOptions{Address: ip, Handle: a.handle})
	}
	slices.SortFunc(releases, func(a, b ipam.ReleaseOptions) int { return strings.Compare(a.Address, b.Address) })
	for _, r := range releases {
		operation.Object = strings.TrimSpace(operation.Object + " " + r.Address)
	}
	_, err := d.ipam.ReleaseIPs(ctx, releases...)
	return err
}

// drain releases all that a node has, all that a block has, or all that there is of a pool.
func (d *Driver) drain(ctx context.Context, v *view, operation *Operation) error {
	if len(v.held) == 0 {
		return errNothing
	}
	chosen := pick(d, v.held)
	same := func(a address) bool { return a.block == chosen.block }
	switch n := d.random.IntN(10); {
	case n < 2:
		operation.Node = chosen.attrs[ipam.AttributeNode]
		same = func(a address) bool { return a.attrs[ipam.AttributeNode] == operation.Node }
	case n < 4:
		pool := pick(d, v.pools)
		operation.Pool = pool.Name
		blocks := map[string]bool{}
		for _, pair := range v.blocksIn(networkOf(&pool)) {
			blocks[blockOf(pair).CIDR.String()] = true
		}
		same = func(a address) bool { return blocks[a.block] }
	}
	addresses := map[string]address{}
	for _, a := range v.held {
		if same(a) {
			addresses[a.ip] = a
		}
	}
	if len(addresses) == 0 {
		return errNothing
	}
	return d.release(ctx, addresses, operation)
}
