package calicoapi

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// ParseInstallation reads the operator's Installation. What its spec leaves out is taken from status.computed, where the operator publishes
// the spec that it works by, with its defaults and what an Installation named overlay adds (operator api/v1/installation_types.go).
func ParseInstallation(u *unstructured.Unstructured) (discovery.Installation, error) {
	f := fieldsOf(u)
	i := installation(f, "spec")
	computed := installation(f, "status", "computed")
	if err := f.failed("installation", u); err != nil {
		return discovery.Installation{}, err
	}
	if i.CNI == "" {
		i.CNI = computed.CNI
	}
	// IPAM belongs to a CNI plugin: that of another says nothing.
	if i.IPAM == "" && i.CNI == computed.CNI {
		i.IPAM = computed.IPAM
	}
	if i.NodeMetricsPort == nil {
		i.NodeMetricsPort = computed.NodeMetricsPort
	}
	if i.TyphaMetricsPort == nil {
		i.TyphaMetricsPort = computed.TyphaMetricsPort
	}
	return i, nil
}

func installation(f *fields, spec ...string) discovery.Installation {
	at := func(path ...string) []string { return slices.Concat(spec, path) }
	return discovery.Installation{
		CNI:              f.string(at("cni", "type")...),
		IPAM:             f.string(at("cni", "ipam", "type")...),
		NodeMetricsPort:  f.int(at("nodeMetricsPort")...),
		TyphaMetricsPort: f.int(at("typhaMetricsPort")...),
	}
}

// TigeraStatus is what the operator says of one part of Calico in the resource of that name.
type TigeraStatus struct {
	// Component is the name of the part, as in calico, apiserver and ippools.
	Component string
	// Conditions says whether each of TigeraConditions holds, of those that the operator says anything of. That it cannot tell is that it does
	// not.
	Conditions map[string]bool
}

// TigeraConditions are the conditions that are read (operator api/v1/tigerastatus_types.go).
func TigeraConditions() []string { return []string{"Available", "Progressing", "Degraded"} }

// ParseTigeraStatus reads the operator's TigeraStatus.
func ParseTigeraStatus(u *unstructured.Unstructured) (TigeraStatus, error) {
	f := fieldsOf(u)
	s := TigeraStatus{Component: u.GetName(), Conditions: map[string]bool{}}
	for condition, status := range f.conditions() {
		if slices.Contains(TigeraConditions(), condition) {
			s.Conditions[condition] = status == "True"
		}
	}
	if err := f.failed("tigerastatus", u); err != nil {
		return TigeraStatus{}, err
	}
	return s, nil
}
