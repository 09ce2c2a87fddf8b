package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
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
		group.Go(func() error {
			// Not Apply: kinds of the API server itself need no discovery, which would be cached without the new kinds.
			if _, err := c.Dynamic.Resource(crdResource).Create(ctx, definition, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("create CRD %q: %w", definition.GetName(), err)
			}
			return c.awaitCRD(ctx, definition.GetName())
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.mapper.Reset()
	return nil
}

func (c *Client) awaitCRD(ctx context.Context, name string) error {
	err := wait.PollUntilContextTimeout(ctx, crdInterval, crdTimeout, true, func(ctx context.Context) (bool, error) {
		current, err := c.Dynamic.Resource(crdResource).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		// An error here means that the API server has not written conditions yet: they are null at first.
		conditions, _, _ := unstructured.NestedSlice(current.Object, "status", "conditions")
		for _, condition := range conditions {
			if fields, ok := condition.(map[string]any); ok && fields["type"] == "Established" && fields["status"] == "True" {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("wait until CRD %q is established: %w", name, err)
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
