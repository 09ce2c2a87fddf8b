//go:build e2e

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Pools of the lab, and those that the test makes.
const (
	growingPool = "default-ipv4-ippool"
	fullPool    = "small-pool"

	fillingPool = "web"     // is filled until it is full
	retiredPool = "retired" // is deleted while addresses of it are in use
	claimedPool = "claimed" // nodes have claimed all of its blocks, and use few of their addresses
	edgePool    = "edge"    // of one node alone, which uses all addresses of as many blocks as it may have in the end
	edgeNode    = "node-5"

	blocksLimit = 6
)

var crdGroup = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}

// createPool makes an IP pool with blocks of eight addresses.
func createPool(t *testing.T, name, cidr, nodeSelector string) {
	t.Helper()
	lab.Create(t, "ippools", crdGroup.String(), "IPPool", name, map[string]any{
		"cidr": cidr, "blockSize": int64(29), "ipipMode": "Never", "vxlanMode": "Never", "nodeSelector": nodeSelector,
		"allowedUses": []any{"Workload"},
	})
}

func allocate(t *testing.T, pool, node string, addresses int) {
	t.Helper()
	lab.Command(t, "allocate", "--pool", pool, "--node", node, "-n", strconv.Itoa(addresses))
}

// createNode makes a node beside those of the lab.
func createNode(t *testing.T, name, address string) {
	t.Helper()
	nodes := lab.Kube(t).CoreV1().Nodes()
	node, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"},
		Annotations: map[string]string{"projectcalico.org/IPv4Address": address + "/24"},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeHostName, Address: name}}
	_, err = nodes.UpdateStatus(t.Context(), node, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// patch changes the default object of a kind of Calico's.
func patch(t *testing.T, plural string, spec map[string]any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"spec": spec})
	require.NoError(t, err)
	_, err = lab.Dynamic(t).Resource(crdGroup.WithResource(plural)).Patch(t.Context(), "default", types.MergePatchType, body, metav1.PatchOptions{})
	require.NoError(t, err)
}

// limitBlocks lets nodes have so many blocks, and no addresses of others'.
func limitBlocks(t *testing.T, blocks int) {
	t.Helper()
	configs := lab.Dynamic(t).Resource(crdGroup.WithResource("ipamconfigs"))
	config := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": crdGroup.String(), "kind": "IPAMConfig", "metadata": map[string]any{"name": "default"},
		"spec": map[string]any{"strictAffinity": true, "autoAllocateBlocks": true, "maxBlocksPerHost": int64(blocks)},
	}}
	_, err := configs.Apply(t.Context(), "default", config, metav1.ApplyOptions{FieldManager: "test", Force: true})
	require.NoError(t, err)
}

// leak ends pods as if the CNI plugin had not been called: nobody gives their addresses back.
func leak(t *testing.T, pool string, pods int) {
	t.Helper()
	client := lab.Kube(t).CoreV1().Pods("demo")
	list, err := client.List(t.Context(), metav1.ListOptions{LabelSelector: "lab/pool=" + pool})
	require.NoError(t, err)
	now := int64(0)
	for _, pod := range list.Items {
		if pods == 0 {
			return
		}
		err := client.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		if apierrors.IsNotFound(err) {
			continue // the lab has ended it meanwhile, and taken its address back
		}
		require.NoError(t, err)
		pods--
	}
	require.Zero(t, pods, "there are too few pods")
}

// session is one of BGP as a node sees it.
type session struct{ peer, kind, state string }

// bgpNode is what calico-node says of a node.
type bgpNode struct {
	name     string
	v4, v6   []session
	notReady bool          // of BIRD for IPv6
	age      time.Duration // of what it says; 0 is kept up to date
}

func mesh(prefix string, down map[int]string) (sessions []session) {
	for i := range 5 {
		state, ok := down[i]
		if !ok {
			state = "Established"
		}
		sessions = append(sessions, session{fmt.Sprintf("%s%d", prefix, i+11), "NodeMesh", state})
	}
	return sessions
}

func (n bgpNode) object(now time.Time) *unstructured.Unstructured {
	list := func(sessions []session) (peers []any, up, down int64) {
		peers = []any{}
		for _, s := range sessions {
			if s.state == "Established" {
				up++
			} else {
				down++
			}
			peers = append(peers, map[string]any{"peerIP": s.peer, "type": s.kind, "state": s.state, "since": "10:00:00"})
		}
		return peers, up, down
	}
	v4, up4, down4 := list(n.v4)
	v6, up6, down6 := list(n.v6)
	ready := map[string]any{"state": "Ready", "version": "v0.3.3+birdv1.6.8"}
	bird6 := ready
	if n.notReady {
		bird6 = map[string]any{"state": "NotReady"}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": crdGroup.String(), "kind": "CalicoNodeStatus", "metadata": map[string]any{"name": n.name},
		"spec": map[string]any{"node": n.name, "classes": []any{"Agent", "BGP"}, "updatePeriodSeconds": int64(10)},
		"status": map[string]any{
			"lastUpdated": now.Add(-n.age).UTC().Format(time.RFC3339),
			"agent":       map[string]any{"birdV4": ready, "birdV6": bird6},
			"bgp": map[string]any{
				"numberEstablishedV4": up4, "numberNotEstablishedV4": down4, "peersV4": v4,
				"numberEstablishedV6": up6, "numberNotEstablishedV6": down6, "peersV6": v6,
			},
		},
	}}
}

// report keeps what calico-node says of nodes up to date, until the test ends.
func report(t *testing.T, nodes ...bgpNode) {
	t.Helper()
	statuses := lab.Dynamic(t).Resource(crdGroup.WithResource("caliconodestatuses"))
	ctx, cancel := context.WithCancel(t.Context())
	write := func(now time.Time) error {
		for _, n := range nodes {
			if _, err := statuses.Apply(ctx, n.name, n.object(now), metav1.ApplyOptions{FieldManager: "test", Force: true}); err != nil {
				return fmt.Errorf("status of %s: %w", n.name, err)
			}
		}
		return nil
	}
	require.NoError(t, write(time.Now()))
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(5 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				_ = write(now) // where it stays away, its age says so
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}
