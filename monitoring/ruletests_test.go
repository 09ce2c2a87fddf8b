package monitoring

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// ruleTests are what promtool runs.
type ruleTests struct {
	files, groups int
	// alerts are those whose labels and annotations are compared.
	alerts map[string]bool
	// of are the files of tests, by the file of rules that they test.
	of map[string][]string
}

// ruleTestFile is what is read of a file of tests.
type ruleTestFile struct {
	RuleFiles []string `yaml:"rule_files"`
	Tests     []struct {
		Name  string
		Rules []struct {
			Alertname string
			Alerts    []any `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func readRuleTests(t *testing.T) ruleTests {
	t.Helper()
	tests := ruleTests{alerts: map[string]bool{}, of: map[string][]string{}}
	for _, path := range glob(t, "tests/*.yaml") {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		var file ruleTestFile
		require.NoError(t, yaml.Unmarshal(content, &file), path)
		require.NotEmpty(t, file.RuleFiles, path)
		tests.files++
		for _, rules := range file.RuleFiles {
			rules = filepath.ToSlash(filepath.Join("tests", filepath.FromSlash(rules)))
			require.FileExists(t, rules, path)
			tests.of[rules] = append(tests.of[rules], path)
		}
		for _, group := range file.Tests {
			require.NotEmpty(t, group.Name, "%s: a test has no name", path)
			tests.groups++
			for _, of := range group.Rules {
				if len(of.Alerts) > 0 {
					tests.alerts[of.Alertname] = true
				}
			}
		}
	}
	return tests
}
