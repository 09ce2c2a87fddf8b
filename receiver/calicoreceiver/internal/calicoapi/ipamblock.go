package calicoapi

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// ParseIPAMBlock reads an IPAMBlock of either API group, which have the same fields. It is nil for a block that is marked as deleted: Calico does
// that before it deletes the object, and takes the block for gone (libcalico-go/lib/backend/k8s/resources/ipam_block.go). Whether the fields agree
// with each other is for ipam.NewBlock to say.
//
// The attributes of an address that matter are those of its active owner: while a virtual machine migrates, the other's are beside them. The
// hostAffinity of blocks in etcd was never a field of this resource.
func ParseIPAMBlock(u *unstructured.Unstructured) (*ipam.BlockSpec, error) {
	f := fieldsOf(u)
	if f.bool("spec", "deleted") {
		return nil, nil
	}
	spec := &ipam.BlockSpec{
		CIDR:        f.string("spec", "cidr"),
		Affinity:    f.string("spec", "affinity"),
		ClaimTime:   f.time("spec", "affinityClaimTime"),
		Allocations: positions(f, true, "spec", "allocations"),
		Unallocated: positions(f, false, "spec", "unallocated"),
		Attributes:  attributes(f, "spec", "attributes"),
	}
	if err := f.failed("ipamblock", u); err != nil {
		return nil, err
	}
	return spec, nil
}

// positions are the numbers of a list, in which null, where that is allowed, stands for ipam.Free.
func positions(f *fields, null bool, path ...string) []int {
	list := f.list(path)
	found := make([]int, len(list))
	for i, element := range list {
		if element == nil && null {
			found[i] = ipam.Free
			continue
		}
		n, ok := element.(int64)
		switch {
		case !ok:
			f.fail(path, fmt.Sprintf("element %d: %s instead of an integer", i, kindOf(element)))
			return nil
		case n < 0 || n > math.MaxInt32:
			f.fail(path, fmt.Sprintf("element %d: must be a position, from 0", i))
			return nil
		}
		found[i] = int(n)
	}
	return found
}

func attributes(f *fields, path ...string) []ipam.Attribute {
	n := len(f.list(path))
	found := make([]ipam.Attribute, 0, n)
	handles := make([]string, 0, n) // in one piece: pointers to each by itself would be as many allocations
	f.each(func(a *fields) {
		attribute := ipam.Attribute{
			Node:       a.string("secondary", "node"),
			Namespace:  a.string("secondary", "namespace"),
			Pod:        a.string("secondary", "pod"),
			Type:       a.string("secondary", "type"),
			ReleasedAt: a.time("releasedAt"),
		}
		if handle, ok := read[string](a, "a string", []string{"handle_id"}); ok {
			handles = append(handles, handle)
			attribute.Handle = &handles[len(handles)-1]
		}
		found = append(found, attribute)
	}, path...)
	return found
}
