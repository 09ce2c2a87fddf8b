package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"slices"

	"github.com/go-analyze/charts"
)

// Colours of what is no data.
const (
	colorPage  = "#F4F5F5"
	colorPanel = "#FFFFFF"
	colorLine  = "#E0E2E5"
	colorText  = "#24292E"
	colorMuted = "#6E757C"
)

// area is a part of the picture.
type area struct {
	p          *charts.Painter
	x, y, w, h int
}

func (a area) inside(x, y, w, h int) area { return area{a.p, a.x + x, a.y + y, w, h} }

func (a area) fill(color string) {
	c := charts.ColorFromHex(color)
	a.p.FilledRect(a.x, a.y, a.x+a.w, a.y+a.h, c, c, 0)
}

func (a area) frame(fill, line string) {
	a.p.FilledRect(a.x, a.y, a.x+a.w, a.y+a.h, charts.ColorFromHex(fill), charts.ColorFromHex(line), 1)
}

func style(size float64, color string) charts.FontStyle {
	return charts.FontStyle{FontSize: size, FontColor: charts.ColorFromHex(color)}
}

func (a area) width(text string, size float64) int {
	return a.p.MeasureText(text, 0, style(size, colorText)).Width()
}

// text is written from a point of the area on, its base line at y.
func (a area) text(text string, x, y int, size float64, color string) {
	a.p.Text(text, a.x+x, a.y+y, 0, style(size, color))
}

// right is written so that it ends at x.
func (a area) right(text string, x, y int, size float64, color string) {
	a.text(text, x-a.width(text, size), y, size, color)
}

// center is written in the middle of the width.
func (a area) center(text string, y int, size float64, color string) {
	a.text(text, (a.w-a.width(text, size))/2, y, size, color)
}

// fit shortens a text to a width.
func (a area) fit(text string, width int, size float64) string {
	if a.width(text, size) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 1 && a.width(string(runes)+"...", size) > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "..."
}

func (a area) line(points []charts.Point, color string, width float64) {
	if len(points) > 1 {
		a.p.LineStroke(points, charts.ColorFromHex(color), width)
	} else if len(points) == 1 {
		a.p.Circle(width, points[0].X, points[0].Y, charts.ColorFromHex(color), charts.ColorFromHex(color), 0)
	}
}

func (a area) dashed(x1, y1, x2, y2 int, color string) {
	a.p.DashedLineStroke([]charts.Point{{X: x1, Y: y1}, {X: x2, Y: y2}}, charts.ColorFromHex(color), 1.5, []float64{6, 4})
}

// shrink draws the same with 256 colours, the most frequent ones, which takes a third of the bytes.
func shrink(content []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	bounds := full.Bounds()
	frequent := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		c := color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)
		// Steps that nobody sees, of which there are fewer.
		return color.RGBA{R: c.R | 7, G: c.G | 7, B: c.B | 7, A: 255}
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			frequent[at(x, y)]++
		}
	}
	colors := make([]color.RGBA, 0, len(frequent))
	for c := range frequent {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int {
		if frequent[a] != frequent[b] {
			return frequent[b] - frequent[a]
		}
		return int(a.R)<<16 + int(a.G)<<8 + int(a.B) - int(b.R)<<16 - int(b.G)<<8 - int(b.B)
	})
	palette := color.Palette{}
	for _, c := range colors[:min(len(colors), 256)] {
		palette = append(palette, c)
	}
	small := image.NewPaletted(bounds, palette)
	index := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			i, known := index[c]
			if !known {
				i = uint8(palette.Index(c))
				index[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, small)
	return out.Bytes(), err
}
