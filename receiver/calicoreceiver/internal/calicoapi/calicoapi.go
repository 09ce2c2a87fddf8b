// Package calicoapi knows Calico's resources in the Kubernetes API: which API group serves them, the few fields that are read, and the
// defaults that Calico applies when it reads them itself.
package calicoapi

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The API groups that can hold Calico's data.
var (
	// GroupV1 is the storage of a Calico whose v3 API, if any, is an aggregated API server.
	GroupV1 = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}
	// GroupV3 is the storage where Calico's v3 resources are CRDs themselves (Calico 3.32+).
	GroupV3 = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}
)

// Resource is the plural name of one of Calico's resources, equal in both groups.
type Resource string

// The resources that are read.
const (
	IPPools                       Resource = "ippools"
	FelixConfigurations           Resource = "felixconfigurations"
	KubeControllersConfigurations Resource = "kubecontrollersconfigurations"

	// ipamBlocks tells native v3 CRDs from the aggregated API server, which never serves them.
	ipamBlocks Resource = "ipamblocks"
)

// In gives the resource's full name in a group.
func (r Resource) In(group schema.GroupVersion) schema.GroupVersionResource {
	return group.WithResource(string(r))
}

// ListResources asks the API server which resources a group serves, as GET /apis/<group>/<version> does.
type ListResources func(ctx context.Context, group schema.GroupVersion) (*metav1.APIResourceList, error)

// DetectGroup finds the group that holds Calico's data: GroupV3 where it serves ipamblocks, else GroupV1 where it is served.
// Without either, ok is false: no Calico is installed.
//
// A group that is unavailable is served by an aggregated API server that is down, which CRDs never are: GroupV1 holds the data then.
func DetectGroup(ctx context.Context, list ListResources) (group schema.GroupVersion, ok bool, err error) {
	var unavailable error
	for _, candidate := range []struct {
		group schema.GroupVersion
		needs Resource
	}{{GroupV3, ipamBlocks}, {GroupV1, IPPools}} {
		served, err := serves(ctx, list, candidate.group, candidate.needs)
		if apierrors.IsServiceUnavailable(err) {
			unavailable = errors.Join(unavailable, err)
			continue
		}
		if err != nil {
			return schema.GroupVersion{}, false, err
		}
		if served {
			return candidate.group, true, nil
		}
	}
	return schema.GroupVersion{}, false, unavailable
}

func serves(ctx context.Context, list ListResources, group schema.GroupVersion, resource Resource) (bool, error) {
	resources, err := list(ctx, group)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list the resources of API group %s: %w", group, err)
	}
	for _, r := range resources.APIResources {
		if r.Name == string(resource) {
			return true, nil
		}
	}
	return false, nil
}
