// Package config knows the environments of this machine's user: it reads the environment file, settles flags, variables
// and file against each other, finds the secret of account keys when it is needed, and edits the file without losing what
// people wrote in it. It is the only importer of viper and of the keychain.
//
// # Precedence
//
// A setting is taken from a flag, else from its VERIFYCTL_* variable, else from the file. Account keys are one set from
// one source: an environment chosen by -e, VERIFYCTL_ENV or the file's current uses its own; TWILIO_* variables count
// only when no environment is chosen.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// fileVariable names the variable that stands for --config.
const fileVariable = "VERIFYCTL_CONFIG"

// Options say where configuration comes from.
type Options struct {
	// Flags are those of the running command. Of interest are config, env, service and, where a command has them,
	// base-url, ca-file, region, edge and readonly. Nil for none.
	Flags *pflag.FlagSet
	// BuiltIn are the environments that exist without any file and cannot be declared in one.
	BuiltIn []verify.Environment
	// Stderr is where the programs that print secrets may talk to the person; nil for nowhere.
	Stderr io.Writer
}

// Config is what this user has configured. It reads the file when it is first asked for something in it, once.
type Config struct {
	opts     Options
	settings settings
	dir      string // the user's own configuration directory
	keychain *keychain

	path string // the environment file
	role role   // of that file: own or shared

	loaded func() (*environments, error)
}

// environments is what the files declare.
type environments struct {
	declared []*declaration // in the file's order
	current  located        // "" when no environment is
	files    []string       // that were read
}

// Open prepares the configuration without reading any file. The error is a usage [verify.Error] when the user has no
// configuration directory.
func Open(opts Options) (*Config, error) {
	dir, err := directory()
	if err != nil {
		return nil, err
	}
	c := &Config{opts: opts, dir: dir, settings: settings{opts.Flags}}
	c.keychain = &keychain{ring: systemRing{}, patience: keychainPatience, file: filepath.Join(dir, "credentials")}
	switch value := os.Getenv(keychainVariable); value {
	case "", "on":
	case "off":
		c.keychain.off = true
	default:
		return nil, verify.Usagef("%s takes on or off, not %s", keychainVariable, shown(value))
	}
	c.path = filepath.Join(dir, "config.yaml")
	if given := c.settings.value("config"); given != "" {
		c.path, c.role = given, shared
		if sameFile(given, filepath.Join(dir, "config.yaml")) {
			c.role = own
		}
	}
	c.loaded = sync.OnceValues(c.load)
	return c, nil
}

// directory gives verifyctl's directory for this user: XDG_CONFIG_HOME counts on every system, then the system's own rule.
func directory() (string, error) {
	if xdg := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "verifyctl"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", verify.Usagef("where is your configuration directory? %w", err).WithHint("set XDG_CONFIG_HOME")
	}
	return filepath.Join(dir, "verifyctl"), nil
}

func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// Path gives the environment file, which may not exist yet.
func (c *Config) Path() string { return c.path }

// File is the environment file as commands to paste name it.
func (c *Config) File() verify.ConfigFile {
	if c.role == shared {
		return verify.ConfigFile(c.path)
	}
	return ""
}

// Command gives a verifyctl command to paste that works on the same environment file.
func (c *Config) Command(words ...string) string { return c.File().Command(words...) }

// personalPath gives the file beside a team's that adds a person's credentials: verifyctl.local.yaml for verifyctl.yaml.
func personalPath(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".local" + ext
}

// load reads the environment file and the personal one beside it.
func (c *Config) load() (*environments, error) { return c.loadFrom(readDocument) }

func (c *Config) loadFrom(open func(string, role) (*document, error)) (*environments, error) {
	main, err := open(c.path, c.role)
	if errors.Is(err, fs.ErrNotExist) {
		if c.role == shared {
			return nil, verify.Usagef("environment file %s does not exist", c.path).
				WithHint("it was named by --config or %s; start one: %s", fileVariable, c.Command("env", "add", "NAME"))
		}
		return &environments{}, nil
	}
	if err != nil {
		return nil, unreadable(c.path, err)
	}
	all, err := c.read(main)
	if err != nil || c.role != shared {
		return all, err
	}
	beside, err := open(personalPath(c.path), personal)
	if errors.Is(err, fs.ErrNotExist) {
		return all, all.complete()
	}
	if err != nil {
		return nil, unreadable(personalPath(c.path), err)
	}
	mine, err := c.read(beside)
	if err != nil {
		return nil, err
	}
	return all, all.join(mine)
}

