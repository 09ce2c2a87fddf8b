package ipamops

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
)

const (
	// Namespace holds the Pod of every allocation.
	Namespace = "demo"

	network         = "k8s-pod-network"
	poolLabel       = "lab/pool"
	useLoadBalancer = v3.IPPoolAllowedUse("LoadBalancer")

	// The CNI plugin annotates a Pod with these.
	containerAnnotation = "cni.projectcalico.org/containerID"
	ipAnnotation        = "cni.projectcalico.org/podIP"
	ipsAnnotation       = "cni.projectcalico.org/podIPs"

	cleanupTimeout = 10 * time.Second
)

// Allocation is an address and the Pod that holds it.
type Allocation struct {
	Pool   string
	Node   string
	Pod    string
	IP     string
	Handle string
}

// Allocate gives count new Pods on node an address of pool each, and returns those that got one. Where the pool is
// exhausted for that node the error is ErrNoAddress.
func (c *Client) Allocate(ctx context.Context, pool, node string, count int) ([]Allocation, error) {
	net, err := c.poolNet(ctx, pool)
	if err != nil {
		return nil, err
	}
	host, err := c.Kube.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("find node %q: %w", node, err)
	}
	done := make([]Allocation, 0, count)
	for range count {
		allocation, err := c.allocateOne(ctx, pool, net, host)
		if err != nil {
			return done, err
		}
		done = append(done, allocation)
	}
	return done, nil
}

func (c *Client) allocateOne(ctx context.Context, pool string, net *cnet.IPNet, host *corev1.Node) (Allocation, error) {
	id := make([]byte, 32)
	if _, err := rand.Read(id); err != nil {
		return Allocation{}, fmt.Errorf("generate a container id: %w", err)
	}
	container := hex.EncodeToString(id)
	allocation := Allocation{Pool: pool, Node: host.Name, Pod: pool + "-" + container[:10], Handle: network + "." + container}

	pods := c.Kube.CoreV1().Pods(Namespace)
	// The Pod comes before its address, as in a cluster; the garbage collector of kube-controllers would otherwise see
	// an address without a Pod.
	pod, err := pods.Create(ctx, newPod(allocation, container), metav1.CreateOptions{})
	if err != nil {
		return Allocation{}, fmt.Errorf("create pod %q: %w", allocation.Pod, err)
	}
	ip, err := c.assign(ctx, allocation, net, v3.IPPoolAllowedUseWorkload, map[string]string{
		ipam.AttributePod:       allocation.Pod,
		ipam.AttributeNamespace: Namespace,
		ipam.AttributeNode:      host.Name,
		ipam.AttributeTimestamp: time.Now().UTC().String(),
	})
	if err != nil {
		return Allocation{}, errors.Join(err, c.undo(ctx, allocation))
	}
	allocation.IP = ip
	pod.Annotations[ipAnnotation] = ip
	pod.Annotations[ipsAnnotation] = ip
	pod.Status = cluster.RunningStatus(pod, ip, cluster.InternalIP(host))
	// Calico's CNI plugin writes its annotations through the status subresource as well.
	if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		err = fmt.Errorf("update the status of pod %q: %w", allocation.Pod, err)
		return Allocation{}, errors.Join(err, c.undo(ctx, allocation))
	}
	return allocation, nil
}

// undo removes what a failed allocation may have left: the address, if it got that far, and the Pod.
func (c *Client) undo(ctx context.Context, a Allocation) error {
	// The caller's context may be the reason for the failure.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return c.ReleaseAllocation(ctx, a)
}

// AllocateTunnel gives node its IP-in-IP tunnel address from pool, as calico-node does at its start, and notes it on the Node.
func (c *Client) AllocateTunnel(ctx context.Context, pool, node string) (Allocation, error) {
	net, err := c.poolNet(ctx, pool)
	if err != nil {
		return Allocation{}, err
	}
	allocation := Allocation{Pool: pool, Node: node, Handle: "ipip-tunnel-addr-" + node}
	allocation.IP, err = c.assign(ctx, allocation, net, v3.IPPoolAllowedUseTunnel, map[string]string{
		ipam.AttributeNode: node,
		ipam.AttributeType: ipam.AttributeTypeIPIP,
	})
	if err != nil {
		return Allocation{}, err
	}
	if err := c.CRD.AnnotateNode(ctx, node, "projectcalico.org/IPv4IPIPTunnelAddr", allocation.IP); err != nil {
		return allocation, err
	}
	return allocation, nil
}

func (c *Client) assign(ctx context.Context, a Allocation, net *cnet.IPNet, use v3.IPPoolAllowedUse, attributes map[string]string) (string, error) {
	args := ipam.AutoAssignArgs{HandleID: &a.Handle, Hostname: a.Node, Attrs: attributes, IntendedUse: use}
	if net.Version() == 6 {
		args.Num6, args.IPv6Pools = 1, []cnet.IPNet{*net}
	} else {
		args.Num4, args.IPv4Pools = 1, []cnet.IPNet{*net}
	}
	v4, v6, err := c.Calico.IPAM().AutoAssign(ctx, args)
	if err != nil {
		return "", fmt.Errorf("assign an address of pool %q to node %q: %w", a.Pool, a.Node, err)
	}
	for _, assigned := range []*ipam.IPAMAssignments{v4, v6} {
		if assigned != nil && len(assigned.IPs) == 1 {
			return assigned.IPs[0].IP.String(), nil
		}
	}
	return "", fmt.Errorf("assign an address of pool %q to node %q: %w", a.Pool, a.Node, ErrNoAddress)
}

func newPod(a Allocation, container string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: a.Pod, Namespace: Namespace,
			Labels:      map[string]string{"app": "demo", poolLabel: a.Pool},
			Annotations: map[string]string{containerAnnotation: container},
		},
		Spec: corev1.PodSpec{
			NodeName:                      a.Node,
			TerminationGracePeriodSeconds: ptr.To[int64](0),
			Containers:                    []corev1.Container{{Name: "demo", Image: "registry.k8s.io/pause:3.10"}},
		},
	}
}
