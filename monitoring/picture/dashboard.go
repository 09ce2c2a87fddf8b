package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// dashboard is what is drawn of one.
type dashboard struct {
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
}

type variable struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Label      string `json:"label"`
	Definition string `json:"definition"`
	IncludeAll bool   `json:"includeAll"`
	AllValue   string `json:"allValue"`
}

type panel struct {
	Type    string   `json:"type"`
	Title   string   `json:"title"`
	Targets []target `json:"targets"`
	GridPos struct {
		X, Y, W, H int
	} `json:"gridPos"`
	FieldConfig struct {
		Defaults  defaults   `json:"defaults"`
		Overrides []override `json:"overrides"`
	} `json:"fieldConfig"`
	Transformations []struct {
		ID      string `json:"id"`
		Options struct {
			Exclude map[string]bool   `json:"excludeByName"`
			Rename  map[string]string `json:"renameByName"`
			Index   map[string]int    `json:"indexByName"`
		} `json:"options"`
	} `json:"transformations"`
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
}

type defaults struct {
	Unit       string     `json:"unit"`
	Min        *float64   `json:"min"`
	Max        *float64   `json:"max"`
	Thresholds thresholds `json:"thresholds"`
	Color      struct {
		Mode       string `json:"mode"`
		FixedColor string `json:"fixedColor"`
	} `json:"color"`
	Custom struct {
		Stacking struct {
			Mode string `json:"mode"`
		} `json:"stacking"`
		ThresholdsStyle struct {
			Mode string `json:"mode"`
		} `json:"thresholdsStyle"`
		FillOpacity float64 `json:"fillOpacity"`
	} `json:"custom"`
}

type thresholds struct {
	Steps []struct {
		Color string   `json:"color"`
		Value *float64 `json:"value"`
	} `json:"steps"`
}

// color is that of the last step that a value has reached.
func (t thresholds) color(value float64) string {
	color := colorText
	for _, step := range t.Steps {
		if step.Value == nil || value >= *step.Value {
			color = step.Color
		}
	}
	return color
}

type override struct {
	Matcher struct {
		ID      string `json:"id"`
		Options any    `json:"options"`
	} `json:"matcher"`
	Properties []struct {
		ID    string          `json:"id"`
		Value json.RawMessage `json:"value"`
	} `json:"properties"`
}

// property is the value of one that an override sets for a name, if there is one.
func (p panel) property(matcher, name, id string, into any) bool {
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID != matcher || o.Matcher.Options != name {
			continue
		}
		for _, property := range o.Properties {
			if property.ID == id && json.Unmarshal(property.Value, into) == nil {
				return true
			}
		}
	}
	return false
}

func readDashboard(file string) (*dashboard, error) {
	content, err := os.ReadFile(file) //nolint:gosec // it is what the flag says
	if err != nil {
		return nil, err
	}
	d := &dashboard{}
	if err := json.Unmarshal(content, d); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

var labelValues = regexp.MustCompile(`^label_values\((?:(.+),\s*)?(\w+)\)$`)

// values of the variables: what is chosen, else all, else the first.
func (d *dashboard) values(ctx context.Context, source *prometheus, chosen map[string]string) (map[string]string, error) {
	values := map[string]string{
		"__rate_interval": seconds(4 * max(source.interval, source.step())),
		"__interval":      seconds(source.step()),
		"__range":         seconds(source.end.Sub(source.start)),
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		if value, ok := chosen[v.Name]; ok {
			values[v.Name] = value
			continue
		}
		parts := labelValues.FindStringSubmatch(substitute(v.Definition, values))
		if parts == nil {
			return nil, fmt.Errorf("variable %s: %s is no label_values", v.Name, v.Definition)
		}
		all, err := source.labelValues(ctx, parts[2], parts[1])
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		switch {
		case v.IncludeAll && v.AllValue != "":
			values[v.Name] = v.AllValue
		case v.IncludeAll:
			values[v.Name] = "(" + strings.Join(all, "|") + ")"
		case len(all) > 0:
			values[v.Name] = slices.Min(all)
		}
	}
	return values, nil
}

var references = regexp.MustCompile(`\$\{(\w+)(?::\w+)?\}|\$(\w+)`)

func substitute(text string, values map[string]string) string {
	return references.ReplaceAllStringFunc(text, func(reference string) string {
		groups := references.FindStringSubmatch(reference)
		return values[groups[1]+groups[2]]
	})
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }

var legendLabels = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// answers are those to all queries of a panel, with the names of the legend.
func (p panel) answers(ctx context.Context, source *prometheus, values map[string]string) ([]series, error) {
	var all []series
	for _, q := range p.Targets {
		ask := source.over
		if q.Instant {
			ask = source.instant
		}
		found, err := ask(ctx, substitute(q.Expr, values))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Title, err)
		}
		for _, s := range found {
			s.ref = q.RefID
			s.name = p.Title
			if q.LegendFormat != "__auto" {
				s.name = strings.TrimSpace(legendLabels.ReplaceAllStringFunc(substitute(q.LegendFormat, values), func(label string) string {
					return s.labels[legendLabels.FindStringSubmatch(label)[1]]
				}))
			}
			all = append(all, s)
		}
	}
	return all, nil
}
