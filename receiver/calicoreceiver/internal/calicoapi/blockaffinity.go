package calicoapi

import (
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// ParseBlockAffinity reads a BlockAffinity of either API group. It is nil for one that is marked as deleted, which Calico leaves out
// (libcalico-go/lib/backend/k8s/resources/ipam_affinity_v1.go). One without a type is of a host, as all were before there were types.
func ParseBlockAffinity(u *unstructured.Unstructured) (*ipam.Affinity, error) {
	f := fieldsOf(u)
	if deleted(f, "spec", "deleted") {
		return nil, nil
	}
	affinity := &ipam.Affinity{CIDR: f.cidr("spec", "cidr")}
	if t := f.string("spec", "type"); t == "" || t == "host" {
		if affinity.Node = f.string("spec", "node"); affinity.Node == "" {
			f.fail([]string{"spec", "node"}, "must be the name of a node")
		}
	}
	if err := f.failed("blockaffinity", u); err != nil {
		return nil, err
	}
	return affinity, nil
}

// deleted is a boolean, which GroupV1 has as a string for the sake of releases that once took it for one.
func deleted(f *fields, path ...string) bool {
	text, ok := f.at(path).(string)
	switch {
	case !ok:
		return f.bool(path...)
	case text == "":
		return false
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		f.fail(path, "must be true or false")
	}
	return value
}
