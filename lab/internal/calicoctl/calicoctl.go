// Package calicoctl runs Calico's own command line tool, the reference for every IPAM number, and reads its answers.
package calicoctl

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

const timeout = 30 * time.Second

// Show runs `calicoctl ipam show` with further flags and returns what it prints.
func Show(ctx context.Context, program, kubeconfig string, flags ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.Command(program, append([]string{"ipam", "show", "--allow-version-mismatch"}, flags...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "DATASTORE_TYPE=kubernetes", "KUBECONFIG=" + kubeconfig}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := process.Run(ctx, cmd, process.RunOptions{}); err != nil {
		return "", fmt.Errorf("calicoctl ipam show: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Pool is one line of `calicoctl ipam show`.
type Pool struct {
	CIDR               string
	Total, InUse, Free Figure
}

// Figure is a number as it was printed, perhaps rounded.
type Figure struct {
	// Text is the number without its percentage.
	Text string
	// Value is the number, in addresses.
	Value float64
	// digits are the significant digits of a rounded number, or 0 if it is exact.
	digits int
}

// Agrees says whether v prints as the figure: exactly, or within one unit of the last digit of a rounded figure.
func (f Figure) Agrees(v float64) bool {
	if f.digits == 0 || f.Value == 0 {
		return v == f.Value
	}
	unit := math.Pow10(int(math.Floor(math.Log10(math.Abs(f.Value)))) - f.digits + 1)
	// The factor covers that the unit and both numbers are binary fractions.
	return math.Abs(v-f.Value) <= unit*1.000001
}

// ParseFigure reads "904", "1.2089e+24" or "120 (12%)".
func ParseFigure(cell string) (Figure, error) {
	text, _, _ := strings.Cut(strings.TrimSpace(cell), " ")
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Figure{}, fmt.Errorf("parse %q as a number: %w", cell, err)
	}
	figure := Figure{Text: text, Value: value}
	if mantissa, _, rounded := strings.Cut(strings.ToLower(text), "e"); rounded {
		figure.digits = len(strings.ReplaceAll(strings.TrimLeft(mantissa, "+-"), ".", ""))
	}
	return figure, nil
}

// The columns that are read; Calico 3.33 has more.
const (
	columnGrouping = "GROUPING"
	columnCIDR     = "CIDR"
	columnTotal    = "IPS TOTAL"
	columnInUse    = "IPS IN USE"
	columnFree     = "IPS FREE"

	poolGrouping = "IP Pool"
)

// ParseShow reads the pools of what Show returned, and leaves out blocks.
func ParseShow(output string) ([]Pool, error) {
	var columns map[string]int
	var pools []Pool
	for _, line := range strings.Split(output, "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = map[string]int{}
			for i, cell := range cells {
				columns[cell] = i
			}
			for _, name := range []string{columnGrouping, columnCIDR, columnTotal, columnInUse, columnFree} {
				if _, found := columns[name]; !found {
					return nil, fmt.Errorf("read calicoctl ipam show: no column %q in %q", name, line)
				}
			}
			continue
		}
		if len(cells) != len(columns) {
			return nil, fmt.Errorf("read calicoctl ipam show: %d cells for %d columns in %q", len(cells), len(columns), line)
		}
		if cells[columns[columnGrouping]] != poolGrouping {
			continue
		}
		pool := Pool{CIDR: cells[columns[columnCIDR]]}
		for name, into := range map[string]*Figure{columnTotal: &pool.Total, columnInUse: &pool.InUse, columnFree: &pool.Free} {
			figure, err := ParseFigure(cells[columns[name]])
			if err != nil {
				return nil, fmt.Errorf("read calicoctl ipam show: pool %s, column %s: %w", pool.CIDR, name, err)
			}
			*into = figure
		}
		pools = append(pools, pool)
	}
	if columns == nil {
		return nil, fmt.Errorf("read calicoctl ipam show: no table in %q", output)
	}
	return pools, nil
}
