package monitoring

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-jsonnet"
	"github.com/stretchr/testify/require"
)

// config is what the lint reads of mixin/config.libsonnet.
type config struct {
	RunbooksURL string
	Dashboards  map[string]string
	Thresholds  map[string]float64
}

func readConfig(t *testing.T) config {
	t.Helper()
	rendered, err := jsonnet.MakeVM().EvaluateAnonymousSnippet("config.jsonnet", "(import 'mixin/config.libsonnet')._config")
	require.NoError(t, err)
	var from config
	require.NoError(t, json.Unmarshal([]byte(rendered), &from))
	require.NotEmpty(t, from.Thresholds)
	return from
}

// numbers are the thresholds.
func (c config) numbers() []float64 { return slices.Collect(maps.Values(c.Thresholds)) }

// render returns the files of the mixin by their path.
func render(t *testing.T) map[string]string {
	t.Helper()
	vm := jsonnet.MakeVM()
	vm.StringOutput = true
	files, err := vm.EvaluateFileMulti("mixin/render.jsonnet")
	require.NoError(t, err)
	return files
}

// compareRendered compares files with what they are rendered from.
func compareRendered(files, rendered map[string]string) problems {
	var wrong problems
	for file, content := range rendered {
		switch current, ok := files[file]; {
		case !ok:
			wrong.add("%s: is rendered by the mixin and not there: run make generate", file)
		case current != content:
			wrong.add("%s: is not what the mixin says now: run make generate", file)
		}
	}
	for file := range files {
		if _, ok := rendered[file]; !ok {
			wrong.add("%s: the mixin has nothing that it is rendered from", file)
		}
	}
	return wrong
}

func TestRenderedFilesAreCurrent(t *testing.T) {
	files := map[string]string{}
	for _, path := range slices.Concat(glob(t, "alerts/*"), glob(t, "dashboards/*")) {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		files[filepath.ToSlash(path)] = string(content)
	}
	compareRendered(files, render(t)).none(t)
	t.Logf("rendered files: %d", len(files))
}

// TestThresholdsAreUsed finds those that nothing asks for anymore.
func TestThresholdsAreUsed(t *testing.T) {
	used := map[float64]bool{}
	for _, r := range readRules(t) {
		for _, number := range numbers(r.expr) {
			used[number] = true
		}
	}
	var wrong problems
	for name, value := range readConfig(t).Thresholds {
		if !used[value] && value != 0 && value != 1 {
			wrong.add("mixin/config.libsonnet: no alert has the threshold %s", name)
		}
	}
	wrong.none(t)
}

func TestFileThatIsNotCurrentIsFound(t *testing.T) {
	rendered := map[string]string{"alerts/a.yaml": "a", "alerts/b.yaml": "b"}
	require.Empty(t, compareRendered(map[string]string{"alerts/a.yaml": "a", "alerts/b.yaml": "b"}, rendered))
	require.ElementsMatch(t, problems{
		"alerts/a.yaml: is not what the mixin says now: run make generate",
		"alerts/b.yaml: is rendered by the mixin and not there: run make generate",
		"alerts/c.yaml: the mixin has nothing that it is rendered from",
	}, compareRendered(map[string]string{"alerts/a.yaml": "x", "alerts/c.yaml": "c"}, rendered))
}
