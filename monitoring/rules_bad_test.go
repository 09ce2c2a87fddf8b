package monitoring

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// known are metrics that the tests of the lint ask for.
var known = metrics{
	"gauge":     {labels: slices.Concat(resourceLabels, []string{"ippool"})},
	"counter":   {counter: true, labels: resourceLabels},
	"late":      {labels: resourceLabels, only: &versions{Since: "v3.29"}},
	"early":     {labels: resourceLabels, only: &versions{Until: "v3.28"}},
	"own":       {origin: fromCollector, labels: targetLabels},
	"own_count": {origin: fromCollector, counter: true, labels: targetLabels},
	"state":     {labels: slices.Concat(resourceLabels, []string{"state"}), values: map[string][]string{"state": {"up", "down"}}},
}

const (
	goodRunbook = "# CalicoBad\n\n## Meaning\n\nFrom Calico\n3.29 on.\n\n## Impact\n\n## Check\n\n## Fix\n\n## Escalate\n"
	goodRule    = `groups:
  - name: calico-bad
    rules:
      - alert: CalicoBad
        expr: max_over_time(gauge[10m]) > 0.85
        for: 5m
        labels: {severity: warning}
        annotations:
          summary: "Pool {{ $labels.ippool }} is bad."
          description: >-
            {{ $value | humanize }} of pool {{ $labels.ippool }}{{ with printf "max(gauge{ippool=%q})" $labels.ippool | query }}, {{ . | first | value }}{{ end }}.
          runbook_url: https://runbooks/CalicoBad.md
`
)

func lintRule(r rule) problems {
	return slices.Concat(lintForm(r, "https://runbooks"), lintRunbook(r), lintSelected(r, known), lintAnnotations(r, known), lintCluster(r, known), lintRanges(r),
		lintRuleVersions(r, known), inRule(r, lintCounters(r.expr, known)), inRule(r, lintNumbers(r.expr, []float64{0.85, 7})))
}

