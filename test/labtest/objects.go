package labtest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// patience is how long is waited for the API server to take what it will take.
const patience = 2 * time.Minute

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Define makes a cluster-scoped resource, for the time of the test. Its schema says nothing.
func (l *Lab) Define(t *testing.T, group, version, kind, plural string) {
	t.Helper()
	client := l.Dynamic(t).Resource(definitions)
	name := plural + "." + group
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"group": group, "scope": "Cluster",
			"names": map[string]any{"kind": kind, "plural": plural, "singular": strings.ToLower(kind), "listKind": kind + "List"},
			"versions": []any{map[string]any{
				"name": version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, err := client.Create(t.Context(), definition, metav1.CreateOptions{})
		require.NoError(c, err) // one of that name may be going still
	}, patience, poll)
	t.Cleanup(func() { l.Undefine(t, group, plural) })
}

// Undefine removes a resource, if it is there.
func (l *Lab) Undefine(t *testing.T, group, plural string) {
	t.Helper()
	err := l.Dynamic(t).Resource(definitions).Delete(cleanup(t), plural+"."+group, metav1.DeleteOptions{})
	require.True(t, err == nil || apierrors.IsNotFound(err), "%v", err)
}

// Keep has the API server keep fields of a resource that its schema does not know, such as those of later versions of Calico.
func (l *Lab) Keep(t *testing.T, definition, field string) {
	t.Helper()
	patch, err := json.Marshal([]map[string]any{{
		"op": "add", "value": true,
		"path": "/spec/versions/0/schema/openAPIV3Schema/properties/" + field + "/x-kubernetes-preserve-unknown-fields",
	}})
	require.NoError(t, err)
	_, err = l.Dynamic(t).Resource(definitions).Patch(t.Context(), definition, types.JSONPatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
}

// Create makes a cluster-scoped object of a resource that may have been defined, or had fields kept, a moment ago. It ends with the test.
func (l *Lab) Create(t *testing.T, plural, apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	t.Helper()
	group, err := schema.ParseGroupVersion(apiVersion)
	require.NoError(t, err)
	client := l.Dynamic(t).Resource(group.WithResource(plural))
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
	var created *unstructured.Unstructured
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		// Else fields that the API server does not know yet are dropped.
		created, err = client.Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		require.NoError(c, err)
	}, patience, poll)
	t.Cleanup(func() { _ = client.Delete(cleanup(t), name, metav1.DeleteOptions{}) })
	return created
}
