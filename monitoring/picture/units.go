package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// scale is a unit with the number of the next smaller ones in it.
type scale struct {
	name   string
	size   float64
	plural bool
}

var (
	durations = []scale{
		{name: "ns", size: 1e-9}, {name: "µs", size: 1e-6}, {name: "ms", size: 1e-3}, {name: "s", size: 1}, {name: "min", size: 60},
		{"hour", 3600, true}, {"day", 86400, true}, {"week", 7 * 86400, true}, {"year", 365 * 86400, true},
	}
	sizes  = []scale{{name: "B", size: 1}, {name: "KiB", size: 1 << 10}, {name: "MiB", size: 1 << 20}, {name: "GiB", size: 1 << 30}, {name: "TiB", size: 1 << 40}}
	counts = []scale{
		{size: 1}, {name: "K", size: 1e3}, {name: "Mil", size: 1e6}, {name: "Bil", size: 1e9}, {name: "Tri", size: 1e12},
		{name: "Quadr", size: 1e15}, {name: "Quint", size: 1e18}, {name: "Sext", size: 1e21}, {name: "Sept", size: 1e24},
	}
)

// format writes a value in one of Grafana's units.
func format(value float64, unit string) string {
	switch unit {
	case "percentunit":
		return number(value*100) + "%"
	case "percent":
		return number(value) + "%"
	case "s", "dtdurations":
		return scaled(value, durations)
	case "ms":
		return scaled(value/1000, durations)
	case "bytes", "decbytes":
		return scaled(value, sizes)
	case "Bps", "binBps":
		return scaled(value, sizes) + "/s"
	case "ops", "cps", "reqps", "wps", "pps", "eps":
		return scaled(value, counts) + "/s"
	case "short":
		return scaled(value, counts)
	default:
		return number(value)
	}
}

func scaled(value float64, scales []scale) string {
	of := scales[0]
	for _, s := range scales {
		if math.Abs(value) >= s.size {
			of = s
		}
	}
	if value == 0 {
		for _, s := range scales {
			if s.size == 1 {
				of = s
			}
		}
	}
	digits := number(value / of.size)
	if of.plural && digits != "1" {
		return digits + " " + of.name + "s"
	}
	return strings.TrimSpace(digits + " " + of.name)
}

// number has three digits that count.
func number(value float64) string {
	switch absolute := math.Abs(value); {
	case value == math.Trunc(value) && absolute < 1e6:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case absolute >= 100:
		return fmt.Sprintf("%.0f", value)
	case absolute >= 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0")
	case absolute >= 0.01:
		return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", value), "0"), ".")
	default:
		return strconv.FormatFloat(value, 'g', 2, 64)
	}
}