func TestBadRuleIsFound(t *testing.T) {
	const expr, where = "max_over_time(gauge[10m]) > 0.85", "alerts/bad.yaml: CalicoBad: "
	for name, tc := range map[string]struct{ from, to, problem string }{
		"a good one":                {"", "", ""},
		"a name of somebody else":   {"alert: CalicoBad", "alert: FelixBad", `alerts/bad.yaml: FelixBad: the name is not one like CalicoIPPoolFull`},
		"no for":                    {"for: 5m", "for: 0s", where + "has no for"},
		"another severity":          {"severity: warning", "severity: page", where + `severity is "page", and not critical, warning or info`},
		"another annotation":        {"runbook_url:", "message: x\n          runbook_url:", where + "has an annotation message, which no other alert has"},
		"a summary of no sentence":  {"is bad.", "is bad", where + `the summary "Pool {{ $labels.ippool }} is bad" is not one line that ends with a full stop`},
		"a description of nothing":  {"{{ $value | humanize }} of pool {{ $labels.ippool }}{{ with printf", "It is bad.{{/*", ""},
		"another page":              {"https://runbooks/CalicoBad.md", "https://other", where + `runbook_url is "https://other", and not https://runbooks/CalicoBad.md`},
		"a metric that is not":      {expr, "gauges > 0", where + "gauges is no metric"},
		"a label that is not":       {expr, `max by (k8s_cluster_name, ippool, pod) (gauge) > 0`, where + "pod is no label of gauge"},
		"a value that is not":       {expr, `max by (k8s_cluster_name, ippool) (gauge and on () state{state="lost"}) > 0`, where + `state has no value like state="lost", only [up down]`},
		"a label of a text":         {"is bad.", "is {{ $labels.how }}.", where + "summary: the expression has no label how"},
		"a metric of a text":        {`"max(gauge{`, `"max(gauges{`, where + "description: gauges is no metric"},
		"a label of a query":        {`{ippool=%q}`, `{pool=%q}`, where + "description: pool is no label of gauge"},
		"a query that is none":      {`"max(gauge{ippool=%q})"`, `"max(gauge{ippool=%q}"`, where + `description: max(gauge{ippool="$x"} is no PromQL: 1:23: parse error: unclosed left parenthesis`},
		"no cluster":                {expr, "max by (ippool) (gauge) > 0.85", where + "what the expression finds has no label k8s_cluster_name"},
		"a short range":             {"[10m]", "[2m]", where + "the range of gauge[2m] is shorter than 5m0s"},
		"a short subquery":          {"[10m]", "[2m:1m]", where + "the range of gauge[2m:1m] is shorter than 5m0s"},
		"a counter by itself":       {expr, "(gauge and counter) > 0.85", ""},
		"a counter's value":         {expr, "gauge * on (k8s_cluster_name) counter > 0.85", where + "counter is a counter, and is used without one of [rate irate increase]"},
		"a counter's difference":    {expr, "gauge and on (k8s_cluster_name) delta(counter[10m]) > 0.85", where + "counter is a counter, and is used as a gauge by one of [delta idelta deriv predict_linear double_exponential_smoothing]"},
		"a rate of a gauge":         {expr, "rate(gauge[10m]) > 0.85", where + "gauge is no counter, and is used by one of [rate irate increase]"},
		"a number from nowhere":     {"> 0.85", "> 0.9", where + "the number 0.9 is not in thresholds of mixin/config.libsonnet"},
		"seconds of days":           {"> 0.85", "> 7 * 86400", ""},
		"days from nowhere":         {"> 0.85", "> 8 * 86400", where + "the number 8 is not in thresholds of mixin/config.libsonnet"},
		"a new metric that is said": {expr, "(gauge and on (k8s_cluster_name) late) > 0.85", ""},
		"an old metric":             {expr, "(gauge and on (k8s_cluster_name) early) > 0.85", where + "early is there only until Calico 3.28, and the runbook does not name Calico 3.28"},
		"an old or a new metric":    {expr, "(gauge and on (k8s_cluster_name) (early or late)) > 0.85", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, goodRule, tc.from)
			content := strings.Replace(goodRule, tc.from, tc.to, 1)
			if name == "a description of nothing" {
				before, _, _ := strings.Cut(goodRule, "description")
				content = before + "description: It is bad.\n          runbook_url: https://runbooks/CalicoBad.md\n"
				tc.problem = where + "the description is not a sentence with a number or a label of what it is about"
			}
			rules := parseRules(t, "alerts/bad.yaml", []byte(content), func(string) string { return goodRunbook })
			require.Len(t, rules, 1)
			wrong := lintRule(rules[0])
			if tc.problem == "" {
				require.Empty(t, wrong)
			} else {
				require.Contains(t, wrong, tc.problem)
			}
		})
	}
}

func TestBadUseOfACounterIsFound(t *testing.T) {
	const none, gauge = "counter is a counter, and is used without one of [rate irate increase]", "gauge is no counter, and is used by one of [rate irate increase]"
	for query, wrong := range map[string]problems{
		"rate(counter[5m]) > 0":                          nil,
		"sum(increase(counter[10m]))":                    nil,
		"counter > 0":                                    {none},
		"max_over_time(counter[5m])":                     {none},
		"max_over_time(rate(counter[5m])[1h:])":          nil,
		"deriv(counter[5m])":                             {"counter is a counter, and is used as a gauge by one of [delta idelta deriv predict_linear double_exponential_smoothing]"},
		"count(counter)":                                 nil,
		"absent(counter)":                                nil,
		"gauge and counter":                              nil,
		"gauge and counter > 5":                          {none},
		"counter and gauge":                              {none},
		"(counter unless counter offset 10m) > 0":        nil,
		"(counter unless gauge offset 10m) > 0":          {none},
		"(counter unless counter) > 0":                   {none},
		"rate(gauge[5m])":                                {gauge},
		"delta(gauge[5m])":                               nil,
		"sum(rate(counter[5m])) / sum(rate(gauge[10m]))": {gauge},
	} {
		expr, err := promQL.ParseExpr(query)
		require.NoError(t, err, query)
		require.Equal(t, wrong, lintCounters(expr, known), query)
	}
}

