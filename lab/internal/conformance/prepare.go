package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var kubeControllersConfigurations = schema.GroupVersionResource{
	Group: "crd.projectcalico.org", Version: "v1", Resource: "kubecontrollersconfigurations",
}

// gracePeriod keeps kube-controllers from releasing what no pod has and from taking empty blocks from their nodes: it is longer than any run.
const gracePeriod = "24h0m0s"

// Prepare takes back all addresses that the lab gave out, so that every run begins with the same, and adds the node that runs Windows and all planned
// pools. It also changes the configuration of kube-controllers, which then starts anew.
func (d *Driver) Prepare(ctx context.Context) error {
	node := map[string]any{"leakGracePeriod": gracePeriod}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"controllers": map[string]any{"node": node}}})
	if err != nil {
		return err
	}
	configurations := d.client.CRD.Dynamic.Resource(kubeControllersConfigurations)
	if _, err := configurations.Patch(ctx, "default", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("configure kube-controllers: %w", err)
	}
	if err := d.clear(ctx); err != nil {
		return err
	}
	err = d.client.CRD.CreateNode(ctx, windowsNode, windowsAddress, map[string]string{osLabel: "windows"})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	for {
		v, err := d.look(ctx)
		if err != nil {
			return err
		}
		if err := d.createPool(ctx, v, &Operation{}); errors.Is(err, errNothing) {
			return nil
		} else if err != nil {
			return fmt.Errorf("create the first pools: %w", err)
		}
	}
}

// clear leaves no address in use and no block that is a node's.
func (d *Driver) clear(ctx context.Context) error {
	v, err := d.look(ctx)
	if err != nil {
		return err
	}
	addresses := map[string]address{}
	for _, a := range v.held {
		addresses[a.ip] = a
	}
	if err := d.release(ctx, addresses, &Operation{}); err != nil {
		return fmt.Errorf("release all addresses: %w", err)
	}
	for _, node := range v.nodes {
		if err := d.ipam.ReleaseHostAffinities(ctx, node.Name, true); err != nil {
			return fmt.Errorf("release the blocks of node %q: %w", node.Name, err)
		}
	}
	return nil
}
