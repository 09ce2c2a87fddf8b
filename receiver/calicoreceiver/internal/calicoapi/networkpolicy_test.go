package calicoapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

func TestParseNetworkPolicy(t *testing.T) {
	deny, err := ParseNetworkPolicy(testdata(t, "networkpolicy-default-deny"))
	require.NoError(t, err)
	require.Equal(t, discovery.Policy{
		Name: "calico-system.default-deny", Namespace: "calico-system", Tier: "calico-system",
		Selector: "k8s-app != 'calico-apiserver'", Ingress: true,
	}, deny)

	access, err := ParseNetworkPolicy(testdata(t, "networkpolicy-kube-controllers"))
	require.NoError(t, err)
	require.Equal(t, discovery.Policy{
		Name: "calico-system.kube-controller-access", Namespace: "calico-system", Tier: "calico-system",
		Selector: "k8s-app == 'calico-kube-controllers'", Ingress: true, AllowsIngress: true,
	}, access)
}

func TestDirectionsOfANetworkPolicy(t *testing.T) {
	for _, tc := range []struct {
		name, spec             string
		ingress, allowsIngress bool
	}{
		{"ingress", "spec: {types: [Ingress]}", true, false},
		{"egress", "spec: {types: [Egress], egress: [{action: Allow}]}", false, false},
		{"both", "spec: {types: [Egress, Ingress]}", true, false},
		{"both where no types are written, as Felix has it", "spec: {egress: [{action: Allow}]}", true, false},
		{"both where types are empty, as Felix has it", "spec: {types: [], egress: [{action: Allow}]}", true, false},
		{"ingress that is denied", "spec: {types: [Ingress], ingress: [{action: Deny}, {action: Log}, {action: Pass}]}", true, false},
		{"ingress of which some is allowed", "spec: {types: [Ingress], ingress: [{action: Deny}, {action: Allow}]}", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := ParseNetworkPolicy(object(t, "apiVersion: v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: calico-system}\n"+tc.spec))
			require.NoError(t, err)
			require.Equal(t, discovery.Policy{Name: "p", Namespace: "calico-system", Ingress: tc.ingress, AllowsIngress: tc.allowsIngress}, p)
		})
	}
}

func TestParseNetworkPolicyNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "networkpolicy", ParseNetworkPolicy, []wrong{
		{"types in one word", "spec: {types: Ingress}", "spec.types: a string instead of a list"},
		{"types that are numbers", "spec: {types: [Ingress, 2]}", "spec.types: element 1: an integer instead of a string"},
		{"a rule that is a word", "spec: {ingress: [Allow]}", "spec.ingress: element 0: a string instead of an object"},
		{"an action that is a switch", "spec: {ingress: [{action: true}]}", "spec.ingress: element 0: action: a boolean instead of a string"},
		{"a selector that is an object", "spec: {selector: {app: x}}", "spec.selector: an object instead of a string"},
	})
	_, err := ParseNetworkPolicy(object(t, "apiVersion: v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: calico-system}\nspec: {tier: 1}"))
	require.ErrorContains(t, err, `networkpolicy "calico-system/p": spec.tier`)
}
