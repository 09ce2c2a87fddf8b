//go:build e2e

package monitoring

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/promquery"
)

// absent are series that alerts and panels ask for and that this lab does not have.
var absent = []struct{ metric, matcher, why string }{
	{`calico:ippool_alerts:off`, ``, "made by a rule of those who want no alerts on a pool"},
	{`felix_nft_\w+`, ``, "Calico 3.29 and later"},
	{`felix_route_table_resync_seconds_\w+`, ``, "Calico 3.29 and later"},
	// Counters come into being with the first that they count.
	{`otelcol_processor_calico_ipam_(unreadable_points|storage_failures)`, ``, "nothing failed"},
	{`otelcol_processor_calico_ipam_scrapes`, `outcome!="computed"`, "nothing failed"},
}

// lacking says why an expression has no answer in this lab, if it selects what is absent.
func lacking(t *testing.T, expression string) (why string) {
	t.Helper()
	for _, name := range promquery.Selected(parse(t, expression)) {
		for _, a := range absent {
			if regexp.MustCompile(`^(?:`+a.metric+`)$`).MatchString(name) && strings.Contains(expression, a.matcher) {
				return a.why
			}
		}
	}
	return ""
}

// TestWhatIsAbsentIsAskedFor keeps the list short.
func TestWhatIsAbsentIsAskedFor(t *testing.T) {
	var all []string
	for _, r := range loadRules(t) {
		all = append(all, r.Expr)
	}
	for _, d := range loadDashboards(t) {
		for _, p := range flat(d.Panels) {
			for _, q := range p.Targets {
				all = append(all, q.Expr)
			}
		}
	}
	text := strings.Join(all, "\n")
	for _, a := range absent {
		require.Regexp(t, a.metric, text)
		require.Contains(t, text, a.matcher)
	}
}

// firing is an alert with the labels by which it is known that its cause is the one that the test provoked.
type firing struct{ alert, labels string }

func (f firing) String() string { return f.alert + "{" + f.labels + "}" }

// awaitFiring waits until alerts fire, or have fired.
func (s *site) awaitFiring(t *testing.T, wanted []firing) {
	t.Helper()
	settle(t, 2*patience, "alerts that do not fire", func() []string { return s.silent(t, wanted...) })
}

// silent are those of the alerts that have not fired.
func (s *site) silent(t *testing.T, wanted ...firing) (missing []string) {
	t.Helper()
	for _, f := range wanted {
		vector, err := query(t.Context(), s.prom, fmt.Sprintf(`count_over_time(ALERTS{alertstate="firing",alertname=%q,%s}[1h])`, f.alert, f.labels))
		if err != nil || len(vector) == 0 {
			missing = append(missing, fmt.Sprintf("%s (%v)", f, err))
		} else {
			s.fired[f.alert] = true
		}
	}
	return missing
}

// ofMissingFelix says whether something is about Felix, which is left out where it cannot run.
func ofMissingFelix(text string) bool {
	return lab.Felix != "running" && strings.Contains(text, "felix")
}

// rulesAnswer asks for the data of every alert.
func (s *site) rulesAnswer(t *testing.T) {
	rules := loadRules(t)
	open := map[string]string{} // expressions without an answer so far, and whose they are
	for _, r := range rules {
		for _, expression := range dataOf(t, r.Expr) {
			if !ofMissingFelix(expression) {
				open[expression] = r.Alert
			}
		}
	}
	asked, reasons := len(open), map[string]bool{}
	for expression := range open {
		if why := lacking(t, expression); why != "" {
			delete(open, expression)
			reasons[why] = true
		}
	}
	for _, a := range absent {
		vector, err := query(t.Context(), s.prom, fmt.Sprintf(`{__name__=~%q,%s}`, a.metric, a.matcher))
		require.NoError(t, err)
		require.Empty(t, vector, "%s is there, and is said to be not: %s", a.metric, a.why)
	}
	answered := len(open)
	settle(t, patience, "expressions without an answer", func() (missing []string) {
		for expression, alert := range maps.Clone(open) {
			vector, err := query(t.Context(), s.prom, expression)
			if err == nil && len(vector) > 0 {
				delete(open, expression)
				continue
			}
			missing = append(missing, fmt.Sprintf("%s: %s (%v)", alert, expression, err))
		}
		return missing
	})
	t.Logf("%d rules: %d of %d expressions answered; the others cannot be here: %s", len(rules), answered, asked,
		strings.Join(slices.Sorted(maps.Keys(reasons)), ", "))
}

// asking is a query of a panel, and what of it was answered so far.
type asking struct {
	dashboard dashboard
	panel     panel
	target    target
	answered  map[int]bool
	open      []string
}

func (a *asking) String() string {
	return fmt.Sprintf("%s, %s, %s: %s", a.dashboard.File, a.panel.Title, a.target.RefID, strings.Join(a.open, "; "))
}

// ask asks for the query and, as one with "or vector(0)" always has an answer, for the data that it is about. Each has to have an answer for some choice of
// variables.
func (a *asking) ask(t *testing.T, s *site, choices []map[string]string) (done bool) {
	t.Helper()
	for _, chosen := range choices {
		whole, err := substitute(a.target.Expr, chosen)
		require.NoError(t, err, a)
		a.open = nil
		for i, expression := range append([]string{whole}, dataOf(t, whole)...) {
			if a.answered[i] || (i > 0 && lacking(t, expression) != "") {
				continue
			}
			series, err := a.target.answer(t.Context(), s.prom, expression)
			require.NoError(t, err, a)
			if len(series) == 0 {
				a.open = append(a.open, expression)
				continue
			}
			a.answered[i] = true
			if i == 0 {
				require.Empty(t, a.target.unnamed(series), a)
			}
		}
		if len(a.open) == 0 {
			return true
		}
	}
	return false
}

// panelsAnswer asks all that the dashboards ask.
func (s *site) panelsAnswer(t *testing.T) {
	var open []*asking
	panels, variables := 0, 0
	for _, d := range loadDashboards(t) {
		if ofMissingFelix(d.File) {
			continue
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				variables++
			}
		}
		for _, p := range flat(d.Panels) {
			if len(p.Targets) > 0 {
				panels++
			}
			for _, q := range p.Targets {
				if !ofMissingFelix(q.Expr) {
					open = append(open, &asking{dashboard: d, panel: p, target: q, answered: map[int]bool{}, open: []string{q.Expr}})
				}
			}
		}
	}
	asked := len(open)
	settle(t, patience, "queries without an answer", func() (missing []string) {
		choices := map[string][]map[string]string{}
		open = slices.DeleteFunc(open, func(a *asking) bool {
			file := a.dashboard.File
			if _, known := choices[file]; !known {
				var err error
				if choices[file], err = a.dashboard.choices(t.Context(), s.prom); err != nil {
					missing = append(missing, err.Error())
				}
			}
			if a.ask(t, s, choices[file]) {
				return true
			}
			if !a.panel.mayBeEmpty() {
				missing = append(missing, a.String())
			}
			return false
		})
		return missing
	})
	t.Logf("%d panels, %d variables: %d of %d queries answered", panels, variables, asked-len(open), asked)
	for _, a := range open {
		t.Logf("empty, as the description says that it may be: %s", a)
	}
}
