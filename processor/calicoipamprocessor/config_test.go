package calicoipamprocessor

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

// validConfigs are those of testdata/config.yaml that can be used, by what each changes of the default.
var validConfigs = map[string]func(*Config){
	"": func(*Config) {},
	"gateway": func(c *Config) {
		c.ClusterKey = []string{"cluster", "k8s.cluster.name"}
		c.SettleTime = 15 * time.Second
		c.MaxClusters, c.MaxPools = 200, 50
	},
	"sidecar": func(c *Config) {
		c.Enrich = false
		c.Pools = PoolsConfig{
			Include: selection.Patterns{"default-*", "pool-?"},
			Exclude: selection.Patterns{"default-ipv6-*"},
			Known: []KnownPool{
				{Name: "default-ipv4-ippool", CIDR: "10.48.0.0/16"},
				{
					Name: "default-ipv4-ippool", CIDR: "10.49.0.0/16", BlockSize: 28, Disabled: true,
					AllowedUses: []string{"LoadBalancer", "Workload"}, AssignmentMode: "Manual", Cluster: "prod",
				},
				{Name: "default-ipv6-ippool", CIDR: "fd00:10::/48"},
			},
		}
	},
	"aggregated": func(c *Config) { c.Detail = nodedetail.Detail{Mode: nodedetail.Nonzero, Top: 30} },
	"no_node":    func(c *Config) { c.Detail = nodedetail.Detail{Mode: nodedetail.None} },
	"forecast": func(c *Config) {
		storage := component.MustNewIDWithName("file_storage", "forecast")
		c.Forecast = ForecastConfig{Enabled: true, Exclude: selection.Patterns{"test-*"}}
		c.Storage = &storage
	},
	"no_forecast": func(c *Config) { c.Forecast.Enabled = false },
	"metrics":     func(c *Config) { c.Metrics.CalicoIpamPoolAvailable.Enabled = false },
	"bounds": func(c *Config) {
		c.SettleTime = 10 * time.Minute
		c.Detail.Top = nodedetail.MaxTop
		c.MaxClusters, c.MaxPools = 1, 1
		c.Pools.Known = []KnownPool{
			{Name: "one_block", CIDR: "10.0.0.0/26", BlockSize: 26, AssignmentMode: "Automatic"},
			{Name: "one_address", CIDR: "10.0.1.0/32", BlockSize: 32, AllowedUses: []string{"Tunnel"}},
			{Name: "all", CIDR: "::/0", BlockSize: 128},
		}
	},
}

// invalidConfigs are those that cannot, by their error.
var invalidConfigs = map[string]string{
	"no_cluster_key":            "cluster_key: must name a resource attribute",
	"empty_cluster_key":         "cluster_key: must not name an empty one",
	"negative_settle_time":      "settle_time: must be from 0s to 10m0s, not -1s",
	"long_settle_time":          "settle_time: must be from 0s to 10m0s, not 10m1s",
	"unknown_node_detail":       `node_detail: "some" is not one of: full, nonzero, none`,
	"negative_top_nodes":        "top_nodes: must not be negative, not -1",
	"top_nodes_of_none":         "top_nodes: no node has series of its own with node_detail: none",
	"no_clusters":               "max_clusters: must be at least 1, not 0",
	"no_pools":                  "max_pools: must be at least 1, not -1",
	"empty_include":             "pools::include::1: must not be empty",
	"bad_include":               `pools::include::0: "[a": syntax error in pattern`,
	"bad_exclude":               `pools::exclude::2: "c[": syntax error in pattern`,
	"bad_forecast_exclude":      `forecast::exclude::0: "[a": syntax error in pattern`,
	"pool_without_name":         "pools::known::0::name: must not be empty",
	"pool_without_cidr":         `pools::known::0::cidr: "" is no CIDR, as 10.48.0.0/16 is one`,
	"pool_of_a_bad_cidr":        `pools::known::1::cidr: "10.0.0.0" is no CIDR, as 10.48.0.0/16 is one`,
	"pool_off_the_bit":          "pools::known::0::cidr: must be 10.0.0.0/16, not 10.0.0.7/16",
	"pool_smaller_than_a_block": "pools::known::0::block_size: must be from 27 to 32 for 10.0.0.0/27, not 26",
	"pool_of_a_small_block":     "pools::known::0::block_size: must be from 20 to 32 for 10.0.0.0/16, not 33",
	"pool_of_a_negative_block":  "pools::known::0::block_size: must be from 116 to 128 for fd00::/48, not -1",
	"pool_of_an_unknown_use":    `pools::known::0::allowed_uses: "workload" is not one of: Workload, Tunnel, LoadBalancer`,
	"pool_of_an_unknown_mode":   `pools::known::0::assignment_mode: "automatic" is not one of: Automatic, Manual`,
	"pool_twice":                `pools::known::2::name: "a" is there twice`,
	"all_at_once": "cluster_key: must name a resource attribute\n" +
		"settle_time: must be from 0s to 10m0s, not -1s\n" +
		"node_detail: \"some\" is not one of: full, nonzero, none\n" +
		"pools::known::0::cidr: \"10.0.0.0/33\" is no CIDR, as 10.48.0.0/16 is one\n" +
		"max_clusters: must be at least 1, not 0\n" +
		"pools::include::0: must not be empty",
}

// unreadableConfigs have a key that is none, named in their error.
var unreadableConfigs = map[string]string{"unknown_key": "settle", "detail_is_no_key": "detail"}

