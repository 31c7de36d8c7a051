package render

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	columnGap  = 2   // cells between columns
	minFlex    = 8   // cells a shortened column keeps
	layoutRows = 500 // rows read before the widths of an aligned table are fixed
)

// cell gives a column's text for a program: times in RFC 3339 UTC, nothing shortened but what --mask asks for.
func cell[T any](p *Printer, c Column[T], v T) string {
	if c.Time != nil {
		if t := c.Time(v); !t.IsZero() {
			return verify.Stamp(t)
		}
		return ""
	}
	text := c.Text(v)
	if c.Named && p.opts.Names != nil {
		return shorten(text)
	}
	return p.opts.Names.mask(text)
}

// cellForPeople gives a column's text for a terminal: times as ages, control characters escaped.
func cellForPeople[T any](p *Printer, c Column[T], v T) string {
	if c.Time != nil {
		t := c.Time(v)
		if t.IsZero() {
			return "-"
		}
		return Age(t, p.opts.Now())
	}
	if text := Sanitize(cell(p, c, v)); text != "" {
		return text
	}
	return "-"
}

// Age says how long ago, or how far ahead, an instant is.
func Age(t, now time.Time) string { return humanize.RelTime(t, now, "ago", "from now") }

func columnNames[T any](columns []Column[T]) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

func cells[T any](p *Printer, columns []Column[T], v T, text func(*Printer, Column[T], T) string) []string {
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = text(p, c, v)
	}
	return row
}

// rowWriter is what [csv.Writer] is for one form of rows.
type rowWriter interface {
	Write(row []string) error
	Flush()
	Error() error
}

// listRows writes a header and then a line for each row. The header comes with the first row, or at the end of a list that
// is truly empty: a list that could not be read at all leaves no output that looks like an empty one.
func listRows[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error], w rowWriter, text func(*Printer, Column[T], T) string) (int, error) {
	headed := p.opts.NoHeader
	header := func() error {
		if headed {
			return nil
		}
		headed = true
		return w.Write(columnNames(columns))
	}
	n, err := eachRow(rows, func(v T) error {
		if err := header(); err != nil {
			return err
		}
		if err := w.Write(cells(p, columns, v, text)); err != nil || !p.opts.Live {
			return err
		}
		w.Flush()
		return w.Error()
	})
	if err == nil {
		err = header()
	}
	w.Flush()
	return n, cmp.Or(err, w.Error())
}

// listTSV writes tab-separated lines with a header: what a table is in a pipe.
func listTSV[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error]) (int, error) {
	return listRows(p, columns, rows, &tsvWriter{out: bufio.NewWriter(p.out)}, func(p *Printer, c Column[T], v T) string { return Sanitize(cell(p, c, v)) })
}

type tsvWriter struct {
	out *bufio.Writer
	err error
}

func (w *tsvWriter) Write(row []string) error {
	_, err := fmt.Fprintln(w.out, strings.Join(row, "\t"))
	return err
}

func (w *tsvWriter) Flush() { w.err = w.out.Flush() }

func (w *tsvWriter) Error() error { return w.err }

func listCSV[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error]) (int, error) {
	out := p.out
	if p.opts.Format == CSVExcel && !p.opts.Terminal {
		out = &behind{mark: byteOrderMark, to: p.out}
	}
	return listRows(p, columns, rows, csv.NewWriter(out), cellForCSV)
}

// cellForCSV gives a column's text for a spreadsheet. As it is, it never reaches a terminal.
func cellForCSV[T any](p *Printer, c Column[T], v T) string {
	text := cell(p, c, v)
	switch {
	case p.opts.Format == CSVRaw && !p.opts.Terminal:
		return text
	case p.opts.Format == CSVRaw || c.Own:
		return Sanitize(text)
	}
	return Sanitize(verify.GuardCell(text))
}

const byteOrderMark = "\ufeff"

// behind is a writer that writes a mark before everything else.
type behind struct {
	mark string
	to   io.Writer
}

// Write writes the mark the first time.
func (b *behind) Write(text []byte) (int, error) {
	if _, err := io.WriteString(b.to, b.mark); err != nil {
		return 0, err
	}
	b.mark = ""
	return b.to.Write(text)
}

