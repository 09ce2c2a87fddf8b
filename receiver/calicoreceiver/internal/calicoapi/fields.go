package calicoapi

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fields reads nested fields of an object and keeps the first error, which names the field and never its value. What is absent and what is
// null is not set, as Kubernetes has it.
type fields struct {
	object map[string]any
	err    error
}

func fieldsOf(u *unstructured.Unstructured) *fields { return &fields{object: u.Object} }

// failed is the first error with the kind and the name of the object in front; nil where there was none.
func (f *fields) failed(kind string, u *unstructured.Unstructured) error {
	if f.err == nil {
		return nil
	}
	name := u.GetName()
	if namespace := u.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	return fmt.Errorf("%s %q: %w", kind, name, f.err)
}

// fail keeps an error about a field, if it is the first.
func (f *fields) fail(path []string, reason string) {
	if f.err == nil {
		f.err = errors.New(strings.Join(path, ".") + ": " + reason)
	}
}

// at is the value of a field, nil where it is not set.
func (f *fields) at(path []string) any {
	var value any = f.object
	for i, key := range path {
		parent, ok := value.(map[string]any)
		if !ok {
			f.fail(path[:i], kindOf(value)+" instead of an object")
			return nil
		}
		if value = parent[key]; value == nil {
			return nil
		}
	}
	return value
}

// read is a field of one type, named with its article; ok is false where it is not set or of another type.
func read[T any](f *fields, want string, path []string) (typed T, ok bool) {
	value := f.at(path)
	if value == nil {
		return typed, false
	}
	if typed, ok = value.(T); !ok {
		f.fail(path, kindOf(value)+" instead of "+want)
	}
	return typed, ok
}

// readPtr is read with nil for what is not set or of another type.
func readPtr[T any](f *fields, want string, path []string) *T {
	value, ok := read[T](f, want, path)
	if !ok {
		return nil
	}
	return &value
}

// kindOf names what a JSON value is.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	}
	return fmt.Sprintf("a %T", value)
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (f *fields) string(path ...string) string {
	value, _ := read[string](f, "a string", path)
	return value
}

func (f *fields) stringPtr(path ...string) *string {
	return readPtr[string](f, "a string", path)
}

func (f *fields) bool(path ...string) bool {
	value, _ := read[bool](f, "a boolean", path)
	return value
}

func (f *fields) boolPtr(path ...string) *bool {
	return readPtr[bool](f, "a boolean", path)
}

func (f *fields) int(path ...string) *int64 {
	return readPtr[int64](f, "an integer", path)
}

// count is a number of things, 0 where it is not set.
func (f *fields) count(path ...string) int {
	n := orZero(f.int(path...))
	switch {
	case n < 0:
		f.fail(path, "must not be negative")
		return 0
	case n > math.MaxInt32:
		f.fail(path, "is too large")
		return 0
	}
	return int(n)
}

// cidr is a CIDR without the host bits, which Calico ignores; there has to be one.
func (f *fields) cidr(path ...string) netip.Prefix {
	prefix, err := netip.ParsePrefix(f.string(path...))
	if err != nil {
		f.fail(path, "must be a CIDR as in 10.0.0.0/16")
		return netip.Prefix{}
	}
	return prefix.Masked()
}

// time is a moment, zero where it is not set.
func (f *fields) time(path ...string) time.Time {
	text := f.string(path...)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f.fail(path, "must be a time as in 2006-01-02T15:04:05Z")
		return time.Time{}
	}
	return t
}

func (f *fields) strings(path ...string) []string {
	var values []string
	for i, element := range f.list(path) {
		value, ok := element.(string)
		if !ok {
			f.fail(path, fmt.Sprintf("element %d: %s instead of a string", i, kindOf(element)))
			return nil
		}
		values = append(values, value)
	}
	return values
}

// each visits the objects of a list until one has an error.
func (f *fields) each(visit func(*fields), path ...string) {
	var e fields // one for all: a block has an element for each pod
	for i, element := range f.list(path) {
		object, ok := element.(map[string]any)
		if !ok {
			f.fail(path, fmt.Sprintf("element %d: %s instead of an object", i, kindOf(element)))
			return
		}
		e.object = object
		visit(&e)
		if e.err != nil {
			f.fail(path, fmt.Sprintf("element %d: %s", i, e.err))
			return
		}
	}
}

// conditions are the statuses in status.conditions, by type.
func (f *fields) conditions() map[string]string {
	found := map[string]string{}
	f.each(func(condition *fields) {
		found[condition.string("type")] = condition.string("status")
	}, "status", "conditions")
	return found
}

func (f *fields) list(path []string) []any {
	value, _ := read[[]any](f, "a list", path)
	return value
}
