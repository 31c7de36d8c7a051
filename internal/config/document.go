package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxFileSize bounds a configuration file. A large company's has some tens of kilobytes.
const maxFileSize = 1 << 20

// document is one YAML file that was read: its nodes know their lines, so that every complaint can name one.
type document struct {
	path string
	role role
	raw  []byte
	root *yaml.Node // the mapping at the top; nil when the file is empty

	before []byte // the text as it was read, when it is edited

	secret bool // nobody but its owner can read the file
}

// role says what a file may hold.
type role int

const (
	own      role = iota // the user's own file: everything
	shared               // a team's file: facts, and nothing that runs a program or opens a door
	personal             // the file beside a team's: how this person gets in
)

// position is a place in a file, for messages.
type position struct {
	file string
	line int
}

// String gives file:line, or only the first where there are no lines.
func (p position) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// readDocument reads and parses a file. One that does not exist gives the error of os.Open; all others say what to do.
func readDocument(path string, role role) (*document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	secret, err := checkAccess(f)
	if err != nil {
		return nil, err
	}
	if err := checkFolder(path); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, verify.Usagef("%s cannot be read: %w", path, err)
	}
	d := &document{path: path, role: role, raw: raw, secret: secret}
	return d, d.parse()
}

// parse turns the raw bytes into nodes. yaml.v3 keeps an alias as a pointer to its anchor's node, so a bomb stays small;
// what reads the nodes goes only as deep as a configuration does.
func (d *document) parse() error {
	if len(d.raw) > maxFileSize {
		return verify.Usagef("%s is larger than a configuration file may be, %d bytes", d.path, maxFileSize)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(d.raw))
	var doc yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return d.syntaxError(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return d.errorAt(&second, "a second YAML document; a configuration file is one")
	} else if !errors.Is(err, io.EOF) {
		return d.syntaxError(err)
	}
	if top := resolve(doc.Content[0]); !isNull(top) {
		if top.Kind != yaml.MappingNode {
			return d.errorAt(top, "a configuration file is a mapping with the keys current and environments")
		}
		d.root = top
	}
	return nil
}

var yamlLine = verify.Lazily(`^yaml: (?:line (\d+): )?`)

// syntaxError words an error of the YAML parser as file, line and what is wrong.
func (d *document) syntaxError(err error) error {
	text := err.Error()
	place := d.path
	if m := yamlLine().FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if m[1] != "" {
			place += ":" + m[1]
		}
	}
	return verify.Usagef("%s: not YAML: %s", place, text)
}

func (d *document) at(n *yaml.Node) position { return position{d.path, n.Line} }

// errorAt makes an error about a node: file, line, what is wrong.
func (d *document) errorAt(n *yaml.Node, format string, args ...any) *verify.Error {
	return verify.Usagef("%s: %s", d.at(n), fmt.Sprintf(format, args...))
}

// resolve follows an alias to what it stands for. An anchor cannot be on an alias, so one step is enough.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// entry is one key of a mapping with its value. The value of an alias is what it stands for.
type entry struct {
	key   *yaml.Node
	value *yaml.Node
}

// entries gives the entries of a mapping in order. Keys are text and stand only once.
func (d *document) entries(n *yaml.Node, what string) ([]entry, error) {
	n = resolve(n)
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, d.wrongType(n, what, "a mapping")
	}
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	var all []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			return nil, d.errorAt(n.Content[i], "a key in %s is not a string", what)
		}
		if key.ShortTag() == "!!merge" {
			return nil, d.errorAt(key, "merge keys (<<) are not supported; an alias may stand for a single value")
		}
		if first, twice := seen[key.Value]; twice {
			return nil, d.errorAt(n.Content[i], "%s appears twice in %s, first on line %d", shown(key.Value), what, first.Line)
		}
		seen[key.Value] = key
		all = append(all, entry{n.Content[i], resolve(n.Content[i+1])})
	}
	return all, nil
}

func (e entry) name() string { return resolve(e.key).Value }

