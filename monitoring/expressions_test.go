package monitoring

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/otelcol-calico/otelcol-calico/internal/promquery"
)

// shortest is the shortest range of an alert: with a scrape every 30 seconds it survives that some fail.
const shortest = 5 * time.Minute

// lintQuery finds metrics, labels and values of labels that do not exist.
func lintQuery(expr parser.Expr, all metrics) problems {
	var wrong problems
	if _, err := all.labels().Labels(expr); err != nil {
		wrong.add("%v", err)
	}
	promquery.Selectors(expr, func(s *parser.VectorSelector, _ []parser.Node) {
		for _, m := range s.LabelMatchers {
			values := all[s.Name].values[m.Name]
			if values == nil || strings.Contains(m.Value, "$") {
				continue
			}
			none := !slices.ContainsFunc(values, func(value string) bool {
				return m.Matches(value) == (m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp)
			})
			if none {
				wrong.add("%s has no value like %s%s%q, only %v", s.Name, m.Name, m.Type, m.Value, values)
			}
		}
	})
	return wrong
}

func lintSelected(r rule, all metrics) problems { return inRule(r, lintQuery(r.expr, all)) }

// lintCluster finds alerts that do not say of which cluster they are. A collector's own metrics say of which collector.
func lintCluster(r rule, all metrics) problems {
	var wrong problems
	own := true
	for _, name := range promquery.Selected(r.expr) {
		own = own && all[name].origin == fromCollector
	}
	has, err := all.labels().Labels(r.expr)
	if err == nil && !own && !slices.Contains(has, clusterLabel) {
		r.add(&wrong, "what the expression finds has no label %s", clusterLabel)
	}
	return wrong
}

// lintRanges finds ranges in which one or two scrapes that fail are a gap.
func lintRanges(r rule) problems {
	var wrong problems
	parser.Inspect(r.expr, func(node parser.Node, _ []parser.Node) error {
		var length time.Duration
		switch n := node.(type) {
		case *parser.MatrixSelector:
			length = n.Range
		case *parser.SubqueryExpr:
			length = n.Range
		default:
			return nil
		}
		if length < shortest {
			r.add(&wrong, "the range of %s is shorter than %s", node, shortest)
		}
		return nil
	})
	return wrong
}

var (
	// increases are functions of counters, and differences those of gauges.
	increases   = []string{"rate", "irate", "increase"}
	differences = []string{"delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing"}
	// presence are functions that do not look at the value.
	presence = []string{"absent", "absent_over_time", "present_over_time", "count_over_time", "timestamp", "resets", "changes"}
)

// lintCounters finds counters that are used without rate or increase, whose value says how long ago somebody restarted, and rates of gauges.
func lintCounters(expr parser.Expr, all metrics) problems {
	var wrong problems
	promquery.Selectors(expr, func(s *parser.VectorSelector, in []parser.Node) {
		metric, ok := all[s.Name]
		if !ok {
			return
		}
		calls := functions(in)
		increased := overlap(calls, increases)
		switch {
		case metric.counter && overlap(calls, differences):
			wrong.add("%s is a counter, and is used as a gauge by one of %v", s.Name, differences)
		case metric.counter && !increased && !overlap(calls, presence) && !counted(s, in) && !isNew(s, in):
			wrong.add("%s is a counter, and is used without one of %v", s.Name, increases)
		case !metric.counter && increased:
			wrong.add("%s is no counter, and is used by one of %v", s.Name, increases)
		}
	})
	return wrong
}

// functions are what is called with a selector.
func functions(in []parser.Node) []string {
	var names []string
	for _, node := range in {
		if call, ok := node.(*parser.Call); ok {
			names = append(names, call.Func.Name)
		}
	}
	return names
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// counted is whether only the presence of a selector's series matters: it is counted, or stands on the right of a set operator that removes series.
func counted(s *parser.VectorSelector, in []parser.Node) bool {
	var child parser.Node = s
	for _, node := range slices.Backward(in) {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			if n.Op == parser.COUNT || n.Op == parser.GROUP {
				return true
			}
		case *parser.BinaryExpr:
			if !n.Op.IsSetOperator() {
				return false
			}
			if n.Op != parser.LOR && n.RHS == child {
				return true
			}
		}
		child = node
	}
	return false
}

