//go:build e2e

package monitoring

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// rule is one of monitoring/alerts.
type rule struct {
	File  string `json:"-"`
	Alert string `json:"alert"`
	Expr  string `json:"expr"`
}

func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../monitoring/alerts/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func loadRules(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, file := range ruleFiles(t) {
		var content struct {
			Groups []struct{ Rules []rule }
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &content), file)
		for _, group := range content.Groups {
			for _, r := range group.Rules {
				r.File = filepath.Base(file)
				all = append(all, r)
			}
		}
	}
	return all
}

func parse(t *testing.T, expression string) parser.Expr {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	require.NoError(t, err, expression)
	return expr
}

// dataOf is what has to have an answer for an alert to be about something. An alert has none while all is well, so of its expression every comparison answers 0
// or 1 here, absent is that which must not be absent, and both sides of `or` and `unless` are looked at for themselves: one without data does not show
// otherwise. The past is now, as the lab is young.
func dataOf(t *testing.T, expression string) []string {
	t.Helper()
	var apart []parser.Expr
	whole := open(parse(t, expression), &apart)
	parts := []string{whole.String()}
	for _, part := range apart {
		parts = append(parts, part.String())
	}
	return parts
}

func open(expr parser.Expr, apart *[]parser.Expr) parser.Expr {
	switch e := expr.(type) {
	case *parser.BinaryExpr:
		e.LHS, e.RHS = open(e.LHS, apart), open(e.RHS, apart)
		vectors := e.LHS.Type() == parser.ValueTypeVector || e.RHS.Type() == parser.ValueTypeVector
		switch {
		case e.Op == parser.LUNLESS:
			*apart = append(*apart, e.RHS)
			return e.LHS
		case e.Op == parser.LOR:
			*apart = append(*apart, e.LHS, e.RHS)
		case e.Op.IsComparisonOperator() && vectors:
			e.ReturnBool = true
		}
	case *parser.Call:
		for i, arg := range e.Args {
			e.Args[i] = open(arg, apart)
		}
		switch e.Func.Name {
		case "absent":
			return e.Args[0]
		case "absent_over_time":
			if m, ok := e.Args[0].(*parser.MatrixSelector); ok {
				return m.VectorSelector
			}
		}
	case *parser.AggregateExpr:
		e.Expr = open(e.Expr, apart)
	case *parser.ParenExpr:
		e.Expr = open(e.Expr, apart)
	case *parser.UnaryExpr:
		e.Expr = open(e.Expr, apart)
	case *parser.SubqueryExpr:
		e.Expr = open(e.Expr, apart)
		e.Range, e.Step, e.OriginalOffset = time.Minute, time.Second, 0
	case *parser.MatrixSelector:
		e.VectorSelector = open(e.VectorSelector, apart)
	case *parser.VectorSelector:
		e.OriginalOffset = 0
	}
	return expr
}

// haste is how much faster the rules of promptly are, and shortest what no range or offset of theirs is below: several scrapes.
const (
	haste    = 60
	shortest = 10 * time.Second
)

// promptly is a copy of the rules in which a minute is a second: how long alerts wait, and how far they look back.
func promptly(t *testing.T) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for _, file := range ruleFiles(t) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var content map[string]any
		require.NoError(t, yaml.Unmarshal(text, &content))
		for _, group := range content["groups"].([]any) {
			for _, item := range group.(map[string]any)["rules"].([]any) {
				r := item.(map[string]any)
				for _, key := range []string{"for", "keep_firing_for"} {
					if wait, ok := r[key].(string); ok {
						d, err := model.ParseDuration(wait)
						require.NoError(t, err)
						r[key] = model.Duration(max(time.Second, (time.Duration(d) / haste).Round(time.Second))).String()
					}
				}
				r["expr"] = hasten(parse(t, r["expr"].(string))).String()
			}
		}
		text, err = yaml.Marshal(content)
		require.NoError(t, err)
		prompt := filepath.Join(dir, filepath.Base(file))
		require.NoError(t, os.WriteFile(prompt, text, 0o600))
		files = append(files, prompt)
	}
	return files
}

func hasten(expr parser.Expr) parser.Expr {
	shorter := func(d time.Duration) time.Duration {
		if d == 0 {
			return 0
		}
		return max(shortest, d/haste)
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch e := node.(type) {
		case *parser.MatrixSelector:
			e.Range = shorter(e.Range)
		case *parser.VectorSelector:
			e.OriginalOffset = shorter(e.OriginalOffset)
		case *parser.SubqueryExpr:
			e.Range, e.OriginalOffset = shorter(e.Range), shorter(e.OriginalOffset)
			if e.Step != 0 {
				e.Step = max(time.Second, e.Step/haste)
			}
		}
		return nil
	})
	return expr
}

func TestWhatHasToHaveAnAnswer(t *testing.T) {
	for expression, want := range map[string][]string{
		`a > 1`:                          {`a > bool 1`},
		`sum(a) / sum(b offset 1h) >= 2`: {`sum(a) / sum(b) >= bool 2`},
		`a > 1 and on (x) b == 0`:        {`a > bool 1 and on (x) b == bool 0`},
		`a unless on (x) b > 0`:          {`a`, `b > bool 0`},
		`count(a == 0) or vector(0)`:     {`count(a == bool 0) or vector(0)`, `count(a == bool 0)`, `vector(0)`},
		`absent(up{job="x"})`:            {`up{job="x"}`},
		`max_over_time(sum(a)[1d:15m])`:  {`max_over_time(sum(a)[1m:1s])`},
	} {
		require.Equal(t, want, dataOf(t, expression))
	}
	require.Equal(t, "increase(a[30s]) > 5 and increase(a[30s] offset 30s) > 5",
		hasten(parse(t, "increase(a[30m]) > 5 and increase(a[30m] offset 30m) > 5")).String())
	require.Equal(t, "max_over_time(a[10s]) < 7 * 86400", hasten(parse(t, "max_over_time(a[5m]) < 7 * 86400")).String())
}

// inYAML is a list of one line.
func inYAML(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = fmt.Sprintf("%q", item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
