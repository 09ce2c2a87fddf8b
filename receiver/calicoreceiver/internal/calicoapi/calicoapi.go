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

// Resource stands for a resource whichever group serves it. It is the plural name of the resource, which but for that of IPAMConfigs is the same
// in both groups of Calico.
type Resource string

// The resources of Calico that are read.
const (
	IPPools                       Resource = "ippools"
	FelixConfigurations           Resource = "felixconfigurations"
	KubeControllersConfigurations Resource = "kubecontrollersconfigurations"
	ClusterInformations           Resource = "clusterinformations"
	CalicoNodeStatuses            Resource = "caliconodestatuses"
	NetworkPolicies               Resource = "networkpolicies"
	// IPAMBlocks also tell native v3 CRDs from the aggregated API server, which never serves them.
	IPAMBlocks      Resource = "ipamblocks"
	BlockAffinities Resource = "blockaffinities"
	IPReservations  Resource = "ipreservations"
	// IPAMConfigs are called ipamconfigurations in GroupV3.
	IPAMConfigs Resource = "ipamconfigs"
)

// plural is the name by which a group serves the resource (libcalico-go/lib/backend/k8s/resources/ipam_config.go).
func (r Resource) plural(group schema.GroupVersion) string {
	if r == IPAMConfigs && group == GroupV3 {
		return "ipamconfigurations"
	}
	return string(r)
}

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
	return []Resource{
		IPPools, FelixConfigurations, KubeControllersConfigurations, ClusterInformations, CalicoNodeStatuses, NetworkPolicies,
		IPAMBlocks, BlockAffinities, IPReservations, IPAMConfigs,
	}
}

func ofOperator() []Resource { return []Resource{Installations, TigeraStatuses} }

// DefaultName is the name of the resource that holds for a whole cluster.
const DefaultName = "default"
