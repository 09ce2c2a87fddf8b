package main

import (
	"cmp"
	"fmt"
	"slices"
)

// drawBars has a bar for each series, as long as its last value.
func drawBars(at area, p panel, found []series) {
	defaults := p.FieldConfig.Defaults
	slices.SortStableFunc(found, func(a, b series) int { return cmp.Compare(b.last(), a.last()) })
	highest, names, values := 0.0, 0, 0
	for _, s := range found {
		highest = max(highest, s.last())
		names = max(names, at.width(s.name, 10))
		values = max(values, at.width(format(s.last(), defaults.Unit), 10.5))
	}
	if defaults.Max != nil {
		highest = *defaults.Max
	}
	names = min(names, at.w/2)
	const rowHeight, least = 26, 15
	height := min(rowHeight, max(least, at.h/len(found)))
	fits := min(len(found), at.h/height)
	left, room := names+10, at.w-names-values-20
	for i, s := range found[:fits] {
		row := at.inside(0, i*height, at.w, height)
		middle := height/2 + 4
		row.right(row.fit(s.name, names, 10), names, middle, 10, colorText)
		row.inside(left, 3, room, height-6).fill(colorPage)
		color := defaults.Thresholds.color(s.last())
		if highest > 0 {
			row.inside(left, 3, max(1, int(float64(room)*min(1, s.last()/highest))), height-6).fill(color)
		}
		row.right(format(s.last(), defaults.Unit), row.w, middle, 10.5, color)
	}
	if fits < len(found) {
		at.right(fmt.Sprintf("and %d more", len(found)-fits), at.w, at.h, 9, colorMuted)
	}
}
