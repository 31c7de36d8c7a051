package config

import (
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// ReadDeclarations gives environments as another file declares them, such as one that an export wrote. Each is known here
// by its name, built-in ones too: its keys and how careful to be come from the configuration, and what both state must
// agree. The file is read with the rules of a team's: it has neither secrets nor commands. Name is for messages, path where
// SIDs are written back to, "" for nowhere.
func (c *Config) ReadDeclarations(name, path string, text []byte) ([]*Target, error) {
	d := &document{path: name, role: shared, raw: text}
	if err := d.parse(); err != nil {
		return nil, err
	}
	if d.root == nil {
		return nil, verify.Usagef("%s declares no environments: it is empty", name)
	}
	var targets []*Target
	err := d.mapping(d.root, "the file", "the file", []field{
		{"current", nil, func(entry) error { return nil }},
		{"environments", nil, func(e entry) error {
			entries, err := d.entries(e.value, "environments")
			if err != nil {
				return err
			}
			for _, e := range entries {
				t, err := c.declaredElsewhere(d, path, e)
				if err != nil {
					return err
				}
				targets = append(targets, t)
			}
			return nil
		}},
	})
	if err == nil && len(targets) == 0 {
		err = verify.Usagef("%s declares no environments", name)
	}
	return targets, err
}

func (c *Config) declaredElsewhere(d *document, path string, e entry) (*Target, error) {
	decl, err := d.readDeclaration(e)
	if err != nil {
		return nil, err
	}
	t, err := c.Lookup(e.name())
	if err != nil {
		if known, ok := err.(*verify.Error); ok {
			known.Message = d.at(e.key).String() + ": " + known.Message
		}
		return nil, err
	}
	env := &t.Environment
	for _, both := range []struct{ key, here, there string }{
		{"account_sid", string(env.AccountSID), string(decl.env.AccountSID)},
		{"service_sid", string(env.ServiceSID), string(decl.env.ServiceSID)},
		{"kind", string(env.Kind), string(decl.env.Kind)},
		{"ios_build", string(env.IOSBuild), string(decl.env.IOSBuild)},
	} {
		if both.here != "" && both.there != "" && !strings.EqualFold(both.here, both.there) {
			return nil, d.errorAt(e.key, "%s has %s %s here, and %s in the environment's own declaration", e.name(), both.key, both.there, both.here)
		}
	}
	if decl.service == nil {
		return nil, d.errorAt(e.key, "%s has no service block, so nothing is declared of its Service", e.name())
	}
	if env.ServiceSID == "" {
		env.ServiceSID = decl.env.ServiceSID
	}
	if env.IOSBuild == "" {
		env.IOSBuild = decl.env.IOSBuild
	}
	if decl.env.ReadOnly && !env.ReadOnly {
		env.ReadOnly, t.ReadOnlyFrom = true, decl.at.String()
	}
	t.take(decl.service)
	t.Declared, t.file, t.fileRole = decl.at.String(), path, shared
	if env.ServiceSID == "" && t.Service.Settings["friendly_name"] == "" {
		return nil, verify.Usagef("%s: the service of %s has no friendly_name, and there is no service_sid of one that exists", t.Service.At, e.name())
	}
	return t, nil
}

// take makes a block that of the target.
func (t *Target) take(block *serviceBlock) {
	if block == nil {
		return
	}
	t.Service, t.push = &block.states, block.push
	var urls []string
	for _, hook := range block.states.Webhooks {
		if url := hook.Webhook.URL; url != "" && !hook.Absent && !slices.Contains(urls, url) {
			urls = append(urls, url)
		}
	}
	if t.Environment.WebhookURL == "" && len(urls) == 1 { // it need not be said twice
		t.Environment.WebhookURL = urls[0]
	}
}
