package calicoapi

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fields reads nested fields of one object and keeps the first error, which names the field.
type fields struct {
	u   *unstructured.Unstructured
	err error
}

func read[T any](f *fields, get func(map[string]any, ...string) (T, bool, error), path []string) *T {
	value, found, err := get(f.u.Object, path...)
	if err != nil && f.err == nil {
		f.err = err
	}
	if err != nil || !found {
		return nil
	}
	return &value
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (f *fields) string(path ...string) string {
	return orZero(read(f, unstructured.NestedString, path))
}

func (f *fields) bool(path ...string) bool {
	return orZero(f.boolPtr(path...))
}

func (f *fields) boolPtr(path ...string) *bool {
	return read(f, unstructured.NestedBool, path)
}

func (f *fields) int(path ...string) *int64 {
	return read(f, unstructured.NestedInt64, path)
}

func (f *fields) stringSlice(path ...string) []string {
	return orZero(read(f, unstructured.NestedStringSlice, path))
}
