package monitoring

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// document is what is read of a page in Markdown.
type document struct {
	file string
	// queries are those of blocks that say they are PromQL, and spans is code within a sentence.
	queries, spans []code
}

type code struct {
	line int
	text string
}

var (
	span = regexp.MustCompile("`([^`\n]+)`")
	// continuation is a line that no query begins with.
	continuation = regexp.MustCompile(`^(\s|\)|[-+*/%<>=!]|(and|or|unless|on|ignoring|group_left|group_right|by|without|offset)\b)`)
)

// parseDocument reads a page. In tables a bar is written \|.
func parseDocument(file, content string) document {
	d := document{file: file}
	fence, language := "", ""
	for i, line := range strings.Split(content, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, language = "```", strings.TrimPrefix(trimmed, "```")
		case fence != "" && strings.HasPrefix(trimmed, fence):
			fence = ""
		case fence == "":
			for _, match := range span.FindAllStringSubmatch(line, -1) {
				d.spans = append(d.spans, code{line: i + 1, text: strings.ReplaceAll(match[1], `\|`, "|")})
			}
		case language == "promql":
			query, _, _ := strings.Cut(line, "#")
			if strings.TrimSpace(query) == "" {
				continue
			}
			last := len(d.queries) - 1
			if last >= 0 && d.queries[last].line > 0 && (continuation.MatchString(query) || !parses(d.queries[last].text)) {
				d.queries[last].text += "\n" + query
			} else {
				d.queries = append(d.queries, code{line: i + 1, text: query})
			}
		}
	}
	return d
}

func parses(query string) bool {
	_, err := parseQuery(query)
	return err == nil
}

var (
	// named is what may be a metric, with what may follow it where it stands for several.
	named = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:.-]*\*?`)
	// prefixes are those of metrics, which no other names in these documents have but those in notMetrics.
	prefixes = []string{"felix_", "typha_", "goldmane_", "ipam_", "calico_", "otelcol_", "tigera_operator_", "wireguard_", "scrape_", "promhttp_", "calico:"}
	// notMetrics have the prefix of metrics and are none, or none anymore.
	notMetrics = map[string]string{
		"calico_ipam":        "the type of the processor in a configuration",
		"calico_system_tier": "a reason of calico_component_endpoints",
		"scrape_failed":      "a reason of calico_component_endpoints",
		"scrape_limit":       "a reason of calico_component_endpoints",
	}
	quoted = regexp.MustCompile(`"[^"]*"`)
)

// lintDocument finds metrics and labels that do not exist.
func lintDocument(d document, all metrics) problems {
	var wrong problems
	for _, query := range d.queries {
		expr, err := parseQuery(query.text)
		if err != nil {
			wrong.add("%s:%d: %v", d.file, query.line, err)
			continue
		}
		for _, problem := range lintQuery(expr, all) {
			wrong.add("%s:%d: %s", d.file, query.line, problem)
		}
	}
	for _, of := range d.spans {
		if expr, err := parseQuery(of.text); err == nil && strings.ContainsAny(of.text, "{([") {
			for _, problem := range lintQuery(expr, all) {
				wrong.add("%s:%d: %s", d.file, of.line, problem)
			}
			continue
		}
		for _, name := range named.FindAllString(quoted.ReplaceAllString(of.text, ""), -1) {
			name = strings.TrimRight(name, ".:-")
			_, allowed := notMetrics[name]
			if isMetric := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }); isMetric && !allowed && !all.knows(name) {
				wrong.add("%s:%d: %s is no metric", d.file, of.line, name)
			}
		}
	}
	return wrong
}

// knows is whether there is such a metric or label, or a metric that begins so where the name ends with a star or an underscore. A histogram is known by the
// name of its family too.
func (m metrics) knows(name string) bool {
	prefix, several := strings.CutSuffix(name, "*")
	several = several || strings.HasSuffix(name, "_")
	for known, metric := range m {
		if known == name || known == name+"_bucket" || slices.Contains(metric.labels, name) || several && strings.HasPrefix(known, prefix) {
			return true
		}
	}
	return false
}

// pages are the documents that speak of metrics.
func pages(t *testing.T) []string {
	t.Helper()
	found := append(glob(t, "../docs/*.md"), "../README.md")
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	}))
	return found
}

func TestDocumentsNameMetricsThatExist(t *testing.T) {
	all := readMetrics(t)
	var wrong problems
	queries, spans := 0, 0
	for _, page := range pages(t) {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		d := parseDocument(filepath.ToSlash(page), string(content))
		queries += len(d.queries)
		spans += len(d.spans)
		wrong = append(wrong, lintDocument(d, all)...)
	}
	wrong.none(t)
	t.Logf("documents: %d, with %d queries in blocks and %d pieces of code in sentences", len(pages(t)), queries, spans)
}

func TestDocumentIsTakenApart(t *testing.T) {
	d := parseDocument("a.md", strings.Join([]string{
		"Of `a` and | `b\\|c` |", "```promql", "# why", "sum(", "  a", ") > 0", "", "b", "  and c", "unless d", "e # also", "```", "```yaml", "f: `g`", "```", "`h`",
	}, "\n"))
	require.Equal(t, document{
		file:    "a.md",
		queries: []code{{4, "sum(\n  a\n) > 0"}, {8, "b\n  and c\nunless d"}, {11, "e "}},
		spans:   []code{{1, "a"}, {1, "b|c"}, {16, "h"}},
	}, d)
}

func TestDocumentWithAWrongNameIsFound(t *testing.T) {
	all := metrics{
		"ipam_blocks":       {labels: []string{"node"}},
		"felix_a_bucket":    {counter: true, labels: []string{"le"}},
		"calico_state_info": {labels: []string{"state"}, values: map[string][]string{"state": {"on", "off"}}},
	}
	for text, wrong := range map[string]problems{
		"`ipam_blocks` of `felix_a`, `ipam_*`, `calico_ipam`, `felix_a_bucket{le=\"1\"}`": nil,
		"`ipam_block`":              {"a.md:1: ipam_block is no metric"},
		"`sum(ipam_block)`":         {"a.md:1: ipam_block is no metric"},
		"`typha_*`":                 {"a.md:1: typha_* is no metric"},
		"`ipam_blocks{pool=\"a\"}`": {"a.md:1: pool is no label of ipam_blocks"},
		"```promql\nsum by (pool) (ipam_blocks)\n```": {"a.md:2: pool is no label of ipam_blocks"},
		"```promql\nsum(up)\n```":                     {"a.md:2: up is no metric"},
		"```promql\nsum(\n```":                        {"a.md:2: sum( is no PromQL: 1:5: parse error: unclosed left parenthesis"},
		"`calico_state_info{state=\"of\"}`":           {`a.md:1: calico_state_info has no value like state="of", only [on off]`},
		"`calico_state_info{state=~\"on|x\"}`":        nil,
		"`calico_state_info{state!=\"offf\"}`":        {`a.md:1: calico_state_info has no value like state!="offf", only [on off]`},
	} {
		require.Equal(t, wrong, lintDocument(parseDocument("a.md", text), all), text)
	}
}
