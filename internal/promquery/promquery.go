// Package promquery says which metrics a PromQL expression selects and which labels its series can have, and finds metrics and labels in it that do not
// exist. It is for tests of queries that are published: examples, alerts, dashboards, documents.
package promquery

import (
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// Known has the labels of each metric that exists, by the name in a query: a histogram is three of them.
type Known map[string][]string

// Labels returns the labels that the series of an expression can have, some perhaps twice. It fails on a metric, and on a label, that does not exist.
func (k Known) Labels(expr parser.Expr) ([]string, error) {
	switch e := expr.(type) {
	case *parser.VectorSelector:
		return k.ofSelector(e)
	case *parser.AggregateExpr:
		return k.ofAggregate(e)
	case *parser.BinaryExpr:
		return k.ofBinary(e)
	case *parser.Call:
		return k.ofCall(e)
	default:
		return k.ofChildren(expr)
	}
}

func (k Known) ofSelector(e *parser.VectorSelector) ([]string, error) {
	if e.Name == "" {
		return nil, fmt.Errorf("%s names no metric", e)
	}
	has, ok := k[e.Name]
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
}

func (k Known) ofAggregate(e *parser.AggregateExpr) ([]string, error) {
	has, err := k.Labels(e.Expr)
	if err == nil {
		err = lacks(has, e.Grouping, e.Expr)
	}
	switch {
	case err != nil:
		return nil, err
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK:
		return has, nil
	case e.Without:
		return without(has, e.Grouping), nil
	case e.Op == parser.COUNT_VALUES:
		return append(slices.Clone(e.Grouping), text(e.Param)), nil
	default:
		return e.Grouping, nil
	}
}

func (k Known) ofBinary(e *parser.BinaryExpr) ([]string, error) {
	left, err := k.Labels(e.LHS)
	if err != nil {
		return nil, err
	}
	right, err := k.Labels(e.RHS)
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
	case matching.Card == parser.CardOneToOne:
		return without(left, matching.MatchingLabels), nil
	case e.Op == parser.LOR:
		return slices.Concat(left, right), nil
	default:
		return left, nil
	}
}

func (k Known) ofCall(e *parser.Call) ([]string, error) {
	has, err := k.ofChildren(e)
	if err != nil {
		return nil, err
	}
	switch e.Func.Name {
	case "histogram_quantile", "histogram_fraction":
		return without(has, []string{model.BucketLabel}), nil
	case "label_replace":
		return append(slices.Clone(has), text(e.Args[1])), lacks(has, []string{text(e.Args[3])}, e.Args[0])
	case "label_join":
		var from []string
		for _, arg := range e.Args[3:] {
			from = append(from, text(arg))
		}
		return append(slices.Clone(has), text(e.Args[1])), lacks(has, from, e.Args[0])
	case "scalar", "vector", "time":
		return nil, nil
	default:
		return has, nil
	}
}

func (k Known) ofChildren(expr parser.Expr) ([]string, error) {
	var all []string
	for child := range parser.ChildrenIter(expr) {
		has, err := k.Labels(child.(parser.Expr))
		if err != nil {
			return nil, err
		}
		all = append(all, has...)
	}
	return all, nil
}

// lacks fails on the first label that the series of an expression cannot have.
func lacks(has, wanted []string, expr any) error {
	for _, label := range wanted {
		if label != "" && !slices.Contains(has, label) { // label_replace of no label
			return fmt.Errorf("%s is no label of %v", label, expr)
		}
	}
	return nil
}

func without(has, dropped []string) []string {
	return slices.DeleteFunc(slices.Clone(has), func(l string) bool { return slices.Contains(dropped, l) })
}

// text is the string that an expression is, or none.
func text(expr parser.Expr) string {
	if s, ok := expr.(*parser.StringLiteral); ok {
		return s.Val
	}
	return ""
}

// Selectors are what an expression selects, each with the nodes that it is in, the outermost first.
func Selectors(expr parser.Expr, visit func(s *parser.VectorSelector, in []parser.Node)) {
	parser.Inspect(expr, func(node parser.Node, in []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			visit(s, in)
		}
		return nil
	})
}

// Selected are the names of the metrics that an expression selects, in its order.
func Selected(expr parser.Expr) []string {
	var names []string
	Selectors(expr, func(s *parser.VectorSelector, _ []parser.Node) { names = append(names, s.Name) })
	return names
}
