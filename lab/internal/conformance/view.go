package conformance

import (
	"context"
	"fmt"
	"slices"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	"github.com/projectcalico/calico/libcalico-go/lib/options"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// view is the cluster's IPAM at a moment. All of it is in the order of names, as the API server lists it.
type view struct {
	pools        []v3.IPPool
	blocks       []*model.KVPair
	reservations []v3.IPReservation
	nodes        []corev1.Node
	// held are the addresses that are in use, without those that Windows keeps and those of Services.
	held []address
}

// address is an address that is in use.
type address struct {
	ip, block string
	// handle is empty where it has none.
	handle string
	attrs  map[string]string
}

func (a address) isTunnel() bool {
	return slices.ContainsFunc(tunnels, func(t tunnelKind) bool { return t.kind == a.attrs[ipam.AttributeType] })
}

func (a address) isPod() bool {
	return a.attrs[ipam.AttributePod] != "" && a.attrs[ipam.AttributeNamespace] != ""
}

func (d *Driver) look(ctx context.Context) (*view, error) {
	v := &view{}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		v.pools, err = d.client.Pools(ctx)
		return err
	})
	group.Go(func() error {
		list, err := d.client.Calico.IPReservations().List(ctx, options.ListOptions{})
		if err != nil {
			return fmt.Errorf("list IP reservations: %w", err)
		}
		v.reservations = list.Items
		return nil
	})
	group.Go(func() error {
		list, err := d.client.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		v.nodes = list.Items
		return nil
	})
	group.Go(func() error {
		list, err := d.backend.List(ctx, model.BlockListOptions{}, "")
		if err != nil {
			return fmt.Errorf("list IPAM blocks: %w", err)
		}
		// A block that is being deleted is marked first.
		v.blocks = where(list.KVPairs, func(pair *model.KVPair) bool { return !blockOf(pair).Deleted })
		for _, pair := range v.blocks {
			v.held = append(v.held, held(blockOf(pair))...)
		}
		return nil
	})
	return v, group.Wait()
}

func blockOf(pair *model.KVPair) *model.AllocationBlock { return pair.Value.(*model.AllocationBlock) }

func held(b *model.AllocationBlock) []address {
	var list []address
	for ordinal, index := range b.Allocations {
		if index == nil {
			continue
		}
		attribute := b.Attributes[*index]
		a := address{ip: b.OrdinalToIP(ordinal).String(), block: b.CIDR.String(), attrs: attribute.AttrSecondary}
		if attribute.AttrPrimary != nil {
			a.handle = *attribute.AttrPrimary
		}
		if a.handle != ipam.WindowsReservedHandle && a.attrs[ipam.AttributeType] != typeLoadBalancer {
			list = append(list, a)
		}
	}
	return list
}

// where returns the elements for which is holds.
func where[T any](list []T, is func(T) bool) []T {
	var found []T
	for _, element := range list {
		if is(element) {
			found = append(found, element)
		}
	}
	return found
}

func (v *view) poolsFor(use v3.IPPoolAllowedUse) []v3.IPPool {
	return where(v.pools, func(p v3.IPPool) bool { return !p.Spec.Disabled && slices.Contains(p.Spec.AllowedUses, use) })
}

// workers are the nodes on which pods are started: all that run Linux.
func (v *view) workers() []corev1.Node {
	return where(v.nodes, func(n corev1.Node) bool { return n.Name != windowsNode })
}

// blocksIn are the blocks that a network covers.
func (v *view) blocksIn(network *cnet.IPNet) []*model.KVPair {
	return where(v.blocks, func(pair *model.KVPair) bool { return network.Covers(blockOf(pair).CIDR.IPNet) })
}

func networkOf(pool *v3.IPPool) *cnet.IPNet {
	network := cnet.MustParseNetwork(pool.Spec.CIDR) // Calico does not store another
	return &network
}

// isFinite says whether a pool is so small that it can be exhausted.
func isFinite(pool *v3.IPPool) bool {
	ones, bits := networkOf(pool).Mask.Size()
	return bits-ones <= 12
}
