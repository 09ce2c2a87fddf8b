//go:build e2e

package conformance

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// watch follows the addresses of a cluster as the receiver does, until the end of the test or until stop is called.
func watch(t *testing.T, config *rest.Config) (w *cluster.Watcher, stop func()) {
	t.Helper()
	w, err := cluster.New(config, cluster.Options{
		Resources: []calicoapi.Resource{calicoapi.IPPools, calicoapi.ClusterInformations},
		IPAM:      &cluster.IPAMOptions{Namespaces: true},
		Redetect:  time.Minute,
	}, zap.NewNop())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return w, stop
}

// account is what the account has at a moment.
type account struct {
	report ipam.Report
	blocks []ipam.BlockReport
}

// read reads the account of a Watcher, and fails while there is none or where it lacks something.
func read(c *check, w *cluster.Watcher, now time.Time) account {
	answer := w.IPAM(now)
	c.equal("", "its state", cluster.AccountReady, answer.State)
	c.equal("", "whether reservations are unknown", false, answer.ReservationsUnknown)
	c.equal("", "whether the configuration is unknown", false, answer.ConfigUnknown)
	c.equal("", "whether nodes are unknown", false, answer.NodesUnknown)
	for resource, invalid := range answer.Invalid {
		c.equal("", "number of "+string(resource)+" that cannot be read", 0, invalid)
	}
	return account{report: answer.Report, blocks: w.Blocks()}
}

// shares calls do with what each node has of each pool, and of no pool, which has no name.
func (a account) shares(do func(pool string, share ipam.NodeShare)) {
	for _, p := range a.report.Pools {
		for _, s := range p.Nodes {
			do(p.Name, s)
		}
	}
	for _, s := range a.report.NoPool {
		do("", s)
	}
}

// compareAccounts compares two accounts that should be the same.
func compareAccounts(c *check, want, got account) {
	c.equal("", "number of pools", len(want.report.Pools), len(got.report.Pools))
	if len(want.report.Pools) == len(got.report.Pools) {
		for i, p := range want.report.Pools {
			c.deep(p.Name, "report", reflect.ValueOf(p), reflect.ValueOf(got.report.Pools[i]))
		}
	}
	want.report.Pools, got.report.Pools = nil, nil
	c.deep("", "report", reflect.ValueOf(want.report), reflect.ValueOf(got.report))
	c.deep("", "blocks", reflect.ValueOf(want.blocks), reflect.ValueOf(got.blocks))
}

// compareWithObjects compares what Calico 3.28 does not tell with what the objects say.
func compareWithObjects(t *testing.T, c *check, a account, o *objects) {
	t.Helper()
	nodes := map[string]bool{}
	for _, name := range a.report.NodeNames {
		nodes[name] = true
	}
	for name := range o.nodes {
		c.equal("", "whether it knows node "+name, true, nodes[name])
	}
	c.equal("", "number of nodes", len(o.nodes), len(nodes))
	affinities := map[string]string{}
	for _, b := range o.blocks {
		affinities[b.cidr.String()] = b.affinity
	}
	c.equal("", "number of blocks", len(affinities), len(a.blocks))
	for _, b := range a.blocks {
		c.equal(b.Pool, "affinity of "+b.CIDR.String(), affinities[b.CIDR.String()], b.Affinity)
	}
	limit := 20 // where none is configured (libcalico-go/lib/ipam/ipam.go, autoAssign)
	for _, config := range o.byResource["ipamconfigs"] {
		if spec, ok := config.Object["spec"].(map[string]any); ok {
			if n, _ := spec["maxBlocksPerHost"].(int64); n > 0 {
				limit = int(n)
			}
		}
	}
	for _, n := range a.report.Nodes {
		c.equal("", "limit of blocks of "+n.Node, limit, n.BlocksLimit)
		c.equal("", n.Family+" blocks of "+n.Node, o.claimed(t, n.Node, n.Family == calicometric.IPv4), n.Blocks)
	}
	for _, p := range a.report.Pools {
		comparePool(c, p, o)
	}
	// Services have a namespace too, and are not counted.
	namespaces := map[string]int{}
	for _, b := range o.blocks {
		for _, own := range b.addresses {
			if useOf(own) == ipam.UseWorkload {
				namespaces[own.attributes["namespace"]]++
			}
		}
	}
	for _, n := range a.report.Namespaces {
		c.equal("", "addresses of namespace "+n.Namespace, namespaces[n.Namespace], n.Allocated)
		delete(namespaces, n.Namespace)
	}
	c.equal("", "further namespaces", namespaces, map[string]int{})
}

// comparePool compares the reservations of a pool, its blocks and its uses, and sees to it that the parts make the whole.
func comparePool(c *check, p ipam.PoolReport, o *objects) {
	reserved, both, allocated, used := 0, 0, 0, 0
	for addr := range o.reserved {
		if p.CIDR.Contains(addr) {
			reserved++
		}
	}
	var uses [len(p.Uses)]int
	for _, b := range o.in(p.Name) {
		allocated += b.allocated()
		empty := true
		for addr, own := range b.addresses {
			if o.reserved[addr] {
				both++
			}
			use := useOf(own)
			uses[use]++
			empty = empty && use == ipam.UseWindowsReserved
		}
		if !empty {
			used++
		}
	}
	c.equal(p.Name, "reserved addresses", addresses.Of(reserved), p.Reserved)
	c.equal(p.Name, "uses", uses, p.Uses)
	c.equal(p.Name, "cooling addresses", 0, p.Cooling)
	c.equal(p.Name, "used blocks", used, p.Used)
	sum := p.Cooling
	for _, n := range p.Uses {
		sum += n
	}
	c.equal(p.Name, "allocated addresses, which are those of all uses and those that cool down", sum, p.Allocated)
	c.equal(p.Name, "allocated addresses", allocated, p.Allocated)
	blocks := addresses.Of(p.Used).Plus(addresses.Of(p.Empty)).Plus(p.Unclaimed).Plus(p.ReservedBlocks)
	c.equal(p.Name, "blocks, of which there are as many as the pool has room for", addresses.Power(p.BlockSize-p.CIDR.Bits()), blocks)
	most := p.Size.Plus(addresses.Of(both)).Minus(p.Reserved).Minus(addresses.Of(allocated))
	c.equal(p.Name, "whether it can give out more than is neither allocated nor reserved", false, p.Assignable.Compare(most) > 0)
}

// useOf is what an address is used for, by the attributes that the driver and the lab give.
func useOf(o owner) ipam.Use {
	kind := o.attributes["type"]
	switch {
	case o.attributes["note"] != "":
		return ipam.UseWindowsReserved
	case kind == "LoadBalancer":
		return ipam.UseLoadBalancer
	case strings.HasSuffix(kind, "TunnelAddress"):
		return ipam.UseTunnel
	case o.attributes["pod"] != "":
		return ipam.UseWorkload
	}
	return ipam.UseOther
}
