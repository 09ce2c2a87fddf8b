// Package selection says which pools are meant, by patterns of their names.
package selection

import (
	"errors"
	"fmt"
	"path"
)

// Pattern is a shell pattern of names, as in path.Match: *, ?, [a-z].
type Pattern string

// Validate says why a pattern cannot be read.
func (p Pattern) Validate() error {
	if p == "" {
		return errors.New("must not be empty")
	}
	if _, err := path.Match(string(p), ""); err != nil {
		return fmt.Errorf("%q: %w", string(p), err)
	}
	return nil
}

// Patterns are patterns any of which may match.
type Patterns []Pattern

// Match reports whether one of the patterns matches a name.
func (p Patterns) Match(name string) bool {
	for _, pattern := range p {
		if matched, err := path.Match(string(pattern), name); err == nil && matched {
			return true
		}
	}
	return false
}

// Selection is what is included and not excluded. Its zero value selects everything.
type Selection struct {
	// Include are the names that are selected; none is all.
	Include Patterns
	// Exclude are those that are not.
	Exclude Patterns
}

// Selects reports whether a name is selected.
func (s Selection) Selects(name string) bool {
	return (len(s.Include) == 0 || s.Include.Match(name)) && !s.Exclude.Match(name)
}
