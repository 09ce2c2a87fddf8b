package calicoapi

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ListResources asks the API server which resources a group serves, as GET /apis/<group>/<version> does.
type ListResources func(ctx context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error)

// Served says which resources each API group serves, by the plural name that they have there.
type Served map[schema.GroupVersion]map[string]bool

// Discover asks for all groups that have something to read. A group that is not found serves nothing; any other failure is an error that names
// the group.
//
// A group that is unavailable is served by an aggregated API server that is down, which CRDs never are: it serves nothing either, and is an
// error only where no other group has Calico's data.
func Discover(ctx context.Context, list ListResources) (Served, error) {
	served := Served{}
	var unavailable error
	for _, group := range []schema.GroupVersion{GroupV3, GroupV1, GroupOperator, groupMigration, groupMigrationV1beta1} {
		resources, err := list(ctx, group)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			err = fmt.Errorf("list the resources of API group %s: %w", group, err)
		}
		if apierrors.IsServiceUnavailable(err) {
			unavailable = errors.Join(unavailable, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		served[group] = usable(resources)
	}
	if _, ok := served.DataGroup(""); !ok && unavailable != nil {
		return nil, unavailable
	}
	return served, nil
}

// usable are the resources of a group but those that are going: a CRD that is being deleted can be read, and objects of it deleted, until the
// last is gone, but none can be created (apiextensions-apiserver, customresource_discovery_controller.go).
func usable(list *metav1.APIResourceList) map[string]bool {
	names := map[string]bool{}
	for _, r := range list.APIResources {
		if len(r.Verbs) == 0 || slices.Contains(r.Verbs, "create") {
			names[r.Name] = true
		}
	}
	return names
}

// Assumed is what is taken to be served where it may not be asked: all that is read of Calico, in GroupV1.
func Assumed() Served {
	names := map[string]bool{}
	for _, resource := range ofCalico() {
		names[resource.plural(GroupV1)] = true
	}
	return Served{GroupV1: names}
}

// Serves says whether a group serves a resource.
func (s Served) Serves(group schema.GroupVersion, resource Resource) bool {
	return s[group][resource.plural(group)]
}

// DataGroup is the group that holds Calico's data, given the phase of a migration from GroupV1 to GroupV3, empty where there is none; ok is
// false where no group serves anything of Calico that is read.
//
// It is GroupV3 where that serves ipamblocks, and else GroupV1. Where both are there and could be it is GroupV3 once a migration has
// converged, and else GroupV1, as Calico and its operator decide themselves (libcalico-go/lib/backend/k8s/discovery.go, UsingV3CRDs; operator
// pkg/apis/version.go, useV3CRDs): the CRDs of GroupV3 are installed before a migration starts and stay when it is given up, while those of
// GroupV1 are deleted with the object of a migration that is complete. Where only the aggregated API server of GroupV3 is there it reads
// another datastore, and is all that can be read.
func (s Served) DataGroup(phase MigrationPhase) (group schema.GroupVersion, ok bool) {
	native, v1 := s.Serves(GroupV3, IPAMBlocks), s.hasCalico(GroupV1)
	switch {
	case native && (!v1 || phase.converged()):
		return GroupV3, true
	case v1:
		return GroupV1, true
	case s.hasCalico(GroupV3):
		return GroupV3, true
	}
	return schema.GroupVersion{}, false
}

func (s Served) hasCalico(group schema.GroupVersion) bool {
	return slices.ContainsFunc(ofCalico(), func(r Resource) bool { return s.Serves(group, r) })
}

// GVR is the full name of a resource that is read, where data is the group that holds Calico's; ok is false where it is not served.
func (s Served) GVR(resource Resource, data schema.GroupVersion) (gvr schema.GroupVersionResource, ok bool) {
	group := data
	if slices.Contains(ofOperator(), resource) {
		group = GroupOperator
	}
	if !s.Serves(group, resource) {
		return schema.GroupVersionResource{}, false
	}
	return group.WithResource(resource.plural(group)), true
}

// Resources are the full names of all resources that are read and served, where data is the group that holds Calico's.
func (s Served) Resources(data schema.GroupVersion) map[Resource]schema.GroupVersionResource {
	found := map[Resource]schema.GroupVersionResource{}
	for _, resource := range slices.Concat(ofCalico(), ofOperator()) {
		if gvr, ok := s.GVR(resource, data); ok {
			found[resource] = gvr
		}
	}
	return found
}

// Migration is the full name of the resource whose object tells how far a migration from GroupV1 to GroupV3 is; ok is false where it is not
// served, so that there is none.
func (s Served) Migration() (gvr schema.GroupVersionResource, ok bool) {
	for _, group := range []schema.GroupVersion{groupMigration, groupMigrationV1beta1} {
		if s.Serves(group, datastoreMigrations) {
			return group.WithResource(string(datastoreMigrations)), true
		}
	}
	return schema.GroupVersionResource{}, false
}
