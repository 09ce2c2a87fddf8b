package calicoapi

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// api is an API server: what its groups serve, and how they fail.
type api struct {
	served  map[schema.GroupVersion][]string
	failing map[schema.GroupVersion]error
}

func (a api) list(_ context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error) {
	if err := a.failing[group]; err != nil {
		return nil, err
	}
	names, ok := a.served[group]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, group.String())
	}
	list := &metav1.APIResourceList{}
	for _, name := range names {
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
	}
	return list, nil
}

type groups = map[schema.GroupVersion][]string

// What the groups serve in clusters of each kind.
var (
	v1CRDs = []string{
		"ippools", "ipamblocks", "ipamhandles", "blockaffinities", "ipreservations", "ipamconfigs",
		"felixconfigurations", "clusterinformations", "caliconodestatuses",
	}
	aggregated = []string{
		"ippools", "ippools/status", "blockaffinities", "ipreservations", "ipamconfigurations",
		"felixconfigurations", "clusterinformations", "caliconodestatuses",
	}
	v3CRDs = append([]string{"ipamblocks", "ipamhandles"}, aggregated...)
)

func TestDataGroup(t *testing.T) {
	for _, tc := range []struct {
		name   string
		served groups
		phase  MigrationPhase
		want   schema.GroupVersion
	}{
		{name: "no Calico"},
		{name: "the operator alone, which installs Calico later", served: groups{GroupOperator: {"installations", "tigerastatuses"}}},
		{name: "CRDs of v1", served: groups{GroupV1: v1CRDs}, want: GroupV1},
		{name: "v1 behind the aggregated API server, which serves no blocks", served: groups{GroupV1: v1CRDs, GroupV3: aggregated}, want: GroupV1},
		{
			name: "the parts of IPAM that the aggregated API server serves do not make it native", want: GroupV1,
			served: groups{GroupV1: v1CRDs, GroupV3: {"blockaffinities", "ipreservations", "ipamconfigurations"}}, phase: MigrationComplete,
		},
		{name: "IPAM alone is Calico in v3", served: groups{GroupV3: {"ipamconfigurations"}}, want: GroupV3},
		{name: "native CRDs of v3", served: groups{GroupV3: v3CRDs}, want: GroupV3},
		{name: "policy only, without IPAM", served: groups{GroupV1: {"felixconfigurations"}}, want: GroupV1},
		{name: "a group of which nothing is read is no Calico", served: groups{GroupV1: {"globalnetworksets"}}},
		{name: "native v3 beside a v1 of which nothing is read", served: groups{GroupV1: {"globalnetworksets"}, GroupV3: v3CRDs}, want: GroupV3},
		{name: "the aggregated API server of another datastore", served: groups{GroupV3: aggregated}, want: GroupV3},
		{name: "CRDs of v3 installed before a migration, or left by one that was given up", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, want: GroupV1},
		{name: "a migration that waits for its prerequisites", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: MigrationPending, want: GroupV1},
		{name: "a migration that copies", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: MigrationMigrating, want: GroupV1},
		{name: "a migration with conflicts", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: MigrationWaiting, want: GroupV1},
		{name: "a migration that failed", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: MigrationFailed, want: GroupV1},
		{name: "a migration that copied everything", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: MigrationConverged, want: GroupV3},
		{name: "a migration that is complete", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: MigrationComplete, want: GroupV3},
		{name: "a phase of a later Calico", served: groups{GroupV1: v1CRDs, GroupV3: v3CRDs}, phase: "Paused", want: GroupV1},
		{name: "a complete migration whose v1 is gone", served: groups{GroupV3: v3CRDs}, phase: MigrationComplete, want: GroupV3},
		{name: "a migration before the API server of v3 is out of the way", served: groups{GroupV1: v1CRDs, GroupV3: aggregated}, phase: MigrationPending, want: GroupV1},
		{name: "a phase does not make v3 native", served: groups{GroupV1: v1CRDs, GroupV3: aggregated}, phase: MigrationComplete, want: GroupV1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			served, err := Discover(t.Context(), api{served: tc.served}.list)
			require.NoError(t, err)
			group, ok := served.DataGroup(tc.phase)
			require.Equal(t, tc.want, group)
			require.Equal(t, !tc.want.Empty(), ok)
		})
	}
}

func TestDiscoverTellsAFailureFromAnAbsence(t *testing.T) {
	for _, group := range []schema.GroupVersion{GroupV3, GroupV1, GroupOperator, groupMigration, groupMigrationV1beta1} {
		t.Run(group.String(), func(t *testing.T) {
			served := groups{GroupV1: v1CRDs}
			delete(served, group)
			_, err := Discover(t.Context(), api{
				served: served, failing: map[schema.GroupVersion]error{group: apierrors.NewInternalError(errors.New("down"))},
			}.list)
			require.ErrorContains(t, err, group.String())
			require.True(t, apierrors.IsInternalError(err))
		})
	}
}

func TestAggregatedAPIServerThatIsDownDoesNotHideTheCRDs(t *testing.T) {
	down := map[schema.GroupVersion]error{GroupV3: apierrors.NewServiceUnavailable("no endpoints")}
	served, err := Discover(t.Context(), api{served: groups{GroupV1: v1CRDs}, failing: down}.list)
	require.NoError(t, err)
	group, ok := served.DataGroup("")
	require.True(t, ok)
	require.Equal(t, GroupV1, group)

	_, err = Discover(t.Context(), api{failing: down}.list)
	require.ErrorContains(t, err, "no endpoints", "without CRDs nothing is known")
	require.ErrorContains(t, err, GroupV3.String())
}

