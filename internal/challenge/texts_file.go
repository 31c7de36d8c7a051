package challenge

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxTextsFile is more than any file of texts needs.
const maxTextsFile = 1 << 20

// ParseTexts reads a file of texts. The error joins one usage error for each mistake, as file:line; unknown keys are
// mistakes. Lengths are not judged here: see [Texts.Lint].
func ParseTexts(file string, r io.Reader) (*Texts, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTextsFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", file, err)
	case len(data) > maxTextsFile:
		return nil, verify.Usagef("%s is larger than %d bytes, which no file of texts is", file, maxTextsFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, syntaxError(file, err)
	}
	if len(doc.Content) == 0 {
		return nil, verify.Usagef("%s is empty: it needs texts:", file)
	}
	p := textsParser{file: file}
	texts := p.texts(doc.Content[0])
	if len(p.mistakes) > 0 {
		return nil, errors.Join(p.mistakes...)
	}
	return texts, nil
}

var yamlLine = verify.Lazily(`^yaml: (?:line (\d+): )?`)

func syntaxError(file string, err error) error {
	message := err.Error()
	line := "1"
	if m := yamlLine().FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if m[1] != "" {
			line = m[1]
		}
	}
	return verify.Usagef("%s:%s: %s", file, line, message)
}

// textsParser walks the nodes of a file and collects mistakes with their lines.
type textsParser struct {
	file     string
	mistakes []error
}

func (p *textsParser) mistake(n *yaml.Node, format string, args ...any) {
	p.mistakes = append(p.mistakes, verify.Usagef("%s:%d: %s", p.file, n.Line, fmt.Sprintf(format, args...)))
}

// each gives the keys and values of a mapping; a key that comes twice is a mistake, and so is anything but a mapping.
func (p *textsParser) each(n *yaml.Node, what string, visit func(key string, at, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		p.mistake(n, "%s is a list of key: value", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			p.mistake(key, "a key in %s is not plain text", what)
			continue
		}
		if seen[key.Value] {
			p.mistake(key, "%q appears twice in %s", key.Value, what)
			continue
		}
		seen[key.Value] = true
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		visit(key.Value, key, value)
	}
}

func (p *textsParser) unknown(at *yaml.Node, key, where string, known ...string) {
	if near := verify.Nearest(key, known); near != "" {
		p.mistake(at, "%s does not have the key %q; did you mean %q?", where, key, near)
		return
	}
	p.mistake(at, "%s does not have the key %q; it has %s", where, key, strings.Join(known, ", "))
}

func (p *textsParser) texts(n *yaml.Node) *Texts {
	texts := &Texts{file: p.file, texts: map[string]*text{}}
	found := false
	p.each(n, "the file", func(key string, at, value *yaml.Node) {
		if key != "texts" {
			p.unknown(at, key, "the file", "texts")
			return
		}
		found = true
		p.each(value, "texts", func(name string, at, value *yaml.Node) {
			texts.texts[name] = p.text(name, at, value)
		})
	})
	if !found && len(p.mistakes) == 0 {
		p.mistake(n, "texts: is missing")
	}
	return texts
}

func (p *textsParser) text(name string, at, n *yaml.Node) *text {
	t := &text{name: name, line: at.Line, values: map[string]declared{}, limits: twilioLimits, locales: map[string]*localized{}}
	where := fmt.Sprintf("text %q", name)
	p.each(n, where, func(key string, at, value *yaml.Node) {
		switch key {
		case "values":
			p.each(value, where+", values", func(name string, at, value *yaml.Node) {
				if !isValueName(name) {
					p.mistake(at, "%q is not a name for a value: use letters, digits and underscores", name)
				}
				t.values[name] = declared{p.number(value, "the longest length of "+name, 1, 1<<16), at.Line}
			})
		case "limits":
			p.limits(value, where, &t.limits)
		case "locales":
			p.locales(value, where, t)
		default:
			p.unknown(at, key, where, "values", "limits", "locales")
		}
	})
	if t.locales[DefaultLocale] == nil {
		p.mistake(at, "%s has no %s locale, which is used when no other fits", where, DefaultLocale)
	}
	return t
}

func (p *textsParser) limits(n *yaml.Node, where string, l *limits) {
	p.each(n, where+", limits", func(key string, at, value *yaml.Node) {
		switch key {
		case "message":
			l.message = p.number(value, "the limit of message", 1, twilioLimits.message)
		case "fields":
			l.fields = p.number(value, "the limit of fields", 0, twilioLimits.fields)
		case "label":
			l.label = p.number(value, "the limit of label", 1, twilioLimits.label)
		case "value":
			l.value = p.number(value, "the limit of value", 1, twilioLimits.value)
		default:
			p.unknown(at, key, where+", limits", "message", "fields", "label", "value")
		}
	})
}

func (p *textsParser) number(n *yaml.Node, what string, low, high int) int {
	number, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || number < low || number > high {
		p.mistake(n, "%s is a number from %d to %d", what, low, high)
		return high
	}
	return number
}

func (p *textsParser) locales(n *yaml.Node, where string, t *text) {
	names := map[language.Tag]string{}
	p.each(n, where+", locales", func(name string, at, value *yaml.Node) {
		l := &localized{line: at.Line}
		if name != DefaultLocale {
			tag, err := language.Parse(name)
			if err != nil {
				p.mistake(at, "%q is not a locale such as fr or fr-CA: %v", name, err)
				return
			}
			if other, twice := names[tag]; twice {
				p.mistake(at, "%q is the same locale as %q", name, other)
				return
			}
			names[tag], l.tag = name, tag
		}
		p.localized(value, fmt.Sprintf("%s in %s", where, name), l)
		t.locales[name] = l
	})
}

func (p *textsParser) localized(n *yaml.Node, where string, l *localized) {
	hasMessage := false
	p.each(n, where, func(key string, at, value *yaml.Node) {
		switch key {
		case "message":
			hasMessage = true
			l.message = p.template(value, "the message of "+where)
		case "fields":
			p.fields(value, where, l)
		default:
			p.unknown(at, key, where, "message", "fields")
		}
	})
	if !hasMessage && n.Kind == yaml.MappingNode {
		p.mistake(n, "%s has no message", where)
	}
}

func (p *textsParser) fields(n *yaml.Node, where string, l *localized) {
	if n.Kind != yaml.SequenceNode {
		p.mistake(n, "the fields of %s are a list of label and value", where)
		return
	}
	for i, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		f := localizedField{line: item.Line}
		name := fmt.Sprintf("field %d of %s", i+1, where)
		p.each(item, name, func(key string, at, value *yaml.Node) {
			switch key {
			case "label":
				f.label = p.template(value, "the label of "+name)
			case "value":
				f.value = p.template(value, "the value of "+name)
			default:
				p.unknown(at, key, name, "label", "value")
			}
		})
		l.fields = append(l.fields, f)
	}
}

func (p *textsParser) template(n *yaml.Node, what string) template {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.mistake(n, "%s is not a text", what)
		return nil
	}
	t, err := parseTemplate(n.Value)
	if err != nil {
		p.mistake(n, "%s: %v", what, err)
	}
	return t
}
