package calicoapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseClusterInformation(t *testing.T) {
	v1, err := ParseClusterInformation(testdata(t, "clusterinformation-v1"))
	require.NoError(t, err)
	require.Equal(t, ClusterInformation{
		CalicoVersion: "v3.28.5", ClusterType: []string{"k8s", "bgp", "kubeadm", "kdd"}, DatastoreReady: ptr(true),
		GUID: "5b1e4c9a0d5d4d0e9e0f7a6f3b2c1d00",
	}, v1)
	require.Equal(t, "kubernetes", v1.Datastore())
	require.Equal(t, "manifest", v1.InstalledBy())

	v3, err := ParseClusterInformation(testdata(t, "clusterinformation-v3"))
	require.NoError(t, err)
	require.Equal(t, ClusterInformation{
		CalicoVersion: "v3.32.1", ClusterType: []string{"k8s", "operator", "bgp", "kdd"}, DatastoreReady: ptr(false),
		GUID: "0c2f8f64b26a4d3bb0bb4f5a7e0f9d11", Variant: "Calico",
	}, v3)
	require.Equal(t, "operator", v3.InstalledBy())
}

func TestClusterType(t *testing.T) {
	for _, tc := range []struct {
		name, clusterType, datastore, installedBy string
	}{
		{"is not said", "", "unknown", "unknown"},
		{"says nothing", " , ", "unknown", "unknown"},
		{"of a manifest on etcd", "k8s,bgp", "etcd", "manifest"},
		{"of a manifest", "k8s,bgp,kdd", "kubernetes", "manifest"},
		{"of the operator", "k8s,operator,openshift,bgp,kdd", "kubernetes", "operator"},
		{"with spaces", " kdd , operator ", "kubernetes", "operator"},
		{"with a word that only begins so", "kddx,operators", "etcd", "manifest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := ParseClusterInformation(object(t,
				"apiVersion: v1\nkind: ClusterInformation\nmetadata: {name: default}\nspec: {clusterType: '"+tc.clusterType+"'}"))
			require.NoError(t, err)
			require.Equal(t, tc.datastore, c.Datastore())
			require.Equal(t, tc.installedBy, c.InstalledBy())
			require.Nil(t, c.DatastoreReady)
		})
	}
}

func TestParseClusterInformationNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "clusterinformation", ParseClusterInformation, []wrong{
		{"a type that is a list", "spec: {clusterType: [k8s]}", "spec.clusterType: a list instead of a string"},
		{"a datastore that is ready in words", "spec: {datastoreReady: 'true'}", "spec.datastoreReady: a string instead of a boolean"},
		{"a version that is a number", "spec: {calicoVersion: 3.32}", "spec.calicoVersion: a float instead of a string"},
	})
}
