package calicoapi

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func TestDetectGroup(t *testing.T) {
	for _, tc := range []struct {
		name   string
		served map[schema.GroupVersion][]string
		want   schema.GroupVersion
		found  bool
	}{
		{name: "no Calico"},
		{name: "CRDs of v1", served: map[schema.GroupVersion][]string{GroupV1: {"ippools", "ipamblocks"}}, want: GroupV1, found: true},
		{
			name:   "v1 behind the aggregated API server, which serves no blocks",
			served: map[schema.GroupVersion][]string{GroupV1: {"ippools", "ipamblocks"}, GroupV3: {"ippools", "felixconfigurations"}},
			want:   GroupV1, found: true,
		},
		{name: "native CRDs of v3", served: map[schema.GroupVersion][]string{GroupV3: {"ippools", "ipamblocks"}}, want: GroupV3, found: true},
		{name: "policy only, without IPAM", served: map[schema.GroupVersion][]string{GroupV1: {"felixconfigurations"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			group, found, err := DetectGroup(t.Context(), func(_ context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error) {
				names, ok := tc.served[group]
				if !ok {
					return nil, apierrors.NewNotFound(schema.GroupResource{}, group.String())
				}
				list := &metav1.APIResourceList{}
				for _, name := range names {
					list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
				}
				return list, nil
			})
			require.NoError(t, err)
			require.Equal(t, tc.found, found)
			require.Equal(t, tc.want, group)
		})
	}
}

// failing answers for one group with an error, and says of the other which resources it serves; none are not found.
func failing(failed schema.GroupVersion, err error, served ...string) ListResources {
	return func(_ context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error) {
		switch {
		case group == failed:
			return nil, err
		case len(served) == 0:
			return nil, apierrors.NewNotFound(schema.GroupResource{}, group.String())
		}
		list := &metav1.APIResourceList{}
		for _, name := range served {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
		}
		return list, nil
	}
}

func TestDetectGroupTellsAFailureFromAnAbsence(t *testing.T) {
	_, found, err := DetectGroup(t.Context(), failing(GroupV3, apierrors.NewInternalError(errors.New("down")), "ippools"))
	require.False(t, found)
	require.ErrorContains(t, err, "projectcalico.org/v3")
	require.True(t, apierrors.IsInternalError(err))
}

func TestAggregatedAPIServerThatIsDownDoesNotHideTheCRDs(t *testing.T) {
	down := apierrors.NewServiceUnavailable("no endpoints")
	group, found, err := DetectGroup(t.Context(), failing(GroupV3, down, "ippools"))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, GroupV1, group)

	_, found, err = DetectGroup(t.Context(), failing(GroupV3, down))
	require.False(t, found)
	require.ErrorContains(t, err, "no endpoints", "without CRDs nothing is known")
}

func object(t require.TestingT, text string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	content, err := yaml.YAMLToJSON([]byte(text))
	require.NoError(t, err)
	require.NoError(t, u.UnmarshalJSON(content))
	return u
}

const head = "apiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: pool}\n"

