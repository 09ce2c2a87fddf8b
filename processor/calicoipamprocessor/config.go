package calicoipamprocessor

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/ippool"
	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/internal/oneof"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/selection"
)

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

// minSettleTime is the shortest that a scrape can be waited for: less is a number that lacks its unit.
const minSettleTime = time.Millisecond

// maxSettleTime is the longest that a scrape may be waited for: backends refuse what is much older than what they have.
const maxSettleTime = 10 * time.Minute

// Config is the configuration of the processor. Its default is right where all metrics of a scrape come in one batch.
type Config struct {
	// ClusterKey are the resource attributes that tell clusters apart: the first that a resource has does.
	ClusterKey []string `mapstructure:"cluster_key"`

	// SettleTime is how long a scrape is waited for after its first points, where something between the receiver and here may split it. 0 computes
	// as soon as a scrape is whole.
	SettleTime time.Duration `mapstructure:"settle_time"`

	// Enrich adds the labels cidr and ip_family to Calico's own ipam_* metrics of pools that are known.
	Enrich bool `mapstructure:"enrich"`

	// Detail is a nodedetail.Detail. It is spelled out because the collector would validate that one under a key "detail", which there is not.
	Detail struct {
		Mode nodedetail.Mode `mapstructure:"node_detail"`
		Top  int             `mapstructure:"top_nodes"`
	} `mapstructure:",squash"`

	// Pools says which pools count, and what is known of them.
	Pools PoolsConfig `mapstructure:"pools"`

	// Forecast is about when pools will be full.
	Forecast ForecastConfig `mapstructure:"forecast"`

	// Storage is an extension that keeps what is known of the pools, and their histories, over a restart.
	Storage *component.ID `mapstructure:"storage"`

	// MaxClusters is how many clusters are remembered, and MaxPools how many pools of each.
	MaxClusters int `mapstructure:"max_clusters"`
	MaxPools    int `mapstructure:"max_pools"`

	// Metrics switches the processor's metrics on and off.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`

	_ struct{} // against unkeyed literals
}

// PoolsConfig says which pools count, and what is known of them.
type PoolsConfig struct {
	// Include are patterns of the names of the pools that numbers are derived for; none is all. Exclude are those that none are derived for.
	Include selection.Patterns `mapstructure:"include"`
	Exclude selection.Patterns `mapstructure:"exclude"`

	// Known describes pools of clusters where nothing else does: where no calico receiver reads the Kubernetes API.
	Known []KnownPool `mapstructure:"known"`

	_ struct{}
}

// KnownPool describes an IPPool, with Calico's defaults.
type KnownPool struct {
	// Name is metadata.name, CIDR spec.cidr.
	Name string `mapstructure:"name"`
	CIDR string `mapstructure:"cidr"`
	// BlockSize is spec.blockSize; 0 is Calico's default, 26 or 122.
	BlockSize int `mapstructure:"block_size"`
	// Disabled is spec.disabled, AllowedUses spec.allowedUses, AssignmentMode spec.assignmentMode.
	Disabled       bool     `mapstructure:"disabled"`
	AllowedUses    []string `mapstructure:"allowed_uses"`
	AssignmentMode string   `mapstructure:"assignment_mode"`
	// Cluster is what the cluster of the pool is known by, the value of one of the attributes in cluster_key; empty is every cluster.
	Cluster string `mapstructure:"cluster"`

	_ struct{}
}

// ForecastConfig is about when pools will be full.
type ForecastConfig struct {
	// Enabled switches forecasts on and off.
	Enabled bool `mapstructure:"enabled"`
	// Exclude are patterns of the names of the pools that there are no forecasts for.
	Exclude selection.Patterns `mapstructure:"exclude"`

	_ struct{}
}

func createDefaultConfig() component.Config {
	return &Config{
		ClusterKey:  []string{calicometric.AttrClusterUID, calicometric.AttrClusterName},
		Enrich:      true,
		Detail:      nodedetail.Detail{Mode: nodedetail.Full},
		Forecast:    ForecastConfig{Enabled: true},
		MaxClusters: 1000,
		MaxPools:    1000,
		Metrics:     metadata.DefaultMetricsConfig(),
	}
}

