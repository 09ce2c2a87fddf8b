package cluster

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// CreateOperatorStatuses creates the TigeraStatus objects in which the operator says that all is well, in its own words. It
// creates nothing where that kind does not exist.
func (c *Client) CreateOperatorStatuses(ctx context.Context) error {
	for _, name := range []string{"calico", "apiserver"} {
		object := tigeraStatus(name, time.Now())
		resource, err := c.resource(object)
		if meta.IsNoMatchError(err) {
			return nil
		} else if err != nil {
			return err
		}
		created, err := resource.Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager})
		if err != nil {
			return fmt.Errorf("create TigeraStatus %q: %w", name, err)
		}
		// The status is a subresource: creating the object left it out.
		created.Object["status"] = object.Object["status"]
		if _, err := resource.UpdateStatus(ctx, created, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
			return fmt.Errorf("update the status of TigeraStatus %q: %w", name, err)
		}
	}
	return nil
}

func tigeraStatus(name string, since time.Time) *unstructured.Unstructured {
	condition := func(kind, status, message string) map[string]any {
		return map[string]any{
			"type": kind, "status": status, "reason": "AllObjectsAvailable", "message": message,
			"observedGeneration": int64(1), "lastTransitionTime": since.UTC().Format(time.RFC3339),
		}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "operator.tigera.io/v1", "kind": "TigeraStatus",
		"metadata": map[string]any{"name": name},
		"spec":     map[string]any{},
		"status": map[string]any{"conditions": []any{
			condition("Available", "True", "All objects available"),
			condition("Progressing", "False", "All Objects Available"),
			condition("Degraded", "False", "All Objects Available"),
		}},
	}}
}
