package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// loadBalancerServices hold one address each in the load balancer's block.
var loadBalancerServices = []string{"web", "api", "mail"}

// CreateLoadBalancerPool writes, as Calico 3.30 and later would, a pool for addresses of Services and its one block with
// a few of them. The library of the lab's Calico version knows neither, so they are written as objects.
func (c *Client) CreateLoadBalancerPool(ctx context.Context, name, cidr string) error {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return fmt.Errorf("parse the CIDR of pool %q: %w", name, err)
	}
	size := 1 << (prefix.Addr().BitLen() - prefix.Bits())
	objects := []map[string]any{
		calicoObject("IPPool", name, map[string]any{
			"cidr": cidr, "blockSize": int64(prefix.Bits()), "ipipMode": "Never", "vxlanMode": "Never", "nodeSelector": "all()",
			"allowedUses": []any{"LoadBalancer"},
		}),
	}
	allocations, unallocated := make([]any, size), []any{}
	attributes, sequences := []any{}, map[string]any{}
	for ordinal := range size {
		if ordinal >= len(loadBalancerServices) {
			unallocated = append(unallocated, int64(ordinal))
			continue
		}
		service := loadBalancerServices[ordinal]
		handle := LoadBalancerHandle(service)
		allocations[ordinal] = int64(ordinal)
		sequences[strconv.Itoa(ordinal)] = int64(ordinal)
		attributes = append(attributes, map[string]any{"handle_id": handle, "secondary": map[string]any{
			"service": service, "namespace": "demo", "type": "LoadBalancer", "timestamp": time.Now().UTC().String(),
		}})
		objects = append(objects, calicoObject("IPAMHandle", handle, map[string]any{
			"handleID": handle, "block": map[string]any{cidr: int64(1)}, "deleted": false,
		}))
	}
	objects = append(objects, calicoObject("IPAMBlock", BlockName(cidr), map[string]any{
		"cidr": cidr, "affinity": "virtual:load-balancer", "allocations": allocations, "unallocated": unallocated,
		"attributes": attributes, "sequenceNumber": int64(len(loadBalancerServices)), "sequenceNumberForAllocation": sequences,
		"strictAffinity": false, "deleted": false,
	}))
	for _, object := range objects {
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("create load balancer pool: %w", err)
		}
	}
	return nil
}

// LoadBalancerHandle names the handle of a Service's address the way Calico's load balancer controller does.
func LoadBalancerHandle(service string) string {
	sum := sha256.Sum256([]byte("demo/" + service))
	return "lb-" + hex.EncodeToString(sum[:16])
}

// BlockName is the name of the object of a block (libcalico-go, names.CIDRToName).
func BlockName(cidr string) string {
	return strings.NewReplacer(".", "-", ":", "-", "/", "-").Replace(cidr)
}

// IPPools is the resource of Calico's IP pools in the cluster.
var IPPools = schema.GroupVersionResource{Group: crdGroup, Version: "v1", Resource: "ippools"}
