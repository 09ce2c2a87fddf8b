package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// `go test ./internal/metricsdoc -update` writes the golden file anew.
var update = flag.Bool("update", false, "write the golden file")

func TestPageHasARowForEveryMetric(t *testing.T) {
	golden, err := filepath.Abs("testdata/metrics.md")
	require.NoError(t, err)
	content, err := os.ReadFile("testdata/metadata.yaml")
	require.NoError(t, err)

	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("docs", 0o755))
	require.NoError(t, os.MkdirAll("receiver/boilerreceiver", 0o755))
	require.NoError(t, os.WriteFile("receiver/boilerreceiver/metadata.yaml", content, 0o644))
	require.NoError(t, run("docs/metrics.md", []string{"receiver/boilerreceiver/metadata.yaml"}))

	page, err := os.ReadFile("docs/metrics.md")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(golden, page, 0o644))
	}
	expected, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(expected), string(page))
}

func TestMetricThatIsNotDocumentedIsNamed(t *testing.T) {
	const metrics = "metrics:\n  documented:\n    extended_documentation: \"Formula: 1.\\n\\nExample: `documented`\"\n  lacking:\n    extended_documentation: "
	for name, tc := range map[string]struct{ metadata, err string }{
		"nothing is said": {
			metrics + `""`, `metric lacking: extended_documentation has no paragraph "Formula: …"`,
		},
		"no formula": {
			metrics + "\"Example: `up`\"", `metric lacking: extended_documentation has no paragraph "Formula: …"`,
		},
		"no example": {
			metrics + `"Formula: 1."`, `metric lacking: extended_documentation has no paragraph "Example: …"`,
		},
		"example without backquotes": {
			metrics + `"Formula: 1.\n\nExample: up == 0"`, "metric lacking: its example is not one query in backquotes, as in: Example: `up == 0`",
		},
		"example of one backquote": {
			metrics + "\"Formula: 1.\\n\\nExample: `\"", "metric lacking: its example is not one query in backquotes, as in: Example: `up == 0`",
		},
		"two examples in one": {
			metrics + "\"Formula: 1.\\n\\nExample: `up` and `up == 0`\"", "metric lacking: its example is not one query in backquotes, as in: Example: `up == 0`",
		},
		"no example of an internal one": {
			"telemetry:\n  " + `metrics: {lacking: {extended_documentation: "Formula: 1."}}`,
			`metric lacking: extended_documentation has no paragraph "Example: …"`,
		},
		"a label that is not defined": {
			metrics + "\"Formula: 1.\\n\\nExample: `up`\"\n    attributes: [colour]", "metric lacking: attribute colour is not defined",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(tc.metadata))
			require.EqualError(t, err, tc.err)
		})
	}
}

func TestPageIsNotWrittenWhereAMetricIsNotDocumented(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("metadata.yaml", []byte("metrics: {a: {}, b: {}}"), 0o644))
	err := run("metrics.md", []string{"metadata.yaml"})
	require.ErrorContains(t, err, "metadata.yaml: metric a: ")
	require.ErrorContains(t, err, "metric b: ")
	require.NoFileExists(t, "metrics.md")

	require.ErrorContains(t, run("metrics.md", []string{"missing.yaml"}), "read metadata: ")
	require.EqualError(t, run("metrics.md", nil), "no metadata.yaml is named")
}