func unreadable(path string, err error) error {
	var known *verify.Error
	if errors.As(err, &known) {
		return err
	}
	return verify.Usagef("%s cannot be read: %w", path, err)
}

// read gives what one file declares. A user's own file is whole by itself.
func (c *Config) read(d *document) (*environments, error) {
	all := &environments{files: []string{d.path}}
	if d.root == nil {
		return all, nil
	}
	err := d.mapping(d.root, "the file", "the file", []field{
		{"current", nil, into(&all.current, d.located)},
		{"environments", nil, func(e entry) (err error) {
			all.declared, err = c.readEnvironments(d, e)
			return err
		}},
	})
	if err != nil {
		return nil, err
	}
	if d.role == own {
		return all, all.complete()
	}
	return all, nil
}

func (c *Config) readEnvironments(d *document, of entry) ([]*declaration, error) {
	entries, err := d.entries(of.value, "environments")
	if err != nil {
		return nil, err
	}
	var declared []*declaration
	byName := map[string]entry{} // in lower case: some file systems, and many people, see no difference
	for _, e := range entries {
		folded := strings.ToLower(e.name())
		if err := CheckName(e.name()); err != nil {
			return nil, d.errorAt(e.key, "%v", err)
		}
		if c.isBuiltIn(folded) {
			return nil, d.errorAt(e.key, "%s is built in and cannot be declared", e.name())
		}
		if first, twice := byName[folded]; twice {
			return nil, d.errorAt(e.key, "%s differs from %s on line %d only in letter case", e.name(), first.name(), first.key.Line)
		}
		byName[folded] = e
		decl, err := d.readDeclaration(e)
		if err != nil {
			return nil, err
		}
		declared = append(declared, decl)
	}
	return declared, nil
}

func (e *environments) complete() error {
	for _, decl := range e.declared {
		if err := decl.complete(); err != nil {
			return err
		}
	}
	return nil
}

// join lays what the personal file says over the team's.
func (e *environments) join(mine *environments) error {
	for _, m := range mine.declared {
		theirs := e.find(m.env.Name)
		if theirs == nil {
			err := verify.Usagef("%s: %s has no environment %s", m.at, e.files[0], m.env.Name)
			if near := verify.Nearest(m.env.Name, e.names()); near != "" {
				return err.WithHint("did you mean %s?", near)
			}
			return err.WithHint("a personal file adds credentials to environments of the team's file; remove it there or add it here")
		}
		if err := theirs.join(m); err != nil {
			return err
		}
	}
	if mine.current.value != "" {
		e.current = mine.current
	}
	e.files = append(e.files, mine.files...)
	return e.complete()
}

func (e *environments) find(name string) *declaration {
	i := slices.IndexFunc(e.declared, func(d *declaration) bool { return d.env.Name == name })
	if i < 0 {
		return nil
	}
	return e.declared[i]
}

func (e *environments) names() []string {
	var names []string
	for _, d := range e.declared {
		names = append(names, d.env.Name)
	}
	return names
}

func (c *Config) builtIn(name string) (verify.Environment, bool) {
	i := slices.IndexFunc(c.opts.BuiltIn, func(e verify.Environment) bool { return e.Name == name })
	if i < 0 {
		return verify.Environment{}, false
	}
	return c.opts.BuiltIn[i], true
}

func (c *Config) isBuiltIn(name string) bool {
	_, found := c.builtIn(strings.ToLower(name))
	return found
}

const maxNameLength = 40

// CheckName tells whether a name can be an environment's: letters, digits, dots, dashes and underscores, as it becomes
// part of file names and of commands to paste. The error is a usage [verify.Error].
func CheckName(name string) error {
	problem := ""
	switch {
	case name == "":
		problem = "is empty"
	case len(name) > maxNameLength:
		problem = fmt.Sprintf("has more than %d characters", maxNameLength)
	case strings.Trim(name[:1], ".-_") == "":
		problem = "does not start with a letter or a digit"
	case strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }):
		problem = "has a character other than letters, digits, dots, dashes and underscores"
	}
	if problem == "" {
		return nil
	}
	return verify.Usagef("the environment name %s %s", shown(name), problem)
}

func isNameRune(r rune) bool {
	return strings.ContainsRune(".-_", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
