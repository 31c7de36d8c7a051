package config

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Source says where the secret of account keys is to be found.
type Source struct {
	Variable string        // the name of an environment variable
	Command  []string      // a program that prints the secret, and its arguments
	Secret   verify.Secret // to be kept in the keychain now; without any of the three it is there already
}

// Credentials are account keys as they are declared: an API key, or without one the account's auth token, and where the
// secret is.
type Credentials struct {
	APIKey verify.APIKeySID // "" signs in with the auth token
	Source Source
}

// Addition is an environment to declare.
type Addition struct {
	Environment verify.Environment
	Credentials Credentials
	BaseURL     string
	CAFile      string
	Region      string
	Edge        string
	Identity    string // raw, sha256 or "" for none declared

	AllowBaseURL bool // account keys may go to BaseURL, wherever it is
}

// Change tells what an edit did.
type Change struct {
	Files  []string // that were written
	Secret string   // where a secret was kept or removed from, "" for none
}

// Add declares a new environment. In a team's file only facts go; its credentials go into the personal file beside it.
// The first environment of a file becomes the current one. The error is a usage [verify.Error] when the name is taken or
// the whole would not be a valid configuration; nothing is written then.
func (c *Config) Add(ctx context.Context, a Addition) (Change, error) {
	name := a.Environment.Name
	if err := c.checkFree(name); err != nil {
		return Change{}, err
	}
	if err := checkBaseURL(a.BaseURL, a.AllowBaseURL, a.Environment.IsProduction()); err != nil {
		return Change{}, err
	}
	edits := []edit{{c.path, c.role, func(root *yaml.Node) error {
		environments, err := mappingUnder(root, "environments")
		if err != nil {
			return err
		}
		isFirst := len(environments.Content) == 0
		environments.Content = append(environments.Content, keyLike(environments, name), factNodes(a))
		if isFirst && c.role == own && textOf(root, "current") == "" {
			setCurrent(root, name)
		}
		return nil
	}}, c.keysEdit(name, a.Credentials, a.AllowBaseURL)}
	return c.apply(ctx, edits, a.Environment.AccountSID, a.Credentials)
}

// Trial gives the environment that an addition would make, or that of the file with other credentials, so that its keys can
// be tried before anything is stored. The Service may be missing from it.
func (c *Config) Trial(a Addition) (*Target, error) {
	all, err := c.loadedOrNew()
	if err != nil {
		return nil, err
	}
	at := position{file: c.path}
	decl := declaration{env: a.Environment, at: at, allowBaseURL: a.AllowBaseURL, baseURL: located{a.BaseURL, at}, caFile: located{a.CAFile, at},
		region: located{a.Region, at}, edge: located{a.Edge, at}}
	if known := all.find(a.Environment.Name); known != nil {
		decl = *known
	} else if err := c.checkFree(a.Environment.Name); err != nil {
		return nil, err
	}
	secret := a.Credentials.Source.reference()
	decl.credentials = credentials{apiKey: a.Credentials.APIKey, secret: secret, token: secret}
	return c.target(&decl)
}

// givenSecret says of a secret that is not stored yet where it came from.
const givenSecret = "your input"

// reference tells where the secret is now.
func (s Source) reference() *reference {
	switch {
	case s.Variable != "":
		return &reference{kind: inVariable, name: s.Variable}
	case s.Command != nil:
		return &reference{kind: fromCommand, argv: s.Command}
	case s.Secret != "":
		return &reference{kind: inFile, text: &s.Secret, at: position{file: givenSecret}}
	}
	return &reference{kind: inKeychain}
}

// SetCredentials replaces the credentials of an environment: in the user's own file where they stand, for a team's file
// in the personal one beside it.
func (c *Config) SetCredentials(ctx context.Context, name string, credentials Credentials) (Change, error) {
	t, err := c.declared(name)
	if err != nil {
		return Change{}, err
	}
	return c.apply(ctx, []edit{c.keysEdit(name, credentials, false)}, t.env.AccountSID, credentials)
}

// mine gives the file for what concerns this person alone: the user's own, or the personal one beside a team's.
func (c *Config) mine() (string, role) {
	if c.role == shared {
		return personalPath(c.path), personal
	}
	return c.path, c.role
}

