// Package render writes results to standard output: tables for people, JSON, NDJSON, CSV and Markdown for programs, and
// whatever a jq filter or a template makes of them. It is the only place where text from Twilio reaches a terminal, and
// the only importer of tablewriter.
package render

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/itchyny/gojq"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Format is an output format of -o.
type Format string

// The output formats. Table is aligned on a terminal and tab-separated in a pipe.
const (
	Table    Format = "table"
	JSON     Format = "json"
	NDJSON   Format = "ndjson"
	YAML     Format = "yaml" // with the keys of JSON
	CSV      Format = "csv"  // in which no cell from elsewhere is a formula; see [verify.GuardCell]
	CSVRaw   Format = "csv-raw"
	CSVExcel Format = "csv-excel" // CSV behind a byte order mark, by which Excel knows UTF-8
	Markdown Format = "markdown"
	HTML     Format = "html" // of pages only; lists have no such form
)

// formats lists the output formats in the order help shows them.
var formats = []Format{Table, JSON, NDJSON, YAML, CSV, CSVRaw, CSVExcel, Markdown}

// ParseFormat reads the value of -o, which is one of several names; the error is a usage [verify.Error] that lists them.
func ParseFormat(s string, names []string) (Format, error) {
	if slices.Contains(names, s) {
		return Format(s), nil
	}
	return "", verify.Usagef("--output %q is not a format of this command", s).WithHint("it writes %s", strings.Join(names, ", "))
}

// FormatNames lists the output formats in the order help shows them.
func FormatNames() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return names
}

// Options say how a Printer writes. The zero value is a tab-separated table for a pipe.
type Options struct {
	Format   Format
	JQ       string   // a jq filter over the JSON
	Template string   // a Go template over the JSON
	Columns  []string // names of the columns to show, in this order; nil for all
	NoHeader bool
	Quiet    bool   // SIDs only, one a line
	Names    *Names // shortened wherever they appear; nil shortens none
	Live     bool   // rows come one by one over a long time: each is written at once

	Terminal bool // the output is a terminal
	Width    int  // of the terminal in cells; 0 when unknown
	Color    bool
	Plot     *Plot            // what draws plots on a terminal; nil draws none
	Now      func() time.Time // for ages on a terminal
}

// Printer writes the results of one command.
type Printer struct {
	out  io.Writer
	opts Options

	jq       *gojq.Code         // nil for no filter
	template *template.Template // nil for none
}

// New makes a Printer. Its error is a usage [verify.Error] for options that contradict each other or a filter that does
// not compile, so that it is known before the first request.
func New(out io.Writer, opts Options) (*Printer, error) {
	if opts.Format == "" {
		opts.Format = Table
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	p := &Printer{out: out, opts: opts}
	var err error
	switch {
	case opts.JQ != "":
		p.jq, err = compileJQ(opts.JQ)
	case opts.Template != "":
		p.template, err = compileTemplate(opts.Template)
	}
	return p, err
}

func (o Options) check() error {
	switch {
	case o.JQ != "" && o.Template != "":
		return verify.Usagef("--jq and --template cannot be combined")
	case o.Quiet && (o.JQ != "" || o.Template != ""):
		return verify.Usagef("--quiet cannot be combined with --jq or --template")
	case o.filtered() && o.Format != JSON && o.Format != NDJSON && o.Format != Table:
		return verify.Usagef("--jq and --template work on JSON, not on %s", o.Format)
	case o.Quiet && (o.Columns != nil || o.NoHeader || o.Format != Table):
		return verify.Usagef("--quiet prints SIDs only, so it cannot be combined with --output, --columns or --no-header")
	case o.NoHeader && (o.structured() || o.Format == HTML):
		return verify.Usagef("--no-header is for table, csv and markdown")
	case o.Columns != nil && (o.structured() || o.Format == HTML):
		return verify.Usagef("--columns chooses columns of table, csv and markdown").
			WithHint("choose keys of JSON with --jq")
	}
	return nil
}

func (o Options) filtered() bool { return o.JQ != "" || o.Template != "" }

// isCSV tells whether the output is CSV of one kind or another.
func (o Options) isCSV() bool { return o.Format == CSV || o.Format == CSVRaw || o.Format == CSVExcel }

// structured tells whether the output is JSON, or made from it.
func (o Options) structured() bool {
	return o.filtered() || o.Format == JSON || o.Format == NDJSON || o.Format == YAML
}

// ForPeople tells whether the output is a table on a terminal, where notes and blank lines help.
func (p *Printer) ForPeople() bool {
	return p.opts.Terminal && p.opts.Format == Table && !p.opts.filtered() && !p.opts.Quiet
}

// Tone is the weight of a cell on a colour terminal.
type Tone int

// The tones.
const (
	Plain Tone = iota
	Good
	Warn
	Bad
	Faint
)

// Column is one column of a resource's table. The same list makes the table, CSV, Markdown and what --columns accepts.
type Column[T any] struct {
	Name  string            // snake_case, as --columns and CSV have it
	Text  func(T) string    // the cell; exactly one of Text and Time is set
	Time  func(T) time.Time // an instant: an age on a terminal, RFC 3339 UTC elsewhere
	Tone  func(T) Tone      // nil for Plain
	Flex  bool              // may be shortened on a narrow terminal; SIDs and identities never are
	Wide  bool              // shown only when --columns names it
	Own   bool              // a text of ours, which is not guarded in CSV though it may begin with a sign
	Keep  int               // on a narrow terminal columns of a higher one are dropped later; among equals the rightmost first
	Named bool              // holds an identity or a person's own words, shortened by --mask
	drawn bool              // a plot, which cannot be asked for
}

// Resource says how values of T are shown.
type Resource[T any] struct {
	Columns []Column[T]
	SID     func(T) string // what -q prints; nil where there is nothing
	View    func(T) any    // the JSON form; nil for the value itself
}

// CheckColumns tells whether the names given to --columns exist, as a usage [verify.Error] with the nearest name.
func (r Resource[T]) CheckColumns(names []string) error {
	_, err := r.pick(names)
	return err
}

// ColumnNames lists what --columns accepts.
func (r Resource[T]) ColumnNames() []string { return columnNames(r.Columns) }

// Without gives the resource with a column that is shown only when --columns names it.
func (r Resource[T]) Without(name string) Resource[T] {
	return r.changed(name, func(c *Column[T]) { c.Wide = true })
}

// With gives the resource with a column that is shown, on a narrow terminal too.
func (r Resource[T]) With(name string) Resource[T] {
	return r.changed(name, func(c *Column[T]) { c.Wide, c.Keep = false, 1 })
}

func (r Resource[T]) changed(name string, change func(*Column[T])) Resource[T] {
	r.Columns = slices.Clone(r.Columns)
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			change(&r.Columns[i])
		}
	}
	return r
}

