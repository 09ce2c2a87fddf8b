package demo

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/calicoctl"
)

// Row is one pool: what Prometheus answers, what calicoctl says, and where they differ.
type Row struct {
	PoolReading
	// Calico is nil if calicoctl does not know the pool.
	Calico *calicoctl.Pool
	// Differences is empty if both agree.
	Differences []string
}

// Compare joins both sides by the pool's CIDR, in the order of the pools' names. They agree on a pool if the addresses in
// use and its size are the same, and if what is available and what is reserved make up what calicoctl calls free.
func Compare(pools []PoolReading, reference []calicoctl.Pool) []Row {
	byCIDR := map[string]*calicoctl.Pool{}
	for i := range reference {
		byCIDR[reference[i].CIDR] = &reference[i]
	}
	rows := make([]Row, 0, len(reference))
	for _, pool := range pools {
		row := Row{PoolReading: pool, Calico: byCIDR[pool.CIDR]}
		delete(byCIDR, pool.CIDR)
		row.Differences = differences(row)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Pool, b.Pool) })
	for i := range reference {
		if missing := byCIDR[reference[i].CIDR]; missing != nil {
			rows = append(rows, Row{
				PoolReading: PoolReading{CIDR: missing.CIDR}, Calico: missing,
				Differences: []string{"Prometheus has no " + queryUtilization + " of it"},
			})
		}
	}
	return rows
}

func differences(row Row) []string {
	if row.Calico == nil {
		return []string{"calicoctl has no pool with this CIDR"}
	}
	var found []string
	check := func(name string, value *float64, column string, figure calicoctl.Figure) {
		switch {
		case value == nil:
			found = append(found, "Prometheus has no "+name)
		case !figure.Agrees(*value):
			found = append(found, fmt.Sprintf("%s is %s, %s is %s", name, addresses(*value), column, figure.Text))
		}
	}
	check("used", row.Used, "IPS IN USE", row.Calico.InUse)
	check("size", row.Size, "IPS TOTAL", row.Calico.Total)
	free := row.Available
	if free != nil && row.Reserved != nil {
		sum := *row.Available + *row.Reserved
		free = &sum
	}
	check("available + reserved", free, "IPS FREE", row.Calico.Free)
	return append(found, utilizationDifferences(row)...)
}

// utilizationTolerance allows for the four digits that calicoctl prints of the size of an IPv6 pool.
const utilizationTolerance = 1e-4

func utilizationDifferences(row Row) []string {
	usable := row.Calico.Total.Value
	if row.Reserved != nil {
		usable -= *row.Reserved
	}
	want := row.Calico.InUse.Value / usable
	switch {
	case row.Utilization == nil:
		return []string{"Prometheus has no utilisation"}
	case math.Abs(*row.Utilization-want) > want*utilizationTolerance:
		return []string{fmt.Sprintf("utilisation is %s, by calicoctl's numbers it is %s", percentOfRatio(*row.Utilization), percentOfRatio(want))}
	}
	return nil
}

// Disagreement lists where rows differ, one line a pool, or is empty.
func Disagreement(rows []Row) []string {
	var lines []string
	for _, row := range rows {
		if len(row.Differences) > 0 {
			lines = append(lines, fmt.Sprintf("%s (%s): %s", orDash(row.Pool), row.CIDR, strings.Join(row.Differences, "; ")))
		}
	}
	return lines
}
