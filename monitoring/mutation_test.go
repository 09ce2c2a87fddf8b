package monitoring

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// equivalent are mutants that no test can find, because they are no other alert, with the reason.
var equivalent = map[string]string{}

// promtool is the program that runs tests of rules: PROMTOOL=bin/lab/promtool.
func promtool(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PROMTOOL")
	if path == "" {
		t.Skip("PROMTOOL is not set")
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// trial is what promtool is given: files by their path, and which of them are tests.
type trial struct {
	files map[string][]byte
	tests []string
}

// run returns what promtool printed where a test fails, and nothing where all pass.
func (of trial) run(ctx context.Context, promtool, dir string) (failed string, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for path, content := range of.files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, promtool, append([]string{"test", "rules"}, of.tests...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400") // there are as many of them as processors
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return string(output), nil
	}
	return "", err
}

// changed returns the rules of a file with one thing changed, and with only restricted to the alert that it is about.
func changed(content []byte, m mutant, only bool) ([]byte, error) {
	var file struct {
		Groups []struct {
			Name     string
			Interval string `yaml:",omitempty"`
			Rules    []map[string]any
		}
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	for i, group := range file.Groups {
		if only {
			file.Groups[i].Rules = slices.DeleteFunc(group.Rules, func(rule map[string]any) bool { return rule["alert"] != m.alert })
		}
		for _, rule := range file.Groups[i].Rules {
			annotation, annotated := strings.CutPrefix(m.key, "annotations.")
			switch {
			case rule["alert"] != m.alert || m.key == "":
			case annotated:
				rule["annotations"].(map[string]any)[annotation] = m.value
			default:
				rule[m.key] = m.value
			}
		}
	}
	return yaml.Marshal(file)
}

// about returns the tests of a file that name an alert.
func about(content []byte, alert string) ([]byte, error) {
	var file map[string]any
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, err
	}
	var tests []any
	all, _ := file["tests"].([]any)
	for _, test := range all {
		text, err := yaml.Marshal(test)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(text), alert) {
			tests = append(tests, test)
		}
	}
	file["tests"] = tests
	return yaml.Marshal(file)
}

// subject is a rule whose mutants are looked for. Its own tests find most of them, in a fraction of the time that all tests of its file take.
type subject struct {
	rule
	content  []byte
	own, all trial
}

func newSubject(t *testing.T, r rule, tests []string) *subject {
	t.Helper()
	content, err := os.ReadFile(r.file)
	require.NoError(t, err)
	s := &subject{rule: r, content: content, own: trial{files: map[string][]byte{}}, all: trial{files: map[string][]byte{}}}
	for _, path := range slices.Concat(glob(t, "alerts/*.yaml"), tests) {
		s.all.files[path], err = os.ReadFile(path)
		require.NoError(t, err)
		s.own.files[path] = s.all.files[path]
	}
	for _, path := range tests {
		s.own.files[path], err = about(s.all.files[path], r.Alert)
		require.NoError(t, err)
	}
	s.own.files[r.file], err = changed(content, mutant{alert: r.Alert}, true)
	require.NoError(t, err)
	s.own.tests, s.all.tests = tests, tests
	return s
}

// find returns whether a test fails with a mutant in the place of the rule.
func (s *subject) find(ctx context.Context, promtool, dir string, m mutant) (found bool, err error) {
	for _, only := range []bool{true, false} {
		of := s.all
		if only {
			of = s.own
		}
		if of.files == nil {
			continue
		}
		of.files = maps.Clone(of.files)
		if of.files[s.file], err = changed(s.content, m, only); err != nil {
			return false, err
		}
		if failed, err := of.run(ctx, promtool, dir); failed != "" || err != nil {
			return failed != "", err
		}
	}
	return false, nil
}

// TestMutantsAreFound changes one thing at a time in each alert, and wants a test of its file to fail. -run TestMutantsAreFound/CalicoIPPoolFull is one alert.
func TestMutantsAreFound(t *testing.T) {
	tool, tests := promtool(t), readRuleTests(t)
	var tried, found atomic.Int32
	t.Cleanup(func() { t.Logf("mutants: %d of %d found", found.Load(), tried.Load()) })
	for _, r := range readRules(t) {
		t.Run(r.Alert, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t, r, tests.of[r.file])
			failed, err := s.own.run(t.Context(), tool, t.TempDir())
			if failed != "" { // by tests that want other alerts too
				s.own = trial{}
				failed, err = s.all.run(t.Context(), tool, t.TempDir())
			}
			require.NoError(t, err)
			require.Empty(t, failed, "the tests of %s fail as it is", r.file)
			var wrong problems
			survived := map[string]bool{}
			for _, m := range mutants(r) {
				tried.Add(1)
				is, err := s.find(t.Context(), tool, t.TempDir(), m)
				require.NoError(t, err, "%s", m)
				if is {
					found.Add(1)
					continue
				}
				survived[m.String()] = true
				if _, allowed := equivalent[m.String()]; !allowed {
					wrong.add("%s: no test fails where %s", r.file, m)
				}
			}
			for name := range equivalent {
				if strings.HasPrefix(name, r.Alert+": ") && !survived[name] {
					wrong.add("mutation_test.go: %s is no mutant that survives", name)
				}
			}
			wrong.none(t)
		})
	}
}

func TestMutantIsOneRuleOfTheFile(t *testing.T) {
	_, bad, found := strings.Cut(goodRule, "      - alert")
	require.True(t, found)
	two := goodRule + strings.ReplaceAll("      - alert"+bad, "CalicoBad", "CalicoWorse")
	content, err := changed([]byte(two), mutant{alert: "CalicoBad", key: "expr", value: "up"}, false)
	require.NoError(t, err)
	content, err = changed(content, mutant{alert: "CalicoWorse", key: "annotations.summary", value: "Other."}, false)
	require.NoError(t, err)
	rules := parseRules(t, "alerts/a.yaml", content, func(string) string { return "" })
	require.Equal(t, "up", rules[0].Expr)
	require.NotEqual(t, "up", rules[1].Expr)
	require.NotEqual(t, "Other.", rules[0].Annotations["summary"])
	require.Equal(t, "Other.", rules[1].Annotations["summary"])

	content, err = changed([]byte(two), mutant{alert: "CalicoWorse"}, true)
	require.NoError(t, err)
	rules = parseRules(t, "alerts/a.yaml", content, func(string) string { return "" })
	require.Len(t, rules, 1)
	require.Equal(t, "CalicoWorse", rules[0].Alert)

	tests, err := about([]byte("rule_files: [a]\ntests: [{name: of A}, {name: of B, expr: 'x{a=\"A\"}'}, {name: of C}]"), "A")
	require.NoError(t, err)
	require.YAMLEq(t, "{rule_files: [a], tests: [{name: of A}, {name: of B, expr: 'x{a=\"A\"}'}]}", string(tests))
}
