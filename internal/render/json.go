package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

// Encoded is the JSON of a row of a list as [Printer.RowEncoder] has made it.
type Encoded []byte

// RowEncoder gives what makes the JSON of a list's row ahead of its turn, by any number of goroutines: it appends to a text
// what [List] prints of a value when the row's View gives that as [Encoded]. Nil where rows are not printed as JSON, or not
// one by one.
func (p *Printer) RowEncoder() func(to []byte, v any) []byte {
	if p.opts.Format != JSON && p.opts.Format != NDJSON || p.opts.filtered() || p.opts.Names != nil {
		return nil
	}
	return func(to []byte, v any) []byte {
		line, err := MarshalSafe(v)
		switch {
		case err != nil:
			return to // List will meet the error again, where it can be told
		case p.opts.Format == NDJSON:
			return append(append(to, line...), '\n')
		}
		return indent(to, line, rowIndent)
	}
}

// rowIndent is how far the rows of a list are indented.
const rowIndent = "  "

// listJSON writes rows as a JSON array, or with NDJSON as an object a line. A filter sees the whole array, or with
// NDJSON one object after the other.
func listJSON[T any](p *Printer, r Resource[T], rows iter.Seq2[T, error]) (int, error) {
	switch p.opts.Format {
	case NDJSON:
		return eachRow(rows, func(v T) error { return p.writeJSONLine(r.view(v)) })
	case YAML:
		return listYAML(p, r, rows)
	}
	if p.opts.filtered() {
		return listFiltered(p, r, rows)
	}
	sep := "[\n" + rowIndent
	n, err := eachRow(rows, func(v T) error {
		text, err := p.marshal(r.view(v), rowIndent)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s%s", sep, text)
		sep = ",\n" + rowIndent
		return err
	})
	end := "\n]\n"
	switch {
	case n == 0 && err != nil:
		return 0, err // nothing was read: no output that looks like an empty list
	case n == 0:
		end = "[]\n"
	}
	if _, writeErr := io.WriteString(p.out, end); err == nil {
		err = writeErr
	}
	return n, err
}

func (p *Printer) writeJSONLine(v any) error {
	if text, ok := v.(Encoded); ok {
		_, err := p.out.Write(text)
		return err
	}
	if p.opts.filtered() {
		return p.writeJSON(v)
	}
	text, err := p.marshalLine(v)
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(text, '\n'))
	return err
}

// writeJSON writes one value, through the filter where there is one.
func (p *Printer) writeJSON(v any) error {
	switch {
	case p.jq != nil:
		return p.runJQ(v)
	case p.template != nil:
		return p.runTemplate(v)
	case p.opts.Format == NDJSON:
		return p.writeJSONLine(v)
	case p.opts.Format == YAML:
		return p.writeYAML(v, false)
	}
	text, err := p.marshal(v, "")
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(text, '\n'))
	return err
}

// marshal gives indented JSON that is safe on a terminal.
func (p *Printer) marshal(v any, prefix string) ([]byte, error) {
	if text, ok := v.(Encoded); ok {
		return text, nil
	}
	line, err := p.marshalLine(v)
	if err != nil {
		return nil, err
	}
	return indent(make([]byte, 0, 2*len(line)), line, prefix), nil
}

// indent is json.Indent for what the encoder has just written, which is valid and has no blanks to look for.
func indent(out, line []byte, prefix string) []byte {
	newLine := "\n" + prefix
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case '"':
			end := stringEnd(line, i)
			out = append(out, line[i:end]...)
			i = end - 1
		case '{', '[':
			out = append(out, c)
			if closing := c + 2; line[i+1] == closing {
				out = append(out, closing)
				i++
				continue
			}
			newLine += "  "
			out = append(out, newLine...)
		case '}', ']':
			newLine = newLine[:len(newLine)-2]
			out = append(append(out, newLine...), c)
		case ',':
			out = append(append(out, c), newLine...)
		case ':':
			out = append(out, c, ' ')
		default:
			out = append(out, c)
		}
	}
	return out
}

// stringEnd gives where the string of JSON that begins at start ends.
func stringEnd(line []byte, start int) int {
	for i := start + 1; ; i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func (p *Printer) marshalLine(v any) ([]byte, error) {
	v, err := p.masked(v)
	if err != nil {
		return nil, err
	}
	return MarshalSafe(v)
}

// masked gives a value as --mask wants it; without it, the value itself.
func (p *Printer) masked(v any) (any, error) {
	if p.opts.Names == nil {
		return v, nil
	}
	return p.generic(v)
}

// MarshalSafe gives v as one line of JSON in which every character a terminal could act on is escaped.
func MarshalSafe(v any) ([]byte, error) {
	text, err := marshalPlain(v)
	return escapeInJSON(text), err
}

// marshalPlain gives v as one line of JSON, HTML not escaped.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(1 << 10) // most values fit
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// generic turns a value into maps and slices, masked where asked for, as filters want it.
func (p *Printer) generic(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	if names := p.opts.Names; names != nil {
		names.learnValue(value)
		value = names.maskValue(value, false)
	}
	return value, nil
}