func listMarkdown[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error]) (int, error) {
	table := tablewriter.NewTable(trimmed{p.out}, tablewriter.WithRenderer(renderer.NewMarkdown()),
		tablewriter.WithConfig(tablewriter.Config{
			Header: tw.CellConfig{Formatting: tw.CellFormatting{AutoFormat: tw.Off}, Alignment: tw.CellAlignment{Global: tw.AlignLeft}},
			Row:    tw.CellConfig{Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone}, Alignment: tw.CellAlignment{Global: tw.AlignLeft}},
		}))
	table.Header(columnNames(columns))
	n, err := eachRow(rows, func(v T) error {
		row := cells(p, columns, v, cell)
		for i := range row {
			row[i] = EscapeMarkdown(row[i])
		}
		return table.Append(row)
	})
	if n == 0 {
		return n, err
	}
	return n, cmp.Or(err, table.Render())
}

// listTable writes an aligned table. The first rows decide the widths; long lists go on with them row by row, so that
// the memory a list takes does not grow with it.
func listTable[T any](p *Printer, columns []Column[T], sid func(T) string, rows iter.Seq2[T, error]) (int, error) {
	t := tableWriter{p: p, names: columnNames(columns)}
	for i, c := range columns {
		t.header = append(t.header, strings.ToUpper(inWords(c.Name)))
		t.flex, t.keep, t.drawn, t.shown = append(t.flex, c.Flex), append(t.keep, c.Keep), append(t.drawn, c.drawn), append(t.shown, i)
	}
	n, err := eachRow(rows, func(v T) error {
		row, tones := cells(p, columns, v, cellForPeople), make([]Tone, len(columns))
		for i, c := range columns {
			tones[i] = tone(p, c, v)
		}
		t.protect(slices.Index(row, cmp.Or(sid(v), row[0])))
		return t.add(row, tones)
	})
	return n, cmp.Or(err, t.close())
}

// inWords gives a column's name for people.
func inWords(name string) string { return strings.ReplaceAll(name, "_", " ") }

func tone[T any](p *Printer, c Column[T], v T) Tone {
	if c.Tone == nil || !p.opts.Color {
		return Plain
	}
	return c.Tone(v)
}

// tableWriter lays rows out in columns, and leaves columns out when the terminal is too narrow for all of them.
type tableWriter struct {
	p      *Printer
	names  []string
	header []string
	flex   []bool
	keep   []int // see [Column]
	drawn  []bool
	own    []int // the columns that hold a row's own SID, which is there to be pasted
	shown  []int // the columns that fit
	buffer [][]string
	tones  [][]Tone
	widths []int // nil until the layout is fixed
}

// protect keeps the column of a row's own SID.
func (t *tableWriter) protect(column int) {
	if column >= 0 && !slices.Contains(t.own, column) {
		t.own = append(t.own, column)
	}
}

func (t *tableWriter) add(row []string, tones []Tone) error {
	t.buffer, t.tones = append(t.buffer, row), append(t.tones, tones)
	if len(t.buffer) < layoutRows {
		return nil
	}
	return t.flush()
}

func (t *tableWriter) close() error {
	if len(t.buffer) > 0 {
		if err := t.flush(); err != nil {
			return err
		}
	}
	var hidden []string
	for i, name := range t.names {
		if !slices.Contains(t.shown, i) && !t.drawn[i] {
			hidden = append(hidden, name)
		}
	}
	if len(hidden) == 0 {
		return nil
	}
	return t.p.WritePage(fmt.Sprintf("Hidden at this width: %s (choose with --columns)\n", strings.Join(hidden, ", ")))
}

func (t *tableWriter) flush() error {
	first := t.widths == nil
	if first {
		t.layOut()
	}
	defer func() { t.buffer, t.tones = t.buffer[:0], t.tones[:0] }()
	table := tablewriter.NewTable(trimmed{t.p.out}, tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
		Borders:  tw.BorderNone,
		Symbols:  tw.NewSymbols(tw.StyleNone),
		Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
	})), tablewriter.WithConfig(t.config()))
	if first && !t.p.opts.NoHeader {
		table.Header(t.fitted(t.header, make([]Tone, len(t.header))))
	}
	for i, row := range t.buffer {
		if err := table.Append(t.fitted(row, t.tones[i])); err != nil {
			return err
		}
	}
	return table.Render()
}

func (t *tableWriter) config() tablewriter.Config {
	widths := tw.NewMapper[int, int]()
	for at, i := range t.shown {
		widths[at] = t.widths[i] + columnGap
	}
	cellConfig := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
		Padding:    tw.CellPadding{Global: tw.Padding{Right: strings.Repeat(" ", columnGap), Overwrite: true}},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft},
	}
	return tablewriter.Config{Header: cellConfig, Row: cellConfig, Widths: tw.CellWidth{PerColumn: widths}}
}