// field is one key of a mapping.
type field struct {
	name  string
	roles []role // of the files it may stand in; nil for all
	read  func(entry) error
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// into reads the value of a key into its place.
func into[T any](place *T, read func(n *yaml.Node, key string) (T, error)) func(entry) error {
	return func(e entry) (err error) {
		*place, err = read(e.value, e.name())
		return err
	}
}

// mapping reads a mapping by the fields that it may have. What names this mapping in messages, kind every such one.
func (d *document) mapping(n *yaml.Node, what, kind string, fields []field) error {
	all, err := d.entries(n, what)
	if err != nil {
		return err
	}
	for _, e := range all {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.name() })
		if i < 0 {
			return d.unknownKey(e, kind, fieldNames(fields))
		}
		if err := d.checkRole(e, fields[i]); err != nil {
			return err
		}
		if err := fields[i].read(e); err != nil {
			return err
		}
	}
	return nil
}

// checkRole refuses a key in a file where it must not stand.
func (d *document) checkRole(e entry, f field) error {
	switch {
	case f.roles == nil || slices.Contains(f.roles, d.role):
		return nil
	case d.role == personal:
		return d.errorAt(e.key, "%s applies to everybody and belongs in the team's file", f.name)
	}
	return d.onlyPersonal(e.key, f.name)
}

func (d *document) onlyPersonal(n *yaml.Node, key string) error {
	return d.errorAt(n, "%s is allowed only in a personal file, which is not committed", key).
		WithHint("put it into %s", verify.Quote(personalPath(d.path)))
}

// unknownKey says that a key does not exist and which one was likely meant.
func (d *document) unknownKey(e entry, what string, known []string) error {
	if near := verify.Nearest(e.name(), known); near != "" {
		return d.errorAt(e.key, "%s is not a key of %s; did you mean %s?", shown(e.name()), what, near)
	}
	return d.errorAt(e.key, "%s is not a key of %s", shown(e.name()), what).
		WithHint("its keys are %s", strings.Join(known, ", "))
}

// shown quotes text from a file for a message, shortened to what a line can take.
func shown(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return strconv.Quote(s)
}

// wrongType says what stands where something else belongs; never the value, which may be a secret.
func (d *document) wrongType(n *yaml.Node, key, want string) error {
	return d.errorAt(n, "%s takes %s, not %s", key, want, kindOfNode(n))
}

func kindOfNode(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

// scalar gives the text of a value of one type; nothing gives "".
func (d *document) scalar(n *yaml.Node, key, tag, want string) (string, error) {
	switch {
	case isNull(n):
		return "", nil
	case n.Kind != yaml.ScalarNode || n.ShortTag() != tag:
		return "", d.wrongType(n, key, want)
	}
	return n.Value, nil
}

// text reads a value that is text; nothing gives "".
func (d *document) text(n *yaml.Node, key string) (string, error) {
	return d.scalar(n, key, "!!str", "text")
}

func (d *document) texts(n *yaml.Node, key string) ([]string, error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, d.wrongType(n, key, "a list")
	}
	list := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		s, err := d.text(resolve(item), "an item of "+key)
		if err != nil {
			return nil, err
		}
		if s == "" {
			return nil, d.errorAt(item, "an item of %s is empty", key)
		}
		list = append(list, s)
	}
	return list, nil
}

// boolean reads true or false; nothing gives false.
func (d *document) boolean(n *yaml.Node, key string) (bool, error) {
	word, err := d.scalar(n, key, "!!bool", "true or false")
	return strings.EqualFold(word, "true"), err
}

// count reads a whole number that is not negative; nothing gives 0.
func (d *document) count(n *yaml.Node, key string) (int, error) {
	digits, err := d.scalar(n, key, "!!int", "a whole number")
	if err != nil || digits == "" {
		return 0, err
	}
	number, err := strconv.Atoi(digits)
	if err != nil || number < 0 {
		return 0, d.errorAt(n, "%s takes a whole number from 0, not %s", key, shown(digits))
	}
	return number, nil
}

// date reads a day written YYYY-MM-DD; nothing gives "".
func (d *document) date(n *yaml.Node, key string) (string, error) {
	if isNull(n) {
		return "", nil
	}
	if _, err := time.Parse(time.DateOnly, n.Value); err != nil || n.Kind != yaml.ScalarNode {
		return "", d.errorAt(n, "%s takes a date such as 2027-01-31", key)
	}
	return n.Value, nil
}
