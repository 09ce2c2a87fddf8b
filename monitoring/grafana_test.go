package monitoring

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/otelcol-calico/otelcol-calico/internal/promquery"
)

// perInstance are the dashboards about many instances of one job. github.com/grafana/dashboard-linter wants variables of job and instance in all of them
// (template-job-rule, template-instance-rule, target-job-rule, target-instance-rule); the others are about clusters, pools and nodes, whose metrics
// come from whichever collector leads: an instance would be an accident, and the job is the same for all.
//
// Its uneditable-dashboard is left out: a dashboard that is provisioned cannot be changed anyway, and who imports one may well want to.
var perInstance = []string{"calico-felix", "calico-typha", "calico-collector"}

// lintGrafana has the rules of Grafana's linter of dashboards that are about variables and panels.
func lintGrafana(d dashboard, units []string) problems {
	var wrong problems
	if d.Title == "" || d.Description == "" || len(d.Tags) == 0 {
		d.add(&wrong, panel{}, "has no title, description or tags")
	}
	if v, ok := d.variable("datasource"); !ok || v.Type != "datasource" || v.promQL() != "prometheus" || v.Label != "Data source" {
		d.add(&wrong, panel{}, "template-datasource-rule: has no variable datasource, labelled Data source, of Prometheus")
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		if v.Refresh != 2 {
			d.add(&wrong, panel{}, "template-on-time-change-reload-rule: variable %s is not asked for again when the time changes", v.Name)
		}
		if !templated(v.Datasource) {
			d.add(&wrong, panel{}, "template-datasource-rule: variable %s has datasource %+v", v.Name, v.Datasource)
		}
	}
	if slices.Contains(perInstance, d.UID) {
		for _, name := range targetLabels {
			if v, ok := d.variable(name); !ok || v.Type != "query" || v.Label == "" || !v.Multi || !v.IncludeAll {
				d.add(&wrong, panel{}, "template-%s-rule: has no variable %s with a label, of which several can be chosen", name, name)
			}
		}
	}
	for _, p := range d.Panels {
		if p.Type != "row" {
			wrong = slices.Concat(wrong, lintGrafanaPanel(d, p, units))
		}
	}
	return wrong
}

func templated(of datasource) bool { return of == datasource{Type: "prometheus", UID: "${datasource}"} }

func lintGrafanaPanel(d dashboard, p panel, units []string) problems {
	var wrong problems
	if !templated(p.Datasource) {
		d.add(&wrong, p, "panel-datasource-rule: has datasource %+v", p.Datasource)
	}
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") {
		d.add(&wrong, p, "panel-title-description-rule: has no title, or no description that is a sentence")
	}
	if len(p.Targets) == 0 {
		d.add(&wrong, p, "panel-no-targets-rule: asks for nothing")
	}
	for _, of := range p.Targets {
		if !templated(of.Datasource) {
			d.add(&wrong, p, "panel-datasource-rule: a query has datasource %+v", of.Datasource)
		}
	}
	for _, unit := range append([]string{p.FieldConfig.Defaults.Unit}, overridden[string](p, "unit")...) {
		if !slices.Contains(units, unit) {
			d.add(&wrong, p, "panel-units-rule: Grafana has no unit %q", unit)
		}
	}
	return wrong
}

// lintRateInterval finds rates over a time that does not follow the interval of scrapes (target-rate-interval-rule). One number may be of a time that its
// panel names.
func lintRateInterval(expr parser.Expr, instant bool) problems {
	var wrong problems
	parser.Inspect(expr, func(node parser.Node, in []parser.Node) error {
		selector, ok := node.(*parser.MatrixSelector)
		if !ok || len(in) == 0 {
			return nil
		}
		call, ok := in[len(in)-1].(*parser.Call)
		increased := ok && slices.Contains(increases, call.Func.Name)
		follows := selector.Range.String() == rateInterval
		switch {
		case increased && !follows && (!instant || selector.Range < shortest):
			wrong.add("target-rate-interval-rule: %s is not over $__rate_interval", call)
		case !increased && follows:
			wrong.add("target-rate-interval-rule: $__rate_interval is used without rate or increase")
		}
		return nil
	})
	return wrong
}

// lintMatchers finds selectors that do not follow the variables: of the cluster everywhere, and where there are such of job and instance.
func lintMatchers(d dashboard, expr parser.Expr, all metrics) problems {
	var wrong problems
	promquery.Selectors(expr, func(s *parser.VectorSelector, _ []parser.Node) {
		metric := all[s.Name]
		if metric.origin != fromCollector && !follows(s, clusterLabel, "cluster") {
			wrong.add("%s is not filtered by %s=~\"$cluster\"", s.Name, clusterLabel)
		}
		if !slices.Contains(perInstance, d.UID) || !ofInstances(d, metric) {
			return
		}
		for _, label := range targetLabels {
			if !follows(s, label, label) {
				wrong.add("target-%s-rule: %s is not filtered by %s=~\"$%s\"", label, s.Name, label, label)
			}
		}
	})
	return wrong
}

// ofInstances is whether a metric is of the instances that a dashboard is about: that of collectors shows what they send too, which comes from the one that
// leads.
func ofInstances(d dashboard, of metric) bool {
	return d.UID != "calico-collector" || of.origin == fromCollector
}

func follows(s *parser.VectorSelector, label, variable string) bool {
	return slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == label && m.Type == labels.MatchRegexp && m.Value == "$"+variable
	})
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.+), *([a-z0-9_]+)\)$`)
	reference   = regexp.MustCompile(`\$(?:\{([a-z_]+)(?::[a-z]+)?\}|([a-z_]+))`)
)

// lintVariables finds variables that have no values, that nothing uses, and that are used and not there (template-label-promql-rule).
func lintVariables(d dashboard, all metrics) problems {
	var wrong problems
	used := map[string]bool{"datasource": true}
	use := func(text string) {
		for _, match := range reference.FindAllStringSubmatch(text, -1) {
			used[match[1]+match[2]] = true
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		query := v.promQL()
		use(query)
		match := labelValues.FindStringSubmatch(query)
		if match == nil {
			d.add(&wrong, panel{}, "template-label-promql-rule: variable %s is not label_values(metric, label)", v.Name)
			continue
		}
		expr, err := parseQuery(match[1])
		if err != nil {
			d.add(&wrong, panel{}, "template-label-promql-rule: variable %s: %v", v.Name, err)
			continue
		}
		for _, problem := range lintQuery(expr, all) {
			d.add(&wrong, panel{}, "variable %s: %s", v.Name, problem)
		}
		if has, err := all.labels().Labels(expr); err == nil && !slices.Contains(has, match[2]) {
			d.add(&wrong, panel{}, "variable %s: %s is no label of %s", v.Name, match[2], match[1])
		}
	}
	for _, p := range d.Panels {
		use(p.Title)
		for _, of := range p.Targets {
			use(of.Expr)
		}
	}
	for name := range used {
		if _, ok := d.variable(name); !ok && !strings.HasPrefix(name, "__") {
			d.add(&wrong, panel{}, "there is no variable %s, which is used", name)
		}
	}
	for _, v := range d.Templating.List {
		if !used[v.Name] {
			d.add(&wrong, panel{}, "nothing uses the variable %s", v.Name)
		}
	}
	return wrong
}
