package calicoctl

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const withBlocks = `+----------+------------------------------------------+------------+------------+-------------------+
| GROUPING |                   CIDR                   | IPS TOTAL  | IPS IN USE |     IPS FREE      |
+----------+------------------------------------------+------------+------------+-------------------+
| IP Pool  | 192.168.0.0/22                           |       1024 | 120 (12%)  | 904 (88%)         |
| Block    | 192.168.1.64/26                          |         64 | 40 (62%)   | 24 (38%)          |
| IP Pool  | fd00:10:244::/48                         | 1.2089e+24 | 5 (0%)     | 1.2089e+24 (100%) |
+----------+------------------------------------------+------------+------------+-------------------+
`

const withReserved = `| GROUPING | CIDR | IPS TOTAL | IPS IN USE | IPS RESERVED | IPS FREE |
| IP Pool | 10.0.0.0/24 | 256 | 10 (4%) | 16 (6%) | 230 (90%) |
`

func TestParseShow(t *testing.T) {
	for _, test := range []struct {
		name, output string
		want         []Pool
		err          string
	}{
		{
			name:   "blocks are left out and huge numbers keep their digits",
			output: withBlocks,
			want: []Pool{
				{CIDR: "192.168.0.0/22", Total: Figure{"1024", 1024, 0}, InUse: Figure{"120", 120, 0}, Free: Figure{"904", 904, 0}},
				{CIDR: "fd00:10:244::/48", Total: Figure{"1.2089e+24", 1.2089e24, 5}, InUse: Figure{"5", 5, 0}, Free: Figure{"1.2089e+24", 1.2089e24, 5}},
			},
		},
		{
			name:   "columns are found by name",
			output: withReserved,
			want:   []Pool{{CIDR: "10.0.0.0/24", Total: Figure{"256", 256, 0}, InUse: Figure{"10", 10, 0}, Free: Figure{"230", 230, 0}}},
		},
		{name: "an answer without a table is an error", output: "No IP pools\n", err: "no table"},
		{name: "a missing column is an error", output: "| GROUPING | CIDR |\n", err: `no column "IPS TOTAL"`},
		{name: "a cell that is no number is an error", output: "| GROUPING | CIDR | IPS TOTAL | IPS IN USE | IPS FREE |\n| IP Pool | c | x | 1 | 1 |\n", err: "column IPS TOTAL"},
		{name: "a short line is an error", output: "| GROUPING | CIDR | IPS TOTAL | IPS IN USE | IPS FREE |\n| IP Pool | c |\n", err: "2 cells for 5 columns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseShow(test.output)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestFigureAgrees(t *testing.T) {
	for _, test := range []struct {
		name, printed string
		value         float64
		want          bool
	}{
		{"an exact number agrees with itself", "128 (50%)", 128, true},
		{"an exact number agrees with no other", "128 (50%)", 127, false},
		{"zero agrees with zero", "0 (0%)", 0, true},
		{"a rounded number agrees with what it was rounded from", "1.2089e+24", 1.2089258196146292e24, true},
		{"a rounded number differs from the next printable number but one", "1.2089e+24", 1.20911e24, false},
		{"a rounded number differs from another magnitude", "1.2089e+24", 1.2089258196146292e23, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			figure, err := ParseFigure(test.printed)
			require.NoError(t, err)
			require.Equal(t, test.want, figure.Agrees(test.value))
		})
	}
}
