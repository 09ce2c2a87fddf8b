package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	loopback = "127.0.0.1"
	// documentationNet (RFC 5737) gives addresses to the nodes that are objects only.
	documentationNet = "198.51.100."

	felixLabel = "lab/felix"
)

// NodeName is the name of the i-th node, from 1.
func NodeName(i int) string { return fmt.Sprintf("node-%d", i) }

const (
	felixNode = 1
	// localNode is the node that this machine is: Typha and kube-controllers listen on its loopback address.
	localNode = 2
)

// CreateNodes creates count ready nodes. Node 1 has the address of Felix, unless that is empty, and node 2 the loopback
// address, so that the pods on them are where their processes listen.
func (c *Client) CreateNodes(ctx context.Context, count int, felixAddress string) error {
	for i := 1; i <= count; i++ {
		address := fmt.Sprintf("%s%d", documentationNet, i)
		labels := map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": NodeName(i)}
		switch {
		case i == localNode:
			address = loopback
		case i == felixNode && felixAddress != "":
			address = felixAddress
			labels[felixLabel] = "true"
		}
		if err := c.CreateNode(ctx, NodeName(i), address, labels); err != nil {
			return err
		}
	}
	return nil
}

// CreateNode creates a ready node of that address.
func (c *Client) CreateNode(ctx context.Context, name, address string, labels map[string]string) error {
	nodes := c.Kube.CoreV1().Nodes()
	node, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: labels,
		Annotations: map[string]string{"projectcalico.org/IPv4Address": address + "/32"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create node %q: %w", name, err)
	}
	now := metav1.Now()
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	node.Status = corev1.NodeStatus{
		Capacity: capacity, Allocatable: capacity,
		Conditions: []corev1.NodeCondition{{
			Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: address},
			{Type: corev1.NodeHostName, Address: name},
		},
		NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64"},
	}
	if _, err := nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("update the status of node %q: %w", name, err)
	}
	return nil
}

// AnnotateNode sets one annotation of a node.
func (c *Client) AnnotateNode(ctx context.Context, node, key, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		return fmt.Errorf("encode annotation %s: %w", key, err)
	}
	if _, err := c.Kube.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("annotate node %q: %w", node, err)
	}
	return nil
}

// CreateNamespace creates a namespace.
func (c *Client) CreateNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := c.Kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create namespace %q: %w", name, err)
	}
	return nil
}

// AwaitNamespace waits for a namespace that the API server creates itself soon after its start.
func (c *Client) AwaitNamespace(ctx context.Context, name string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := c.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for namespace %q: %w", name, err)
		case <-ticker.C:
		}
	}
}

// InternalIP returns the address that the node's kubelet would report, or nothing.
func InternalIP(node *corev1.Node) string {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

// RunningStatus is the status that a kubelet reports for a pod whose containers all run and are ready.
func RunningStatus(pod *corev1.Pod, ip, hostIP string) corev1.PodStatus {
	now := metav1.Now()
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
		HostIP: hostIP, HostIPs: []corev1.HostIP{{IP: hostIP}},
	}
	for _, condition := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	started := true
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: true, Started: &started,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}
