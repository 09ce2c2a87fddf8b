package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	crdTimeout  = 30 * time.Second
	crdInterval = 200 * time.Millisecond
)

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// ApplyCRDs applies the CustomResourceDefinitions in the *.yaml files of dirs and waits until all are served.
func (c *Client) ApplyCRDs(ctx context.Context, dirs ...string) error {
	return c.eachCRD(ctx, dirs, func(ctx context.Context, definition *unstructured.Unstructured) error {
		options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
		// Not Client.Apply: kinds of the API server itself need no discovery, which would be cached without the new kinds.
		if _, err := c.Dynamic.Resource(crdResource).Apply(ctx, definition.GetName(), definition, options); err != nil {
			return fmt.Errorf("apply CRD %q: %w", definition.GetName(), err)
		}
		return c.awaitCRD(ctx, definition)
	})
}

// DeleteCRDs deletes the CustomResourceDefinitions in the *.yaml files of dirs, with all their objects, and waits until they
// are gone. What is not there is no error.
func (c *Client) DeleteCRDs(ctx context.Context, dirs ...string) error {
	return c.eachCRD(ctx, dirs, func(ctx context.Context, definition *unstructured.Unstructured) error {
		err := c.Dynamic.Resource(crdResource).Delete(ctx, definition.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete CRD %q: %w", definition.GetName(), err)
		}
		return c.awaitNoCRD(ctx, definition.GetName())
	})
}

// eachCRD does the same, several at a time, with every definition in the *.yaml files of dirs.
func (c *Client) eachCRD(ctx context.Context, dirs []string, do func(context.Context, *unstructured.Unstructured) error) error {
	var definitions []*unstructured.Unstructured
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil {
			return fmt.Errorf("list the CRDs in %s: %w", dir, err)
		}
		if len(paths) == 0 {
			return fmt.Errorf("no CRDs in %s: run `lab build`", dir)
		}
		for _, path := range paths {
			loaded, err := decodeFile(path)
			if err != nil {
				return err
			}
			definitions = append(definitions, loaded...)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, definition := range definitions {
		group.Go(func() error { return do(ctx, definition) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.mapper.Reset()
	return nil
}

// awaitCRD waits until the definition is established and its objects can be listed. The API server says the first a moment
// before the second is so, and one that is deleted within that moment may stay for minutes.
func (c *Client) awaitCRD(ctx context.Context, definition *unstructured.Unstructured) error {
	name := definition.GetName()
	resource, err := servedResource(definition)
	if err != nil {
		return fmt.Errorf("CRD %q: %w", name, err)
	}
	err = wait.PollUntilContextTimeout(ctx, crdInterval, crdTimeout, true, func(ctx context.Context) (bool, error) {
		current, err := c.Dynamic.Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if !isEstablished(current) {
			return false, nil
		}
		_, err = c.Dynamic.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
		if apierrors.IsNotFound(err) || apierrors.IsTooManyRequests(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("wait until CRD %q is established: %w", name, err)
	}
	return nil
}

func isEstablished(definition *unstructured.Unstructured) bool {
	// An error here means that the API server has not written conditions yet: they are null at first.
	conditions, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(condition any) bool {
		fields, ok := condition.(map[string]any)
		return ok && fields["type"] == "Established" && fields["status"] == "True"
	})
}

// servedResource is the resource that a definition makes, in the first version that is served.
func servedResource(definition *unstructured.Unstructured) (schema.GroupVersionResource, error) {
	group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, version := range versions {
		if fields, ok := version.(map[string]any); ok && fields["served"] == true {
			if name, ok := fields["name"].(string); ok && group != "" && plural != "" {
				return schema.GroupVersionResource{Group: group, Version: name, Resource: plural}, nil
			}
		}
	}
	return schema.GroupVersionResource{}, errors.New("it serves no version of a resource")
}

func (c *Client) awaitNoCRD(ctx context.Context, name string) error {
	err := wait.PollUntilContextTimeout(ctx, crdInterval, crdTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := c.Dynamic.Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("wait until CRD %q is gone: %w", name, err)
	}
	return nil
}

func decodeFile(path string) (objects []*unstructured.Unstructured, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open YAML: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	objects, err = decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}
