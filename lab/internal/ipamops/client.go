// Package ipamops allocates and releases addresses through Calico's own IPAM library, with everything around an address
// that the CNI plugin and the kubelet would leave: the handle, the attributes and a running Pod that holds it.
package ipamops

import (
	"context"
	"errors"
	"fmt"
	"io"

	v3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/apiconfig"
	"github.com/projectcalico/calico/libcalico-go/lib/clientv3"
	cnet "github.com/projectcalico/calico/libcalico-go/lib/net"
	"github.com/projectcalico/calico/libcalico-go/lib/options"
	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
)

// calicoQPS replaces the client's default rate, which gives about two addresses a second.
const calicoQPS = 300

// ErrNoAddress says that a pool had no address left for a node.
var ErrNoAddress = errors.New("no address is left")

// Client changes the IPAM data of one cluster. It is safe for concurrent use.
type Client struct {
	// Calico is the library's client, for what has no method here.
	Calico clientv3.Interface
	// Kube holds the Pods of the allocations.
	Kube kubernetes.Interface
	// CRD reaches objects that the library does not know.
	CRD *cluster.Client
}

// New returns a Client for the cluster that the kubeconfig file names.
func New(kubeconfig string) (*Client, error) {
	// The library logs through logrus' global logger: at every allocation, and on the lab's terminal.
	logrus.SetOutput(io.Discard)
	crd, err := cluster.NewClient(kubeconfig)
	if err != nil {
		return nil, err
	}
	config := apiconfig.NewCalicoAPIConfig()
	config.Spec.DatastoreType = apiconfig.Kubernetes
	config.Spec.Kubeconfig = kubeconfig
	config.Spec.K8sClientQPS = calicoQPS
	calico, err := clientv3.New(*config)
	if err != nil {
		return nil, fmt.Errorf("create Calico client: %w", err)
	}
	return &Client{Calico: calico, Kube: crd.Kube, CRD: crd}, nil
}

// Pools returns all IP pools by name.
func (c *Client) Pools(ctx context.Context) ([]v3.IPPool, error) {
	list, err := c.Calico.IPPools().List(ctx, options.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list IP pools: %w", err)
	}
	return list.Items, nil
}

// DeletePool deletes a pool as calicoctl does: disabled first, its block affinities released, then gone. Addresses that are
// in use stay allocated, in blocks that no pool covers.
func (c *Client) DeletePool(ctx context.Context, name string) error {
	pool, err := c.Calico.IPPools().Get(ctx, name, options.GetOptions{})
	if err != nil {
		return fmt.Errorf("find IP pool %q: %w", name, err)
	}
	for _, use := range pool.Spec.AllowedUses {
		if use == useLoadBalancer {
			// The library of this Calico version refuses to update a pool whose use it does not know.
			return c.deletePoolObject(ctx, name)
		}
	}
	if _, err := c.Calico.IPPools().Delete(ctx, name, options.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete IP pool %q: %w", name, err)
	}
	return nil
}

func (c *Client) deletePoolObject(ctx context.Context, name string) error {
	if err := c.CRD.Dynamic.Resource(cluster.IPPools).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete IP pool %q: %w", name, err)
	}
	return nil
}

func (c *Client) poolNet(ctx context.Context, name string) (*cnet.IPNet, error) {
	pool, err := c.Calico.IPPools().Get(ctx, name, options.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("find IP pool %q: %w", name, err)
	}
	_, net, err := cnet.ParseCIDR(pool.Spec.CIDR)
	if err != nil {
		return nil, fmt.Errorf("parse the CIDR of IP pool %q: %w", name, err)
	}
	return net, nil
}
