// Package oneof refuses values of a configuration that are none of those that there are.
package oneof

import (
	"fmt"
	"slices"
	"strings"
)

// Check is an error that names the key, unless a value is one of those that there are.
func Check[T ~string](key string, value T, all ...T) error {
	if slices.Contains(all, value) {
		return nil
	}
	names := make([]string, len(all))
	for i, name := range all {
		names[i] = string(name)
	}
	return fmt.Errorf("%s: %q is not one of: %s", key, string(value), strings.Join(names, ", "))
}