// Validate names the key of every value that cannot be used. Whatever has a Validate of its own is validated by the collector.
func (c *Config) Validate() error {
	var errs []error
	switch {
	case len(c.ClusterKey) == 0:
		errs = append(errs, errors.New("cluster_key: must name a resource attribute"))
	case slices.Contains(c.ClusterKey, ""):
		errs = append(errs, errors.New("cluster_key: must not name an empty one"))
	}
	switch {
	case c.SettleTime < 0 || c.SettleTime > maxSettleTime:
		errs = append(errs, fmt.Errorf("settle_time: must be from 0s to %s, not %s", maxSettleTime, c.SettleTime))
	case c.SettleTime > 0 && c.SettleTime < minSettleTime:
		errs = append(errs, fmt.Errorf("settle_time: must be 0s or at least %s, not %s; a number needs its unit, as in 10s", minSettleTime, c.SettleTime))
	}
	if err := nodedetail.Detail(c.Detail).Validate(); err != nil {
		errs = append(errs, err)
	}
	seen := make(map[[2]string]bool, len(c.Pools.Known))
	for i := range c.Pools.Known {
		pool := &c.Pools.Known[i]
		if err := pool.validate(); err != nil {
			errs = append(errs, fmt.Errorf("pools::known::%d::%w", i, err))
		}
		id := [2]string{pool.Cluster, pool.Name}
		if seen[id] {
			errs = append(errs, fmt.Errorf("pools::known::%d::name: %q is there twice", i, pool.Name))
		}
		seen[id] = true
	}
	if c.MaxClusters < 1 {
		errs = append(errs, fmt.Errorf("max_clusters: must be at least 1, not %d", c.MaxClusters))
	}
	if c.MaxPools < 1 {
		errs = append(errs, fmt.Errorf("max_pools: must be at least 1, not %d", c.MaxPools))
	}
	return errors.Join(errs...)
}

// uses are those that an IPPool can allow.
var uses = []string{calicometric.UseWorkload, calicometric.UseTunnel, calicometric.UseLoadBalancer}

// validate names the first key of a value that Calico would refuse.
func (p *KnownPool) validate() error {
	if p.Name == "" {
		return errors.New("name: must not be empty")
	}
	cidr, err := netip.ParsePrefix(p.CIDR)
	if err != nil {
		return fmt.Errorf("cidr: %q is no CIDR, as 10.48.0.0/16 is one", p.CIDR)
	}
	if cidr != cidr.Masked() {
		return fmt.Errorf("cidr: must be %s, not %s", cidr.Masked(), cidr)
	}
	bits := cidr.Addr().BitLen()
	least := max(bits-12, cidr.Bits()) // Calico has blocks of at most 4,096 addresses
	if size := p.blockSize(cidr); size < least || size > bits {
		return fmt.Errorf("block_size: must be from %d to %d for %s, not %d", least, bits, cidr, size)
	}
	for _, use := range p.AllowedUses {
		if err := oneof.Check("allowed_uses", use, uses...); err != nil {
			return err
		}
	}
	if p.AssignmentMode == "" {
		return nil
	}
	return oneof.Check("assignment_mode", p.AssignmentMode, calicometric.AssignmentAutomatic, calicometric.AssignmentManual)
}

// blockSize is that of the pool, or Calico's default.
func (p *KnownPool) blockSize(cidr netip.Prefix) int {
	return cmp.Or(p.BlockSize, ippool.BlockSize(cidr))
}

// described returns what the pool, which is valid, is known as.
func (p *KnownPool) described() poolinfo.Configured {
	cidr := netip.MustParsePrefix(p.CIDR)
	d := ipampoints.Described{
		Pool:           p.Name,
		CIDR:           p.CIDR,
		Family:         calicometric.IPv4,
		BlockSize:      p.blockSize(cidr),
		State:          calicometric.PoolEnabled,
		AssignmentMode: p.AssignmentMode,
	}
	if cidr.Addr().Is6() {
		d.Family = calicometric.IPv6
	}
	if p.Disabled {
		d.State = calicometric.PoolDisabled
	}
	uses := p.AllowedUses
	if len(uses) == 0 {
		uses = ippool.AllowedUses()
	}
	d.AllowedUses = strings.Join(uses, ",")
	return poolinfo.Configured{Cluster: p.Cluster, Info: d.Info()}
}
