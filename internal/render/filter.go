package render

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"text/template"

	"github.com/itchyny/gojq"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func (p *Printer) runJQ(v any) error {
	value, err := p.generic(v)
	if err != nil {
		return err
	}
	for results := p.jq.Run(value); ; {
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
	return escapeInJSON(text), err
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
	value, err := p.generic(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := p.template.Execute(&b, sanitizeValue(value)); err != nil {
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
		WithHint("loop over a list with {{range .}}{{.sid}}{{end}}; the keys are those of -o json")
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
