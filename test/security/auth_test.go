//go:build e2e

package security

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// said are the lists of extensions in the head of a configuration, for bases other than the one that it is made for.
var said = regexp.MustCompile(`(?m)^#   --config "(yaml:service::extensions: .*)"$`)

// A list is replaced as a whole, so one that is behind its base would leave out what the base needs.
func TestListsOfExtensionsAreThoseOfTheBaseAndOneMore(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(configs + "auth/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			own := extensions(t, content)
			if filepath.Base(file) == "gateway-basic.yaml" {
				base := slices.DeleteFunc(extensionsOf(t, "gateway.yaml"), func(e string) bool { return e == "bearertokenauth/agents" })
				require.ElementsMatch(t, append(base, "basicauth/agents"), own)
				return
			}
			base := extensionsOf(t, "node.yaml")
			require.ElementsMatch(t, base, extensionsOf(t, "sidecar.yaml"))
			added := slices.DeleteFunc(slices.Clone(own), func(e string) bool { return slices.Contains(base, e) })
			require.Len(t, added, 1)
			require.ElementsMatch(t, append(base, added...), own)
			backend, _, _ := strings.Cut(filepath.Base(file), ".")
			backend = backend[:strings.LastIndex(backend, "-")] + ".yaml"
			lists := said.FindAllStringSubmatch(string(content), -1)
			require.Len(t, lists, 2, "for cluster.yaml and gateway.yaml")
			for i, base := range []string{"cluster.yaml", "gateway.yaml"} {
				list := strings.TrimPrefix(lists[i][1], "yaml:service::")
				require.ElementsMatch(t, append(extensionsOf(t, base), added...), extensions(t, []byte("service: {"+list+"}")), base)
				valid(t, base, "backends/"+backend, "auth/"+filepath.Base(file), lists[i][1])
			}
		})
	}
}

func extensionsOf(t *testing.T, base string) []string {
	t.Helper()
	content, err := os.ReadFile(configs + base)
	require.NoError(t, err)
	return extensions(t, content)
}

func extensions(t *testing.T, content []byte) []string {
	t.Helper()
	var config struct {
		Service struct{ Extensions []string }
	}
	require.NoError(t, yaml.Unmarshal(content, &config))
	return config.Service.Extensions
}

// valid has the distribution say that it can use configurations together.
func valid(t *testing.T, files ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv("COLLECTOR"), "validate")
	for _, path := range paths(files) {
		cmd.Args = append(cmd.Args, "--config", path)
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
