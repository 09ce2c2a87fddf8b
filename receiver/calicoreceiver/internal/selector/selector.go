// Package selector is Calico's selector language, by which FelixConfiguration picks nodes and policies pick pods.
// It accepts what Calico accepts, and matches what Calico matches; testdata/calico.json is Calico's own answer.
package selector

import "strings"

// Selector says which sets of labels are meant. The zero value is the empty selector: it matches all.
type Selector struct {
	root expression // nil matches all
}

// Matches says whether the selector picks something with these labels.
func (s Selector) Matches(labels map[string]string) bool { return s.root == nil || s.root(labels) }

// expression is a parsed selector or a part of one.
type expression func(labels map[string]string) bool

func everything(map[string]string) bool { return true }

func has(label string) expression {
	return func(labels map[string]string) bool {
		_, ok := labels[label]
		return ok
	}
}

// present is an expression that holds where the label is there and its value passes the test.
func present(label string, test func(value string) bool) expression {
	return func(labels map[string]string) bool {
		value, ok := labels[label]
		return ok && test(value)
	}
}

func equals(want string) func(string) bool { return func(value string) bool { return value == want } }

func contains(part string) func(string) bool {
	return func(value string) bool { return strings.Contains(value, part) }
}

func startsWith(prefix string) func(string) bool {
	return func(value string) bool { return strings.HasPrefix(value, prefix) }
}

func endsWith(suffix string) func(string) bool {
	return func(value string) bool { return strings.HasSuffix(value, suffix) }
}

func oneOf(set map[string]bool) func(string) bool {
	return func(value string) bool { return set[value] }
}

func not(e expression) expression {
	return func(labels map[string]string) bool { return !e(labels) }
}

// anyOf and allOf keep a flat list, so that a long selector does not make a deep stack.
func anyOf(operands []expression) expression {
	if len(operands) == 1 {
		return operands[0]
	}
	return func(labels map[string]string) bool {
		for _, e := range operands {
			if e(labels) {
				return true
			}
		}
		return false
	}
}

func allOf(operands []expression) expression {
	if len(operands) == 1 {
		return operands[0]
	}
	return func(labels map[string]string) bool {
		for _, e := range operands {
			if !e(labels) {
				return false
			}
		}
		return true
	}
}
