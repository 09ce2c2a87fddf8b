package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-analyze/charts"
)

const (
	width   = 1280
	columns = 24
	unit    = 36 // height of one of the grid
	header  = 52
	margin  = 4
)

// draw draws a dashboard, with its title and variables on top.
func draw(ctx context.Context, d *dashboard, source *prometheus, values map[string]string) ([]byte, error) {
	rows := 0
	for _, p := range d.Panels {
		rows = max(rows, p.GridPos.Y+p.GridPos.H)
	}
	height := header + rows*unit + margin
	page := area{charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: width, Height: height}), 0, 0, width, height}
	page.fill(colorPage)
	page.text(d.Title, 2*margin, 32, 17, colorText)
	page.right(variables(d, values), width-2*margin, 31, 10.5, colorMuted)
	for _, p := range d.Panels {
		x0, x1 := p.GridPos.X*width/columns, (p.GridPos.X+p.GridPos.W)*width/columns
		at := page.inside(x0+margin, header+p.GridPos.Y*unit+margin, x1-x0-2*margin, p.GridPos.H*unit-2*margin)
		if err := drawPanel(ctx, at, p, source, values); err != nil {
			return nil, err
		}
	}
	content, err := page.p.Bytes()
	if err != nil {
		return nil, err
	}
	return shrink(content)
}

// variables are what is chosen, in words.
func variables(d *dashboard, values map[string]string) string {
	var words []string
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		value := values[v.Name]
		if v.IncludeAll && (value == v.AllValue || strings.HasPrefix(value, "(")) {
			value = "All"
		}
		words = append(words, v.Label+": "+value)
	}
	return strings.Join(words, "     ")
}

func drawPanel(ctx context.Context, at area, p panel, source *prometheus, values map[string]string) error {
	if p.Type == "row" {
		at.text(p.Title, margin, at.h-8, 12.5, colorText)
		return nil
	}
	at.frame(colorPanel, colorLine)
	at.text(at.fit(p.Title, at.w-20, 11), 10, 20, 11, colorText)
	body := at.inside(10, 30, at.w-20, at.h-38)
	found, err := p.answers(ctx, source, values)
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0:
		body.center("No data", body.h/2+2, 11, colorMuted)
	case p.Type == "timeseries":
		drawLines(body, p, source, found)
	case p.Type == "stat":
		drawStat(body, p, found)
	case p.Type == "bargauge":
		drawBars(body, p, found)
	case p.Type == "table":
		drawTable(body, p, found)
	default:
		return fmt.Errorf("%s: there is no way to draw a panel of type %s", p.Title, p.Type)
	}
	return nil
}

// drawStat writes a number, or the last ones of several series with their names.
func drawStat(at area, p panel, found []series) {
	defaults := p.FieldConfig.Defaults
	share := at.w / len(found)
	for i, s := range found {
		part := at.inside(i*share, 0, share, at.h)
		value := format(s.last(), defaults.Unit)
		size := 26.0
		for size > 10 && part.width(value, size) > part.w-6 {
			size--
		}
		color := colorText
		if defaults.Color.Mode == "thresholds" {
			color = defaults.Thresholds.color(s.last())
		}
		y := part.h/2 + 12
		if len(found) > 1 {
			part.center(part.fit(s.name, part.w-6, 9.5), part.h-6, 9.5, colorMuted)
			y -= 6
		}
		part.center(value, y, size, color)
	}
}
