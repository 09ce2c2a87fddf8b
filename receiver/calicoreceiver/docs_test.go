package calicoreceiver

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

// `go test ./receiver/calicoreceiver -run TestTables -update` writes the tables anew.
var update = flag.Bool("update", false, "write the golden files and the generated tables of the docs")

func TestTablesOfTheDocsAreThoseOfTheCode(t *testing.T) {
	var reasons strings.Builder
	reasons.WriteString("| state | reason | component | meaning | fix |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range discovery.Reasons() {
		var components []string
		for _, c := range r.Components {
			components = append(components, "`"+string(c)+"`")
		}
		fmt.Fprintf(&reasons, "| `%s` | `%s` | %s | %s | %s |\n", r.State, r.Reason, strings.Join(components, ", "), r.Meaning, r.Fix)
	}
	var essential strings.Builder
	essential.WriteString("| job | metrics that `essential` leaves out | why |\n| --- | --- | --- |\n")
	for _, d := range scrape.Essential() {
		job := "all"
		if d.Job != "" {
			job = "`" + d.Job + "`"
		}
		fmt.Fprintf(&essential, "| %s | `%s` | %s |\n", job, strings.Join(d.Families, "`, `"), d.Reason)
	}
	for _, tc := range []struct{ file, name, table string }{
		{"../../docs/discovery.md", "reasons", reasons.String()},
		{"README.md", "essential", essential.String()},
	} {
		begin, end := "<!-- begin "+tc.name+" -->\n", "<!-- end "+tc.name+" -->"
		content, err := os.ReadFile(tc.file)
		require.NoError(t, err)
		before, rest, found := strings.Cut(string(content), begin)
		require.True(t, found, "%s has %s", tc.file, begin)
		table, after, found := strings.Cut(rest, end)
		require.True(t, found, "%s has %s", tc.file, end)
		if *update {
			require.NoError(t, os.WriteFile(tc.file, []byte(before+begin+tc.table+end+after), 0o644))
			continue
		}
		if tc.table != table { // without the tables, which would fill the screen
			t.Errorf("%s is not current: run this test with -update", tc.file)
		}
	}
}
