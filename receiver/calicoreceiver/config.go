package calicoreceiver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/kubeclient"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
)

// Mode says which part of a cluster one receiver observes.
type Mode string

// ModeCluster observes a whole cluster.
const ModeCluster Mode = "cluster"

var modes = []Mode{ModeCluster}

const (
	defaultCollectionInterval = 30 * time.Second
	defaultTimeout            = 10 * time.Second

	minCollectionInterval = time.Second
	minTimeout            = time.Millisecond // Prometheus counts in milliseconds
)

// Config is the configuration of the receiver. Its default is right for a collector that runs in the cluster it observes.
type Config struct {
	// AuthType says where the credentials for the Kubernetes API come from: serviceAccount, kubeConfig or none,
	// which also does not verify the API server.
	AuthType kubeclient.AuthType `mapstructure:"auth_type"`

	// Context picks a context of the kubeconfig; empty is its current one. It needs auth_type kubeConfig.
	Context string `mapstructure:"context"`

	// Mode says which part of the cluster is observed.
	Mode Mode `mapstructure:"mode"`

	// ClusterName becomes the resource attribute k8s.cluster.name of every metric; empty leaves it out.
	ClusterName string `mapstructure:"cluster_name"`

	// Namespaces are those that Calico's components are looked for in. Pods elsewhere are not read, so that nobody who may create a pod can
	// pass it off as Calico.
	Namespaces []string `mapstructure:"namespaces"`

	// CollectionInterval is the time between two scrapes of an endpoint, and between two reports of the receiver's own metrics.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`

	// Timeout bounds one scrape. It is at most the collection interval; 0 is 10 s, or the interval where that is shorter.
	Timeout time.Duration `mapstructure:"timeout"`

	// Metrics switches the receiver's own metrics on and off.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`

	_ struct{} // against unkeyed literals
}

var _ confmap.Validator = (*Config)(nil)

// Validate names the key of every value that cannot be used.
func (c *Config) Validate() error {
	var errs []error
	if err := c.AuthType.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.Context != "" && c.AuthType != kubeclient.KubeConfig {
		errs = append(errs, fmt.Errorf("context: needs auth_type: %s", kubeclient.KubeConfig))
	}
	if !slices.Contains(modes, c.Mode) {
		names := make([]string, len(modes))
		for i, m := range modes {
			names[i] = string(m)
		}
		errs = append(errs, fmt.Errorf("mode: %q is not one of: %s", string(c.Mode), strings.Join(names, ", ")))
	}
	if len(c.Namespaces) == 0 || slices.Contains(c.Namespaces, "") {
		errs = append(errs, errors.New("namespaces: must name at least one namespace, and no empty one"))
	}
	if c.CollectionInterval < minCollectionInterval {
		errs = append(errs, fmt.Errorf("collection_interval: must be at least %s, not %s", minCollectionInterval, c.CollectionInterval))
	}
	switch {
	case c.Timeout != 0 && c.Timeout < minTimeout:
		errs = append(errs, fmt.Errorf("timeout: must be at least %s, not %s", minTimeout, c.Timeout))
	case c.CollectionInterval > 0 && c.Timeout > c.CollectionInterval:
		errs = append(errs, fmt.Errorf("timeout: must not be greater than collection_interval, %s, not %s", c.CollectionInterval, c.Timeout))
	}
	return errors.Join(errs...)
}

// scrapeTimeout is the timeout with its default applied.
func (c *Config) scrapeTimeout() time.Duration {
	if c.Timeout == 0 {
		return min(defaultTimeout, c.CollectionInterval)
	}
	return c.Timeout
}
