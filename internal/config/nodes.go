package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// blankMark stands for a blank line while a file is edited: the YAML library keeps comments and drops blank lines.
const blankMark = "#:blank:"

// apply edits the document's nodes and makes its text anew: comments, order, letter case and blank lines stay.
func (d *document) apply(do func(root *yaml.Node) error) error {
	tree, err := d.tree()
	if err != nil {
		return err
	}
	unedited, err := encode(tree)
	if err != nil {
		return err
	}
	if err := do(tree.Content[0]); err != nil {
		return err
	}
	edited, err := encode(tree)
	if err != nil || bytes.Equal(edited, unedited) {
		return err
	}
	d.raw, d.root = edited, nil
	return d.parse()
}

// tree gives the document's nodes for editing, with marks for blank lines unless one would become part of a value.
func (d *document) tree() (*yaml.Node, error) {
	marked := markBlankLines(string(d.raw))
	for _, text := range []string{marked, string(d.raw)} {
		var tree yaml.Node
		err := yaml.NewDecoder(strings.NewReader(text)).Decode(&tree)
		switch {
		case errors.Is(err, io.EOF):
			return emptyTree(marked), nil
		case err != nil:
			return nil, d.syntaxError(err)
		case isNull(tree.Content[0]):
			return emptyTree(marked), nil
		case !holdsMark(&tree):
			return &tree, nil
		}
	}
	return nil, verify.Usagef("%s has %q in a value; edit it by hand", d.path, blankMark)
}

// emptyTree is a document that says nothing yet but its comments.
func emptyTree(comments string) *yaml.Node {
	return &yaml.Node{Kind: yaml.DocumentNode, HeadComment: strings.TrimSpace(comments),
		Content: []*yaml.Node{{Kind: yaml.MappingNode}}}
}

// markBlankLines puts a comment in place of every blank line, indented as the line after it.
func markBlankLines(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	lines := strings.Split(strings.TrimRight(text, "\r\n \t"), "\n")
	indent := ""
	for i, line := range slices.Backward(lines) {
		if strings.TrimSpace(line) == "" {
			lines[i] = indent + blankMark
			continue
		}
		indent = line[:len(line)-len(strings.TrimLeft(line, " "))]
	}
	return strings.Join(lines, "\n") + "\n"
}

// holdsMark tells whether a mark became part of a value, as in a text of several lines.
func holdsMark(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && strings.Contains(n.Value, blankMark) || slices.ContainsFunc(n.Content, holdsMark)
}

// encode writes nodes as YAML, blank lines where they were.
func encode(tree *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(tree); err != nil {
		return nil, fmt.Errorf("the configuration cannot be written as YAML: %w", err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) == blankMark {
			lines[i] = ""
		}
	}
	return []byte(strings.Join(lines, "\n")), nil
}

var credentialFields = []string{"api_key", "secret", "secret_env", "secret_command", "auth_token", "auth_token_env", "auth_token_command"}

// factNodes writes what an environment is; keys apart. What is not declared is left out.
func factNodes(a Addition) *yaml.Node {
	env := a.Environment
	m := &yaml.Node{Kind: yaml.MappingNode}
	putText(m, "account_sid", string(env.AccountSID))
	putText(m, "service_sid", string(env.ServiceSID))
	putText(m, "kind", string(env.Kind))
	if env.ReadOnly {
		put(m, "readonly", plainNode("true"))
	}
	putText(m, "ios_build", string(env.IOSBuild))
	putList(m, "platforms", env.Platforms)
	putList(m, "app_ids", env.AppIDs)
	if env.MaxFactors > 0 {
		put(m, "max_factors", plainNode(strconv.Itoa(env.MaxFactors)))
	}
	putList(m, "metadata_keys", env.MetadataKeys)
	if a.Identity != "" {
		rule := flow(yaml.MappingNode)
		putText(rule, "from", a.Identity)
		put(m, "identity", rule)
	}
	putText(m, "base_url", a.BaseURL)
	putText(m, "ca_file", a.CAFile)
	putText(m, "region", a.Region)
	putText(m, "edge", a.Edge)
	putText(m, "webhook_url", env.WebhookURL)
	return m
}

