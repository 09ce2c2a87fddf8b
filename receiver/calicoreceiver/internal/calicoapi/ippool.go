package calicoapi

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/ippool"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// encapsulationNone is what a pool has that says nothing of it.
const encapsulationNone = "None"

// ParseIPPool reads an IPPool of either API group. It fails on what no Calico accepts, and names the field.
func ParseIPPool(u *unstructured.Unstructured) (ipam.Pool, error) {
	f := fieldsOf(u)
	// Calico sets the condition from 3.32 on; without it a pool is allocatable.
	unallocatable := f.conditions()["Allocatable"] == "False"
	pool := ipam.Pool{
		Name:              u.GetName(),
		CIDR:              f.cidr("spec", "cidr"),
		AllowedUses:       f.strings("spec", "allowedUses"),
		AssignmentMode:    orDefault(f.string("spec", "assignmentMode"), calicometric.AssignmentAutomatic),
		Encapsulation:     encapsulation(f.string("spec", "ipipMode"), f.string("spec", "vxlanMode")),
		NodeSelector:      f.string("spec", "nodeSelector"),
		NamespaceSelector: strings.TrimSpace(f.string("spec", "namespaceSelector")),
		State:             state(u.GetDeletionTimestamp() != nil, f.bool("spec", "disabled") || unallocatable),
	}
	blockSize := f.int("spec", "blockSize")
	if err := f.failed("ippool", u); err != nil {
		return ipam.Pool{}, err
	}
	pool.BlockSize = ippool.BlockSize(pool.CIDR)
	if blockSize != nil && *blockSize != 0 {
		if *blockSize < 0 || *blockSize > int64(pool.CIDR.Addr().BitLen()) {
			return ipam.Pool{}, fmt.Errorf("ippool %q: spec.blockSize: %d is no prefix length of %s", pool.Name, *blockSize, pool.CIDR)
		}
		pool.BlockSize = int(*blockSize)
	}
	// A disabled pool may be smaller than its blocks: it is never divided into any.
	if pool.BlockSize < pool.CIDR.Bits() && pool.State == calicometric.PoolEnabled {
		return ipam.Pool{}, fmt.Errorf("ippool %q: spec.blockSize: a block of /%d does not fit into %s", pool.Name, pool.BlockSize, pool.CIDR)
	}
	if len(pool.AllowedUses) == 0 {
		pool.AllowedUses = ippool.AllowedUses()
	}
	slices.Sort(pool.AllowedUses)
	return pool, nil
}

func state(terminating, disabled bool) string {
	switch {
	case terminating:
		return calicometric.PoolTerminating
	case disabled:
		return calicometric.PoolDisabled
	}
	return calicometric.PoolEnabled
}

// encapsulation joins the two modes, of which Calico lets at most one be on, into one word as the operator's API has it.
func encapsulation(ipip, vxlan string) string {
	for _, m := range []struct{ mode, name string }{{ipip, "IPIP"}, {vxlan, "VXLAN"}} {
		switch {
		case strings.EqualFold(m.mode, "Always"):
			return m.name
		case strings.EqualFold(m.mode, "CrossSubnet"):
			return m.name + "CrossSubnet"
		}
	}
	return encapsulationNone
}

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
