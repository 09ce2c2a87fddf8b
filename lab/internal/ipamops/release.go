package ipamops

import (
	"context"
	"errors"
	"fmt"

	cerrors "github.com/projectcalico/calico/libcalico-go/lib/errors"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
)

// Allocations returns what Pods hold of pool, in the order of the Pods' names, which is random.
func (c *Client) Allocations(ctx context.Context, pool string) ([]Allocation, error) {
	pods, err := c.Kube.CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{poolLabel: pool}.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("list the pods of pool %q: %w", pool, err)
	}
	allocations := make([]Allocation, 0, len(pods.Items))
	for _, pod := range pods.Items {
		allocations = append(allocations, Allocation{
			Pool: pool, Node: pod.Spec.NodeName, Pod: pod.Name, IP: pod.Status.PodIP,
			Handle: network + "." + pod.Annotations[containerAnnotation],
		})
	}
	return allocations, nil
}

// Release ends count Pods that hold an address of pool and returns their addresses to it. It returns what was released, also
// with an error; it is an error if fewer than count Pods hold one.
func (c *Client) Release(ctx context.Context, pool string, count int) ([]Allocation, error) {
	if _, err := c.poolNet(ctx, pool); err != nil {
		return nil, err
	}
	held, err := c.Allocations(ctx, pool)
	if err != nil {
		return nil, err
	}
	if count > len(held) {
		return nil, fmt.Errorf("release %d addresses of pool %q: only %d are held by pods", count, pool, len(held))
	}
	for i, allocation := range held[:count] {
		if err := c.ReleaseAllocation(ctx, allocation); err != nil {
			return held[:i], err
		}
	}
	return held[:count], nil
}

// ReleaseAllocation ends one Pod: its address first, as the CNI plugin does before the kubelet lets the Pod go.
func (c *Client) ReleaseAllocation(ctx context.Context, a Allocation) error {
	err := c.Calico.IPAM().ReleaseByHandle(ctx, a.Handle)
	var gone cerrors.ErrorResourceDoesNotExist
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("release %s of pool %q: %w", a.IP, a.Pool, err)
	}
	return c.deletePod(ctx, a.Pod)
}

func (c *Client) deletePod(ctx context.Context, name string) error {
	err := c.Kube.CoreV1().Pods(Namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete pod %q: %w", name, err)
	}
	return nil
}
