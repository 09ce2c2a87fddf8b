package monitoring

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// colors are those of Okabe and Ito, which people with any kind of colour vision tell apart, and the grey beside them.
var colors = []string{"#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999", "#000000"}

// colorModes choose colours by thresholds, by the query, and by the value on a scale that goes from light to dark.
var colorModes = []string{"thresholds", "fixed", "continuous-YlBl", "continuous-blues"}

// narrowest is how many of 24 columns a panel needs to be read on a screen of 1280 pixels, by its type.
var narrowest = map[string]int{"row": 24, "stat": 4, "timeseries": 8, "bargauge": 8, "table": 8}

// lintLook is about places and colours.
func lintLook(d dashboard) problems {
	var wrong problems
	for i, p := range d.Panels {
		at := p.GridPos
		minimum, known := narrowest[p.Type]
		switch {
		case !known:
			d.add(&wrong, p, "is a %s, and no %s has been looked at on a small screen", p.Type, p.Type)
		case at.W < minimum:
			d.add(&wrong, p, "is %d columns wide, and a %s needs %d", at.W, p.Type, minimum)
		}
		if at.X < 0 || at.Y < 0 || at.H < 1 || at.X+at.W > 24 {
			d.add(&wrong, p, "is not on the grid of 24 columns: %+v", at)
		}
		for _, other := range d.Panels[:i] {
			to := other.GridPos
			if at.X < to.X+to.W && to.X < at.X+at.W && at.Y < to.Y+to.H && to.Y < at.Y+at.H {
				d.add(&wrong, p, "lies on %s", other.Title)
			}
		}
	}
	var content any
	_ = json.Unmarshal(d.content, &content)
	visit("", content, func(key string, value any) {
		text, isText := value.(string)
		of, isObject := value.(map[string]any)
		switch {
		case isText && slices.Contains([]string{"color", "fixedColor"}, key) && !slices.Contains(colors, text):
			d.add(&wrong, panel{}, "the colour %s is none of those that everybody tells apart", text)
		case isObject && key == "color" && !slices.ContainsFunc(colorModes, func(mode string) bool { return of["mode"] == mode }):
			d.add(&wrong, panel{}, "the colours %v are none of those that everybody tells apart", of["mode"])
		}
	})
	return wrong
}

// visit calls with each value in JSON and the key it has. A property of an override has its id as the key.
func visit(key string, value any, call func(key string, value any)) {
	call(key, value)
	switch v := value.(type) {
	case map[string]any:
		id, _ := v["id"].(string)
		for k, of := range v {
			if k == "value" && id != "" {
				k = id
			}
			visit(k, of, call)
		}
	case []any:
		for _, of := range v {
			visit("", of, call)
		}
	}
}

var (
	dashboardLink = regexp.MustCompile(`/d/([a-z0-9-]+)`)
	fieldLink     = regexp.MustCompile(`\$\{__data\.fields\.([a-z0-9_]+)\}`)
	placeholder   = regexp.MustCompile(`\{\{ *([a-zA-Z0-9_]+) *\}\}`)
)

// lintLinks finds links to dashboards and runbooks that are not there.
func lintLinks(d dashboard, uids map[string]bool, runbooksURL string) problems {
	var wrong problems
	var content any
	_ = json.Unmarshal(d.content, &content)
	visit("", content, func(key string, value any) {
		url, ok := value.(string)
		if key != "url" || !ok {
			return
		}
		if match := dashboardLink.FindStringSubmatch(url); match != nil && !uids[match[1]] {
			d.add(&wrong, panel{}, "there is no dashboard %s, to which it links", match[1])
		}
		if page, ok := strings.CutPrefix(url, runbooksURL+"/"); ok {
			if _, err := os.Stat("runbooks/" + page); err != nil {
				d.add(&wrong, panel{}, "there is no runbooks/%s, to which it links", page)
			}
		}
	})
	for _, p := range d.Panels {
		for _, of := range p.FieldConfig.Overrides {
			for _, property := range of.Properties {
				for _, match := range fieldLink.FindAllStringSubmatch(string(property.Value), -1) {
					if !strings.Contains(strings.Join(expressions(p), "\n"), match[1]) {
						d.add(&wrong, p, "links by the field %s, which no query has", match[1])
					}
				}
			}
		}
	}
	return wrong
}

func expressions(p panel) []string {
	var all []string
	for _, of := range p.Targets {
		all = append(all, of.Expr)
	}
	return all
}

// lintLegend finds series without a name, and names by labels that they do not have.
func lintLegend(p panel, of target, expr parser.Expr, all metrics) problems {
	var wrong problems
	if p.Type == "table" || p.Type == "stat" {
		return nil // a column has its name, and a stat its title
	}
	if of.LegendFormat == "" || of.LegendFormat == "__auto" {
		wrong.add("a query has no legend: %s", of.Expr)
	}
	has, err := all.labels().Labels(expr)
	if err != nil {
		return wrong
	}
	for _, match := range placeholder.FindAllStringSubmatch(of.LegendFormat, -1) {
		if !slices.Contains(has, match[1]) {
			wrong.add("its legend is by %s, which is no label of %s", match[1], of.Expr)
		}
	}
	return wrong
}

// lintSteps finds colours that change at a number that is none of config.libsonnet's.
func lintSteps(d dashboard, known []float64) problems {
	var wrong problems
	for _, p := range d.Panels {
		for _, of := range append([]steps{p.FieldConfig.Defaults.Thresholds}, overridden[steps](p, "thresholds")...) {
			for _, step := range of.Steps {
				if step.Value != nil && *step.Value != 0 && *step.Value != 1 && !slices.Contains(known, *step.Value) {
					d.add(&wrong, p, "the threshold %g is not in thresholds of mixin/config.libsonnet", *step.Value)
				}
			}
		}
	}
	return wrong
}
