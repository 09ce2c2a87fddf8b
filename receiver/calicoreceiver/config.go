package calicoreceiver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-calico/otelcol-calico/internal/oneof"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/kubeclient"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

// Mode says which part of a cluster one receiver observes.
type Mode string

const (
	// ModeCluster observes a whole cluster.
	ModeCluster Mode = "cluster"
	// ModeNode observes what runs on every node of a cluster, on one of them.
	ModeNode Mode = "node"
	// ModeStatic scrapes the endpoints that the configuration names, and asks no API server.
	ModeStatic Mode = "static"
)

const (
	defaultCollectionInterval = 30 * time.Second
	defaultTimeout            = 10 * time.Second
)

// Where the operator and the manifests install Calico, and the operator itself.
var (
	clusterNamespaces = []string{"calico-system", "kube-system", "tigera-operator"}
	nodeNamespaces    = []string{"calico-system", "kube-system"}
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

	// Node is the Kubernetes node that mode node observes.
	Node string `mapstructure:"node"`

	// K8sLeaderElector is an extension that elects one of several collectors; the others stand by. It needs mode cluster.
	K8sLeaderElector *component.ID `mapstructure:"k8s_leader_elector"`

	// ClusterName becomes the resource attribute k8s.cluster.name of every metric; empty leaves it out.
	ClusterName string `mapstructure:"cluster_name"`

	// Namespaces are those that Calico's components are looked for in; empty is where Calico is installed to by default. Pods elsewhere are not
	// read, so that nobody who may create a pod can pass it off as Calico.
	Namespaces []string `mapstructure:"namespaces"`

	// CollectionInterval is the time between two scrapes of an endpoint, and between two reports of the receiver's own metrics.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`

	// Timeout bounds one scrape. It is at most the collection interval; 0 is 10 s, or the interval where that is shorter.
	Timeout time.Duration `mapstructure:"timeout"`

	// What is particular to the scrapes of one component.
	Felix           ComponentConfig `mapstructure:"felix"`
	Typha           ComponentConfig `mapstructure:"typha"`
	KubeControllers ComponentConfig `mapstructure:"kube_controllers"`
	Goldmane        ComponentConfig `mapstructure:"goldmane"`
	Operator        ComponentConfig `mapstructure:"operator"`

	// IPAM is the account of Calico's addresses.
	IPAM IPAMConfig `mapstructure:"ipam"`

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
	errs = append(errs, c.validateMode())
	if slices.Contains(c.Namespaces, "") {
		errs = append(errs, errors.New("namespaces: must not name an empty one"))
	}
	if c.CollectionInterval < scrape.MinInterval {
		errs = append(errs, fmt.Errorf("collection_interval: must be at least %s, not %s", scrape.MinInterval, c.CollectionInterval))
	}
	switch {
	case c.Timeout != 0 && c.Timeout < scrape.MinTimeout:
		errs = append(errs, fmt.Errorf("timeout: must be at least %s, not %s", scrape.MinTimeout, c.Timeout))
	case c.CollectionInterval > 0 && c.Timeout > c.CollectionInterval:
		errs = append(errs, fmt.Errorf("timeout: must not be greater than collection_interval, %s, not %s", c.CollectionInterval, c.Timeout))
	}
	seen := map[string]bool{} // addresses of static endpoints, by which scrapes are told apart
	for _, name := range discovery.Components() {
		if err := c.component(name).validateIn(c, seen); err != nil {
			errs = append(errs, prefixed(string(name), err))
		}
	}
	if err := c.IPAM.validate(); err != nil {
		errs = append(errs, prefixed("ipam", err))
	}
	return errors.Join(errs...)
}

// prefixed puts the key of a section in front of each of the errors that were found in it.
func prefixed(key string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return fmt.Errorf("%s.%w", key, err)
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		errs = append(errs, prefixed(key, err))
	}
	return errors.Join(errs...)
}

func (c *Config) validateMode() error {
	var errs []error
	errs = append(errs, oneof.Check("mode", c.Mode, ModeCluster, ModeNode, ModeStatic))
	switch {
	case c.Mode == ModeNode && c.Node == "":
		errs = append(errs, errors.New("node: must name the node that mode: node observes, as in ${env:K8S_NODE_NAME}"))
	case c.Mode != ModeNode && c.Node != "":
		errs = append(errs, fmt.Errorf("node: needs mode: %s", ModeNode))
	}
	if c.Mode != ModeCluster && c.K8sLeaderElector != nil {
		errs = append(errs, fmt.Errorf("k8s_leader_elector: needs mode: %s", ModeCluster))
	}
	if c.Mode == ModeStatic {
		if len(c.Namespaces) > 0 {
			errs = append(errs, fmt.Errorf("namespaces: mode: %s looks for no pods", ModeStatic))
		}
		if len(c.scope()) == 0 {
			errs = append(errs, fmt.Errorf("mode: %s needs endpoints of at least one component, as in felix.endpoints", ModeStatic))
		}
	}
	return errors.Join(errs...)
}

// namespaces are those that pods are looked for in.
func (c *Config) namespaces() []string {
	switch {
	case len(c.Namespaces) > 0:
		return c.Namespaces
	case c.Mode == ModeNode:
		return nodeNamespaces
	}
	return clusterNamespaces
}
