package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// windowsNode runs Windows. It has Windows' pods alone, since they limit it to one block.
	windowsNode    = "windows-1"
	windowsAddress = "198.51.100.211"

	// zoneLabel is what the pools that are bound to nodes select by.
	zoneLabel = "zone"
	osLabel   = "kubernetes.io/os"

	cleanTimeout = time.Minute
	cleanPoll    = 200 * time.Millisecond
)

// spares are nodes that come and go, by name. Those of every lab stay.
var spares = map[string]string{"spare-1": "198.51.100.201", "spare-2": "198.51.100.202", "spare-3": "198.51.100.203"}

func (v *view) spareNodes(there bool) []string {
	var names []string
	for name := range spares {
		if there == slices.ContainsFunc(v.nodes, func(n corev1.Node) bool { return n.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (d *Driver) createNode(ctx context.Context, v *view, operation *Operation) error {
	missing := v.spareNodes(false)
	if len(missing) == 0 {
		return errNothing
	}
	operation.Node = pick(d, missing)
	labels := map[string]string{osLabel: "linux", zoneLabel: pick(d, []string{"a", "b"})}
	return d.client.CRD.CreateNode(ctx, operation.Node, spares[operation.Node], labels)
}

func (d *Driver) relabelNode(ctx context.Context, v *view, operation *Operation) error {
	// A label that is null is none.
	zone := pick(d, []any{"a", "b", nil})
	operation.Node, operation.Object = pick(d, v.workers()).Name, fmt.Sprintf("%s: %v", zoneLabel, zone)
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{zoneLabel: zone}}})
	if err != nil {
		return err
	}
	_, err = d.client.Kube.CoreV1().Nodes().Patch(ctx, operation.Node, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// deleteNode deletes a node, and waits until kube-controllers has released what its pods had, which it does at once (checkAllocations in
// kube-controllers/pkg/controllers/node/ipam.go).
//
// Two faults of kube-controllers 3.28 would make it late for minutes. It does not release an address whose handle had another one in a block that
// was deleted since (onBlockDeleted leaves the handle's tracker as it was): so all that the node has is released here, and it gets new pods, a few,
// for its client makes five requests a second. And it asks again and again, with pauses of up to half a minute in which it does nothing else, to
// release blocks in which others have addresses: so the blocks of such a node are released here.
func (d *Driver) deleteNode(ctx context.Context, v *view, operation *Operation) error {
	there := v.spareNodes(true)
	if len(there) == 0 {
		return errNothing
	}
	name := pick(d, there)
	for _, a := range v.held {
		if a.handle != "" && a.attrs[ipam.AttributeNode] == name && (a.isPod() || a.isTunnel()) {
			if err := d.ipam.ReleaseByHandle(ctx, a.handle); err != nil && !refused(err) {
				return err
			}
		}
	}
	last := []ipam.AutoAssignArgs{d.pod(name), d.pod(name)}
	if d.chance(60) {
		// An address that nobody releases with the node.
		last = append(last, d.unknown(name))
	}
	for _, args := range last {
		if _, err := d.autoAssign(ctx, nil, pick(d, []int{4, 6}), 1, args, operation); err != nil && !refused(err) {
			return err
		}
	}
	v, err := d.look(ctx)
	if err != nil {
		return err
	}
	operation.Node, operation.Result = name, resultOK
	if v.hasStrangers(name) {
		operation.Object += ", its blocks first"
		if err := d.ipam.ReleaseHostAffinities(ctx, name, false); err != nil {
			return err
		}
	}
	if err := d.client.Kube.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, cleanPoll, cleanTimeout, true, func(ctx context.Context) (bool, error) {
		v, err := d.look(ctx)
		return err == nil && v.isClean(name), err
	})
	if err != nil {
		return fmt.Errorf("wait until kube-controllers has released what the node had: %w", err)
	}
	return nil
}

// hasStrangers says whether there are addresses, in the blocks of a node or of it, that keep kube-controllers from releasing its blocks: those of
// others, and those of which it does not know the owner.
func (v *view) hasStrangers(node string) bool {
	mine := map[string]bool{}
	for _, pair := range v.blocks {
		mine[blockOf(pair).CIDR.String()] = blockOf(pair).Host() == node
	}
	return slices.ContainsFunc(v.held, func(a address) bool {
		its := a.handle != "" && a.attrs[ipam.AttributeNode] == node
		return mine[a.block] && !its || its && !a.isPod()
	})
}

// isClean says whether a node that is gone has no blocks, and no addresses but those whose owner is not known.
func (v *view) isClean(node string) bool {
	for _, pair := range v.blocks {
		if blockOf(pair).Host() == node {
			return false
		}
	}
	return !slices.ContainsFunc(v.held, func(a address) bool { return a.attrs[ipam.AttributeNode] == node && a.handle != "" && a.isPod() })
}
