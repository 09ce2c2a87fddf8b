package calicoipamprocessor

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/require"
)

// TestRules runs every directory in testdata/rules, each named by the rule it shows. The batches N-input.yaml pass through one processor
// in turn; N-output.yaml holds what each of them has gained, by resource, and that all else is untouched is checked for all of them.
func TestRules(t *testing.T) {
	const root = "testdata/rules"
	rules, err := os.ReadDir(root)
	require.NoError(t, err)
	require.NotEmpty(t, rules)
	for _, rule := range rules {
		t.Run(rule.Name(), func(t *testing.T) {
			dir := filepath.Join(root, rule.Name())
			inputs, err := filepath.Glob(filepath.Join(dir, "*-input.yaml"))
			require.NoError(t, err)
			require.NotEmpty(t, inputs)
			p, sink := started(t)
			for n := range inputs {
				prefix := filepath.Join(dir, strconv.Itoa(n+1))
				input, err := golden.ReadMetrics(prefix + "-input.yaml")
				require.NoError(t, err)
				require.NotZero(t, input.DataPointCount())
				requireGolden(t, prefix+"-output.yaml", consume(t, p, sink, input))
			}
		})
	}
}
