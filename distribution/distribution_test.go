package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	envprovider "go.opentelemetry.io/collector/confmap/provider/envprovider"
	fileprovider "go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/otelcol"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

// manifest is what is read of builder-config.yaml.
type manifest struct {
	Dist struct {
		Module string `yaml:"module"`
	} `yaml:"dist"`
	Receivers  []module `yaml:"receivers"`
	Processors []module `yaml:"processors"`
	Exporters  []module `yaml:"exporters"`
	Extensions []module `yaml:"extensions"`
	Connectors []module `yaml:"connectors"`
	Providers  []module `yaml:"providers"`
}

type module struct {
	GoMod string `yaml:"gomod"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	content, err := os.ReadFile("../builder-config.yaml")
	require.NoError(t, err)
	var m manifest
	require.NoError(t, yaml.Unmarshal(content, &m))
	return m
}

// gomods are the modules that are listed. Several components of one are listed each.
func gomods(modules []module) []string {
	var out []string
	for _, m := range modules {
		out = append(out, m.GoMod)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// modulesOf are the modules of the factories of one kind; a deprecated alias of a type shares the module of the type.
func modulesOf(modules map[component.Type]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(modules)))
}

func TestBinaryHoldsEveryComponentOfTheManifestAndNoOther(t *testing.T) {
	m := readManifest(t)
	factories, err := components()
	require.NoError(t, err)
	assert.Equal(t, gomods(m.Receivers), modulesOf(factories.ReceiverModules), "receivers")
	assert.Equal(t, gomods(m.Processors), modulesOf(factories.ProcessorModules), "processors")
	assert.Equal(t, gomods(m.Exporters), modulesOf(factories.ExporterModules), "exporters")
	assert.Equal(t, gomods(m.Extensions), modulesOf(factories.ExtensionModules), "extensions")
	assert.Equal(t, gomods(m.Connectors), modulesOf(factories.ConnectorModules), "connectors")
	assert.Len(t, typesOf(factories.Receivers), len(m.Receivers), "receivers")
	assert.Len(t, typesOf(factories.Processors), len(m.Processors), "processors")
	assert.Len(t, typesOf(factories.Exporters), len(m.Exporters), "exporters")
	assert.Len(t, typesOf(factories.Extensions), len(m.Extensions), "extensions")
	assert.Len(t, typesOf(factories.Connectors), len(m.Connectors), "connectors")
}

func TestManifestNamesTheVersionsOfGoMod(t *testing.T) {
	content, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	mod, err := modfile.Parse("go.mod", content, nil)
	require.NoError(t, err)
	required := map[string]string{}
	for _, r := range mod.Require {
		required[r.Mod.Path] = r.Mod.Version
	}
	m := readManifest(t)
	for _, listed := range slices.Concat(m.Receivers, m.Processors, m.Exporters, m.Extensions, m.Connectors, m.Providers) {
		path, version, found := strings.Cut(listed.GoMod, " ")
		require.True(t, found, "no version in %q", listed.GoMod)
		if path == m.Dist.Module {
			continue
		}
		assert.Equal(t, required[path], version, path)
	}
}

// newCommand is the command line of the distribution as main makes it, with the providers that the test's configuration needs.
func newCommand(t *testing.T, args ...string) error {
	t.Helper()
	cmd := otelcol.NewCommand(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(),
		Factories: components,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{envprovider.NewFactory(), fileprovider.NewFactory()},
		}},
	})
	cmd.SetArgs(args)
	cmd.SilenceUsage = true
	return cmd.ExecuteContext(t.Context())
}

func TestEveryComponentCanBeConfigured(t *testing.T) {
	const file = "testdata/all-components.yaml"
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var configured map[string]map[string]any
	require.NoError(t, yaml.Unmarshal(content, &configured))

	factories, err := components()
	require.NoError(t, err)
	assert.Equal(t, typesOf(factories.Receivers), configuredTypes(t, configured["receivers"]), "receivers")
	assert.Equal(t, typesOf(factories.Processors), configuredTypes(t, configured["processors"]), "processors")
	assert.Equal(t, typesOf(factories.Exporters), configuredTypes(t, configured["exporters"]), "exporters")
	assert.Equal(t, typesOf(factories.Extensions), configuredTypes(t, configured["extensions"]), "extensions")
	assert.Equal(t, typesOf(factories.Connectors), configuredTypes(t, configured["connectors"]), "connectors")

	t.Setenv("STORAGE_DIRECTORY", t.TempDir())
	require.NoError(t, newCommand(t, "validate", "--config", file))
}

// typesOf are the types of factories under their current names.
func typesOf[T component.Factory](factories map[component.Type]T) []string {
	var types []string
	for _, factory := range factories {
		types = append(types, factory.Type().String())
	}
	slices.Sort(types)
	return slices.Compact(types)
}

func configuredTypes(t *testing.T, configured map[string]any) []string {
	t.Helper()
	var types []string
	for key := range configured {
		var id component.ID
		require.NoError(t, id.UnmarshalText([]byte(key)))
		types = append(types, id.Type().String())
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// bases are the configurations that are published without a backend, and backends what says where they send.
func bases(t *testing.T) []string    { return published(t, "*.yaml") }
func backends(t *testing.T) []string { return published(t, "backends/*.yaml") }

func published(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../configs", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// site sets what has no default because it differs from site to site.
func site(t *testing.T) {
	t.Helper()
	t.Setenv("K8S_NODE_NAME", "node-1")
	t.Setenv("FELIX_ENDPOINTS", "[http://localhost:9091/metrics]")
	t.Setenv("STORAGE_DIRECTORY", filepath.Join(t.TempDir(), "made", "on", "start"))
}

func TestEveryPublishedConfigurationIsValidWithEveryBackendAndWithAll(t *testing.T) {
	site(t)
	for _, base := range bases(t) {
		sets := [][]string{backends(t)}
		for _, backend := range backends(t) {
			sets = append(sets, []string{backend})
		}
		for _, set := range sets {
			args := []string{"validate", "--config", base}
			var names []string
			for _, backend := range set {
				args = append(args, "--config", backend)
				names = append(names, filepath.Base(backend))
			}
			t.Run(filepath.Base(base)+" "+strings.Join(names, " "), func(t *testing.T) {
				require.NoError(t, newCommand(t, args...))
			})
		}
	}
}

// TestEveryOptionIsValid has each on top of what its first line says.
func TestEveryOptionIsValid(t *testing.T) {
	site(t)
	on := map[string][]string{
		"options/no-election.yaml":  {"cluster.yaml", "backends/remote-write.yaml"},
		"options/gateways-dns.yaml": {"node.yaml", "backends/gateways.yaml"},
		"receivers/kafka.yaml":      {"gateway.yaml", "backends/remote-write.yaml"},
	}
	options := append(published(t, "options/*.yaml"), published(t, "receivers/*.yaml")...)
	require.Len(t, options, len(on))
	for _, option := range options {
		name, err := filepath.Rel("../configs", option)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, on[name])
			args := []string{"validate"}
			for _, file := range append(on[name], name) {
				args = append(args, "--config", filepath.Join("../configs", file))
			}
			require.NoError(t, newCommand(t, args...))
		})
	}
}

func TestAConfigurationWithoutABackendSaysSo(t *testing.T) {
	site(t)
	for _, base := range bases(t) {
		require.ErrorContains(t, newCommand(t, "validate", "--config", base), "no exporter configuration specified", base)
	}
}

// TestPublishedConfigurationsAgree compares what all of them have.
func TestPublishedConfigurationsAgree(t *testing.T) {
	section := func(file string, path ...string) any {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var at any
		require.NoError(t, yaml.Unmarshal(content, &at))
		for _, key := range path {
			at = at.(map[string]any)[key]
			require.NotNil(t, at, "%s: %v", file, path)
		}
		return at
	}
	files := bases(t)
	for _, path := range [][]string{
		{"extensions", "health_check"}, {"extensions", "file_storage"}, {"extensions", "queue_storage"}, {"extensions", "pprof"}, {"extensions", "zpages"},
		{"processors", "memory_limiter"}, {"connectors"}, {"service", "telemetry"},
	} {
		for _, file := range files[1:] {
			require.Equal(t, section(files[0], path...), section(file, path...), "%s and %s: %v", files[0], file, path)
		}
	}
}

func TestUnknownKeysAreRefusedByName(t *testing.T) {
	for _, tc := range []struct{ name, receiver, processor, want string }{
		{name: "receiver", receiver: "{auth_typo: none}", processor: "{}", want: "auth_typo"},
		{name: "processor", receiver: "{}", processor: "{enrichh: true}", want: "enrichh"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(file, []byte(`
receivers: {calico: `+tc.receiver+`}
processors: {calico_ipam: `+tc.processor+`}
exporters: {nop: {}}
service: {pipelines: {metrics: {receivers: [calico], processors: [calico_ipam], exporters: [nop]}}}
`), 0o600))
			require.ErrorContains(t, newCommand(t, "validate", "--config", file), tc.want)
		})
	}
}

func TestRemoteWriteTriesAgainWhereTheBackendHasNoRoom(t *testing.T) {
	open := false
	featuregate.GlobalRegistry().VisitAll(func(gate *featuregate.Gate) {
		open = open || gate.ID() == retryOn429 && gate.IsEnabled()
	})
	require.True(t, open)
}
