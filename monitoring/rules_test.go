package monitoring

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// rule is an alert, and what is read beside it.
type rule struct {
	// file is where it is, as in alerts/felix.yaml.
	file string
	rulefmt.Rule
	expr parser.Expr
	// runbook is its page, empty where there is none.
	runbook string
}

// add adds a problem of the rule.
func (r rule) add(to *problems, format string, args ...any) {
	to.add("%s: %s: "+format, append([]any{r.file, r.Alert}, args...)...)
}

var promQL = parser.NewParser(parser.Options{})

// parseRules reads a file of rules as Prometheus does, which includes their templates.
func parseRules(t *testing.T, file string, content []byte, page func(alert string) string) []rule {
	t.Helper()
	groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
	require.Empty(t, errs, file)
	var rules []rule
	for _, group := range groups.Groups {
		for _, of := range group.Rules {
			expr, err := promQL.ParseExpr(of.Expr)
			require.NoError(t, err)
			rules = append(rules, rule{file: file, Rule: of, expr: expr, runbook: page(of.Alert)})
		}
	}
	return rules
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var rules []rule
	for _, file := range glob(t, "alerts/*.yaml") {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		rules = append(rules, parseRules(t, filepath.ToSlash(file), content, func(alert string) string {
			page, err := os.ReadFile("runbooks/" + alert + ".md")
			if err != nil {
				return ""
			}
			return string(page)
		})...)
	}
	return rules
}

// glob are the files of a pattern, at least one.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files
}

var (
	alertName = regexp.MustCompile(`^Calico[A-Z][A-Za-z0-9]*$`)
	sections  = []string{"Meaning", "Impact", "Check", "Fix", "Escalate"}
)

// lintForm is about what is around the expression.
func lintForm(r rule, runbooksURL string) problems {
	var wrong problems
	if !alertName.MatchString(r.Alert) {
		r.add(&wrong, "the name is not one like CalicoIPPoolFull")
	}
	if r.For == 0 {
		r.add(&wrong, "has no for")
	}
	if severity := r.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
		r.add(&wrong, "severity is %q, and not critical, warning or info", severity)
	}
	for key := range r.Annotations {
		if !slices.Contains([]string{"summary", "description", "runbook_url"}, key) {
			r.add(&wrong, "has an annotation %s, which no other alert has", key)
		}
	}
	summary, description := r.Annotations["summary"], r.Annotations["description"]
	if summary == "" || strings.Contains(summary, "\n") || !strings.HasSuffix(summary, ".") {
		r.add(&wrong, "the summary %q is not one line that ends with a full stop", summary)
	}
	if !strings.HasSuffix(description, ".") || !strings.Contains(description, "{{") {
		r.add(&wrong, "the description is not a sentence with a number or a label of what it is about")
	}
	if expected := runbooksURL + "/" + r.Alert + ".md"; r.Annotations["runbook_url"] != expected {
		r.add(&wrong, "runbook_url is %q, and not %s", r.Annotations["runbook_url"], expected)
	}
	return wrong
}

// lintRunbook is about the page of a rule.
func lintRunbook(r rule) problems {
	var wrong problems
	if r.runbook == "" {
		r.add(&wrong, "there is no runbooks/%s.md", r.Alert)
		return wrong
	}
	if title := "# " + r.Alert + "\n"; !strings.HasPrefix(r.runbook, title) {
		r.add(&wrong, "its runbook does not begin with %q", title)
	}
	var has []string
	for line := range strings.Lines(r.runbook) {
		if section, ok := strings.CutPrefix(line, "## "); ok {
			has = append(has, strings.TrimSpace(section))
		}
	}
	if !slices.Equal(has, sections) {
		r.add(&wrong, "its runbook has sections %v, and not %v", has, sections)
	}
	return wrong
}

// lintUnique is about all rules together, and about the pages and tests beside them: each rule has one of each, and each page a rule.
func lintUnique(rules []rule, runbooks []string, tested map[string]bool) problems {
	var wrong problems
	alerts := map[string]string{}
	for _, r := range rules {
		if other, twice := alerts[r.Alert]; twice {
			r.add(&wrong, "is in %s as well", other)
		}
		alerts[r.Alert] = r.file
		if !tested[r.Alert] {
			r.add(&wrong, "no alert_rule_test in tests/ names it")
		}
	}
	for _, page := range runbooks {
		alert := strings.TrimSuffix(filepath.Base(page), ".md")
		if _, ok := alerts[alert]; !ok && alert != "README" {
			wrong.add("%s: there is no alert %s", filepath.ToSlash(page), alert)
		}
	}
	for alert := range tested {
		if _, ok := alerts[alert]; !ok {
			wrong.add("tests: there is no alert %s", alert)
		}
	}
	return wrong
}

func TestRules(t *testing.T) {
	all, rules, config := readMetrics(t), readRules(t), readConfig(t)
	tests := readRuleTests(t)
	wrong := lintUnique(rules, glob(t, "runbooks/*.md"), tests.alerts)
	for _, r := range rules {
		wrong = slices.Concat(wrong, lintForm(r, config.RunbooksURL), lintRunbook(r), lintSelected(r, all), lintAnnotations(r, all), lintCluster(r, all),
			lintRanges(r), lintRuleVersions(r, all), inRule(r, lintCounters(r.expr, all)), inRule(r, lintNumbers(r.expr, config.numbers())))
	}
	wrong.none(t)
	t.Logf("rules: %d in %d files", len(rules), len(glob(t, "alerts/*.yaml")))
	t.Logf("rule tests: %d groups in %d files", tests.groups, tests.files)
	t.Logf("runbooks: %d", len(rules))
}

// inRule says of problems of an expression which rule it is of.
func inRule(r rule, of problems) problems {
	var wrong problems
	for _, problem := range of {
		r.add(&wrong, "%s", problem)
	}
	return wrong
}
