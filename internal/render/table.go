package render

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"regexp"
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
		return Mask(text)
	}
	return p.opts.Names.Mask(text)
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

func header[T any](columns []Column[T]) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = strings.ToUpper(strings.ReplaceAll(c.Name, "_", " "))
	}
	return names
}

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

// headerOnce writes a header before the first row, or at the end of a list that is truly empty: a list that could not be
// read at all leaves no output that looks like an empty one.
func (p *Printer) headerOnce(write func() error) func() error {
	done := p.opts.NoHeader
	return func() error {
		if done {
			return nil
		}
		done = true
		return write()
	}
}

// listTSV writes tab-separated lines with a header: what a table is in a pipe.
func listTSV[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error]) (int, error) {
	w := bufio.NewWriter(p.out)
	header := p.headerOnce(func() error {
		_, err := fmt.Fprintln(w, strings.Join(columnNames(columns), "\t"))
		return err
	})
	n, err := eachRow(rows, func(v T) error {
		if err := header(); err != nil {
			return err
		}
		row := cells(p, columns, v, cell)
		for i := range row {
			row[i] = Sanitize(row[i])
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil || !p.opts.Live {
			return err
		}
		return w.Flush()
	})
	if err == nil {
		err = header()
	}
	return n, firstError(err, w.Flush())
}

func listCSV[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error]) (int, error) {
	w := csv.NewWriter(p.out)
	header := p.headerOnce(func() error { return w.Write(columnNames(columns)) })
	n, err := eachRow(rows, func(v T) error {
		if err := header(); err != nil {
			return err
		}
		row := cells(p, columns, v, cell)
		for i := range row {
			row[i] = Sanitize(row[i])
		}
		if err := w.Write(row); err != nil || !p.opts.Live {
			return err
		}
		w.Flush()
		return w.Error()
	})
	if err == nil {
		err = header()
	}
	w.Flush()
	return n, firstError(err, w.Error())
}

// markdownEscaper keeps cells from breaking the table: tablewriter escapes neither bars nor the marks of emphasis.
var markdownEscaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "<", "&lt;", ">", "&gt;")

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
			row[i] = markdownEscaper.Replace(Sanitize(row[i]))
		}
		return table.Append(row)
	})
	if n == 0 {
		return n, err
	}
	return n, firstError(err, table.Render())
}

// listTable writes an aligned table. The first rows decide the widths; long lists go on with them row by row, so that
// the memory a list takes does not grow with it.
func listTable[T any](p *Printer, columns []Column[T], rows iter.Seq2[T, error]) (int, error) {
	t := tableWriter{p: p, columns: len(columns), header: header(columns)}
	for _, c := range columns {
		t.flex = append(t.flex, c.Flex)
	}
	n, err := eachRow(rows, func(v T) error {
		row := cells(p, columns, v, cellForPeople)
		if p.opts.Color {
			return t.add(row, func(i int) Tone { return tone(columns[i], v) })
		}
		return t.add(row, func(int) Tone { return Plain })
	})
	return n, firstError(err, t.close())
}

func tone[T any](c Column[T], v T) Tone {
	if c.Tone == nil {
		return Plain
	}
	return c.Tone(v)
}

// tableWriter lays rows out in columns, or below each other when the terminal is too narrow for the columns.
type tableWriter struct {
	p       *Printer
	columns int
	header  []string
	flex    []bool
	buffer  [][]string
	tones   [][]Tone
	widths  []int // nil until the layout is fixed
	stacked bool
}

func (t *tableWriter) add(row []string, toneOf func(int) Tone) error {
	tones := make([]Tone, len(row))
	for i := range row {
		tones[i] = toneOf(i)
	}
	t.buffer, t.tones = append(t.buffer, row), append(t.tones, tones)
	if len(t.buffer) < layoutRows {
		return nil
	}
	return t.flush()
}

func (t *tableWriter) close() error {
	if len(t.buffer) == 0 {
		return nil
	}
	return t.flush()
}

