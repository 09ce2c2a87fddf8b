package monitoring

import (
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/stretchr/testify/require"
)

const goodDashboard = `{
  "uid": "calico-felix", "title": "Felix", "description": "All of them.", "tags": ["calico"], "schemaVersion": 42, "annotations": {"list": []},
  "templating": {"list": [
    {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"},
    {"type": "query", "name": "cluster", "label": "Cluster", "datasource": {"type": "prometheus", "uid": "${datasource}"},
     "query": {"query": "label_values(gauge, k8s_cluster_name)", "refId": "cluster"}, "refresh": 2, "multi": true, "includeAll": true},
    {"type": "query", "name": "job", "label": "Job", "datasource": {"type": "prometheus", "uid": "${datasource}"},
     "query": "label_values(gauge, job)", "refresh": 2, "multi": true, "includeAll": true},
    {"type": "query", "name": "instance", "label": "Instance", "datasource": {"type": "prometheus", "uid": "${datasource}"},
     "query": "label_values(gauge, instance)", "refresh": 2, "multi": true, "includeAll": true}
  ]},
  "panels": [
    {"type": "row", "title": "Now", "collapsed": false, "id": 1, "panels": [], "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}},
    {"type": "timeseries", "title": "Rates", "description": "How many. Empty where there are none.", "datasource": {"type": "prometheus", "uid": "${datasource}"},
     "id": 2, "gridPos": {"x": 0, "y": 1, "w": 12, "h": 8}, "options": {"legend": {"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []},
     "tooltip": {"mode": "multi", "sort": "desc"}},
     "targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "legendFormat": "{{instance}}",
       "expr": "sum by (instance) (rate(counter{k8s_cluster_name=~\"$cluster\",job=~\"$job\",instance=~\"$instance\"}[$__rate_interval]))"}],
     "fieldConfig": {"defaults": {"unit": "ops", "color": {"mode": "fixed", "fixedColor": "#0072B2"}, "custom": {"lineWidth": 2},
       "thresholds": {"mode": "absolute", "steps": [{"color": "#56B4E9", "value": null}, {"color": "#D55E00", "value": 0.85}]}},
       "overrides": [{"matcher": {"id": "byName", "options": "a"}, "properties": [{"id": "unit", "value": "s"},
         {"id": "links", "value": [{"title": "It", "url": "/d/calico-felix?var-instance=${__data.fields.instance}"}]}]}]}},
    {"type": "stat", "title": "Now", "description": "One number.", "datasource": {"type": "prometheus", "uid": "${datasource}"},
     "id": 3, "gridPos": {"x": 12, "y": 1, "w": 4, "h": 4}, "options": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
     "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto"},
     "targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "legendFormat": "__auto", "instant": true,
       "expr": "sum(gauge{k8s_cluster_name=~\"$cluster\",job=~\"$job\",instance=~\"$instance\"}) > 7"}],
     "fieldConfig": {"defaults": {"unit": "none"}, "overrides": []}}
  ]
}`

func lintDashboard(d dashboard) problems {
	thresholds := []float64{0.85, 7}
	units := []string{"ops", "s", "none"}
	var wrong problems
	for _, of := range []problems{
		lintSchema(d), lintGrafana(d, units), lintVariables(d, known), lintLook(d), lintLinks(d, map[string]bool{"calico-felix": true}, "https://runbooks"),
		lintSteps(d, thresholds),
	} {
		wrong = append(wrong, of...)
	}
	for _, p := range d.Panels {
		for _, problem := range lintPanel(d, p, known, thresholds) {
			d.add(&wrong, p, "%s", problem)
		}
	}
	return wrong
}

