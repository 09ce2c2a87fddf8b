package calicoreceiver

import (
	"cmp"
	"errors"
	"time"

	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
	"github.com/otelcol-calico/otelcol-calico/internal/oneof"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

// IPAMSource says where the numbers of Calico's IP address management come from.
type IPAMSource string

const (
	// IPAMAuto is IPAMDatastore where pools and blocks can be read, else IPAMScrape, as in the modes node and static.
	IPAMAuto IPAMSource = "auto"
	// IPAMDatastore computes them from the Kubernetes API, in the modes node and static by the collector in mode cluster. What kube-controllers
	// publishes of them does not enter the pipeline.
	IPAMDatastore IPAMSource = "datastore"
	// IPAMScrape takes them from the metrics of kube-controllers. Of the Kubernetes API only the pools are read.
	IPAMScrape IPAMSource = "scrape"
	// IPAMOff is that there are none.
	IPAMOff IPAMSource = "off"
)

// NodeDetail says how finely the numbers of a pool are told apart by node.
type NodeDetail = nodedetail.Mode

// The modes that there are.
const (
	NodeDetailFull    = nodedetail.Full
	NodeDetailNonzero = nodedetail.Nonzero
	NodeDetailNone    = nodedetail.None
)

// IPAMConfig is what a user can say of the account of Calico's addresses.
type IPAMConfig struct {
	// Source says where the numbers come from.
	Source IPAMSource `mapstructure:"source"`

	// NodeDetail says how finely the numbers of a pool are told apart by node.
	NodeDetail NodeDetail `mapstructure:"node_detail"`

	// TopNodes is how many nodes of each pool have series of their own, those with the most addresses in use; the others are one. 0 is all,
	// and nodedetail.MaxTop the most.
	TopNodes int `mapstructure:"top_nodes"`
}

func defaultIPAMConfig() IPAMConfig { return IPAMConfig{Source: IPAMAuto, NodeDetail: NodeDetailFull} }

// validate names the key of every value that cannot be used.
func (c IPAMConfig) validate() error {
	return errors.Join(
		oneof.Check("source", c.Source, IPAMAuto, IPAMDatastore, IPAMScrape, IPAMOff),
		c.detail().Validate())
}

// detail is how many nodes of a pool have points of their own.
func (c IPAMConfig) detail() nodedetail.Detail {
	return nodedetail.Detail{Mode: c.NodeDetail, Top: c.TopNodes}
}

// ipamSource is where the numbers come from in the receiver's mode.
func (c *Config) ipamSource() IPAMSource {
	if c.IPAM.Source == IPAMAuto && c.Mode != ModeCluster {
		return IPAMScrape
	}
	return c.IPAM.Source
}

// watchesIPAM says whether the account is kept from the Kubernetes API, where that can be read. Of a cluster one collector keeps it.
func (c *Config) watchesIPAM() bool {
	return c.Mode == ModeCluster && (c.IPAM.Source == IPAMAuto || c.IPAM.Source == IPAMDatastore)
}

// handover is how long it takes until what stood in for an account has ended: to the next scrape of kube-controllers. Reports do not come to the
// millisecond, and the one that is due is not missed for that.
func (c *Config) handover() time.Duration {
	if c.ipamSource() != IPAMAuto {
		return 0
	}
	return cmp.Or(c.KubeControllers.Scrape.CollectionInterval, c.CollectionInterval) - settle
}

// explained are the components of which is said what becomes of them: those that are looked for, and the account of addresses.
func (c *Config) explained() []discovery.Component {
	scope := c.scope()
	if c.Mode == ModeCluster && c.ipamSource() != IPAMOff {
		scope = append(scope, discovery.IPAM)
	}
	return scope
}

// passing is what of kube-controllers' metrics of IPAM enters the pipeline with an account. While it is not known whether there will be one
// they are held back: an account would have them again.
func (c *Config) passing(account cluster.IPAM) passing {
	source := c.ipamSource()
	switch {
	case source == IPAMOff:
		return passNone
	case source == IPAMScrape, source == IPAMAuto && account.State == cluster.AccountUnavailable:
		return passAll
	}
	return passOwn
}