// isNew is whether a counter is taken only where it was not there before, as in a unless a offset 10m: then all of it is an increase.
func isNew(s *parser.VectorSelector, in []parser.Node) bool {
	var child parser.Node = s
	for _, node := range slices.Backward(in) {
		if n, ok := node.(*parser.BinaryExpr); ok && n.Op == parser.LUNLESS && n.LHS == child {
			before := false
			promquery.Selectors(n.RHS, func(of *parser.VectorSelector, _ []parser.Node) {
				before = before || of.Name == s.Name && of.OriginalOffset > 0
			})
			return before
		}
		child = node
	}
	return false
}

// lintNumbers finds numbers that are none of config.libsonnet's. 0 and 1 are everybody's, and units are converted by a product.
func lintNumbers(expr parser.Expr, known []float64) problems {
	var wrong problems
	for _, number := range numbers(expr) {
		if !slices.Contains(known, number) {
			wrong.add("the number %g is not in thresholds of mixin/config.libsonnet", number)
		}
	}
	return wrong
}

// conversions are of minutes, hours and days to seconds, and of milliseconds and microseconds.
var conversions = []float64{60, 3600, 86400, 1e3, 1e6}

// numbers are those of an expression that somebody may want to be others: not how many are at the top, nor which quantile it is.
func numbers(expr parser.Expr) []float64 {
	var found []float64
	parser.Inspect(expr, func(node parser.Node, in []parser.Node) error {
		literal, ok := node.(*parser.NumberLiteral)
		if !ok || literal.Val == 0 || literal.Val == 1 || len(in) == 0 {
			return nil
		}
		switch parent := in[len(in)-1].(type) {
		case *parser.AggregateExpr:
			return nil
		case *parser.Call:
			if strings.Contains(parent.Func.Name, "quantile") || parent.Func.Name == "round" {
				return nil
			}
		case *parser.BinaryExpr:
			if (parent.Op == parser.MUL || parent.Op == parser.DIV) && slices.Contains(conversions, literal.Val) {
				return nil
			}
		}
		found = append(found, literal.Val)
		return nil
	})
	return found
}

// partial are the metrics of an expression that not every supported version of Calico has, and that have no alternative in it.
func partial(expr parser.Expr, all metrics) map[string]versions {
	found := map[string]versions{}
	promquery.Selectors(expr, func(s *parser.VectorSelector, in []parser.Node) {
		if only := all[s.Name].only; only != nil && !hasAlternative(s, in, all) {
			found[s.Name] = *only
		}
	})
	return found
}

// hasAlternative is whether a selector is on one side of an or, and on the other one is something that other versions have.
func hasAlternative(s *parser.VectorSelector, in []parser.Node, all metrics) bool {
	var child parser.Node = s
	for _, node := range slices.Backward(in) {
		if n, ok := node.(*parser.BinaryExpr); ok && n.Op == parser.LOR {
			other := n.LHS
			if n.LHS == child {
				other = n.RHS
			}
			if slices.ContainsFunc(promquery.Selected(other), func(name string) bool { return differs(all[s.Name].only, all[name].only) }) {
				return true
			}
		}
		child = node
	}
	return false
}

func differs(only, other *versions) bool { return other == nil || *only != *other }

// lintRuleVersions finds alerts that some versions of Calico cannot have, and whose runbook does not say which.
func lintRuleVersions(r rule, all metrics) problems {
	var wrong problems
	for name, only := range partial(r.expr, all) {
		said := strings.NewReplacer("since ", "", "until ", "").Replace(only.String())
		if !strings.Contains(strings.Join(strings.Fields(r.runbook), " "), said) {
			r.add(&wrong, "%s is there only %s, and the runbook does not name %s", name, only, said)
		}
	}
	return wrong
}

// parseQuery parses a query of a dashboard: its variables stand in strings, those of Grafana for durations.
func parseQuery(query string) (parser.Expr, error) {
	expr, err := promQL.ParseExpr(strings.NewReplacer("$__rate_interval", rateInterval, "$__range", "1h", "$__interval", "1m").Replace(query))
	if err != nil {
		return nil, fmt.Errorf("%s is no PromQL: %w", query, err)
	}
	return expr, nil
}

// rateInterval stands for $__rate_interval, and is no duration that somebody writes.
const rateInterval = "4m7s"
