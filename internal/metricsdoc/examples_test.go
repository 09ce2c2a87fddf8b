package main

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// resourceLabels are on every series: of the target, and those that configs/cluster.yaml promotes.
var resourceLabels = []string{"job", "instance", "k8s_cluster_name", "k8s_namespace_name", "k8s_node_name", "k8s_pod_name"}

func TestExamplesQueryWhatIsThere(t *testing.T) {
	known := map[string][]string{}
	var metrics []metric
	for _, file := range []string{"../../receiver/calicoreceiver/metadata.yaml", "../../processor/calicoipamprocessor/metadata.yaml"} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		c, err := parse(content)
		require.NoError(t, err, file)
		for _, m := range slices.Concat(c.metrics, c.internal) {
			require.NotContains(t, known, m.name, "one metric has one component")
			known[m.name] = slices.Concat(m.labels, resourceLabels)
			metrics = append(metrics, m)
		}
	}
	p := parser.NewParser(parser.Options{})
	for _, m := range metrics {
		t.Run(m.name, func(t *testing.T) {
			expr, err := p.ParseExpr(m.example)
			require.NoError(t, err, m.example)
			_, err = labelsOf(expr, known)
			require.NoError(t, err, m.example)
			require.Contains(t, selected(expr), m.name, "the example is one of the metric")
		})
	}
}

func TestExampleWithAWrongNameIsFound(t *testing.T) {
	known := map[string][]string{"a": {"x", "y"}, "b": {"x", "z"}}
	p := parser.NewParser(parser.Options{})
	for query, wrong := range map[string]string{
		`a{x="1"} / on (x) group_left (z) b`:                "",
		`sum by (x) (rate(a[5m])) and b`:                    "",
		`sum by (y) (topk by (x) (3, max without (x) (a)))`: "x is no label of max without (x) (a)",
		`c`:                            "c is no metric",
		`{x="1"}`:                      `{x="1"} names no metric`,
		`a{z="1"}`:                     "z is no label of a",
		`sum by (z) (a)`:               "z is no label of a",
		`sum by (y) (sum by (x) (a))`:  "y is no label of sum by (x) (a)",
		`a * on (z) b`:                 "z is no label of a",
		`a * on (y) b`:                 "y is no label of b",
		`a * on (x) group_left (y) b`:  "y is no label of b",
		`b * on (x) group_right (z) a`: "",
		`sum by (z) (a * on (x) group_left (z) b)`:                "",
		`sum by (y) (a * on (x) b)`:                               "y is no label of a * on (x) b",
		`sum by (y) (max_over_time((a > 1)[5m:]) unless on(x) b)`: "",
	} {
		expr, err := p.ParseExpr(query)
		require.NoError(t, err, query)
		_, err = labelsOf(expr, known)
		if wrong == "" {
			require.NoError(t, err, query)
		} else {
			require.EqualError(t, err, wrong, query)
		}
	}
}

// labelsOf returns the labels that the series of an expression can have. It fails on a metric, and on a label, that is not there.
func labelsOf(expr parser.Expr, known map[string][]string) ([]string, error) {
	switch e := expr.(type) {
	case *parser.VectorSelector:
		if e.Name == "" {
			return nil, fmt.Errorf("%s names no metric", e)
		}
		has, ok := known[e.Name]
		if !ok {
			return nil, fmt.Errorf("%s is no metric", e.Name)
		}
		var matched []string
		for _, m := range e.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				matched = append(matched, m.Name)
			}
		}
		return has, lacks(has, matched, e.Name)
	case *parser.AggregateExpr:
		has, err := labelsOf(e.Expr, known)
		if err == nil {
			err = lacks(has, e.Grouping, e.Expr)
		}
		switch {
		case err != nil:
			return nil, err
		case e.Op == parser.TOPK || e.Op == parser.BOTTOMK:
			return has, nil
		case e.Without:
			return slices.DeleteFunc(slices.Clone(has), func(l string) bool { return slices.Contains(e.Grouping, l) }), nil
		default:
			return e.Grouping, nil
		}
	case *parser.BinaryExpr:
		return labelsOfBinary(e, known)
	default:
		var all []string
		for child := range parser.ChildrenIter(expr) {
			has, err := labelsOf(child.(parser.Expr), known)
			if err != nil {
				return nil, err
			}
			all = append(all, has...)
		}
		return all, nil
	}
}

func labelsOfBinary(e *parser.BinaryExpr, known map[string][]string) ([]string, error) {
	left, err := labelsOf(e.LHS, known)
	if err != nil {
		return nil, err
	}
	right, err := labelsOf(e.RHS, known)
	if err != nil {
		return nil, err
	}
	matching := e.VectorMatching
	if matching == nil { // one of them is a number
		return slices.Concat(left, right), nil
	}
	if err := lacks(left, matching.MatchingLabels, e.LHS); err != nil {
		return nil, err
	}
	if err := lacks(right, matching.MatchingLabels, e.RHS); err != nil {
		return nil, err
	}
	switch {
	case matching.Card == parser.CardManyToOne:
		return slices.Concat(left, matching.Include), lacks(right, matching.Include, e.RHS)
	case matching.Card == parser.CardOneToMany:
		return slices.Concat(right, matching.Include), lacks(left, matching.Include, e.LHS)
	case matching.Card == parser.CardOneToOne && matching.On:
		return matching.MatchingLabels, nil
	default:
		return left, nil
	}
}

// lacks fails on the first label that the series of an expression cannot have.
func lacks(has, wanted []string, expr any) error {
	for _, label := range wanted {
		if !slices.Contains(has, label) {
			return fmt.Errorf("%s is no label of %v", label, expr)
		}
	}
	return nil
}

// selected are the names of the metrics that an expression selects.
func selected(expr parser.Expr) []string {
	var names []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			names = append(names, s.Name)
		}
		return nil
	})
	return names
}
