package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
)

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
	sep := "[\n  "
	n, err := eachRow(rows, func(v T) error {
		text, err := p.marshal(r.view(v), "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "%s%s", sep, text)
		sep = ",\n  "
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
	line, err := p.marshalLine(v)
	if err != nil {
		return nil, err
	}
	return indent(line, prefix), nil
}

// indent is json.Indent for what the encoder has just written, which is valid and has no blanks to look for.
func indent(line []byte, prefix string) []byte {
	out := make([]byte, 0, 2*len(line))
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
