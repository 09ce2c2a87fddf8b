package calicoapi

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// ParseIPAMConfig reads an IPAMConfig of GroupV1, or an IPAMConfiguration of GroupV3: the same under another name. Where an object does not say
// whether nodes claim blocks, they do in GroupV3, by the default of its CRD, and do not in GroupV1, where Calico takes what is absent for false
// (libcalico-go/lib/backend/k8s/resources/ipam_config_v1.go). That no object is there is another matter: see ipam.DefaultConfig.
func ParseIPAMConfig(u *unstructured.Unstructured) (ipam.Config, error) {
	f := fieldsOf(u)
	autoAllocate, said := read[bool](f, "a boolean", []string{"spec", "autoAllocateBlocks"})
	config := ipam.Config{
		StrictAffinity:     f.bool("spec", "strictAffinity"),
		AutoAllocateBlocks: autoAllocate || !said && u.GroupVersionKind().GroupVersion() == GroupV3,
		MaxBlocksPerHost:   f.count("spec", "maxBlocksPerHost"),
		Cooldown:           cooldown(f, "spec", "ipCooldownSeconds"),
	}
	if err := f.failed("ipamconfig", u); err != nil {
		return ipam.Config{}, err
	}
	return config, nil
}

// cooldown is a number of seconds. One below 0 is none, as Calico has it (libcalico-go/lib/ipam/ipam_block.go, garbageCollect).
func cooldown(f *fields, path ...string) time.Duration {
	seconds := max(0, orZero(f.int(path...)))
	if seconds > math.MaxInt32 {
		f.fail(path, "is too large")
		return 0
	}
	return time.Duration(seconds) * time.Second
}
