//go:build e2e

package scale

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// population is a cluster with pools of /16, blocks of 64 addresses of which some are in use by pods, and nodes that have the same number of blocks.
type population struct {
	nodes, pools, blocks int
	// inUse is how many addresses of a block are.
	inUse int
	// limit is what the collector may need of it, in bytes beyond what it needs of no cluster.
	limit int
}

// workers create objects side by side.
const workers = 48

const (
	group        = "crd.projectcalico.org"
	blockSize    = 26
	blockEntries = 64
)

func (p population) nodeOf(block int) string {
	return fmt.Sprintf("node-%04d.example.com", block%p.nodes)
}

func (p population) poolName(pool int) string { return fmt.Sprintf("pool-%03d", pool) }

// create makes all objects, which stay: the cluster ends with the tests.
func (p population) create(t *testing.T) {
	t.Helper()
	kube := lab.Kube(t)
	p.each(t, p.nodes, func(ctx context.Context, i int) error {
		name := p.nodeOf(i)
		labels := map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
		for j := range 20 { // as many as nodes of a managed cluster have
			labels[fmt.Sprintf("node.example.org/label-%d", j)] = fmt.Sprintf("value-%d-%d", j, i%7)
		}
		_, err := kube.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
		return err
	})
	p.each(t, p.pools, p.creates(t, "ippools", func(i int) (string, string, map[string]any) {
		return "IPPool", p.poolName(i), map[string]any{
			"cidr": fmt.Sprintf("10.%d.0.0/16", i), "blockSize": int64(blockSize), "nodeSelector": "all()", "ipipMode": "Always", "vxlanMode": "Never",
		}
	}))
	p.each(t, p.blocks, p.creates(t, "ipamblocks", p.block))
	p.each(t, p.blocks, p.creates(t, "blockaffinities", func(i int) (string, string, map[string]any) {
		node := p.nodeOf(i)
		return "BlockAffinity", node + "-" + nameOf(p.cidr(i)), map[string]any{
			"cidr": p.cidr(i).String(), "node": node, "state": "confirmed", "deleted": "false",
		}
	}))
}

func (p population) each(t *testing.T, count int, do func(ctx context.Context, i int) error) {
	t.Helper()
	work, ctx := errgroup.WithContext(t.Context())
	work.SetLimit(workers)
	for i := range count {
		work.Go(func() error { return do(ctx, i) })
	}
	require.NoError(t, work.Wait())
}

func (p population) creates(t *testing.T, plural string, object func(i int) (kind, name string, spec map[string]any)) func(context.Context, int) error {
	t.Helper()
	client := lab.Dynamic(t).Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: plural})
	return func(ctx context.Context, i int) error {
		kind, name, spec := object(i)
		_, err := client.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": group + "/v1", "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
		}}, metav1.CreateOptions{})
		return err
	}
}

func (p population) cidr(block int) netip.Prefix {
	pool, slot := block%p.pools, block/p.pools
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(pool), byte(slot / 4), byte(slot % 4 * blockEntries)}), blockSize)
}

// nameOf is how Calico names objects after a CIDR (libcalico-go/lib/names/cidr.go).
func nameOf(cidr netip.Prefix) string {
	a := cidr.Addr().As4()
	return fmt.Sprintf("%d-%d-%d-%d-%d", a[0], a[1], a[2], a[3], cidr.Bits())
}

func (p population) block(i int) (kind, name string, spec map[string]any) {
	var allocations, unallocated, attributes []any
	sequence := map[string]any{}
	for ordinal := range blockEntries {
		if ordinal >= p.inUse {
			allocations = append(allocations, nil)
			unallocated = append(unallocated, int64(ordinal))
			continue
		}
		allocations = append(allocations, int64(ordinal))
		sequence[strconv.Itoa(ordinal)] = int64(1_795_449_346_603_229_710 + ordinal)
		attributes = append(attributes, map[string]any{
			"handle_id": fmt.Sprintf("k8s-pod-network.%064x", i*blockEntries+ordinal),
			"secondary": map[string]any{
				"namespace": "namespace-" + strconv.Itoa(ordinal%20), "node": p.nodeOf(i), "pod": fmt.Sprintf("deployment-%d-6d8c5f7b9c-%05d", i, ordinal),
				"timestamp": "2026-11-24 12:00:00.123456789 +0000 UTC",
			},
		})
	}
	return "IPAMBlock", nameOf(p.cidr(i)), map[string]any{
		"cidr": p.cidr(i).String(), "affinity": "host:" + p.nodeOf(i), "deleted": false, "strictAffinity": false,
		"allocations": allocations, "unallocated": unallocated, "attributes": attributes,
		"sequenceNumber": int64(1_795_449_346_603_229_718), "sequenceNumberForAllocation": sequence,
	}
}
