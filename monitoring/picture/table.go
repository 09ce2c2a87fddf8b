package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// column is one of a table: a label, or what a query answers.
type column struct {
	name, label, ref string
}

// drawTable has a row for each set of labels and a column for each query, as the transformations merge and organize have it.
func drawTable(at area, p panel, found []series) {
	columns := tableColumns(p, found)
	rows := tableRows(p, found)
	cells := func(row map[string]series, c column) (text, color string) {
		color = colorText
		if c.ref == "" {
			for _, s := range row {
				text = s.labels[c.label]
			}
			return text, color
		}
		s, ok := row[c.ref]
		if !ok {
			return "", color
		}
		unit := p.FieldConfig.Defaults.Unit
		p.property("byName", c.name, "unit", &unit)
		var steps thresholds
		var cell struct {
			Type string `json:"type"`
		}
		if p.property("byName", c.name, "custom.cellOptions", &cell) && strings.HasPrefix(cell.Type, "color") && p.property("byName", c.name, "thresholds", &steps) {
			color = steps.color(s.last())
		}
		return format(s.last(), unit), color
	}
	const rowHeight, gap = 22, 18
	fits := max(1, (at.h-24)/rowHeight)
	if len(rows) > fits {
		fits--
	}
	widths, total := make([]int, len(columns)), 0
	for i, c := range columns {
		widths[i] = at.width(c.name, 10)
		for _, row := range rows {
			text, _ := cells(row, c)
			widths[i] = max(widths[i], at.width(text, 10))
		}
		widths[i] += gap
		total += widths[i]
	}
	for i := range widths {
		widths[i] = widths[i] * at.w / total
	}
	x := 0
	for i, c := range columns {
		write := func(text string, y int, color string) {
			text = at.fit(text, widths[i]-8, 10)
			if c.ref == "" {
				at.text(text, x, y, 10, color)
			} else {
				at.right(text, x+widths[i]-8, y, 10, color)
			}
		}
		write(c.name, 14, colorMuted)
		for n, row := range rows[:min(len(rows), fits)] {
			text, color := cells(row, c)
			write(text, 24+n*rowHeight+15, color)
		}
		x += widths[i]
	}
	for n := range min(len(rows), fits) {
		at.inside(0, 22+n*rowHeight, at.w, 1).fill(colorLine)
	}
	if fits < len(rows) {
		at.text(fmt.Sprintf("and %d more", len(rows)-fits), 0, 24+fits*rowHeight+14, 9.5, colorMuted)
	}
}

func organize(p panel) (exclude map[string]bool, rename map[string]string) {
	exclude, rename = map[string]bool{"__name__": true, "Time": true}, map[string]string{}
	for _, t := range p.Transformations {
		maps.Copy(exclude, t.Options.Exclude)
		maps.Copy(rename, t.Options.Rename)
	}
	return exclude, rename
}

func tableColumns(p panel, found []series) []column {
	exclude, rename := organize(p)
	labels := map[string]bool{}
	for _, s := range found {
		for label := range s.labels {
			labels[label] = !exclude[label]
		}
	}
	var columns []column
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		if labels[label] {
			columns = append(columns, column{name: cmp.Or(rename[label], label), label: label})
		}
	}
	for _, q := range p.Targets {
		field := "Value"
		if len(p.Targets) > 1 {
			field = "Value #" + q.RefID
		}
		if !exclude[field] {
			columns = append(columns, column{name: cmp.Or(rename[field], field), ref: q.RefID})
		}
	}
	return columns
}

// tableRows are the answers of each set of labels by their query, those with the highest first.
func tableRows(p panel, found []series) []map[string]series {
	bySet := map[string]map[string]series{}
	for _, s := range found {
		set, _ := json.Marshal(s.labels) // a map of texts
		if bySet[string(set)] == nil {
			bySet[string(set)] = map[string]series{}
		}
		bySet[string(set)][s.ref] = s
	}
	rows := make([]map[string]series, 0, len(bySet))
	for _, set := range slices.Sorted(maps.Keys(bySet)) {
		rows = append(rows, bySet[set])
	}
	first := p.Targets[0].RefID
	value := func(row map[string]series) float64 {
		if s, ok := row[first]; ok {
			return s.last()
		}
		return -1
	}
	slices.SortStableFunc(rows, func(a, b map[string]series) int { return cmp.Compare(value(b), value(a)) })
	return rows
}
