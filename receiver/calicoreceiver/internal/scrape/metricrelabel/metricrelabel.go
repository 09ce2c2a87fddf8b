// Package metricrelabel reads what users write into metric_relabel_configs, as Prometheus does, and says where they went wrong.
package metricrelabel

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"
)

// Parse reads rules as confmap has read them from YAML. Its errors name the rule and key of every value that cannot be used, as in
// metric_relabel_configs[1].action.
func Parse(raw []map[string]any) ([]*relabel.Config, error) {
	var (
		configs []*relabel.Config
		errs    []error
	)
	for i, rule := range raw {
		config, err := parseRule(fmt.Sprintf("metric_relabel_configs[%d]", i), rule)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		configs = append(configs, config)
	}
	return configs, errors.Join(errs...)
}

func parseRule(at string, rule map[string]any) (*relabel.Config, error) {
	if len(rule) == 0 {
		return nil, fmt.Errorf("%s: must not be empty", at)
	}
	// Key by key, because the YAML library says on which line it stumbled, and here there are no lines.
	known := knownKeys()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(rule)) {
		switch {
		case !slices.Contains(known, key):
			errs = append(errs, fmt.Errorf("%s.%s: unknown key, not one of: %s", at, key, strings.Join(known, ", ")))
		case !isText(rule[key]):
			errs = append(errs, fmt.Errorf("%s.%s: must be put into quotes", at, key))
		default:
			if _, err := decode(map[string]any{key: rule[key]}); err != nil {
				errs = append(errs, fmt.Errorf("%s.%s: %w", at, key, err))
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	config, err := decode(rule)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	if err := config.Validate(model.UTF8Validation); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return config, nil
}

func decode(rule map[string]any) (*relabel.Config, error) {
	text, err := yaml.Marshal(rule)
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	config := &relabel.Config{}
	if err := decoder.Decode(config); err != nil {
		var list *yaml.TypeError
		if errors.As(err, &list) && len(list.Errors) == 1 {
			_, message, _ := strings.Cut(list.Errors[0], ": ") // line 1: …
			err = errors.New(message)
		}
		return nil, err
	}
	return config, nil
}

// isText says whether a value is what its author wrote: a number with a fraction or a date no longer is.
func isText(value any) bool {
	switch v := value.(type) {
	case nil, string, bool, int, int64, uint64:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !isText(item) })
	}
	return false
}

// knownKeys are the keys that this version of Prometheus knows, sorted.
func knownKeys() []string {
	var keys []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[relabel.Config]()) {
		if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
