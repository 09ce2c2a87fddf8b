package calicoapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// DefaultName is the name of the resource that holds for a whole cluster.
const DefaultName = "default"

// ParseFelixConfiguration reads a FelixConfiguration of either API group.
func ParseFelixConfiguration(u *unstructured.Unstructured) (discovery.FelixConfiguration, error) {
	f := fields{u: u}
	c := discovery.FelixConfiguration{
		PrometheusMetricsEnabled: f.boolPtr("spec", "prometheusMetricsEnabled"),
		PrometheusMetricsPort:    f.int("spec", "prometheusMetricsPort"),
		PrometheusMetricsHost:    f.string("spec", "prometheusMetricsHost"),
	}
	if f.err != nil {
		return discovery.FelixConfiguration{}, fmt.Errorf("felixconfiguration %q: %w", u.GetName(), f.err)
	}
	return c, nil
}

// ParseKubeControllersConfiguration reads a KubeControllersConfiguration of either API group.
func ParseKubeControllersConfiguration(u *unstructured.Unstructured) (discovery.KubeControllersConfiguration, error) {
	f := fields{u: u}
	c := discovery.KubeControllersConfiguration{PrometheusMetricsPort: f.int("spec", "prometheusMetricsPort")}
	if f.err != nil {
		return discovery.KubeControllersConfiguration{}, fmt.Errorf("kubecontrollersconfiguration %q: %w", u.GetName(), f.err)
	}
	return c, nil
}

// Strip drops what no parser of this package reads, before an object is cached. It changes the object.
func Strip(u *unstructured.Unstructured) *unstructured.Unstructured {
	u.SetManagedFields(nil)
	u.SetAnnotations(nil)
	u.SetLabels(nil)
	return u
}
