package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// NotedSIDs are the SIDs of what was made for an environment. Empty ones are not noted.
type NotedSIDs struct {
	Service     verify.ServiceSID
	Credentials map[verify.Platform]verify.CredentialSID
	Webhooks    map[string]verify.WebhookSID // by name
}

// NoteSIDs writes SIDs into the file that declares the environment, where they belong; comments stay. What was read from
// standard input, or stands in no file, is in none: then, and when the file cannot be written, the error's hint has the
// lines to add.
func (c *Config) NoteSIDs(t *Target, sids NotedSIDs) (Change, error) {
	if t.file == "" {
		return Change{}, verify.Usagef("the SIDs of %s were not written: its declaration stands in no file", t.Environment.Name).WithHint("%s", sids.lines(t.Environment.Name))
	}
	change, err := c.apply(context.Background(), []edit{{t.file, t.fileRole, inEnvironment(t.Environment.Name, sids.write)}}, "", Credentials{})
	if err != nil {
		return change, &verify.Error{Kind: verify.KindOf(err), Message: fmt.Sprintf("the SIDs of %s were not written: %v", t.Environment.Name, err), Hint: sids.lines(t.Environment.Name), Cause: err}
	}
	return change, nil
}

func (s NotedSIDs) write(env *yaml.Node) error {
	if s.Service != "" {
		setSID(env, "service_sid", string(s.Service), "account_sid")
	}
	if len(s.Credentials) == 0 && len(s.Webhooks) == 0 {
		return nil
	}
	service, err := mappingUnder(env, "service")
	if err != nil {
		return err
	}
	if len(s.Credentials) > 0 {
		push, err := mappingUnder(service, "push")
		if err != nil {
			return err
		}
		for platform, credential := range s.Credentials {
			declared, err := mappingUnder(push, string(platform))
			if err != nil {
				return err
			}
			setSID(declared, "credential_sid", string(credential), "name")
		}
	}
	hooks := valueOf(service, "webhooks")
	if hooks == nil {
		return nil
	}
	for _, hook := range resolve(hooks).Content {
		hook = resolve(hook)
		if made := s.Webhooks[textOf(hook, "name")]; made != "" {
			setSID(hook, "sid", string(made), "name")
		}
	}
	return nil
}

// setSID replaces a SID where one stands, or puts it behind the key that it belongs to.
func setSID(m *yaml.Node, key, sid, behind string) {
	if old := valueOf(m, key); old != nil {
		old.Kind, old.Tag, old.Value, old.Alias = yaml.ScalarNode, "!!str", sid, nil
		return
	}
	at := len(m.Content)
	if i := keyAt(m, behind); i >= 0 {
		at = i + 2
	}
	m.Content = slices.Insert(m.Content, at, textNode(key), textNode(sid))
}

// lines are what a person has to add to an environment.
func (s NotedSIDs) lines(env string) string {
	var lines []string
	if s.Service != "" {
		lines = append(lines, "service_sid: "+string(s.Service))
	}
	for _, platform := range []verify.Platform{verify.PlatformAPN, verify.PlatformFCM} {
		if sid := s.Credentials[platform]; sid != "" {
			lines = append(lines, fmt.Sprintf("service.push.%s.credential_sid: %s", platform, sid))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Webhooks)) {
		lines = append(lines, fmt.Sprintf("service.webhooks: sid of %s: %s", name, s.Webhooks[name]))
	}
	return "add to " + env + ": " + strings.Join(lines, ", ")
}