// keysEdit replaces the credential keys of an environment where they belong.
func (c *Config) keysEdit(name string, credentials Credentials, allowBaseURL bool) edit {
	path, role := c.mine()
	return edit{path, role, inEnvironment(name, func(env *yaml.Node) error {
		for _, key := range credentialFields {
			removeKey(env, key)
		}
		env.Content = slices.Insert(env.Content, afterSIDs(env), keyNodes(credentials).Content...)
		if allowBaseURL {
			put(env, "allow_base_url", plainNode("true"))
		}
		return nil
	})}
}

// afterSIDs gives the place behind the two SIDs of an environment, where people look for its keys.
func afterSIDs(env *yaml.Node) int {
	last := max(keyAt(env, "account_sid"), keyAt(env, "service_sid"))
	if last < 0 {
		return 0
	}
	return last + 2
}

// Use makes an environment the current one; "" leaves none current. For a team's file that is noted in the personal file
// beside it, because it is a person's choice.
func (c *Config) Use(name string) (Change, error) {
	if name != "" {
		if _, err := c.Lookup(name); err != nil {
			return Change{}, err
		}
	}
	path, role := c.mine()
	return c.apply(context.Background(), []edit{{path, role, func(root *yaml.Node) error {
		setCurrent(root, name)
		return nil
	}}}, "", Credentials{})
}

// CanRemove tells whether an environment stands in a file; the error says why not.
func (c *Config) CanRemove(name string) error {
	_, err := c.declared(name)
	return err
}

// Remove takes an environment out of the file, and out of the personal one beside a team's. When no other environment of
// the file signs in with its keys, their keychain entry goes as well. What else is known of it stays.
func (c *Config) Remove(ctx context.Context, name string) (Change, error) {
	decl, err := c.declared(name)
	if err != nil {
		return Change{}, err
	}
	remove := func(root *yaml.Node) error {
		if environments := valueOf(root, "environments"); environments != nil {
			removeKey(resolve(environments), name)
		}
		if textOf(root, "current") == name {
			setCurrent(root, "")
		}
		return nil
	}
	all, err := c.loaded()
	if err != nil {
		return Change{}, err
	}
	change, err := c.apply(ctx, c.everywhere(all, remove), "", Credentials{})
	if err != nil {
		return change, err
	}
	change.Secret, err = c.forgetKeys(ctx, decl, all)
	return change, err
}

// everywhere makes the same edit of every file that was read: a team's, and the personal one beside it.
func (c *Config) everywhere(all *environments, do func(root *yaml.Node) error) []edit {
	var edits []edit
	for i, path := range all.files {
		role := c.role
		if i > 0 {
			role = personal
		}
		edits = append(edits, edit{path, role, do})
	}
	return edits
}

// forgetKeys removes the keychain entry of an environment's keys, unless another one uses it, and names it.
func (c *Config) forgetKeys(ctx context.Context, removed *declaration, all *environments) (string, error) {
	_, secret := removed.credentials.resolve(removed.env.AccountSID)
	if secret.kind != inKeychain {
		return "", nil
	}
	if slices.ContainsFunc(all.declared, func(other *declaration) bool { return other != removed && other.uses(secret.name) }) {
		return "", nil
	}
	found, err := c.keychain.remove(ctx, secret.name)
	if err != nil {
		return "", fmt.Errorf("%s is removed, but its keychain entry %s is not: %w", removed.env.Name, secret.name, err)
	}
	if !found {
		return "", nil
	}
	return "the keychain entry " + secret.name, nil
}

// uses tells whether something that the environment declares is in the keychain under a name.
func (decl *declaration) uses(entry string) bool {
	_, secret := decl.credentials.resolve(decl.env.AccountSID)
	references := []reference{secret}
	if decl.identity.key != nil {
		references = append(references, *decl.identity.key)
	}
	for _, webhook := range decl.webhooks {
		references = append(references, webhook.reference)
	}
	return slices.ContainsFunc(references, func(r reference) bool { return r.kind == inKeychain && r.name == entry })
}

// NoteCredential records in the environment's file what a push credential's own file told.
func (c *Config) NoteCredential(name string, platform verify.Platform, note verify.CredentialNote) (Change, error) {
	if _, err := c.declared(name); err != nil {
		return Change{}, err
	}
	return c.apply(context.Background(), []edit{{c.path, c.role, inEnvironment(name, func(env *yaml.Node) error {
		notes, err := mappingUnder(env, "credential_notes")
		if err != nil {
			return err
		}
		removeKey(notes, string(platform))
		put(notes, string(platform), noteNode(note))
		return nil
	})}}, "", Credentials{})
}