func (t *tableWriter) flush() error {
	first := t.widths == nil
	if first {
		t.layOut()
	}
	defer func() { t.buffer, t.tones = t.buffer[:0], t.tones[:0] }()
	if t.stacked {
		return t.writeStacked()
	}
	table := tablewriter.NewTable(trimmed{t.p.out}, tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
		Borders:  tw.BorderNone,
		Symbols:  tw.NewSymbols(tw.StyleNone),
		Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
	})), tablewriter.WithConfig(t.config()))
	if first && !t.p.opts.NoHeader {
		table.Header(t.fit(t.header))
	}
	for i, row := range t.buffer {
		if err := table.Append(t.paint(t.fit(row), t.tones[i])); err != nil {
			return err
		}
	}
	return table.Render()
}

func (t *tableWriter) config() tablewriter.Config {
	widths := tw.NewMapper[int, int]()
	for i, w := range t.widths {
		widths[i] = w + columnGap
	}
	cellConfig := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoFormat: tw.Off, AutoWrap: tw.WrapNone},
		Padding:    tw.CellPadding{Global: tw.Padding{Right: strings.Repeat(" ", columnGap), Overwrite: true}},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft},
	}
	return tablewriter.Config{Header: cellConfig, Row: cellConfig, Widths: tw.CellWidth{PerColumn: widths}}
}

// layOut fixes the widths by the rows at hand. Flexible columns shrink until the table fits; when that is not enough,
// rows are stacked, because a SID that is cut is worth nothing.
func (t *tableWriter) layOut() {
	t.widths = make([]int, t.columns)
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
	for excess := t.excess(); excess > 0; excess = t.excess() {
		widest := t.widestFlex()
		if widest < 0 {
			t.stacked = true
			return
		}
		t.widths[widest] -= min(excess, t.widths[widest]-minFlex)
	}
}

func (t *tableWriter) excess() int {
	total := -columnGap
	for _, w := range t.widths {
		total += w + columnGap
	}
	return total - t.p.opts.Width
}

func (t *tableWriter) widestFlex() int {
	widest := -1
	for i, w := range t.widths {
		if t.flex[i] && w > minFlex && (widest < 0 || w > t.widths[widest]) {
			widest = i
		}
	}
	return widest
}

// fit shortens flexible cells to their column. Others are left whole even when a later row is wider than the layout.
func (t *tableWriter) fit(row []string) []string {
	fitted := make([]string, len(row))
	for i, text := range row {
		if t.flex[i] {
			text = ansi.Truncate(text, t.widths[i], "…")
		}
		fitted[i] = text
	}
	return fitted
}

func (t *tableWriter) paint(row []string, tones []Tone) []string {
	for i := range row {
		row[i] = paint(row[i], tones[i])
	}
	return row
}

func (t *tableWriter) writeStacked() error {
	for i, row := range t.buffer {
		if err := writeRecord(t.p.out, t.header, row, t.tones[i]); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(t.p.out); err != nil {
			return err
		}
	}
	return nil
}

// writeOne writes one value, a field a line. Fields without a value are left out.
func writeOne[T any](p *Printer, columns []Column[T], v T) error {
	tones := make([]Tone, len(columns))
	if p.opts.Color {
		for i, c := range columns {
			tones[i] = tone(c, v)
		}
	}
	return writeRecord(p.out, header(columns), cells(p, columns, v, recordCell), tones)
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

func writeRecord(w io.Writer, names, row []string, tones []Tone) error {
	width := 0
	for i, name := range names {
		if row[i] != "-" {
			width = max(width, len(name))
		}
	}
	for i, name := range names {
		if row[i] == "-" {
			continue
		}
		label := strings.ToLower(name) + ":"
		if _, err := fmt.Fprintf(w, "%-*s %s\n", width+1, label, paint(row[i], tones[i])); err != nil {
			return err
		}
	}
	return nil
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

var secondReset = regexp.MustCompile(`\x1b\[0m( *)\x1b\[0m`)

func (t trimmed) Write(b []byte) (int, error) {
	lines := bytes.SplitAfter(b, []byte("\n"))
	var out bytes.Buffer
	for _, line := range lines {
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		out.Write(bytes.TrimRight(secondReset.ReplaceAll(text, []byte("\x1b[0m$1")), " "))
		if ended {
			out.WriteByte('\n')
		}
	}
	if _, err := t.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
