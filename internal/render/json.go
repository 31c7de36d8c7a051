package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/itchyny/gojq"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maskedKeys are the JSON keys whose text, and all text below them, --mask shortens.
var maskedKeys = []string{"identity", "entity_identity", "friendly_name", "factor_friendly_name", "metadata", "details", "hidden_details"}

// listJSON writes rows as a JSON array, or with NDJSON as an object a line. A filter sees the whole array, or with
// NDJSON one object after the other.
func listJSON[T any](p *Printer, r Resource[T], rows iter.Seq2[T, error]) (int, error) {
	if p.opts.Format == NDJSON {
		return eachRow(rows, func(v T) error { return p.writeJSONLine(r.view(v)) })
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

func listFiltered[T any](p *Printer, r Resource[T], rows iter.Seq2[T, error]) (int, error) {
	all := []any{}
	n, err := eachRow(rows, func(v T) error {
		all = append(all, r.view(v))
		return nil
	})
	if n == 0 && err != nil {
		return 0, err
	}
	if filterErr := p.writeJSON(all); err == nil {
		err = filterErr
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
	case p.opts.JQ != "":
		return p.runJQ(v)
	case p.opts.Template != "":
		return p.runTemplate(v)
	case p.opts.Format == NDJSON:
		return p.writeJSONLine(v)
	}
	text, err := p.marshal(v, "")
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(text, '\n'))
	return err
}

func (p *Printer) runJQ(v any) error {
	code, err := compileJQ(p.opts.JQ)
	if err != nil {
		return err
	}
	value, err := p.generic(v)
	if err != nil {
		return err
	}
	for results := code.Run(value); ; {
		result, ok := results.Next()
		if !ok {
			return nil
		}
		text, err := jqText(result)
		if err != nil || text == nil {
			return err
		}
		if _, err := p.out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
}

// jqText gives a result of a filter as it is printed: strings bare, all else as JSON. It is nil where the filter halts.
func jqText(result any) ([]byte, error) {
	var halt *gojq.HaltError
	switch result := result.(type) {
	case error:
		if errors.As(result, &halt) && halt.Value() == nil {
			return nil, nil
		}
		return nil, verify.Usagef("--jq: %w", result)
	case string:
		return append([]byte{}, SanitizeLines(result)...), nil
	}
	text, err := gojq.Marshal(result)
	return escapeUnsafe(text), err
}

func compileJQ(filter string) (*gojq.Code, error) {
	query, err := gojq.Parse(filter)
	if err != nil {
		return nil, verify.Usagef("--jq does not parse: %w", err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, verify.Usagef("--jq does not compile: %w", err)
	}
	return code, nil
}

func (p *Printer) runTemplate(v any) error {
	tmpl, err := compileTemplate(p.opts.Template)
	if err != nil {
		return err
	}
	value, err := p.generic(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, sanitizeValue(value)); err != nil {
		return templateError("", err)
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	_, err = p.out.Write(b.Bytes())
	return err
}

func compileTemplate(text string) (*template.Template, error) {
	tmpl, err := template.New("--template").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, templateError(" does not parse", err)
	}
	return tmpl, nil
}

// templateError leaves out what Go says twice.
func templateError(how string, err error) error {
	text := strings.TrimPrefix(err.Error(), "template: --template:")
	return verify.Usagef("--template%s, at %s", how, strings.Replace(text, `executing "--template" at `, "", 1)).
		WithHint("a list is gone through by {{range .}}{{.sid}}{{end}}, and keys are those of -o json")
}

// marshal gives indented JSON that is safe on a terminal.
func (p *Printer) marshal(v any, prefix string) ([]byte, error) {
	line, err := p.marshalLine(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, line, prefix, "  ")
	return b.Bytes(), err
}

func (p *Printer) marshalLine(v any) ([]byte, error) {
	if p.opts.Mask {
		generic, err := p.generic(v)
		if err != nil {
			return nil, err
		}
		v = generic
	}
	return MarshalSafe(v)
}

// MarshalSafe gives v as one line of JSON in which every character a terminal could act on is escaped.
func MarshalSafe(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escapeUnsafe(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// generic turns a value into maps and slices, masked where asked for, as filters want it.
func (p *Printer) generic(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if p.opts.Mask {
		maskValue(value)
	}
	return value, nil
}

func maskValue(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			maskValue(item)
		}
	case map[string]any:
		for key, item := range v {
			if slices.Contains(maskedKeys, key) {
				v[key] = maskAll(item)
			} else {
				maskValue(item)
			}
		}
	}
}

// maskAll masks every text in a value.
func maskAll(v any) any {
	switch v := v.(type) {
	case string:
		return Mask(v)
	case []any:
		for i := range v {
			v[i] = maskAll(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = maskAll(v[key])
		}
	}
	return v
}

func sanitizeValue(v any) any {
	switch v := v.(type) {
	case string:
		return Sanitize(v)
	case []any:
		for i := range v {
			v[i] = sanitizeValue(v[i])
		}
	case map[string]any:
		for key, item := range v {
			if clean := Sanitize(key); clean != key { // keys can be foreign too, such as those of metadata
				delete(v, key)
				key = clean
			}
			v[key] = sanitizeValue(item)
		}
	}
	return v
}

// escapeUnsafe writes as \u escapes what encoding/json leaves in strings although a terminal could act on it. Such
// characters stand nowhere in JSON but inside strings.
func escapeUnsafe(text []byte) []byte {
	if !bytes.ContainsFunc(text, unsafe) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if unsafe(r) && r >= 0x7f {
			if r < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
				fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
			}
		} else {
			b.Write(text[:size])
		}
		text = text[size:]
	}
	return []byte(b.String())
}
