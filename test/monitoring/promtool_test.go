//go:build e2e

package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// promtool runs it as it was built with the lab.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(os.Getenv("LAB")), "promtool"), args...).CombinedOutput()
	require.NoError(t, err, "promtool %s:\n%s", strings.Join(args, " "), out)
}

// TestRulesAsPromtoolSees checks the rules, and runs their tests.
func TestRulesAsPromtoolSees(t *testing.T) {
	for _, file := range ruleFiles(t) {
		promtool(t, "check", "rules", "--lint=all", "--lint-fatal", file)
	}
	files, err := filepath.Glob("../../monitoring/tests/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	groups, expectations := 0, 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var tests struct {
			Tests []struct {
				Expressions []any `json:"promql_expr_test"`
				Alerts      []any `json:"alert_rule_test"`
			} `json:"tests"`
		}
		require.NoError(t, yaml.Unmarshal(content, &tests), file)
		for _, group := range tests.Tests {
			groups++
			expectations += len(group.Expressions) + len(group.Alerts)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { promtool(t, "test", "rules", file) })
	}
	t.Logf("%d rules; %d tests of them in %d files, with %d expectations", len(loadRules(t)), groups, len(files), expectations)
}
