package config

import (
	"context"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// settable are the keys that [Config.Set] writes, and how: as text, as a list between commas, or as YAML reads it.
var settable = []settableKey{
	{"account_sid", textNode}, {"service_sid", textNode}, {"kind", textNode}, {"readonly", plainNode}, {"ios_build", textNode},
	{"platforms", listNode}, {"app_ids", listNode}, {"max_factors", plainNode}, {"metadata_keys", listNode}, {"base_url", textNode},
	{"ca_file", textNode}, {"region", textNode}, {"edge", textNode}, {"allow_base_url", plainNode}, {"webhook_url", textNode},
	{"listener_url", textNode}, {"store", textNode},
}

type settableKey struct {
	key string
	as  func(value string) *yaml.Node
}

// SettableKeys lists the keys that [Config.Set] takes.
func SettableKeys() []string {
	keys := make([]string, len(settable))
	for i, s := range settable {
		keys[i] = s.key
	}
	return keys
}

func listNode(value string) *yaml.Node {
	list := flow(yaml.SequenceNode)
	for word := range strings.SplitSeq(value, ",") {
		list.Content = append(list.Content, textNode(strings.TrimSpace(word)))
	}
	return list
}

// Setting is one key of an environment and its new value.
type Setting struct{ Key, Value string }

// ParseSetting reads KEY=VALUE.
func ParseSetting(text string) (Setting, error) {
	key, value, ok := strings.Cut(text, "=")
	switch {
	case !ok || key == "":
		return Setting{}, verify.Usagef("%q is not KEY=VALUE", text).WithHint("for example kind=staging or app_ids=com.example.app,com.example.beta")
	case slices.Contains(credentialFields, key):
		return Setting{}, verify.Usagef("%s is part of the environment's credentials, which are set together", key).
			WithHint("replace them by env add, which takes --api-key, and --secret-stdin, --secret-env or --secret-command")
	case !slices.Contains(SettableKeys(), key):
		err := verify.Usagef("%q is not a key that can be set", key)
		if near := verify.Nearest(key, SettableKeys()); near != "" {
			return Setting{}, err.WithHint("did you mean %s? The keys are %s", near, strings.Join(SettableKeys(), ", "))
		}
		return Setting{}, err.WithHint("the keys are %s; others are edited in the file", strings.Join(SettableKeys(), ", "))
	case strings.TrimSpace(value) == "":
		return Setting{}, verify.Usagef("%s has no value", key).WithHint("a shell variable may be unset; to remove a key, edit the file")
	}
	return Setting{key, value}, nil
}

// Set changes keys of an environment where they stand, else in the file they belong into; comments stay. Nothing is written
// when the result would be no valid configuration.
func (c *Config) Set(name string, settings []Setting) (Change, error) {
	if _, err := c.declared(name); err != nil {
		return Change{}, err
	}
	var edits []edit
	for _, s := range settings {
		path, role, err := c.homeOf(name, s.Key)
		if err != nil {
			return Change{}, err
		}
		edits = append(edits, edit{path, role, inEnvironment(name, s.write)})
	}
	return c.apply(context.Background(), edits, "", Credentials{})
}

// homeOf gives the file for a key: a team's, or the personal one beside it where the key stands or may only stand.
func (c *Config) homeOf(name, key string) (string, role, error) {
	path, role := c.mine()
	if path == c.path {
		return path, role, nil
	}
	if slices.ContainsFunc(fieldsOfAll(), func(f field) bool { return f.name == key && f.roles != nil && !slices.Contains(f.roles, shared) }) {
		return path, role, nil
	}
	all, err := c.loaded()
	if err != nil {
		return "", 0, err
	}
	if slices.Contains(all.files, path) {
		d, err := readDocument(path, role)
		if err != nil {
			return "", 0, err
		}
		stands := false
		err = d.apply(inEnvironment(name, func(env *yaml.Node) error {
			stands = valueOf(env, key) != nil
			return nil
		}))
		if err != nil || stands {
			return path, role, err
		}
	}
	return c.path, c.role, nil
}

// write puts the new value where the key stands, with its comments, or at the end.
func (s Setting) write(env *yaml.Node) error {
	at := slices.IndexFunc(settable, func(k settableKey) bool { return k.key == s.Key })
	value := settable[at].as(s.Value)
	old := valueOf(env, s.Key)
	switch {
	case old == nil:
		put(env, s.Key, value)
	case old.Kind == yaml.AliasNode || old.Anchor != "":
		return verify.Usagef("%s shares its value with another place of the file; edit it by hand", s.Key)
	default:
		value.HeadComment, value.LineComment, value.FootComment = old.HeadComment, old.LineComment, old.FootComment
		*old = *value
	}
	return nil
}

// Rename gives an environment another name, in a team's file and the personal one beside it; comments stay. What is current
// stays current.
func (c *Config) Rename(name, to string) (Change, error) {
	if _, err := c.declared(name); err != nil {
		return Change{}, err
	}
	if err := c.checkFree(to); err != nil && !strings.EqualFold(name, to) {
		return Change{}, err
	}
	if err := CheckName(to); err != nil {
		return Change{}, err
	}
	all, err := c.loaded()
	if err != nil {
		return Change{}, err
	}
	rename := func(root *yaml.Node) error {
		if environments := valueOf(root, "environments"); environments != nil {
			if at := keyAt(resolve(environments), name); at >= 0 {
				resolve(environments).Content[at].Value = to
			}
		}
		if textOf(root, "current") == name {
			setCurrent(root, to)
		}
		return nil
	}
	return c.apply(context.Background(), c.everywhere(all, rename), "", Credentials{})
}
