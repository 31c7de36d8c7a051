package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// listYAML writes rows as a YAML list, each as it comes.
func listYAML[T any](p *Printer, r Resource[T], rows iter.Seq2[T, error]) (int, error) {
	n, err := eachRow(rows, func(v T) error { return p.writeYAML(r.view(v), true) })
	if n == 0 && err == nil {
		_, err = io.WriteString(p.out, "[]\n")
	}
	return n, err
}

// writeYAML writes a value with the keys that it has in JSON, in their order, as itself or as the element of a list.
func (p *Printer) writeYAML(v any, element bool) error {
	v, err := p.masked(v)
	if err != nil {
		return err
	}
	text, err := marshalPlain(v)
	if err != nil {
		return err
	}
	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber()
	value, err := nodeOf(tokens)
	if err != nil {
		return fmt.Errorf("cannot write YAML: %w", err)
	}
	if element {
		value = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{value}}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("cannot write YAML: %w", err)
	}
	_, err = p.out.Write(escapeInYAML(b.Bytes()))
	return err
}

var (
	// plainInYAML is text that no reader of YAML takes for something else than text, the words of notInYAML aside.
	plainInYAML = verify.Lazily(`^[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*$`)
	// notInYAML are words that YAML 1.1 or 1.2 reads as a truth or as nothing.
	notInYAML = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)

// nodeOf reads a value of JSON as what YAML has for it, with quotes only where they are needed.
func nodeOf(tokens *json.Decoder) (*yaml.Node, error) {
	token, err := tokens.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		return branchOf(token, tokens)
	case string:
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: token}
		if !plainInYAML().MatchString(token) || slices.Contains(notInYAML, strings.ToLower(token)) {
			n.Style = yaml.DoubleQuotedStyle
		}
		return n, nil
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(token)}, nil
}

// branchOf reads the rest of a list, or of an object: its keys and values follow each other.
func branchOf(begin json.Delim, tokens *json.Decoder) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if begin == '{' {
		n.Kind = yaml.MappingNode
	}
	for tokens.More() {
		child, err := nodeOf(tokens)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle // {} and []
	}
	_, err := tokens.Token() // its end
	return n, err
}
