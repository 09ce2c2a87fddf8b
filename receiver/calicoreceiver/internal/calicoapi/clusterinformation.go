package calicoapi

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ClusterInformation is what is read of the resource of that name, of which a cluster has one, named default.
type ClusterInformation struct {
	// CalicoVersion as in v3.32.1; calico-node writes it when it starts.
	CalicoVersion string
	// ClusterType are words on how Calico came to run here, as in k8s, operator, bgp, kdd. Calico adds words and never takes any away.
	ClusterType []string
	// DatastoreReady is false while Calico's components are to leave the datastore alone, as during a migration; nil is not said.
	DatastoreReady *bool
	// GUID is Calico's identifier of the cluster.
	GUID string
	// Variant as in Calico.
	Variant string
}

// What Datastore and InstalledBy say.
const (
	datastoreKubernetes = "kubernetes"
	datastoreEtcd       = "etcd"
	installedByOperator = "operator"
	installedByManifest = "manifest"
	notSaid             = "unknown"
)

// Datastore is where Calico keeps its data: kubernetes, etcd, or unknown where it does not say. Calico adds kdd to the type of a cluster for
// the first (libcalico-go/lib/clientv3/client.go, ensureClusterInformation).
func (c ClusterInformation) Datastore() string {
	return c.either("kdd", datastoreKubernetes, datastoreEtcd)
}

// InstalledBy is operator, manifest for all that is not the operator's, or unknown where Calico does not say. The operator has calico-node say so
// (operator pkg/render/node.go, nodeEnvVars).
func (c ClusterInformation) InstalledBy() string {
	return c.either("operator", installedByOperator, installedByManifest)
}

func (c ClusterInformation) either(word, with, without string) string {
	switch {
	case len(c.ClusterType) == 0:
		return notSaid
	case slices.Contains(c.ClusterType, word):
		return with
	}
	return without
}

// ParseClusterInformation reads a ClusterInformation of either API group.
func ParseClusterInformation(u *unstructured.Unstructured) (ClusterInformation, error) {
	f := fieldsOf(u)
	c := ClusterInformation{
		CalicoVersion:  f.string("spec", "calicoVersion"),
		DatastoreReady: f.boolPtr("spec", "datastoreReady"),
		GUID:           f.string("spec", "clusterGUID"),
		Variant:        f.string("spec", "variant"),
	}
	for word := range strings.SplitSeq(f.string("spec", "clusterType"), ",") {
		if word = strings.TrimSpace(word); word != "" {
			c.ClusterType = append(c.ClusterType, word)
		}
	}
	if err := f.failed("clusterinformation", u); err != nil {
		return ClusterInformation{}, err
	}
	return c, nil
}
