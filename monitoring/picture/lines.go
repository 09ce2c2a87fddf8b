package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-analyze/charts"
)

const (
	legendRow  = 16
	legendRows = 6
)

// drawLines draws series over time, with a legend that has their last and highest values.
func drawLines(at area, p panel, source *prometheus, found []series) {
	defaults := p.FieldConfig.Defaults
	paint(p, found)
	stacked := defaults.Custom.Stacking.Mode == "normal"
	lowest, highest := bounds(p, found, stacked)
	rows := min(len(found), legendRows)
	if len(found) > legendRows {
		rows++
	}
	ticks := axis(lowest, highest, defaults.Unit)
	labels := make([]string, len(ticks))
	left := 0
	for i, tick := range ticks {
		labels[i] = format(tick, defaults.Unit)
		left = max(left, at.width(labels[i], 9))
	}
	lowest, highest = ticks[0], ticks[len(ticks)-1]
	if defaults.Max != nil {
		highest = max(lowest, *defaults.Max)
	}
	plot := at.inside(left+8, 6, at.w-left-12, at.h-rows*legendRow-42)
	y := func(value float64) int {
		share := (min(max(value, lowest), highest) - lowest) / (highest - lowest)
		return plot.y + plot.h - int(math.Round(share*float64(plot.h)))
	}
	x := func(when time.Time) int {
		return plot.x + int(math.Round(float64(plot.w)*float64(when.Sub(source.start))/float64(source.end.Sub(source.start))))
	}
	for i, tick := range ticks {
		if tick > highest {
			continue
		}
		plot.line([]charts.Point{{X: plot.x, Y: y(tick)}, {X: plot.x + plot.w, Y: y(tick)}}, colorLine, 1)
		at.right(labels[i], left, y(tick)-at.y+4, 9, colorMuted)
	}
	drawTimes(plot, source, x)
	if defaults.Custom.ThresholdsStyle.Mode != "" {
		for _, step := range defaults.Thresholds.Steps {
			if step.Value != nil && *step.Value >= lowest && *step.Value <= highest {
				plot.dashed(plot.x, y(*step.Value), plot.x+plot.w, y(*step.Value), step.Color)
			}
		}
	}
	if stacked {
		drawStack(plot, found, x, y, defaults.Custom.FillOpacity)
	} else {
		for _, s := range found {
			for _, piece := range pieces(s.samples, source.step()) {
				line := make([]charts.Point, len(piece))
				for i, sample := range piece {
					line[i] = charts.Point{X: x(sample.at), Y: y(sample.value)}
				}
				plot.line(line, s.color, 2)
			}
		}
	}
	drawLegend(at.inside(0, at.h-rows*legendRow-8, at.w, rows*legendRow+8), defaults.Unit, found)
}

// drawTimes writes the time below the plot.
func drawTimes(plot area, source *prometheus, x func(time.Time) int) {
	span := source.end.Sub(source.start)
	layout, step := "15:04", time.Minute
	if span < 5*time.Minute {
		layout, step = "15:04:05", 30*time.Second
	}
	for _, s := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440} {
		if limit := max(3, plot.w/65); span/step > time.Duration(limit) {
			step = s * time.Minute
		}
	}
	for when := source.start.Truncate(step).Add(step); !when.After(source.end); when = when.Add(step) {
		label := when.UTC().Format(layout)
		at := x(when) - plot.x
		half := plot.width(label, 9) / 2
		if at-half < 0 || at+half > plot.w+8 {
			continue
		}
		plot.text(label, at-half, plot.h+15, 9, colorMuted)
	}
}

// drawStack puts series on top of each other.
func drawStack(plot area, found []series, x func(time.Time) int, y func(float64) int, opacity float64) {
	below := map[int64]float64{}
	type layer struct {
		color       string
		upper, edge []charts.Point
	}
	var layers []layer
	for _, s := range found {
		l := layer{color: s.color}
		var lower []charts.Point
		for _, sample := range s.samples {
			at := sample.at.UnixMilli()
			lower = append(lower, charts.Point{X: x(sample.at), Y: y(below[at])})
			below[at] += sample.value
			l.upper = append(l.upper, charts.Point{X: x(sample.at), Y: y(below[at])})
		}
		slices.Reverse(lower)
		l.edge = append(append(slices.Clone(l.upper), lower...), l.upper[0])
		layers = append(layers, l)
	}
	for _, l := range layers {
		if len(l.upper) > 1 {
			plot.p.FillArea(l.edge, charts.ColorFromHex(l.color).WithAlpha(uint8(255*opacity/100)))
		}
		plot.line(l.upper, l.color, 1.5)
	}
}

