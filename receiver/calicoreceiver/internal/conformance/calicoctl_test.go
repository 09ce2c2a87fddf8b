//go:build e2e

package conformance

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// compareWithCalicoctl compares every pool and every block with `calicoctl ipam show`.
func compareWithCalicoctl(t *testing.T, c *check, a account, o *objects) {
	t.Helper()
	pools, blocks, err := readUsage(lab.Output(t, "ipam", "show", "--show-blocks"))
	require.NoError(t, err)
	comparePools(c, a, pools)
	compareBlocks(c, a, blocks)
	borrowed, err := readTable(lab.Output(t, "ipam", "show", "--show-borrowed"))
	require.NoError(t, err)
	compareBorrowed(t, c, a, o, borrowed)
}

func comparePools(c *check, a account, shown []usage) {
	byCIDR := map[netip.Prefix]usage{}
	for _, u := range shown {
		byCIDR[u.cidr] = u
	}
	c.equal("", "number of pools in calicoctl", len(byCIDR), len(a.report.Pools))
	for _, p := range a.report.Pools {
		u := byCIDR[p.CIDR]
		c.equal(p.Name, "IPS TOTAL of calicoctl", u.total, printed(p.Size))
		c.equal(p.Name, "IPS IN USE of calicoctl", u.inUse, printed(addresses.Of(p.Allocated)))
		// Up to 3.32 it takes reserved addresses for free.
		c.equal(p.Name, "IPS FREE of calicoctl", u.free, printed(p.Size.Minus(addresses.Of(p.Allocated))))
	}
}

func compareBlocks(c *check, a account, shown []usage) {
	cidrs := map[string]netip.Prefix{}
	for _, p := range a.report.Pools {
		cidrs[p.Name] = p.CIDR
	}
	byCIDR := map[netip.Prefix]usage{}
	for _, u := range shown {
		byCIDR[u.cidr] = u
	}
	orphaned := 0
	for _, b := range a.blocks {
		if b.Pool == "" {
			orphaned += b.Allocated
		}
		u, ok := byCIDR[b.CIDR]
		delete(byCIDR, b.CIDR)
		if b.Pool == "" && b.CIDR.Addr().Is6() {
			// It looks for blocks without a pool under 0.0.0.0/0 (libcalico-go/lib/ipam/ipam.go, GetUtilization).
			c.equal("", "calicoctl shows "+b.CIDR.String(), false, ok)
			continue
		}
		c.equal(b.Pool, "pool of "+b.CIDR.String()+" in calicoctl", u.pool, cidrs[b.Pool])
		c.equal(b.Pool, "IPS TOTAL of "+b.CIDR.String()+" in calicoctl", u.total, printed(addresses.Of(b.Size)))
		c.equal(b.Pool, "IPS IN USE of "+b.CIDR.String()+" in calicoctl", u.inUse, printed(addresses.Of(b.Allocated)))
		c.equal(b.Pool, "IPS FREE of "+b.CIDR.String()+" in calicoctl", u.free, printed(addresses.Of(b.Size-b.Allocated)))
	}
	c.equal("", "number of further blocks in calicoctl", len(byCIDR), 0)
	c.equal("", "addresses in blocks of no pool", orphaned, a.report.Orphaned)
}

// holding is what a node has of a pool.
type holding struct{ pool, node string }

// compareBorrowed compares with `calicoctl ipam show --show-borrowed`, in which each address has a line. It shows those without a handle as well,
// which neither the account nor kube-controllers counts for a node.
func compareBorrowed(t *testing.T, c *check, a account, o *objects, shown []map[string]string) {
	t.Helper()
	borrowed, lent := map[holding]int{}, map[holding]int{}
	for _, line := range shown {
		addr, err := netip.ParseAddr(line["IP"])
		require.NoError(t, err)
		b, ok := o.blockOf(addr)
		if !ok || !b.addresses[addr].handled {
			continue
		}
		borrowed[holding{b.pool, line["BORROWING-NODE"]}]++
		if strings.HasPrefix(b.affinity, "host:") {
			lent[holding{b.pool, line["BLOCK OWNER"]}]++
		}
	}
	a.shares(func(pool string, s ipam.NodeShare) {
		key := holding{pool, s.Node}
		c.equal(pool, "addresses that "+s.Node+" borrows in calicoctl", borrowed[key], s.Borrowed)
		c.equal(pool, "addresses that "+s.Node+" lends in calicoctl", lent[key], s.Lent)
		delete(borrowed, key)
		delete(lent, key)
	})
	c.equal("", "further nodes that borrow in calicoctl", borrowed, map[holding]int{})
	c.equal("", "further nodes that lend in calicoctl", lent, map[holding]int{})
}

func (o *objects) blockOf(addr netip.Addr) (block, bool) {
	for _, b := range o.blocks {
		if b.cidr.Contains(addr) {
			return b, true
		}
	}
	return block{}, false
}
