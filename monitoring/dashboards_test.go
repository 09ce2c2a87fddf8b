package monitoring

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	sdk "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/stretchr/testify/require"
)

// dashboard is what the lint reads of one.
type dashboard struct {
	file    string
	content []byte

	UID           string
	Title         string
	Description   string
	SchemaVersion uint16
	Tags          []string
	Links         []link
	Panels        []panel
	Templating    struct{ List []variable }
}

type panel struct {
	Type, Title, Description string
	Datasource               datasource
	Targets                  []target
	GridPos                  struct{ X, Y, W, H int }
	Links                    []link
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds steps
		}
		Overrides []struct {
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
}

type (
	datasource struct{ Type, UID string }
	target     struct {
		Datasource         datasource
		Expr, LegendFormat string
		Instant            bool
	}
	link  struct{ URL string }
	steps struct {
		Steps []struct{ Value *float64 }
	}
	variable struct {
		Type, Name, Label string
		Datasource        datasource
		// Query is a string, or of query variables an object that has it.
		Query             json.RawMessage
		Multi, IncludeAll bool
		AllValue          string
		Refresh           int
	}
)

// promQL is the query of a variable.
func (v variable) promQL() string {
	var of struct{ Query string }
	if json.Unmarshal(v.Query, &of) == nil {
		return of.Query
	}
	var text string
	_ = json.Unmarshal(v.Query, &text)
	return text
}

// variable returns the one of a name.
func (d dashboard) variable(name string) (variable, bool) {
	i := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == name })
	if i < 0 {
		return variable{}, false
	}
	return d.Templating.List[i], true
}

// add adds a problem of a panel, or of the whole dashboard where it has no title.
func (d dashboard) add(to *problems, p panel, format string, args ...any) {
	where := d.file
	if p.Title != "" {
		where += ": " + p.Title
	}
	to.add("%s: "+format, append([]any{where}, args...)...)
}

func parseDashboard(t *testing.T, file string, content []byte) dashboard {
	t.Helper()
	d := dashboard{file: filepath.ToSlash(file), content: content}
	require.NoError(t, json.Unmarshal(content, &d), file)
	return d
}

func readDashboards(t *testing.T) []dashboard {
	t.Helper()
	var all []dashboard
	for _, file := range glob(t, "dashboards/*.json") {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, parseDashboard(t, file, content))
	}
	return all
}

// overridden are what the overrides of a panel's fields say of a property.
func overridden[T any](p panel, id string) (values []T) {
	for _, override := range p.FieldConfig.Overrides {
		for _, property := range override.Properties {
			if property.ID == id {
				var value T
				_ = json.Unmarshal(property.Value, &value) // what cannot be read is the zero value
				values = append(values, value)
			}
		}
	}
	return values
}

// lintSchema decodes a dashboard as Grafana's SDK does where it takes nothing that it does not know: fields, options of panels, queries.
func lintSchema(d dashboard) problems {
	var wrong problems
	var decoded sdk.Dashboard //nolint:staticcheck // the schema that files and provisioning have; the next one is for Grafana's API
	wrong = append(wrong, decodeErrors(d, "", decoded.UnmarshalJSONStrict(d.content))...)
	var raw struct {
		Panels []struct {
			Type, Title string
			FieldConfig json.RawMessage
		}
	}
	if err := json.Unmarshal(d.content, &raw); err != nil {
		wrong.add("%s: %v", d.file, err)
	}
	for _, p := range raw.Panels {
		if p.Type == "row" {
			continue
		}
		if _, known := cog.ConfigForPanelcfgVariant(p.Type); !known {
			wrong.add("%s: %s: Grafana has no panel %s", d.file, p.Title, p.Type)
		}
		// The SDK does not look into it strictly.
		var of sdk.FieldConfigSource
		wrong = append(wrong, decodeErrors(d, p.Title+": ", of.UnmarshalJSONStrict(p.FieldConfig))...)
	}
	if current := sdk.NewDashboard().SchemaVersion; d.SchemaVersion != current {
		d.add(&wrong, panel{}, "has schemaVersion %d, and the current one is %d", d.SchemaVersion, current)
	}
	return wrong
}

// decodeErrors names each field that cannot be decoded.
func decodeErrors(d dashboard, where string, err error) problems {
	var wrong problems
	var fields cog.BuildErrors
	switch {
	case err == nil:
	case errors.As(err, &fields):
		for _, field := range fields {
			// Grafana gives what is missing its default.
			if !strings.HasPrefix(field.Message, "required field is missing") {
				wrong.add("%s: %s%v", d.file, where, field)
			}
		}
	default:
		wrong.add("%s: %s%v", d.file, where, err)
	}
	return wrong
}

// readUnits returns Grafana's ids of units.
func readUnits(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(moduleDirectory(t, "github.com/grafana/grafana-foundation-sdk/go"), "units", "types_gen.go")
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var units []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			unit, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			units = append(units, unit)
		}
		return true
	})
	require.Contains(t, units, "percentunit")
	return units
}

func TestDashboards(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	all, dashboards, config, units := readMetrics(t), readDashboards(t), readConfig(t), readUnits(t)
	var wrong problems
	panels, queries := 0, 0
	uids := map[string]bool{}
	for _, d := range dashboards {
		if uids[d.UID] || !slices.Contains(slices.Collect(maps.Values(config.Dashboards)), d.UID) {
			d.add(&wrong, panel{}, "its uid %s is none of mixin/config.libsonnet, or is there twice", d.UID)
		}
		uids[d.UID] = true
	}
	for _, d := range dashboards {
		wrong = slices.Concat(wrong, lintSchema(d), lintGrafana(d, units), lintVariables(d, all), lintLook(d), lintLinks(d, uids, config.RunbooksURL),
			lintSteps(d, config.numbers()))
		for _, p := range d.Panels {
			if p.Type != "row" {
				panels++
			}
			queries += len(p.Targets)
			for _, problem := range lintPanel(d, p, all, config.numbers()) {
				d.add(&wrong, p, "%s", problem)
			}
		}
	}
	wrong.none(t)
	t.Logf("dashboards: %d", len(dashboards))
	t.Logf("panels: %d", panels)
	t.Logf("queries: %d", queries)
}

// lintPanel is about what a panel asks for.
func lintPanel(d dashboard, p panel, all metrics, numbers []float64) problems {
	var wrong problems
	for _, of := range p.Targets {
		expr, err := parseQuery(of.Expr)
		if err != nil {
			wrong.add("%v", err)
			continue
		}
		wrong = slices.Concat(wrong, lintQuery(expr, all), lintCounters(expr, all), lintNumbers(expr, numbers), lintRateInterval(expr, of.Instant),
			lintMatchers(d, expr, all), lintLegend(p, of, expr, all))
		for name, only := range partial(expr, all) {
			if !saysEmpty(p.Description) {
				wrong.add("%s is there only %s, and no sentence of the description begins with Empty", name, only)
			}
		}
	}
	return wrong
}

// saysEmpty is whether a description has a sentence that says where there is no answer.
func saysEmpty(description string) bool {
	return strings.HasPrefix(description, "Empty") || strings.Contains(description, ". Empty")
}
