package calicoapi

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// IPPool is what is read of the resource of that name, with Calico's defaults applied
// (libcalico-go/lib/clientv3/ippool.go, convertIPPool).
type IPPool struct {
	Name string
	CIDR netip.Prefix
	// BlockSize is the prefix length of the blocks that nodes claim.
	BlockSize int
	// State is enabled, disabled or terminating. Calico's IPAM counts a pool as gone once it has a deletion timestamp, and gives nothing from
	// one that its own controller found not to be allocatable, as where CIDRs overlap.
	State string
	// AllowedUses is sorted: LoadBalancer, Tunnel, Workload.
	AllowedUses []string
	// AssignmentMode is Automatic, or Manual for a pool that is used on request only.
	AssignmentMode string
	// Encapsulation is None, IPIP, IPIPCrossSubnet, VXLAN or VXLANCrossSubnet.
	Encapsulation string
}

// Calico's defaults for what an IPPool leaves out.
const (
	defaultBlockSizeIPv4 = 26
	defaultBlockSizeIPv6 = 122
	encapsulationNone    = "None"
)

// Family is the pool's IP family as the label ip_family spells it.
func (p IPPool) Family() string {
	if p.CIDR.Addr().Is4() {
		return calicometric.IPv4
	}
	return calicometric.IPv6
}

// ParseIPPool reads an IPPool of either API group. It fails on what no Calico accepts, and names the field.
func ParseIPPool(u *unstructured.Unstructured) (IPPool, error) {
	f := fieldsOf(u)
	// Calico sets the condition from 3.32 on; without it a pool is allocatable.
	unallocatable := f.conditions()["Allocatable"] == "False"
	pool := IPPool{
		Name:           u.GetName(),
		AllowedUses:    f.strings("spec", "allowedUses"),
		AssignmentMode: orDefault(f.string("spec", "assignmentMode"), calicometric.AssignmentAutomatic),
		Encapsulation:  encapsulation(f.string("spec", "ipipMode"), f.string("spec", "vxlanMode")),
		State:          state(u.GetDeletionTimestamp() != nil, f.bool("spec", "disabled") || unallocatable),
	}
	cidr := f.string("spec", "cidr")
	blockSize := f.int("spec", "blockSize")
	if err := f.failed("ippool", u); err != nil {
		return IPPool{}, err
	}
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return IPPool{}, fmt.Errorf("ippool %q: spec.cidr: %w", pool.Name, err)
	}
	pool.CIDR = prefix.Masked()

	pool.BlockSize = defaultBlockSizeIPv6
	if pool.CIDR.Addr().Is4() {
		pool.BlockSize = defaultBlockSizeIPv4
	}
	if blockSize != nil && *blockSize != 0 {
		if *blockSize < 0 || *blockSize > int64(pool.CIDR.Addr().BitLen()) {
			return IPPool{}, fmt.Errorf("ippool %q: spec.blockSize: %d is no prefix length of %s", pool.Name, *blockSize, pool.CIDR)
		}
		pool.BlockSize = int(*blockSize)
	}
	// A disabled pool may be smaller than its blocks: it is never divided into any.
	if pool.BlockSize < pool.CIDR.Bits() && pool.State == calicometric.PoolEnabled {
		return IPPool{}, fmt.Errorf("ippool %q: spec.blockSize: a block of /%d does not fit into %s", pool.Name, pool.BlockSize, pool.CIDR)
	}
	if len(pool.AllowedUses) == 0 {
		pool.AllowedUses = []string{calicometric.UseTunnel, calicometric.UseWorkload}
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