// keyNodes writes with which keys an environment signs in. A secret itself is never written.
func keyNodes(c Credentials) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	putText(m, "api_key", string(c.APIKey))
	secret := "secret"
	if c.APIKey == "" {
		secret = "auth_token"
	}
	switch {
	case c.Source.Variable != "":
		putText(m, secret+"_env", c.Source.Variable)
	case len(c.Source.Command) > 0:
		putList(m, secret+"_command", c.Source.Command)
	default:
		putText(m, secret, inTheKeychain)
	}
	return m
}

func noteNode(note verify.CredentialNote) *yaml.Node {
	m := flow(yaml.MappingNode)
	putText(m, "credential", string(note.CredentialSID))
	if note.Expires != "" {
		put(m, "expires", plainNode(note.Expires))
	}
	putList(m, "topics", note.Topics)
	put(m, "recorded", plainNode(note.Recorded))
	return m
}

func textNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// plainNode is what is written without quotes: a number, a truth or a day.
func plainNode(value string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: value} }

func flow(kind yaml.Kind) *yaml.Node { return &yaml.Node{Kind: kind, Style: yaml.FlowStyle} }

func put(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, textNode(key), value)
}

func putText(m *yaml.Node, key, value string) {
	if value != "" {
		put(m, key, textNode(value))
	}
}

func putList[T ~string](m *yaml.Node, key string, values []T) {
	if len(values) == 0 {
		return
	}
	list := flow(yaml.SequenceNode)
	for _, v := range values {
		list.Content = append(list.Content, textNode(string(v)))
	}
	put(m, key, list)
}

// keyAt gives the place of a key in the content of a mapping, -1 when it is not there; its value stands behind it.
func keyAt(m *yaml.Node, key string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// valueOf gives the value of a key, nil when the mapping does not have it.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	if i := keyAt(m, key); i >= 0 {
		return m.Content[i+1]
	}
	return nil
}

func textOf(m *yaml.Node, key string) string {
	if value := valueOf(m, key); value != nil {
		return resolve(value).Value
	}
	return ""
}

// inEnvironment makes an edit of one environment, which it makes where there is none.
func inEnvironment(name string, do func(env *yaml.Node) error) func(root *yaml.Node) error {
	return func(root *yaml.Node) error {
		environments, err := mappingUnder(root, "environments")
		if err != nil {
			return err
		}
		env, err := mappingUnder(environments, name)
		if err != nil {
			return err
		}
		return do(env)
	}
}

// mappingUnder gives the mapping of a key, or makes it. An alias is not edited: what it stands for belongs to others too.
func mappingUnder(m *yaml.Node, key string) (*yaml.Node, error) {
	value := valueOf(m, key)
	switch {
	case value == nil:
		value = &yaml.Node{Kind: yaml.MappingNode}
		m.Content = append(m.Content, keyLike(m, key), value)
	case value.Kind == yaml.AliasNode:
		return nil, verify.Usagef("%s is a YAML alias (*%s); edit it by hand", key, value.Value)
	case isNull(value):
		value.Kind, value.Tag, value.Value = yaml.MappingNode, "!!map", "" // "environments:" with nothing below it
	}
	if len(value.Content) == 0 {
		value.Style = 0 // {} grows into lines
	}
	return value, nil
}

// keyLike makes a key for the end of a mapping, set off by a blank line where the others are.
func keyLike(m *yaml.Node, name string) *yaml.Node {
	key := textNode(name)
	for i := 2; i < len(m.Content); i += 2 {
		if strings.Contains(m.Content[i].HeadComment, blankMark) {
			key.HeadComment = blankMark
		}
	}
	return key
}

// setCurrent says which environment is current; "" none. The key is never removed: comments may hang on it.
func setCurrent(root *yaml.Node, name string) {
	if value := valueOf(root, "current"); value != nil {
		value.Kind, value.Tag, value.Value, value.Alias = yaml.ScalarNode, "!!str", name, nil
		return
	}
	if name != "" {
		root.Content = append([]*yaml.Node{textNode("current"), textNode(name)}, root.Content...)
	}
}

func removeKey(m *yaml.Node, key string) {
	if i := keyAt(m, key); i >= 0 {
		m.Content = slices.Delete(m.Content, i, i+2)
	}
}