func (r Resource[T]) pick(names []string) ([]Column[T], error) {
	if names == nil {
		return slices.DeleteFunc(slices.Clone(r.Columns), func(c Column[T]) bool { return c.Wide }), nil
	}
	picked := make([]Column[T], 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(r.Columns, func(c Column[T]) bool { return c.Name == name })
		if i < 0 {
			err := verify.Usagef("--columns: unknown column %q", name)
			if near := verify.Nearest(name, columnNames(r.Columns)); near != "" {
				return nil, err.WithHint("did you mean %s? The columns are %s", near, strings.Join(columnNames(r.Columns), ", "))
			}
			return nil, err.WithHint("the columns are %s", strings.Join(columnNames(r.Columns), ", "))
		}
		picked = append(picked, r.Columns[i])
	}
	return picked, nil
}

func (r Resource[T]) view(v T) any {
	if r.View != nil {
		return r.View(v)
	}
	return v
}

// List writes rows as they come and gives how many there were. An error of rows ends the output in good order, with
// everything read before it, and is returned.
func List[T any](p *Printer, r Resource[T], rows iter.Seq2[T, error]) (int, error) {
	columns, err := r.pick(p.opts.Columns)
	if err != nil {
		return 0, err
	}
	if p.opts.Names != nil {
		rows = learning(p, r, rows)
	}
	switch {
	case p.opts.Quiet:
		return eachRow(rows, func(v T) error { return p.printSID(r.sid(v)) })
	case p.opts.structured():
		return listJSON(p, r, rows)
	case p.opts.isCSV():
		return listCSV(p, columns, rows)
	case p.opts.Format == Markdown:
		return listMarkdown(p, columns, rows)
	case p.opts.Terminal && !p.opts.Live: // the widths of aligned columns need rows to be known
		return listTable(p, columns, r.sid, rows)
	}
	return listTSV(p, columns, rows)
}

// One writes a single value: its fields below each other on a terminal, a JSON object, or a table of one row.
func One[T any](p *Printer, r Resource[T], value T) error {
	learn(p, r, value)
	switch {
	case p.opts.Quiet:
		return p.printSID(r.sid(value))
	case p.opts.structured():
		return p.writeJSON(r.view(value))
	case p.opts.Format == Table && p.opts.Terminal:
		if p.opts.Columns == nil {
			return writeOne(p, r.Columns, value) // the wide ones too
		}
		columns, err := r.pick(p.opts.Columns)
		if err != nil {
			return err
		}
		return writeOne(p, columns, value)
	}
	_, err := List(p, r, func(yield func(T, error) bool) { yield(value, nil) })
	return err
}

// learn has the names in a value masked wherever they appear, where --mask asks for it.
func learn[T any](p *Printer, r Resource[T], value T) {
	if p.opts.Names == nil {
		return
	}
	for _, c := range r.Columns {
		if slices.Contains(namingKeys, c.Name) {
			p.opts.Names.Learn(c.Text(value))
		}
	}
	if text, err := json.Marshal(r.view(value)); err == nil {
		p.opts.Names.LearnJSON(text)
	}
}

func learning[T any](p *Printer, r Resource[T], rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for value, err := range rows {
			if err == nil {
				learn(p, r, value)
			}
			if !yield(value, err) {
				return
			}
		}
	}
}

func (r Resource[T]) sid(v T) string {
	if r.SID == nil {
		return ""
	}
	return r.SID(v)
}

func (p *Printer) printSID(sid string) error {
	if sid == "" {
		return nil
	}
	_, err := fmt.Fprintln(p.out, Sanitize(sid))
	return err
}

// eachRow calls write for every row until rows or write fails.
func eachRow[T any](rows iter.Seq2[T, error], write func(T) error) (int, error) {
	n := 0
	for v, err := range rows {
		if err != nil {
			return n, err
		}
		if err := write(v); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
