package calicoreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func load(t *testing.T, settings map[string]any) (*Config, error) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(settings).Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfigIsValid(t *testing.T) {
	cfg, err := load(t, nil)
	require.NoError(t, err)
	require.Equal(t, 30*time.Second, cfg.CollectionInterval)
	require.Equal(t, 10*time.Second, cfg.scrapeTimeout())
}

func TestTimeoutDefaultsToAShorterInterval(t *testing.T) {
	cfg, err := load(t, map[string]any{"collection_interval": "2s"})
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, cfg.scrapeTimeout())
	cfg, err = load(t, map[string]any{"timeout": "7s"})
	require.NoError(t, err)
	require.Equal(t, 7*time.Second, cfg.scrapeTimeout())
}

func TestNamespacesReplaceTheDefault(t *testing.T) {
	cfg, err := load(t, map[string]any{"namespaces": []any{"my-calico"}})
	require.NoError(t, err)
	require.Equal(t, []string{"my-calico"}, cfg.Namespaces)
}

func TestBadConfigNamesTheKey(t *testing.T) {
	for _, tc := range []struct {
		name     string
		settings map[string]any
		want     []string
	}{
		{"unknown key", map[string]any{"colection_interval": "30s"}, []string{"colection_interval"}},
		{"negative interval", map[string]any{"collection_interval": "-1s"}, []string{"collection_interval", "-1s"}},
		{"no interval", map[string]any{"collection_interval": "0s"}, []string{"collection_interval"}},
		{"negative timeout", map[string]any{"timeout": "-1s"}, []string{"timeout", "-1s"}},
		{"timeout beyond the interval", map[string]any{"timeout": "31s"}, []string{"timeout", "collection_interval"}},
		{"not a duration", map[string]any{"timeout": "soon"}, []string{"timeout"}},
		{"mode that does not exist", map[string]any{"mode": "swarm"}, []string{"mode", `"swarm"`, "cluster"}},
		{"auth type that does not exist", map[string]any{"auth_type": "magic"}, []string{"auth_type", `"magic"`, "kubeConfig"}},
		{"context without a kubeconfig", map[string]any{"context": "prod"}, []string{"context", "kubeConfig"}},
		{"no namespaces", map[string]any{"namespaces": []any{}}, []string{"namespaces"}},
		{"empty namespace", map[string]any{"namespaces": []any{""}}, []string{"namespaces"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(t, tc.settings)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