// declared gives the declaration of an environment that can be edited.
func (c *Config) declared(name string) (*declaration, error) {
	if c.isBuiltIn(name) {
		return nil, verify.Usagef("%s is built in and stands in no file", name)
	}
	all, err := c.loaded()
	if err != nil {
		return nil, err
	}
	if decl := all.find(name); decl != nil {
		return decl, nil
	}
	return nil, c.noSuch(name, all)
}

func (c *Config) checkFree(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if c.isBuiltIn(name) {
		return verify.Usagef("%s is built in and cannot be declared", name)
	}
	all, err := c.loadedOrNew()
	if err != nil {
		return err
	}
	for _, decl := range all.declared {
		if strings.EqualFold(decl.env.Name, name) {
			return verify.Usagef("the environment %s stands in %s already", decl.env.Name, decl.at).
				WithHint("edit it there, or remove it first: %s", c.Command("env", "remove", decl.env.Name))
		}
	}
	return nil
}

// loadedOrNew is loaded, but a team's file that does not exist yet is an empty one.
func (c *Config) loadedOrNew() (*environments, error) {
	if _, err := os.Stat(c.path); errors.Is(err, fs.ErrNotExist) {
		return &environments{}, nil
	}
	return c.loaded()
}

// Has tells whether an environment of this name stands in the file.
func (c *Config) Has(name string) (bool, error) {
	all, err := c.loadedOrNew()
	if err != nil {
		return false, err
	}
	return all.find(name) != nil, nil
}

type edit struct {
	path string
	role role
	do   func(root *yaml.Node) error
}

// apply makes edits in memory, reads the result as a configuration, stores a new secret, and only then writes the files.
// A later load sees the new content.
func (c *Config) apply(ctx context.Context, edits []edit, account verify.AccountSID, credentials Credentials) (Change, error) {
	edited, err := c.edited(edits)
	if err != nil {
		return Change{}, err
	}
	if err := c.checkEdited(edited); err != nil {
		return Change{}, err
	}
	var change Change
	if secret := credentials.Source.Secret; secret != "" {
		username := cmp.Or(string(credentials.APIKey), string(account))
		if _, err := checkKey(secret.Reveal(), givenSecret); err != nil {
			return change, err
		}
		place, err := c.keychain.set(ctx, username, secret)
		if err != nil {
			return change, err
		}
		change.Secret = place
	}
	for _, d := range edited {
		if bytes.Equal(d.raw, d.before) {
			continue
		}
		if err := d.save(); err != nil {
			return change, err
		}
		change.Files = append(change.Files, d.path)
	}
	c.loaded = sync.OnceValues(c.load)
	return change, nil
}

// edited applies edits in memory and gives the documents they make. Edits of one file follow each other.
func (c *Config) edited(edits []edit) ([]*document, error) {
	var edited []*document
	for _, e := range edits {
		i := slices.IndexFunc(edited, func(d *document) bool { return d.path == e.path })
		if i < 0 {
			d, err := readDocument(e.path, e.role)
			if errors.Is(err, fs.ErrNotExist) {
				d = &document{path: e.path, role: e.role, secret: true}
			} else if err != nil {
				return nil, unreadable(e.path, err)
			}
			d.before = d.raw
			edited, i = append(edited, d), len(edited)
		}
		if err := edited[i].apply(e.do); err != nil {
			return nil, err
		}
	}
	return edited, nil
}

// checkEdited reads the edited documents as a configuration, so that no edit leaves a file that cannot be read.
func (c *Config) checkEdited(edited []*document) error {
	_, err := c.loadFrom(func(path string, role role) (*document, error) {
		i := slices.IndexFunc(edited, func(d *document) bool { return d.path == path })
		if i >= 0 {
			return edited[i], nil
		}
		return readDocument(path, role)
	})
	return err
}

// save writes an edited document, unless somebody else has changed the file since it was read. A link is followed: people
// keep such files elsewhere.
func (d *document) save() error {
	target := d.path
	if resolved, err := filepath.EvalSymlinks(d.path); err == nil {
		target = resolved
	}
	now, err := os.ReadFile(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s cannot be read again: %w", d.path, err)
	}
	if !bytes.Equal(now, d.before) {
		return &verify.Error{Kind: verify.KindFailed, Message: d.path + " was changed by somebody else just now; nothing was written",
			Hint: "run the command again"}
	}
	return writeWhole(target, d.raw, ownerReadWrite)
}
