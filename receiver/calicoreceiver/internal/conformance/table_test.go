package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

// readTable reads a table of calicoctl: its lines, by the names of the columns.
func readTable(text string) ([]map[string]string, error) {
	var columns []string
	lines := []map[string]string{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = cells
			continue
		}
		if len(cells) != len(columns) {
			return nil, fmt.Errorf("read a table: %d cells for %d columns in %q", len(cells), len(columns), line)
		}
		cellOf := map[string]string{}
		for i, column := range columns {
			cellOf[column] = cells[i]
		}
		lines = append(lines, cellOf)
	}
	if columns == nil {
		return nil, fmt.Errorf("read a table: there is none in %q", text)
	}
	return lines, nil
}

// usage is a line of `calicoctl ipam show --show-blocks`. The numbers are as they were printed, without a percentage.
type usage struct {
	cidr netip.Prefix
	// pool is that of a block; invalid where it is in none. A pool is its own.
	pool               netip.Prefix
	total, inUse, free string
}

// readUsage reads what --show-blocks prints: each pool with its blocks behind it, and at the end the blocks that are in no pool.
func readUsage(text string) (pools, blocks []usage, err error) {
	table, err := readTable(text)
	if err != nil {
		return nil, nil, err
	}
	for _, line := range table {
		u := usage{total: number(line["IPS TOTAL"]), inUse: number(line["IPS IN USE"]), free: number(line["IPS FREE"])}
		if u.cidr, err = netip.ParsePrefix(line["CIDR"]); err != nil {
			return nil, nil, fmt.Errorf("read the column CIDR: %w", err)
		}
		if line["GROUPING"] == "IP Pool" {
			u.pool = u.cidr
			pools = append(pools, u)
			continue
		}
		if len(pools) > 0 {
			if pool := pools[len(pools)-1].cidr; covers(pool, u.cidr) {
				u.pool = pool
			}
		}
		blocks = append(blocks, u)
	}
	return pools, blocks, nil
}

// number is a cell such as "12 (5%)" without the percentage.
func number(cell string) string {
	text, _, _ := strings.Cut(cell, " ")
	return text
}

// printed is a number as calicoctl prints it (calicoctl/commands/ipam/show.go): exact up to five digits.
func printed(count addresses.Count) string { return fmt.Sprintf("%.5g", count.Float64()) }

func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func TestUsageIsReadFromTheTableOfCalicoctl(t *testing.T) {
	const header = "+--+\n| GROUPING |      CIDR      | IPS TOTAL  | IPS IN USE |     IPS FREE      |\n+--+\n"
	prefix := netip.MustParsePrefix
	for _, test := range []struct {
		name, text    string
		pools, blocks []usage
		err           string
	}{
		{
			name: "a block behind a pool that covers it is the pool's",
			text: header + "| IP Pool  | 10.0.0.0/24 | 256 | 3 (1%) | 253 (99%) |\n| Block    | 10.0.0.64/26   | 64 | 3 (5%) | 61 (95%) |\n",
			pools: []usage{
				{cidr: prefix("10.0.0.0/24"), pool: prefix("10.0.0.0/24"), total: "256", inUse: "3", free: "253"},
			},
			blocks: []usage{
				{cidr: prefix("10.0.0.64/26"), pool: prefix("10.0.0.0/24"), total: "64", inUse: "3", free: "61"},
			},
		},
		{
			name:   "a block behind a pool that does not cover it is in none",
			text:   header + "| IP Pool  | 10.0.0.0/24 | 256 | 0 (0%) | 256 (100%) |\n| Block    | 10.1.0.64/26   | 64 | 3 (5%) | 61 (95%) |\n",
			pools:  []usage{{cidr: prefix("10.0.0.0/24"), pool: prefix("10.0.0.0/24"), total: "256", inUse: "0", free: "256"}},
			blocks: []usage{{cidr: prefix("10.1.0.64/26"), total: "64", inUse: "3", free: "61"}},
		},
		{
			name:  "a rounded number stays as it was printed",
			text:  header + "| IP Pool  | fd00::/48 | 1.2089e+24 | 0 (0%) | 1.2089e+24 (100%) |\n",
			pools: []usage{{cidr: prefix("fd00::/48"), pool: prefix("fd00::/48"), total: printed(addresses.Power(80)), inUse: "0", free: "1.2089e+24"}},
		},
		{name: "a line that is too short is an error", text: header + "| IP Pool  | 10.0.0.0/24 |\n", err: "2 cells for 5 columns"},
		{name: "a CIDR that is none is an error", text: header + "| IP Pool  | ten | 1 | 1 | 1 |\n", err: "read the column CIDR"},
		{name: "a text without a table is an error", text: "no pools\n", err: "there is none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pools, blocks, err := readUsage(test.text)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.pools, pools)
			require.Equal(t, test.blocks, blocks)
		})
	}
}
