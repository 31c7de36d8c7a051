package render

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Plot draws small plots out of characters, where a number alone hides the shape. They are for people only: nobody gets one
// in a pipe, with -o or where columns were chosen.
type Plot struct {
	ASCII bool // the terminal shows no other characters
	Width int  // of the terminal in cells; 0 when unknown
}

// The characters of a bar by eighths of a cell, and of a sparkline by eighths of its highest value.
const (
	barEighths = " ▏▎▍▌▋▊▉█"
	sparks     = "·▁▂▃▄▅▆▇█"
	sparkASCII = ".:-=+*#%@"
)

// Plot gives what draws on this printer's output, nil where nothing is to be drawn.
func (p *Printer) Plot() *Plot {
	if !p.ForPeople() || !p.PageForm() {
		return nil
	}
	return p.opts.Plot
}

// keepPlot is the [Column.Keep] of a plot: others that say what it shows may be below.
const keepPlot = -1

// Plotted gives the resource with one more column, which is drawn where plots are, and left out early on a narrow terminal.
func (r Resource[T]) Plotted(p *Printer, name string, draw func(Plot, T) string) Resource[T] {
	plot := p.Plot()
	if plot == nil {
		return r
	}
	r.Columns = append(slices.Clone(r.Columns), Column[T]{Name: name, Text: func(v T) string { return draw(*plot, v) }, Keep: keepPlot, drawn: true})
	return r
}

// shareWidth is how many cells the bar of a whole has.
const shareWidth = 20

// Share draws how much a part is of a whole, in percent and as a bar.
func (plot Plot) Share(part, whole int) string {
	return fmt.Sprintf("%3.0f %% %s", 100*float64(part)/float64(max(whole, 1)), plot.bar(part, whole, shareWidth))
}

// bar draws a part of a whole that has a width in cells. What is not nothing is seen.
func (plot Plot) bar(part, whole, width int) string {
	eighths := int(math.Round(8 * float64(width) * float64(part) / float64(max(whole, 1))))
	if part > 0 {
		eighths = max(eighths, 1)
	}
	if plot.ASCII {
		return strings.Repeat("#", (eighths+7)/8)
	}
	bar := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune(barEighths)[rest])
	}
	return bar
}

// Spark draws counts beside each other, each as high as it is of the highest.
func (plot Plot) Spark(counts []int) string {
	levels := []rune(sparks)
	if plot.ASCII {
		levels = []rune(sparkASCII)
	}
	most := max(1, slices.Max(append([]int{0}, counts...)))
	var line strings.Builder
	for _, n := range counts {
		line.WriteRune(levels[(n*8+most-1)/most])
	}
	return line.String()
}

// courseWidth is how many cells a course has.
const courseWidth = 30

// Course draws how far something is on its way, with an R wherever it was repeated. All are in one unit.
func (plot Plot) Course(done, whole float64, repeated []float64) string {
	past, ahead := "━", "─"
	if plot.ASCII {
		past, ahead = "=", "-"
	}
	cell := func(at float64) int { return min(max(int(courseWidth*at/whole), 0), courseWidth-1) }
	cells := slices.Repeat([]string{ahead}, courseWidth)
	for i := range cell(done) + 1 {
		cells[i] = past
	}
	for _, at := range repeated {
		cells[cell(at)] = "R"
	}
	return strings.Join(cells, "")
}

// Histogram says how measured values are spread.
type Histogram struct {
	Title  string
	Values []float64
	Unit   string
	Marks  []Mark // named where they lie, such as the median
	Line   Mark   // what no value should go beyond
}

// Mark is a value with its name.
type Mark struct {
	At   float64
	Name string
}

// The steps of a histogram's rows, of which 300 is a multiple, and how many rows there are at most.
var histogramSteps = []float64{1, 2, 5, 10, 20, 50, 100, 300}

const (
	histogramRows  = 12
	histogramWidth = 40 // cells of the longest bar
)

// PrintHistogram draws a histogram where plots are drawn.
func (p *Printer) PrintHistogram(h Histogram) error {
	plot := p.Plot()
	if plot == nil || len(h.Values) == 0 {
		return nil
	}
	rows := h.rows()
	most, wide := 0, 0
	for _, row := range rows {
		most, wide = max(most, row.count), max(wide, len(row.label))
	}
	width := histogramWidth
	if plot.Width > 0 {
		width = max(5, min(width, plot.Width-wide-24)) // beside it stand a count and the marks
	}
	text, lined := "\n"+Sanitize(h.Title)+"\n", false
	line := fmt.Sprintf("  %*s  %s\n", wide, strings.Repeat("-", wide), p.Paint(h.Line.Name, Faint))
	for _, row := range rows {
		tone := Good
		if row.from >= h.Line.At {
			tone = Warn
			if !lined {
				text += line
			}
			lined = true
		}
		bar := plot.bar(row.count, most, width)
		if bar != "" {
			bar = p.Paint(bar, tone) + " "
		}
		words := fmt.Sprintf("%d  %s", row.count, strings.Join(row.marks, ", "))
		text += fmt.Sprintf("  %*s  %s%s\n", wide, row.label, bar, strings.TrimRight(words, " "))
	}
	if !lined {
		text += line
	}
	return p.WritePage(text)
}

type histogramRow struct {
	from  float64
	label string
	count int
	marks []string
}

// rows puts the values into rows of one step, the smallest of which there are not too many. The last of too many is open.
func (h Histogram) rows() []histogramRow {
	low, high := slices.Min(h.Values), slices.Max(h.Values)
	step, first := 0.0, 0
	for _, step = range histogramSteps {
		first = int(low / step)
		if int(high/step)-first < histogramRows {
			break
		}
	}
	rows := make([]histogramRow, min(int(high/step)-first+1, histogramRows))
	for i := range rows {
		from := float64(first+i) * step
		rows[i] = histogramRow{from: from, label: fmt.Sprintf("%.4g-%.4g %s", from, from+step, h.Unit)}
	}
	at := func(value float64) *histogramRow { return &rows[min(max(int(value/step)-first, 0), len(rows)-1)] }
	if last := &rows[len(rows)-1]; int(high/step)-first >= len(rows) {
		last.label = fmt.Sprintf("%.4g %s and more", last.from, h.Unit)
	}
	for _, value := range h.Values {
		at(value).count++
	}
	for _, mark := range h.Marks {
		at(mark.At).marks = append(at(mark.At).marks, mark.Name)
	}
	return rows
}
