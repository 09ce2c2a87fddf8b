package monitoring

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/promquery"
)

// mutant is a rule with one thing in it that is wrong.
type mutant struct {
	alert string
	// what is wrong, as in "> becomes <, 1st of 2".
	what string
	// key of the rule is what differs: expr, for or the name of an annotation.
	key, value string
}

func (m mutant) String() string { return m.alert + ": " + m.key + ": " + m.what }

// mutants are the ways in which a rule can be wrong: each number a little more or less, each comparison turned round or with its limit or without it, each
// time twice as long or half as long, each metric misspelt.
func mutants(r rule) []mutant {
	var all []mutant
	add := func(key, what, value string) {
		all = append(all, mutant{alert: r.Alert, what: what, key: key, value: value})
	}
	for site := range countNodes(r.expr) {
		for variant := 0; ; variant++ {
			expr, what := mutateNode(r.Expr, site, variant)
			if what == "" {
				break
			}
			add("expr", what, expr)
		}
	}
	for factor, name := range factors {
		longer := time.Duration(float64(time.Duration(r.For)) * factor)
		add("for", name, model.Duration(longer).String())
	}
	for key, text := range r.Annotations {
		asks, err := readTemplate(text)
		if err != nil {
			continue // is a problem of the lint
		}
		for _, query := range asks.queries {
			expr, err := promQL.ParseExpr(query)
			if err != nil {
				continue
			}
			for _, name := range promquery.Selected(expr) {
				add("annotations."+key, name+" is misspelt", regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(text, name+"x"))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b mutant) int { return slices.Compare([]string{a.key, a.what}, []string{b.key, b.what}) })
	return slices.CompactFunc(all, func(a, b mutant) bool { return a.key == b.key && a.value == b.value })
}

var factors = map[float64]string{2: "is doubled", 0.5: "is halved"}

func countNodes(expr parser.Expr) int {
	count := 0
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if node != nil {
			count++
		}
		return nil
	})
	return count
}

// mutateNode returns an expression with one node of it changed in one of the ways that there are for it, or nothing where there are no more.
func mutateNode(query string, site, variant int) (mutated, what string) {
	expr, err := promQL.ParseExpr(query)
	if err != nil {
		return "", ""
	}
	at := 0
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if node == nil {
			return nil
		}
		if at == site {
			if ways := waysOf(node); variant < len(ways) {
				before := node.String()
				ways[variant].change()
				what = fmt.Sprintf("%s %s, at node %d", before, ways[variant].what, site)
			}
		}
		at++
		return nil
	})
	return expr.String(), what
}

// way is one in which a node can be wrong.
type way struct {
	what   string
	change func()
}

var (
	opposite = map[parser.ItemType]parser.ItemType{
		parser.GTR: parser.LSS, parser.LSS: parser.GTR, parser.GTE: parser.LTE, parser.LTE: parser.GTE, parser.EQLC: parser.NEQ, parser.NEQ: parser.EQLC,
	}
	limit = map[parser.ItemType]parser.ItemType{parser.GTR: parser.GTE, parser.GTE: parser.GTR, parser.LSS: parser.LTE, parser.LTE: parser.LSS}
)

func waysOf(node parser.Node) []way {
	switch n := node.(type) {
	case *parser.NumberLiteral:
		step := 0.01
		if n.Val == math.Trunc(n.Val) {
			step = 1
		}
		return []way{
			{"is more", func() { n.Val += step }},
			{"is less", func() { n.Val -= step }},
		}
	case *parser.BinaryExpr:
		var ways []way
		for _, to := range []map[parser.ItemType]parser.ItemType{opposite, limit} {
			if op, ok := to[n.Op]; ok {
				ways = append(ways, way{fmt.Sprintf("has %s for %s", parser.ItemTypeStr[op], parser.ItemTypeStr[n.Op]), func() { n.Op = op }})
			}
		}
		return ways
	case *parser.MatrixSelector:
		return times(&n.Range, "its range")
	case *parser.SubqueryExpr:
		return times(&n.Range, "its range")
	case *parser.VectorSelector:
		misspelt := way{"is misspelt", func() {
			n.Name += "x"
			n.LabelMatchers = slices.DeleteFunc(n.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == model.MetricNameLabel })
		}}
		return append([]way{misspelt}, times(&n.OriginalOffset, "its offset")...)
	default:
		return nil
	}
}

func times(of *time.Duration, name string) []way {
	if *of == 0 {
		return nil
	}
	var ways []way
	for _, factor := range []float64{2, 0.5} {
		ways = append(ways, way{name + " " + factors[factor], func() { *of = time.Duration(float64(*of) * factor) }})
	}
	return ways
}

func TestMutantsOfARule(t *testing.T) {
	rules := parseRules(t, "alerts/a.yaml", []byte(goodRule), func(string) string { return "" })
	r := rules[0]
	var values []string
	for _, m := range mutants(r) {
		if m.key != "annotations.description" {
			values = append(values, m.value)
		}
	}
	require.ElementsMatch(t, []string{
		"max_over_time(gauge[10m]) > 0.86", "max_over_time(gauge[10m]) > 0.84", "max_over_time(gauge[10m]) < 0.85", "max_over_time(gauge[10m]) >= 0.85",
		"max_over_time(gauge[20m]) > 0.85", "max_over_time(gauge[5m]) > 0.85", "max_over_time(gaugex[10m]) > 0.85", "10m", "2m30s",
	}, values)
	require.True(t, slices.ContainsFunc(mutants(r), func(m mutant) bool { return m.what == "gauge is misspelt" }), "in the query of the description too")

	for query, expected := range map[string][]string{
		"a == 1":                     {"ax == 1", "a != 1", "a == 2", "a == 0"},
		"increase(a[5m] offset 10m)": {"increase(ax[5m] offset 10m)", "increase(a[10m] offset 10m)", "increase(a[2m30s] offset 10m)", "increase(a[5m] offset 20m)", "increase(a[5m] offset 5m)"},
		"max_over_time((a)[10m:1m])": {"max_over_time((ax)[10m:1m])", "max_over_time((a)[20m:1m])", "max_over_time((a)[5m:1m])"},
		`a{x="1"} unless on (x) a{}`: {`ax{x="1"} unless on (x) a`, `a{x="1"} unless on (x) ax`},
	} {
		var r rule
		var err error
		r.Expr = query
		r.expr, err = promQL.ParseExpr(query)
		require.NoError(t, err)
		var exprs []string
		for _, m := range mutants(r) {
			if m.key == "expr" {
				exprs = append(exprs, m.value)
			}
		}
		require.ElementsMatch(t, expected, exprs, query)
	}
}