func TestCRDsThatAreBeingDeletedServeNothing(t *testing.T) {
	going := metav1.Verbs{"delete", "deletecollection", "get", "list", "watch"}
	served, err := Discover(t.Context(), func(_ context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error) {
		verbs := append(metav1.Verbs{"create"}, going...)
		switch group {
		case GroupV1:
			verbs = going
		case GroupV3:
		default:
			return nil, apierrors.NewNotFound(schema.GroupResource{}, group.String())
		}
		return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "ippools", Verbs: verbs}, {Name: "ipamblocks", Verbs: verbs}}}, nil
	})
	require.NoError(t, err)
	group, ok := served.DataGroup("")
	require.True(t, ok)
	require.Equal(t, GroupV3, group, "a migration that is complete has its object removed before the last CRD of v1 is gone")
}

func TestResources(t *testing.T) {
	discover := func(served groups) Served {
		s, err := Discover(t.Context(), api{served: served}.list)
		require.NoError(t, err)
		return s
	}
	full := func(group schema.GroupVersion, resource string) schema.GroupVersionResource {
		return group.WithResource(resource)
	}

	s := discover(groups{GroupV3: v3CRDs, GroupOperator: {"installations", "installations/status"}})
	require.Equal(t, map[Resource]schema.GroupVersionResource{
		IPPools:             full(GroupV3, "ippools"),
		IPAMBlocks:          full(GroupV3, "ipamblocks"),
		BlockAffinities:     full(GroupV3, "blockaffinities"),
		IPReservations:      full(GroupV3, "ipreservations"),
		IPAMConfigs:         full(GroupV3, "ipamconfigurations"),
		FelixConfigurations: full(GroupV3, "felixconfigurations"),
		ClusterInformations: full(GroupV3, "clusterinformations"),
		CalicoNodeStatuses:  full(GroupV3, "caliconodestatuses"),
		Installations:       full(GroupOperator, "installations"),
	}, s.Resources(GroupV3))
	require.True(t, s.Serves(GroupV3, IPPools))
	require.False(t, s.Serves(GroupV1, IPPools))

	gvr, ok := s.GVR(Installations, GroupV3)
	require.True(t, ok)
	require.Equal(t, full(GroupOperator, "installations"), gvr)
	_, ok = s.GVR(NetworkPolicies, GroupV3)
	require.False(t, ok, "not served")

	s = discover(groups{GroupOperator: {"installations"}})
	group, ok := s.DataGroup("")
	require.False(t, ok)
	require.Equal(t, []Resource{Installations}, slices.Collect(maps.Keys(s.Resources(group))), "the operator's are there without Calico's")

	require.Empty(t, Served(nil).Resources(GroupV1))
}

func TestIPAMConfigsHaveAnotherNameInEachGroup(t *testing.T) {
	for _, tc := range []struct {
		name   string
		served groups
		group  schema.GroupVersion
		want   string
	}{
		{"that of v1", groups{GroupV1: {"ipamconfigs"}}, GroupV1, "ipamconfigs"},
		{"that of v3", groups{GroupV3: {"ipamconfigurations"}}, GroupV3, "ipamconfigurations"},
		{"that of v3 is none in v1", groups{GroupV1: {"ipamconfigurations"}}, GroupV1, ""},
		{"that of v1 is none in v3", groups{GroupV3: {"ipamconfigs"}}, GroupV3, ""},
		{"in the group that is asked for", groups{GroupV1: {"ipamconfigs"}, GroupV3: {"ipamconfigurations"}}, GroupV3, "ipamconfigurations"},
		{"in the other group", groups{GroupV1: {"ipamconfigs"}, GroupV3: {"ipamconfigurations"}}, GroupV1, "ipamconfigs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			served, err := Discover(t.Context(), api{served: tc.served}.list)
			require.NoError(t, err)
			require.Equal(t, tc.want != "", served.Serves(tc.group, IPAMConfigs))
			gvr, ok := served.GVR(IPAMConfigs, tc.group)
			require.Equal(t, tc.want != "", ok)
			require.Equal(t, tc.want, gvr.Resource)
			require.Equal(t, gvr, served.Resources(tc.group)[IPAMConfigs])
		})
	}
}

func TestWhatMayNotBeAskedIsAssumed(t *testing.T) {
	group, ok := Assumed().DataGroup("")
	require.True(t, ok)
	require.Equal(t, GroupV1, group)
	require.Len(t, Assumed().Resources(group), len(ofCalico()))
	gvr, ok := Assumed().GVR(IPAMConfigs, group)
	require.True(t, ok)
	require.Equal(t, GroupV1.WithResource("ipamconfigs"), gvr)
	_, ok = Assumed().Migration()
	require.False(t, ok)
}

func TestMigration(t *testing.T) {
	for _, tc := range []struct {
		name   string
		served groups
		want   string
	}{
		{name: "none is served"},
		{name: "its group serves something else", served: groups{groupMigration: {"others"}}},
		{name: "v1", served: groups{groupMigration: {"datastoremigrations"}}, want: "v1"},
		{name: "v1beta1", served: groups{groupMigrationV1beta1: {"datastoremigrations"}}, want: "v1beta1"},
		{
			name: "v1 before v1beta1", want: "v1",
			served: groups{groupMigrationV1beta1: {"datastoremigrations"}, groupMigration: {"datastoremigrations"}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			served, err := Discover(t.Context(), api{served: tc.served}.list)
			require.NoError(t, err)
			gvr, ok := served.Migration()
			require.Equal(t, tc.want != "", ok)
			require.Equal(t, tc.want, gvr.Version)
		})
	}
}
