package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// component is what the page says of a component.
type component struct {
	name, description string
	// documentation is the path from the page to the component's documentation.md.
	documentation string
	// metrics are those that it sends, and internal those about itself, in the collector's own telemetry. Both are ordered by name.
	metrics, internal []metric
}

// metric is a row.
type metric struct {
	// name is what the metric is called in Prometheus.
	name, unit string
	// labels are in the order of metadata.yaml.
	labels  []string
	enabled bool
	// formula is a sentence in Markdown without its full stop, and example is PromQL.
	formula, example string
}

// metadata is what is read of metadata.yaml.
type metadata struct {
	DisplayName string `yaml:"display_name"`
	Description string `yaml:"description"`
	Attributes  map[string]struct {
		NameOverride string `yaml:"name_override"`
	} `yaml:"attributes"`
	Metrics   map[string]metricMetadata `yaml:"metrics"`
	Telemetry struct {
		Metrics map[string]metricMetadata `yaml:"metrics"`
	} `yaml:"telemetry"`
}

type metricMetadata struct {
	Enabled               bool     `yaml:"enabled"`
	Unit                  string   `yaml:"unit"`
	Prefix                *string  `yaml:"prefix"`
	ExtendedDocumentation string   `yaml:"extended_documentation"`
	Attributes            []string `yaml:"attributes"`
}

// internalPrefix is what mdatagen puts before the names of internal metrics that have no prefix of their own.
const internalPrefix = "otelcol_"

// parse reads a metadata.yaml. It fails on metrics without formula or example, and names each.
func parse(content []byte) (component, error) {
	var m metadata
	if err := yaml.Unmarshal(content, &m); err != nil {
		return component{}, fmt.Errorf("parse metadata: %w", err)
	}
	metrics, err := m.rows(m.Metrics, "")
	internal, internalErr := m.rows(m.Telemetry.Metrics, internalPrefix)
	return component{name: m.DisplayName, description: line(m.Description), metrics: metrics, internal: internal}, errors.Join(err, internalErr)
}

func (m metadata) rows(metrics map[string]metricMetadata, prefix string) ([]metric, error) {
	var rows []metric
	var failed []error
	for _, key := range slices.Sorted(maps.Keys(metrics)) {
		from := metrics[key]
		row := metric{name: prefix + key, unit: from.Unit, enabled: from.Enabled}
		if from.Prefix != nil && prefix != "" {
			row.name = *from.Prefix + key
		}
		for _, attribute := range from.Attributes {
			known, ok := m.Attributes[attribute]
			if !ok {
				failed = append(failed, fmt.Errorf("metric %s: attribute %s is not defined", key, attribute))
			}
			if known.NameOverride != "" {
				attribute = known.NameOverride
			}
			row.labels = append(row.labels, attribute)
		}
		var err error
		if row.formula, row.example, err = formulaAndExample(from.ExtendedDocumentation); err != nil {
			failed = append(failed, fmt.Errorf("metric %s: %w", key, err))
		}
		rows = append(rows, row)
	}
	return rows, errors.Join(failed...)
}

// formulaAndExample finds the two paragraphs in the extended documentation of a metric. There may be others.
func formulaAndExample(documentation string) (formula, example string, err error) {
	for paragraph := range strings.SplitSeq(documentation, "\n\n") {
		paragraph = line(paragraph)
		if f, ok := strings.CutPrefix(paragraph, "Formula: "); ok {
			formula = strings.TrimSuffix(f, ".")
		}
		if e, ok := strings.CutPrefix(paragraph, "Example: "); ok {
			example = strings.TrimSuffix(strings.TrimPrefix(e, "`"), "`")
			if len(example) != len(e)-2 || strings.Contains(example, "`") {
				return "", "", errors.New("its example is not one query in backquotes, as in: Example: `up == 0`")
			}
		}
	}
	switch {
	case formula == "":
		return "", "", errors.New(`extended_documentation has no paragraph "Formula: …"`)
	case example == "":
		return "", "", errors.New(`extended_documentation has no paragraph "Example: …"`)
	default:
		return formula, example, nil
	}
}

// line joins the lines of a paragraph.
func line(paragraph string) string { return strings.Join(strings.Fields(paragraph), " ") }