func TestConfigurations(t *testing.T) {
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	require.Len(t, all.ToStringMap(), len(validConfigs)+len(invalidConfigs)+len(unreadableConfigs), "each is tested")

	read := func(t *testing.T, name string) (*Config, error) {
		t.Helper()
		id := component.NewIDWithName(metadata.Type, name).String()
		require.Contains(t, all.ToStringMap(), id)
		conf, err := all.Sub(id)
		require.NoError(t, err)
		config := createDefaultConfig().(*Config)
		return config, conf.Unmarshal(config)
	}
	for name, change := range validConfigs {
		t.Run("valid/"+name, func(t *testing.T) {
			got, err := read(t, name)
			require.NoError(t, err)
			require.NoError(t, confmap.Validate(got))
			want := createDefaultConfig().(*Config)
			change(want)
			// Which metrics were set is noted where it cannot be compared.
			require.Equal(t, enabled(want), enabled(got))
			want.Metrics, got.Metrics = metadata.MetricsConfig{}, metadata.MetricsConfig{}
			require.Equal(t, want, got)
		})
	}
	for name, want := range invalidConfigs {
		t.Run("invalid/"+name, func(t *testing.T) {
			got, err := read(t, name)
			require.NoError(t, err)
			require.EqualError(t, confmap.Validate(got), want)
		})
	}
	for name, key := range unreadableConfigs {
		t.Run("unreadable/"+name, func(t *testing.T) {
			_, err := read(t, name)
			require.ErrorContains(t, err, "has invalid keys: "+key)
		})
	}
}

// enabled is which metrics are switched on, in the order of their names.
func enabled(c *Config) []bool {
	m := &c.Metrics
	return []bool{
		m.CalicoIpamClusterUtilizationRatio.Enabled, m.CalicoIpamNodes.Enabled, m.CalicoIpamPoolAvailable.Enabled,
		m.CalicoIpamPoolBlockUtilizationRatio.Enabled, m.CalicoIpamPoolExhaustionSeconds.Enabled, m.CalicoIpamPoolGrowthPerHour.Enabled,
		m.CalicoIpamPoolUtilizationRatio.Enabled,
	}
}

func TestTheDefaultSwitchesAllMetricsOn(t *testing.T) {
	require.NotContains(t, enabled(createDefaultConfig().(*Config)), false)
}

func TestWhatAKnownPoolIsTakenFor(t *testing.T) {
	for name, tc := range map[string]struct {
		pool KnownPool
		want poolinfo.Configured
	}{
		"Calico's defaults of IPv4": {
			KnownPool{Name: "a", CIDR: "10.0.0.0/16"},
			poolinfo.Configured{Info: ipampoints.Info{Pool: "a", CIDR: "10.0.0.0/16", Family: calicometric.IPv4, BlockSize: 26, Enabled: true, ForPods: true}},
		},
		"Calico's defaults of IPv6": {
			KnownPool{Name: "a", CIDR: "fd00::/48", Cluster: "prod"},
			poolinfo.Configured{Cluster: "prod", Info: ipampoints.Info{Pool: "a", CIDR: "fd00::/48", Family: calicometric.IPv6, BlockSize: 122, Enabled: true, ForPods: true}},
		},
		"blocks of another size": {
			KnownPool{Name: "a", CIDR: "10.0.0.0/16", BlockSize: 28},
			poolinfo.Configured{Info: ipampoints.Info{Pool: "a", CIDR: "10.0.0.0/16", Family: calicometric.IPv4, BlockSize: 28, Enabled: true, ForPods: true}},
		},
		"disabled": {
			KnownPool{Name: "a", CIDR: "10.0.0.0/26", Disabled: true},
			poolinfo.Configured{Info: ipampoints.Info{Pool: "a", CIDR: "10.0.0.0/26", Family: calicometric.IPv4, BlockSize: 26}},
		},
		"for load balancers": {
			KnownPool{Name: "a", CIDR: "10.0.0.0/26", AllowedUses: []string{"LoadBalancer"}},
			poolinfo.Configured{Info: ipampoints.Info{Pool: "a", CIDR: "10.0.0.0/26", Family: calicometric.IPv4, BlockSize: 26, Enabled: true}},
		},
		"for load balancers and pods": {
			KnownPool{Name: "a", CIDR: "10.0.0.0/26", AllowedUses: []string{"LoadBalancer", "Workload"}},
			poolinfo.Configured{Info: ipampoints.Info{Pool: "a", CIDR: "10.0.0.0/26", Family: calicometric.IPv4, BlockSize: 26, Enabled: true, ForPods: true}},
		},
		"asked for by name": {
			KnownPool{Name: "a", CIDR: "10.0.0.0/26", AssignmentMode: "Manual"},
			poolinfo.Configured{Info: ipampoints.Info{Pool: "a", CIDR: "10.0.0.0/26", Family: calicometric.IPv4, BlockSize: 26, Enabled: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, tc.pool.validate())
			require.Equal(t, tc.want, tc.pool.described())
		})
	}
}

func TestEmptyConfigurationIsValid(t *testing.T) {
	cfg := createDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{}).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
}

func TestFactoryMakesAMutatingMetricsProcessorOnly(t *testing.T) {
	factory := NewFactory()
	require.Equal(t, component.MustNewType("calico_ipam"), factory.Type())
	set := processortest.NewNopSettings(metadata.Type)

	p, err := factory.CreateMetrics(t.Context(), set, factory.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.True(t, p.Capabilities().MutatesData)
	require.NoError(t, p.Shutdown(t.Context()))

	_, err = factory.CreateLogs(t.Context(), set, factory.CreateDefaultConfig(), consumertest.NewNop())
	require.Error(t, err)
	_, err = factory.CreateMetrics(t.Context(), set, &struct{}{}, consumertest.NewNop())
	require.ErrorContains(t, err, "unexpected configuration")
}
