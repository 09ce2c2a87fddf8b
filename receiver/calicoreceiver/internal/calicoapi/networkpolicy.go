package calicoapi

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// ParseNetworkPolicy reads a NetworkPolicy of Calico, of either API group.
//
// A policy without types applies to both directions. Calico's clients write the types that follow from the rules
// (api/pkg/defaults/networkpolicy.go, defaultPolicyTypesField), but where somebody wrote around them Felix derives nothing
// (felix/calc/policy_sorter.go, ExtractPolicyMetadata).
func ParseNetworkPolicy(u *unstructured.Unstructured) (discovery.Policy, error) {
	f := fieldsOf(u)
	types := f.strings("spec", "types")
	p := discovery.Policy{
		Name:      u.GetName(),
		Namespace: u.GetNamespace(),
		Tier:      f.string("spec", "tier"),
		Selector:  f.string("spec", "selector"),
		Ingress:   len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, "Ingress") }),
	}
	f.each(func(rule *fields) {
		if rule.string("action") == "Allow" {
			p.AllowsIngress = true
		}
	}, "spec", "ingress")
	if err := f.failed("networkpolicy", u); err != nil {
		return discovery.Policy{}, err
	}
	return p, nil
}