// layOut fixes the widths by the rows at hand. Where they do not fit, columns are dropped until the flexible ones can
// shrink to the rest, unless --columns asks for them: the least kept first, of those the rightmost. A row's own SID stays,
// and what is not flexible is never cut, because a SID that is cut is worth nothing.
func (t *tableWriter) layOut() {
	t.widths = make([]int, len(t.names))
	rows := t.buffer
	if !t.p.opts.NoHeader {
		rows = append(rows[:len(rows):len(rows)], t.header)
	}
	for _, row := range rows {
		for i, text := range row {
			t.widths[i] = max(t.widths[i], ansi.StringWidth(text))
		}
	}
	if t.p.opts.Width <= 0 {
		return
	}
	for t.p.opts.Columns == nil && t.excess(minFlex) > 0 {
		least := t.leastKept()
		if least < 0 {
			break
		}
		t.shown = slices.Delete(t.shown, least, least+1)
	}
	for excess := t.excess(0); excess > 0; excess = t.excess(0) {
		widest := t.widestFlex()
		if widest < 0 {
			return
		}
		t.widths[widest] -= min(excess, t.widths[widest]-minFlex)
	}
}

// excess gives by how much the table is too wide, when its flexible columns are shrunk to some width; 0 does not shrink them.
func (t *tableWriter) excess(shrunk int) int {
	total := -columnGap
	for _, i := range t.shown {
		w := t.widths[i]
		if t.flex[i] && shrunk > 0 {
			w = min(w, shrunk)
		}
		total += w + columnGap
	}
	return total - t.p.opts.Width
}

// leastKept gives the place in shown of the column to drop next, -1 for none.
func (t *tableWriter) leastKept() int {
	least := -1
	for at, i := range t.shown {
		if !slices.Contains(t.own, i) && (least < 0 || t.keep[i] <= t.keep[t.shown[least]]) {
			least = at
		}
	}
	return least
}

func (t *tableWriter) widestFlex() int {
	widest := -1
	for _, i := range t.shown {
		if w := t.widths[i]; t.flex[i] && w > minFlex && (widest < 0 || w > t.widths[widest]) {
			widest = i
		}
	}
	return widest
}

// fitted gives the cells that are shown, the flexible ones shortened; others stay whole though wider than the layout.
func (t *tableWriter) fitted(row []string, tones []Tone) []string {
	var fitted []string
	for _, i := range t.shown {
		text := row[i]
		if t.flex[i] {
			text = ansi.Truncate(text, t.widths[i], "…")
		}
		fitted = append(fitted, paint(text, tones[i]))
	}
	return fitted
}

// writeOne writes one value, a field a line. Fields without a value are left out.
func writeOne[T any](p *Printer, columns []Column[T], v T) error {
	row, width := cells(p, columns, v, recordCell), 0
	for i, c := range columns {
		if row[i] != "-" {
			width = max(width, len(c.Name))
		}
	}
	for i, c := range columns {
		if row[i] == "-" {
			continue
		}
		if _, err := fmt.Fprintf(p.out, "%-*s %s\n", width+1, inWords(c.Name)+":", paint(row[i], tone(p, c, v))); err != nil {
			return err
		}
	}
	return nil
}

// recordCell gives a field of a single value: an instant in full with its age behind it.
func recordCell[T any](p *Printer, c Column[T], v T) string {
	if c.Time == nil {
		return cellForPeople(p, c, v)
	}
	t := c.Time(v)
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", verify.Stamp(t), Age(t, p.opts.Now()))
}

var toneCodes = map[Tone]string{Good: "\x1b[32m", Warn: "\x1b[33m", Bad: "\x1b[31m", Faint: "\x1b[2m"}

func paint(s string, tone Tone) string {
	if code := toneCodes[tone]; code != "" && s != "" {
		return code + s + "\x1b[0m"
	}
	return s
}

// Paint gives text in a tone for a colour terminal; the text is sanitised first.
func (p *Printer) Paint(s string, tone Tone) string {
	if !p.opts.Color {
		return Sanitize(s)
	}
	return paint(Sanitize(s), tone)
}

// trimmed takes off what tablewriter adds: spaces at the ends of lines, and a second reset behind a coloured cell.
type trimmed struct{ w io.Writer }

var secondReset = verify.Lazily(`\x1b\[0m( *)\x1b\[0m`)

func (t trimmed) Write(b []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.SplitAfterSeq(b, []byte("\n")) {
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		out.Write(bytes.TrimRight(secondReset().ReplaceAll(text, []byte("\x1b[0m$1")), " "))
		if ended {
			out.WriteByte('\n')
		}
	}
	if _, err := t.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}