func drawLegend(at area, unit string, found []series) {
	order := slices.Clone(found)
	slices.SortStableFunc(order, func(a, b series) int { return cmp.Compare(b.last(), a.last()) })
	last, highest := at.w-80, at.w-2
	at.right("Last", last, 4, 9, colorMuted)
	at.right("Max", highest, 4, 9, colorMuted)
	for i, s := range order[:min(len(order), legendRows)] {
		y := (i+1)*legendRow + 4
		at.line([]charts.Point{{X: at.x + 1, Y: at.y + y - 4}, {X: at.x + 15, Y: at.y + y - 4}}, s.color, 3)
		at.text(at.fit(s.name, last-90, 10), 21, y, 10, colorText)
		at.right(format(s.last(), unit), last, y, 10, colorText)
		at.right(format(s.max(), unit), highest, y, 10, colorText)
	}
	if len(order) > legendRows {
		at.text(fmt.Sprintf("and %d more", len(order)-legendRows), 21, (legendRows+1)*legendRow+4, 10, colorMuted)
	}
}

// pieces are the parts of a line between gaps.
func pieces(samples []sample, step time.Duration) [][]sample {
	var all [][]sample
	begin := 0
	for i := 1; i <= len(samples); i++ {
		if i == len(samples) || samples[i].at.Sub(samples[i-1].at) > step*3/2 {
			all = append(all, samples[begin:i])
			begin = i
		}
	}
	return all
}

func bounds(p panel, found []series, stacked bool) (lowest, highest float64) {
	lowest, highest = math.Inf(1), math.Inf(-1)
	sums := map[int64]float64{}
	for _, s := range found {
		for _, sample := range s.samples {
			value := sample.value
			if stacked {
				sums[sample.at.UnixMilli()] += value
				value = sums[sample.at.UnixMilli()]
			}
			lowest, highest = min(lowest, value), max(highest, value)
		}
	}
	if given := p.FieldConfig.Defaults.Min; given != nil {
		lowest = min(*given, lowest)
	}
	if given := p.FieldConfig.Defaults.Max; given != nil {
		highest = *given
	}
	if highest <= lowest {
		highest = lowest + 1
	}
	return lowest, highest
}

// axis are about five round numbers of a unit that include the lowest and the highest value.
func axis(lowest, highest float64, unit string) []float64 {
	step := round((highest-lowest)/4, unit)
	var ticks []float64
	for i := math.Floor(lowest/step + 1e-9); ; i++ {
		ticks = append(ticks, i*step)
		if i*step >= highest-step*1e-9 {
			return ticks
		}
	}
}

// round is the next round number of a unit: in tens, in what sizes are counted in, or in times of a day.
func round(value float64, unit string) float64 {
	value *= 0.999
	base, steps := 10.0, []float64{1, 2, 2.5, 5, 10}
	switch unit {
	case "bytes", "decbytes", "Bps", "binBps":
		base, steps = 2, []float64{1, 2}
	case "s", "dtdurations":
		const minute, hour, day = 60, 3600, 86400
		for _, step := range []float64{
			1, 2, 5, 10, 15, 30, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
			hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 5 * day,
		} {
			if value > 0.5 && step >= value {
				return step
			}
		}
	}
	power := math.Pow(base, math.Floor(math.Log(value)/math.Log(base)+1e-9))
	for _, step := range steps {
		if step*power >= value {
			return step * power
		}
	}
	return base * power
}

// paint gives series the colours of the panel: of their query, or on a scale by their last value.
func paint(p panel, found []series) {
	highest := 0.0
	for _, s := range found {
		highest = max(highest, s.last())
	}
	for i := range found {
		s := &found[i]
		var fixed struct {
			FixedColor string `json:"fixedColor"`
		}
		switch color := p.FieldConfig.Defaults.Color; {
		case p.property("byFrameRefID", s.ref, "color", &fixed):
			s.color = fixed.FixedColor
		case color.Mode == "fixed":
			s.color = color.FixedColor
		case color.Mode == "thresholds":
			s.color = p.FieldConfig.Defaults.Thresholds.color(s.last())
		case highest > 0:
			s.color = between("#E6B800", "#0B4F8A", max(0, s.last()/highest))
		default:
			s.color = "#E6B800"
		}
	}
}

// between is a colour on the way from one to another.
func between(from, to string, share float64) string {
	a, b := charts.ColorFromHex(from), charts.ColorFromHex(to)
	mix := func(x, y uint8) uint8 { return uint8(float64(x) + share*(float64(y)-float64(x))) }
	return fmt.Sprintf("#%02X%02X%02X", mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B))
}