func TestBadDashboardIsFound(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	const (
		d, rates, now = "dashboards/bad.json: ", "dashboards/bad.json: Rates: ", "dashboards/bad.json: Now: "
		stat          = `sum(gauge{k8s_cluster_name=~\"$cluster\",job=~\"$job\",instance=~\"$instance\"}) > 7`
	)
	for name, tc := range map[string]struct{ from, to, problem string }{
		"a good one":                       {"", "", ""},
		"a field that is not":              {`"uid":`, `"uuid": "x", "uid":`, d + "Dashboard: unexpected field 'uuid'"},
		"an option that is not":            {`"showLegend": true`, `"show": true, "showLegend": true`, "unexpected field 'show'"},
		"a custom field that is not":       {`"lineWidth": 2`, `"lineWidths": 2`, "unexpected field 'lineWidths'"},
		"a default that is not":            {`"unit": "ops"`, `"unit": "ops", "units": "ops"`, d + "Rates: defaults.FieldConfig: unexpected field 'units'"},
		"a field of a query that is not":   {`"legendFormat": "__auto"`, `"legend": "x", "legendFormat": "__auto"`, "unexpected field 'legend'"},
		"a panel that is not":              {`"type": "stat"`, `"type": "number"`, now + "Grafana has no panel number"},
		"an old schema":                    {`"schemaVersion": 42`, `"schemaVersion": 36`, d + "has schemaVersion 36, and the current one is 42"},
		"no description":                   {`"description": "All of them."`, `"description": ""`, d + "has no title, description or tags"},
		"no datasource":                    {`"label": "Data source"`, `"label": "Source"`, d + "template-datasource-rule: has no variable datasource, labelled Data source, of Prometheus"},
		"a variable that stays":            {`"refresh": 2`, `"refresh": 1`, d + "template-on-time-change-reload-rule: variable cluster is not asked for again when the time changes"},
		"a variable of another source":     {`"datasource": {"type": "prometheus", "uid": "${datasource}"},` + "\n" + `     "query": "label_values(gauge, job)"`, `"query": "label_values(gauge, job)"`, d + "template-datasource-rule: variable job has datasource {Type: UID:}"},
		"no instances":                     {`"name": "instance"`, `"name": "pod"`, d + "template-instance-rule: has no variable instance with a label, of which several can be chosen"},
		"one job":                          {`"query": "label_values(gauge, job)", "refresh": 2, "multi": true`, `"query": "label_values(gauge, job)", "refresh": 2`, d + "template-job-rule: has no variable job with a label, of which several can be chosen"},
		"a variable that nothing uses":     {`"name": "job"`, `"name": "jobs"`, d + "nothing uses the variable jobs"},
		"a variable that is not":           {`"name": "job"`, `"name": "jobs"`, d + "there is no variable job, which is used"},
		"values that are not asked for":    {`label_values(gauge, job)`, `gauge`, d + "template-label-promql-rule: variable job is not label_values(metric, label)"},
		"values of a metric that is not":   {`label_values(gauge, job)`, `label_values(gauges, job)`, d + "variable job: gauges is no metric"},
		"values of a label that is not":    {`label_values(gauge, job)`, `label_values(gauge, pod)`, d + "variable job: pod is no label of gauge"},
		"values of a query that is none":   {`label_values(gauge, job)`, `label_values(gauge{, job)`, "template-label-promql-rule: variable job: gauge{ is no PromQL"},
		"a panel of another source":        {`"description": "One number.", "datasource": {"type": "prometheus", "uid": "${datasource}"}`, `"description": "One number.", "datasource": {"type": "prometheus", "uid": "P1"}`, now + "panel-datasource-rule: has datasource {Type:prometheus UID:P1}"},
		"a query of another source":        {`"datasource": {"type": "prometheus", "uid": "${datasource}"}, "legendFormat": "__auto"`, `"legendFormat": "__auto"`, now + "panel-datasource-rule: a query has datasource {Type: UID:}"},
		"a panel without a description":    {`"One number."`, `"number"`, now + "panel-title-description-rule: has no title, or no description that is a sentence"},
		"a unit that is not":               {`"unit": "ops"`, `"unit": "requests"`, rates + `panel-units-rule: Grafana has no unit "requests"`},
		"no unit":                          {`"unit": "none"`, `"decimals": 1`, now + `panel-units-rule: Grafana has no unit ""`},
		"a unit of a column that is not":   {`"value": "s"`, `"value": "secs"`, rates + `panel-units-rule: Grafana has no unit "secs"`},
		"a query that is none":             {stat, `sum(gauge`, "is no PromQL"},
		"a metric that is not":             {stat, strings.Replace(stat, "gauge", "gauges", 1), now + "gauges is no metric"},
		"a rate over a fixed time":         {"$__rate_interval", "5m", rates + "target-rate-interval-rule: rate(counter{instance=~\"$instance\",job=~\"$job\",k8s_cluster_name=~\"$cluster\"}[5m]) is not over $__rate_interval"},
		"an interval of rates for a gauge": {stat, `max_over_time(` + stat[4:len(stat)-5] + `[$__rate_interval])`, now + "target-rate-interval-rule: $__rate_interval is used without rate or increase"},
		"a counter by itself":              {stat, strings.Replace(stat, "gauge", "counter", 1), now + "counter is a counter, and is used without one of [rate irate increase]"},
		"all clusters":                     {stat, strings.Replace(stat, `k8s_cluster_name=~\"$cluster\",`, "", 1), now + `gauge is not filtered by k8s_cluster_name=~"$cluster"`},
		"all jobs":                         {stat, strings.Replace(stat, `job=~\"$job\",`, "", 1), now + `target-job-rule: gauge is not filtered by job=~"$job"`},
		"all instances":                    {stat, strings.Replace(stat, `,instance=~\"$instance\"`, "", 1), now + `target-instance-rule: gauge is not filtered by instance=~"$instance"`},
		"a number from nowhere":            {"> 7", "> 8", now + "the number 8 is not in thresholds of mixin/config.libsonnet"},
		"a metric of some versions":        {stat, strings.Replace(stat, "gauge", "late", 1), now + "late is there only since Calico 3.29, and no sentence of the description begins with Empty"},
		"no legend":                        {`"{{instance}}"`, `"__auto"`, rates + `a query has no legend: sum by (instance)`},
		"a legend of another label":        {`"{{instance}}"`, `"{{pod}}"`, rates + `its legend is by pod, which is no label of sum by (instance)`},
		"a step from nowhere":              {`"value": 0.85`, `"value": 0.9`, rates + "the threshold 0.9 is not in thresholds of mixin/config.libsonnet"},
		"a colour of somebody":             {"#D55E00", "red", d + "the colour red is none of those that everybody tells apart"},
		"colours of somebody":              {`"mode": "fixed"`, `"mode": "palette-classic"`, d + "the colours palette-classic are none of those that everybody tells apart"},
		"a narrow panel":                   {`"w": 12, "h": 8`, `"w": 6, "h": 8`, rates + "is 6 columns wide, and a timeseries needs 8"},
		"a panel on another":               {`"x": 12, "y": 1`, `"x": 11, "y": 1`, now + "lies on Rates"},
		"a panel outside":                  {`"x": 12, "y": 1`, `"x": 21, "y": 1`, now + "is not on the grid of 24 columns"},
		"a link to nowhere":                {"/d/calico-felix?", "/d/felix?", d + "there is no dashboard felix, to which it links"},
		"a link by another field":          {"${__data.fields.instance}", "${__data.fields.pod}", rates + "links by the field pod, which no query has"},
		"a runbook that is not":            {"/d/calico-felix?", "https://runbooks/CalicoNothing.md?", "there is no runbooks/CalicoNothing.md"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, goodDashboard, tc.from)
			wrong := lintDashboard(parseDashboard(t, "dashboards/bad.json", []byte(strings.Replace(goodDashboard, tc.from, tc.to, 1))))
			if tc.problem == "" {
				require.Empty(t, wrong)
			} else {
				require.Contains(t, strings.Join(wrong, "\n"), tc.problem)
			}
		})
	}
}

func TestInstantQueryMayNameItsTime(t *testing.T) {
	for query, instant := range map[string]bool{"increase(counter[1h])": true, "increase(counter[1m])": false, "rate(counter[$__rate_interval])": true} {
		expr, err := parseQuery(query)
		require.NoError(t, err)
		require.Equal(t, instant, len(lintRateInterval(expr, true)) == 0, query)
	}
	expr, err := parseQuery("max_over_time(gauge[1h])")
	require.NoError(t, err)
	require.Empty(t, lintRateInterval(expr, false))
}
