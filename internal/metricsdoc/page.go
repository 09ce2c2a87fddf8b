package main

import (
	"fmt"
	"strings"
)

const introduction = `<!-- Generated from the components' metadata.yaml by internal/metricsdoc. DO NOT EDIT: change metadata.yaml and run make generate. -->

# Metrics

Every metric that the components of this distribution make, with its formula and a query to start from. Units are written as in
[UCUM](https://ucum.org/ucum); a name leads to what the metric and its labels mean. Names and labels are those that Prometheus has, after remote write as in
[configs/cluster.yaml](../configs/cluster.yaml), which adds ` + "`job`, `instance` and `k8s_cluster_name`" + `; where a
Prometheus has several clusters, each needs its ` + "`cluster_name`" + ` for the queries to tell them apart. What Calico's components publish
themselves passes through under Calico's names and is not listed here, but for the ` + "`ipam_*`" + ` that the receiver counts itself. A number that is not
known is left out, never 0.
`

const internalIntroduction = `
### Internal telemetry of the %s

At the collector's own metrics endpoint, ` + "`localhost:8888`" + ` unless it is configured. Counters have the suffix ` + "`_total`" + ` there only where
a reader of ` + "`service::telemetry::metrics`" + ` is configured with suffixes.

`

// page returns the page in Markdown.
func page(components []component) string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, c := range components {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", c.name, c.description)
		if len(c.metrics) > 0 {
			b.WriteString("\n")
			table(&b, c.documentation, c.metrics)
		}
		if len(c.internal) > 0 {
			fmt.Fprintf(&b, internalIntroduction, c.name)
			table(&b, c.documentation, c.internal)
		}
	}
	return b.String()
}

func table(b *strings.Builder, documentation string, metrics []metric) {
	b.WriteString("| metric | unit | labels | formula | example PromQL |\n| --- | --- | --- | --- | --- |\n")
	for _, m := range metrics {
		name := fmt.Sprintf("<a id=%q></a>[`%s`](%s#%s)", m.name, m.name, documentation, m.name)
		if !m.enabled {
			name += ", off by default"
		}
		var labels []string
		for _, label := range m.labels {
			labels = append(labels, "`"+label+"`")
		}
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | `%s` |\n", name, m.unit, strings.Join(labels, ", "), cell(m.formula), cell(m.example))
	}
}

// cell escapes what would end a cell of a table. GitHub takes the backslash away again, in code as well.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
