package promquery

import (
	"slices"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

var known = Known{"a": {"x", "y"}, "b": {"x", "z"}, "h_bucket": {"x", "le"}}

func TestMetricsAndLabelsThatDoNotExistAreFound(t *testing.T) {
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
		`sum by (z) (a or b)`:                                     "",
		`sum by (z) (a and b)`:                                    "z is no label of a and b",
		`sum by (y) (a / ignoring (y) a)`:                         "y is no label of a / ignoring (y) a",
		`sum by (x) (histogram_quantile(0.9, h_bucket))`:          "",
		`sum by (le) (histogram_quantile(0.9, h_bucket))`:         "le is no label of histogram_quantile(0.9, h_bucket)",
		`sum by (v) (label_replace(a, "v", "$1", "y", "(.*)"))`:   "",
		`label_replace(a, "v", "$1", "z", "(.*)")`:                "z is no label of a",
		`sum by (v) (label_join(a, "v", "-", "x", "y"))`:          "",
		`label_replace(a, "v", "1", "", "")`:                      "",
		`label_join(a, "v", "-", "x", "z")`:                       "z is no label of a",
		`sum by (v) (count_values("v", a))`:                       "",
		`sum by (x) (vector(scalar(a)))`:                          "x is no label of vector(scalar(a))",
	} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		require.NoError(t, err, query)
		_, err = known.Labels(expr)
		if wrong == "" {
			require.NoError(t, err, query)
		} else {
			require.EqualError(t, err, wrong, query)
		}
	}
}

func TestLabelsOfSeriesAreThoseThatTheyCanHave(t *testing.T) {
	for query, labels := range map[string][]string{
		`a`:                                    {"x", "y"},
		`1`:                                    nil,
		`sum(a)`:                               nil,
		`a > 1`:                                {"x", "y"},
		`max without (y) (a)`:                  {"x"},
		`a unless on (x) b`:                    {"x", "y"},
		`absent(a)`:                            {"x", "y"},
		`count_values by (x) ("v", a)`:         {"v", "x"},
		`a or on (x) b`:                        {"x", "y", "z"},
		`(sum by (x) (a) or vector(0)) > 1`:    {"x"},
		`sum by (x) (a) * on (x) group_left b`: {"x"},
	} {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		require.NoError(t, err, query)
		has, err := known.Labels(expr)
		require.NoError(t, err, query)
		slices.Sort(has)
		require.Equal(t, labels, slices.Compact(has), query)
	}
}

func TestSelectedMetricsAreNamedInOrder(t *testing.T) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(`sum(rate(b[5m])) / on () a unless max_over_time((b > 1)[5m:])`)
	require.NoError(t, err)
	require.Equal(t, []string{"b", "a", "b"}, Selected(expr))
	var deepest int
	Selectors(expr, func(_ *parser.VectorSelector, in []parser.Node) { deepest = max(deepest, len(in)) })
	require.Equal(t, 5, deepest, "of the first one: unless, /, sum, rate, [5m]")
}
