package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// MetricsPorts returns, by the component's name, the metrics ports that objects set and that may so change while the component
// runs: that of kube-controllers and, in ManifestLayout, that of Felix. A port that its object leaves out is left out.
func (c *Client) MetricsPorts(ctx context.Context, layout Layout) (map[string]int, error) {
	sources := map[string]string{kubeControllersWorkload: "kubecontrollersconfigurations"}
	if layout == ManifestLayout {
		sources[felixComponent] = "felixconfigurations"
	}
	ports := map[string]int{}
	for component, resource := range sources {
		kind := schema.GroupVersionResource{Group: crdGroup, Version: "v1", Resource: resource}
		object, err := c.Dynamic.Resource(kind).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("read the metrics port of %s: %w", component, err)
		}
		if port, found, _ := unstructured.NestedInt64(object.Object, "spec", "prometheusMetricsPort"); found {
			ports[component] = int(port)
		}
	}
	return ports, nil
}
