// Package calicoapi knows the resources of Calico and of its operator in the Kubernetes API: which API group serves them, the few fields that
// are read, and the defaults that Calico applies when it reads them itself. It asks nothing itself: see ListResources.
package calicoapi

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The API groups that can hold Calico's data.
var (
	// GroupV1 is the storage of a Calico whose v3 API, if any, is an aggregated API server.
	GroupV1 = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}
	// GroupV3 is the storage where Calico's v3 resources are CRDs themselves (Calico 3.32+).
	GroupV3 = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}
)

// The API groups beside them.
var (
	// GroupOperator is that of the operator of Calico.
	GroupOperator = schema.GroupVersion{Group: "operator.tigera.io", Version: "v1"}
	// groupMigration and its predecessor have the object of a migration from GroupV1 to GroupV3.
	groupMigration        = schema.GroupVersion{Group: "migration.projectcalico.org", Version: "v1"}
	groupMigrationV1beta1 = schema.GroupVersion{Group: "migration.projectcalico.org", Version: "v1beta1"}
)

// Resource is the plural name of a resource. Those of Calico have the same in both groups.
type Resource string

// The resources of Calico that are read.
const (
	IPPools                       Resource = "ippools"
	FelixConfigurations           Resource = "felixconfigurations"
	KubeControllersConfigurations Resource = "kubecontrollersconfigurations"
	ClusterInformations           Resource = "clusterinformations"
	CalicoNodeStatuses            Resource = "caliconodestatuses"
	NetworkPolicies               Resource = "networkpolicies"

	// ipamBlocks tells native v3 CRDs from the aggregated API server, which never serves them.
	ipamBlocks Resource = "ipamblocks"
)

// The resources of the operator that are read.
const (
	Installations  Resource = "installations"
	TigeraStatuses Resource = "tigerastatuses"
)

// datastoreMigrations are the resource of groupMigration.
const datastoreMigrations Resource = "datastoremigrations"

// MigrationResource is the name, with its group, of the resource that has the object of a migration.
var MigrationResource = groupMigration.WithResource(string(datastoreMigrations)).GroupResource().String()

func ofCalico() []Resource {
	return []Resource{IPPools, FelixConfigurations, KubeControllersConfigurations, ClusterInformations, CalicoNodeStatuses, NetworkPolicies}
}

func ofOperator() []Resource { return []Resource{Installations, TigeraStatuses} }

// DefaultName is the name of the resource that holds for a whole cluster.
const DefaultName = "default"