func TestNumbersOfAnExpressionAreFound(t *testing.T) {
	for query, found := range map[string][]float64{
		"gauge > 0.85 and gauge < 1":                          {0.85},
		"gauge > 3 * 3600":                                    {3},
		"gauge > 3600":                                        {3600},
		"gauge * 100 > 5":                                     {100, 5},
		"topk(10, gauge) > -2":                                {-2},
		"histogram_quantile(0.99, counter) > 0":               nil,
		"quantile_over_time(0.5, gauge[5m])":                  nil,
		"clamp_min(gauge, 4)":                                 {4},
		"count_over_time((gauge > 8)[15m:1m]) > 12 or gauge":  {8, 12},
		"rate(counter[5m]) > on () group_left () (gauge * 2)": {2},
	} {
		expr, err := promQL.ParseExpr(query)
		require.NoError(t, err, query)
		require.Equal(t, found, numbers(expr), query)
	}
}

func TestRuleOfTheCollectorNeedsNoCluster(t *testing.T) {
	for query, wrong := range map[string]int{"own > 0": 0, "own > 0 and gauge": 1, "increase(own_count[10m])": 0, "sum(gauge)": 1, "gauge": 0} {
		expr, err := promQL.ParseExpr(query)
		require.NoError(t, err)
		require.Len(t, lintCluster(rule{expr: expr}, known), wrong, query)
	}
}

func TestRuleWithoutPageAndPageWithoutRuleAreFound(t *testing.T) {
	named := func(alert string) rule {
		r := rule{file: "alerts/bad.yaml", runbook: goodRunbook}
		r.Alert = alert
		return r
	}
	require.Empty(t, lintUnique([]rule{named("A"), named("B")}, []string{"runbooks/A.md", "runbooks/README.md"}, map[string]bool{"A": true, "B": true}))
	require.ElementsMatch(t, problems{
		"alerts/bad.yaml: A: is in alerts/bad.yaml as well", "alerts/bad.yaml: B: no alert_rule_test in tests/ names it",
		"runbooks/C.md: there is no alert C", "tests: there is no alert D",
	}, lintUnique([]rule{named("A"), named("A"), named("B")}, []string{"runbooks/C.md"}, map[string]bool{"A": true, "D": true}))

	for page, problem := range map[string]string{
		"":          "alerts/bad.yaml: CalicoBad: there is no runbooks/CalicoBad.md",
		goodRunbook: "",
		"# Other\n": `alerts/bad.yaml: CalicoBad: its runbook does not begin with "# CalicoBad\n"`,
		strings.Replace(goodRunbook, "## Fix\n", "", 1): "alerts/bad.yaml: CalicoBad: its runbook has sections [Meaning Impact Check Escalate], and not " +
			"[Meaning Impact Check Fix Escalate]",
	} {
		r := named("CalicoBad")
		r.runbook = page
		if wrong := lintRunbook(r); problem == "" {
			require.Empty(t, wrong)
		} else {
			require.Contains(t, wrong, problem)
		}
	}
}

func TestQueriesOfATemplateAreFound(t *testing.T) {
	for text, expected := range map[string]said{
		`{{ $value }} of {{ $labels.ippool }}`:                          {labels: []string{"ippool"}},
		`{{ with query "up" }}{{ . | first | value }}{{ end }}`:         {queries: []string{"up"}},
		`{{ if $labels.a }}{{ range "up" | query }}x{{ end }}{{ end }}`: {queries: []string{"up"}, labels: []string{"a"}},
		`{{ printf "a{x=%q} > %d" $labels.x 3 | query | first }}`:       {queries: []string{`a{x="$x"} > 1`}, labels: []string{"x"}},
		`{{ query (printf "a{x='%s'} %% 2" $labels.x) }}`:               {},
	} {
		asks, err := readTemplate(text)
		if len(expected.queries)+len(expected.labels) == 0 {
			require.Error(t, err, "what is queried has to be said by printf and a pipe")
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, expected, asks, text)
	}
	_, err := readTemplate("{{ $value ")
	require.Error(t, err)
}
