//go:build e2e

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// dashboard is what is read of one in monitoring/dashboards.
type dashboard struct {
	File       string  `json:"-"`
	Title      string  `json:"title"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
}

type panel struct {
	Type        string   `json:"type"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Panels      []panel  `json:"panels"`
	Targets     []target `json:"targets"`
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
}

type variable struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Definition string `json:"definition"`
	IncludeAll bool   `json:"includeAll"`
	AllValue   string `json:"allValue"`
}

func loadDashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob("../../monitoring/dashboards/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := make([]dashboard, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		d := dashboard{File: filepath.Base(file)}
		require.NoError(t, json.Unmarshal(text, &d), file)
		all = append(all, d)
	}
	return all
}

// flat are panels, and those in rows that are folded up.
func flat(panels []panel) []panel {
	var all []panel
	for _, p := range panels {
		all = append(all, p)
		all = append(all, flat(p.Panels)...)
	}
	return all
}

// mayBeEmpty says whether the description of a panel says where it is.
func (p panel) mayBeEmpty() bool {
	return regexp.MustCompile(`(^|[.!?] )Empty\b`).MatchString(p.Description)
}

// Values of what Grafana puts in by itself, for scrapes of the test's interval.
var builtin = map[string]string{
	"__rate_interval": "15s", "__interval": "5s", "__range": "5m", "__range_s": "300", "__range_ms": "300000", "__interval_ms": "5000",
}

var references = regexp.MustCompile(`\$\{(\w+)(?::\w+)?\}|\$(\w+)`)

// substitute puts values in place of variables, as Grafana does.
func substitute(text string, values map[string]string) (string, error) {
	var err error
	return references.ReplaceAllStringFunc(text, func(reference string) string {
		groups := references.FindStringSubmatch(reference)
		name := groups[1] + groups[2]
		if value, ok := builtin[name]; ok {
			return value
		}
		value, ok := values[name]
		if !ok {
			err = fmt.Errorf("%s: there is no variable %s", text, name)
		}
		return value
	}), err
}

var labelValues = regexp.MustCompile(`^label_values\((?:(.+),\s*)?(\w+)\)$`)

// choices are all that can be chosen in a dashboard: of variables with All, that; of others each value.
func (d dashboard) choices(ctx context.Context, prom promv1.API) ([]map[string]string, error) {
	choices := []map[string]string{{}}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		var next []map[string]string
		for _, choice := range choices {
			values, err := v.values(ctx, prom, choice)
			if err != nil {
				return nil, fmt.Errorf("%s, variable %s: %w", d.File, v.Name, err)
			}
			if v.IncludeAll && len(values) > 0 {
				all := v.AllValue
				if all == "" {
					all = "(" + strings.Join(values, "|") + ")"
				}
				values = []string{all}
			}
			for _, value := range values {
				with := map[string]string{v.Name: value}
				for name, other := range choice {
					with[name] = other
				}
				next = append(next, with)
			}
		}
		if len(next) == 0 {
			return nil, fmt.Errorf("%s, variable %s: %s has no value", d.File, v.Name, v.Definition)
		}
		choices = next
	}
	return choices, nil
}

func (v variable) values(ctx context.Context, prom promv1.API, chosen map[string]string) ([]string, error) {
	query, err := substitute(v.Definition, chosen)
	if err != nil {
		return nil, err
	}
	parts := labelValues.FindStringSubmatch(query)
	if parts == nil {
		return nil, fmt.Errorf("%s is no label_values", v.Definition)
	}
	var matches []string
	if parts[1] != "" {
		matches = []string{parts[1]}
	}
	found, _, err := prom.LabelValues(ctx, parts[2], matches, time.Now().Add(-time.Hour), time.Now())
	if err != nil {
		return nil, err
	}
	values := make([]string, len(found))
	for i, value := range found {
		values[i] = string(value)
	}
	return values, nil
}

// answer asks for an expression of a query as its panel does. It has no series where there is none.
func (q target) answer(ctx context.Context, prom promv1.API, expression string) ([]model.Metric, error) {
	now := time.Now()
	var value model.Value
	var err error
	if q.Instant {
		value, _, err = prom.Query(ctx, expression, now)
	} else {
		value, _, err = prom.QueryRange(ctx, expression, promv1.Range{Start: now.Add(-5 * time.Minute), End: now, Step: 5 * time.Second})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	var series []model.Metric
	switch value := value.(type) {
	case model.Vector:
		for _, sample := range value {
			series = append(series, sample.Metric)
		}
	case model.Matrix:
		for _, stream := range value {
			series = append(series, stream.Metric)
		}
	default:
		return nil, fmt.Errorf("%s: %s is no vector", expression, value.Type())
	}
	return series, nil
}

var legendLabels = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// unnamed is what is wrong with the legend for an answer: a label that none of its series has or can have, as the expression does not name it, or a series that
// has no label of the legend.
func (q target) unnamed(series []model.Metric) string {
	matches := legendLabels.FindAllStringSubmatch(q.LegendFormat, -1)
	for _, match := range matches {
		has := func(m model.Metric) bool { return m[model.LabelName(match[1])] != "" }
		if !slices.ContainsFunc(series, has) && !strings.Contains(q.Expr, match[1]) {
			return match[1] + " of the legend is no label of the answer"
		}
	}
	for _, m := range series {
		has := func(match []string) bool { return m[model.LabelName(match[1])] != "" }
		if len(matches) > 0 && !slices.ContainsFunc(matches, has) {
			return m.String() + " has no name in the legend"
		}
	}
	return ""
}
