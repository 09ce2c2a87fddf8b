package demo

import (
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/olekukonko/tablewriter"
)

// exactLimit is the size up to which addresses are printed digit by digit; a float64 counts in steps above it.
const exactLimit = 1 << 53

// noReservations explains AVAILABLE where there is no series ipam_ippool_reserved.
const noReservations = "Calico before 3.33 publishes no reservations: AVAILABLE counts reserved addresses too."

func addresses(value float64) string {
	if math.Abs(value) < exactLimit {
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return strconv.FormatFloat(value, 'g', 5, 64)
}

func optional(value *float64, format func(float64) string) string {
	if value == nil {
		return "-"
	}
	return format(*value)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func percentOfRatio(ratio float64) string { return fmt.Sprintf("%.1f %%", ratio*100) }

// WriteTable writes the rows, and below them every difference and what the numbers cannot show.
func WriteTable(out io.Writer, rows []Row) {
	table := tablewriter.NewWriter(out)
	table.SetAutoFormatHeaders(false)
	table.SetAutoWrapText(false)
	table.SetHeader([]string{"POOL", "CIDR", "USED", "SIZE", "UTILISATION", "AVAILABLE", "calicoctl IN USE", "calicoctl TOTAL", ""})
	right, left := tablewriter.ALIGN_RIGHT, tablewriter.ALIGN_LEFT
	table.SetColumnAlignment([]int{left, left, right, right, right, right, right, right, left})
	for _, row := range rows {
		inUse, total := "-", "-"
		if row.Calico != nil {
			inUse, total = row.Calico.InUse.Text, row.Calico.Total.Text
		}
		verdict := "OK"
		if len(row.Differences) > 0 {
			verdict = "DIFFERS"
		}
		table.Append([]string{
			orDash(row.Pool), row.CIDR, optional(row.Used, addresses), optional(row.Size, addresses),
			optional(row.Utilization, percentOfRatio), optional(row.Available, addresses), inUse, total, verdict,
		})
	}
	table.Render()
	for _, line := range Disagreement(rows) {
		fmt.Fprintln(out, "DIFFERS:", line)
	}
	reserved := slices.ContainsFunc(rows, func(row Row) bool { return row.Reserved != nil })
	if len(rows) > 0 && !reserved {
		fmt.Fprintln(out, noReservations)
	}
}

// WriteComparison writes the answer of the popular query beside the right ones.
func WriteComparison(out io.Writer, reading Reading) {
	percent := func(value float64) string { return fmt.Sprintf("%.2f %%", value) }
	fullest := "-"
	if reading.Fullest != "" {
		fullest = fmt.Sprintf("%s (%s)", percent(reading.FullestPercent), reading.Fullest)
	}
	for _, line := range []struct{ label, query, answer string }{
		{"popular query, which the IPv6 pool swallows", queryPopular, optional(reading.Popular, percent)},
		{"all IPv4 pools that pods may use", queryClusterIPv4, optional(reading.ClusterIPv4, percent)},
		{"the fullest pool", queryFullest, fullest},
	} {
		fmt.Fprintf(out, "%-44s %s\n    %s\n", line.label, line.answer, line.query)
	}
}

// GraphURL is a page of Prometheus that shows the utilisation of every pool over time.
func GraphURL(prometheus string) string {
	query := url.Values{"g0.expr": {queryUtilization + " * 100"}, "g0.tab": {"graph"}, "g0.range_input": {"15m"}}
	return prometheus + "/query?" + query.Encode()
}