func TestParseIPPool(t *testing.T) {
	defaults := IPPool{
		Name: "pool", CIDR: netip.MustParsePrefix("10.0.0.0/16"), BlockSize: 26, State: "enabled",
		AllowedUses: []string{"Tunnel", "Workload"}, AssignmentMode: "Automatic", Encapsulation: "None",
	}
	with := func(change func(*IPPool)) IPPool { p := defaults; change(&p); return p }
	for _, tc := range []struct {
		name, spec string
		want       IPPool
	}{
		{"Calico's defaults for IPv4", "spec: {cidr: 10.0.0.0/16}", defaults},
		{"Calico's defaults for IPv6", "spec: {cidr: 'fd00::/48'}", with(func(p *IPPool) { p.CIDR, p.BlockSize = netip.MustParsePrefix("fd00::/48"), 122 })},
		{"block size 0 is not set", "spec: {cidr: 10.0.0.0/16, blockSize: 0}", defaults},
		{"host bits are dropped", "spec: {cidr: 10.0.3.4/16, blockSize: 29}", with(func(p *IPPool) { p.BlockSize = 29 })},
		{
			"not allocatable", "spec: {cidr: 10.0.0.0/16}\nstatus: {conditions: [{type: Other, status: 'True'}, {type: Allocatable, status: 'False', reason: CIDROverlap}]}",
			with(func(p *IPPool) { p.State = "disabled" }),
		},
		{"allocatable", "spec: {cidr: 10.0.0.0/16}\nstatus: {conditions: [{type: Allocatable, status: 'True'}]}", defaults},
		{"disabled pools may be smaller than a block", "spec: {cidr: 10.0.0.0/28, disabled: true}", with(func(p *IPPool) {
			p.CIDR, p.State = netip.MustParsePrefix("10.0.0.0/28"), "disabled"
		})},
		{"disabled", "spec: {cidr: 10.0.0.0/16, disabled: true}", with(func(p *IPPool) { p.State = "disabled" })},
		{
			"LoadBalancer", "spec: {cidr: 10.0.0.0/16, allowedUses: [LoadBalancer], assignmentMode: Manual}",
			with(func(p *IPPool) { p.AllowedUses, p.AssignmentMode = []string{"LoadBalancer"}, "Manual" }),
		},
		{"uses are sorted", "spec: {cidr: 10.0.0.0/16, allowedUses: [Workload, Tunnel]}", defaults},
		{"IPIP", "spec: {cidr: 10.0.0.0/16, ipipMode: Always, vxlanMode: Never}", with(func(p *IPPool) { p.Encapsulation = "IPIP" })},
		{"VXLAN across subnets", "spec: {cidr: 10.0.0.0/16, ipipMode: Never, vxlanMode: CrossSubnet}", with(func(p *IPPool) { p.Encapsulation = "VXLANCrossSubnet" })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseIPPool(object(t, head+tc.spec))
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTerminatingPoolIsNoLongerEnabled(t *testing.T) {
	u := object(t, head+"spec: {cidr: 10.0.0.0/16}")
	now := metav1.Now()
	u.SetDeletionTimestamp(&now)
	pool, err := ParseIPPool(u)
	require.NoError(t, err)
	require.Equal(t, "terminating", pool.State)
}

func TestParseIPPoolNamesTheFieldThatIsWrong(t *testing.T) {
	for _, tc := range []struct{ name, spec, want string }{
		{"no CIDR", "spec: {}", "spec.cidr"},
		{"no CIDR at all", "spec: {cidr: everything}", "spec.cidr"},
		{"CIDR of another type", "spec: {cidr: 10}", "cidr"},
		{"block larger than the pool", "spec: {cidr: 10.0.0.0/28, blockSize: 26}", "spec.blockSize"},
		{"default block larger than the pool", "spec: {cidr: 10.0.0.0/27}", "spec.blockSize"},
		{"block longer than an address", "spec: {cidr: 10.0.0.0/16, blockSize: 64}", "spec.blockSize"},
		{"negative block", "spec: {cidr: 10.0.0.0/16, blockSize: -1}", "spec.blockSize"},
		{"uses of another type", "spec: {cidr: 10.0.0.0/16, allowedUses: Workload}", "allowedUses"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseIPPool(object(t, head+tc.spec))
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, `"pool"`)
		})
	}
}

func TestParseConfigurations(t *testing.T) {
	felix, err := ParseFelixConfiguration(object(t, `
apiVersion: crd.projectcalico.org/v1
kind: FelixConfiguration
metadata: {name: default}
spec: {prometheusMetricsEnabled: true, prometheusMetricsPort: 9191, prometheusMetricsHost: 192.0.2.1}
`))
	require.NoError(t, err)
	require.True(t, *felix.PrometheusMetricsEnabled)
	require.EqualValues(t, 9191, *felix.PrometheusMetricsPort)
	require.Equal(t, "192.0.2.1", felix.PrometheusMetricsHost)

	_, err = ParseFelixConfiguration(object(t, "apiVersion: v1\nkind: FelixConfiguration\nmetadata: {name: default}\nspec: {prometheusMetricsPort: many}"))
	require.ErrorContains(t, err, "prometheusMetricsPort")

	kube, err := ParseKubeControllersConfiguration(object(t, "apiVersion: v1\nkind: KubeControllersConfiguration\nmetadata: {name: default}\nspec: {}"))
	require.NoError(t, err)
	require.Nil(t, kube.PrometheusMetricsPort)
}

func FuzzParseIPPool(f *testing.F) {
	f.Add(`{"spec":{"cidr":"10.0.0.0/16","blockSize":26}}`)
	f.Add(`{"spec":{"cidr":"fd00::/48","allowedUses":["Workload",3],"disabled":"yes"}}`)
	f.Add(`{"metadata":{"deletionTimestamp":7},"spec":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"IPPool","metadata":{"name":"p"},` + text[min(1, len(text)):])); err != nil {
			t.Skip()
		}
		pool, err := ParseIPPool(u)
		if err != nil {
			return
		}
		require.True(t, pool.CIDR.IsValid())
		require.LessOrEqual(t, pool.BlockSize, pool.CIDR.Addr().BitLen())
		require.NotEmpty(t, pool.AllowedUses)
	})
}
