package environments

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Export writes what is there as the declaration of it, which a plan finds no change in: YAML for the environment file.
// What no API gives back is a placeholder, which can never be sent. What would not be accepted as declared, such as a push
// credential that does not fit the build, is left out, and a comment says so.
func Export(ctx context.Context, environments []Live) ([]byte, error) {
	all := mapping()
	for _, e := range environments {
		env, err := exportOne(ctx, e)
		if err != nil {
			return nil, err
		}
		add(all, e.Env.Name, env)
	}
	root := mapping()
	add(root, "environments", all)
	root.Content[0].HeadComment = "# Push certificates and service accounts cannot be read back: put your files in\n# the place of the placeholders before anything is made from this."
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func exportOne(ctx context.Context, e Live) (*yaml.Node, error) {
	service, err := e.Account.service(&Environment{Environment: e.Env})
	if err != nil {
		return nil, err
	}
	env := mapping()
	addText(env, "account_sid", string(e.Env.AccountSID))
	addText(env, "service_sid", string(service.SID))
	addText(env, "kind", string(e.Env.Kind))
	addText(env, "ios_build", string(e.Env.IOSBuild))
	addList(env, "platforms", words(e.Env.Platforms))
	addList(env, "app_ids", e.Env.AppIDs)
	declared := mapping()
	addText(declared, "friendly_name", service.FriendlyName)
	push := mapping()
	var left []string
	for _, platform := range platforms {
		sid := service.CredentialSID(platform)
		if sid == "" {
			continue
		}
		node, why := exportCredential(e, platform, sid)
		if node == nil {
			left = append(left, fmt.Sprintf("# push.%s is left out: %s\n# %s", platform, sid, why))
			continue
		}
		add(push, string(platform), node)
	}
	if len(push.Content) > 0 {
		add(declared, "push", push)
	}
	declared.Content[0].HeadComment = strings.Join(left, "\n")
	hooks, err := e.Account.hooks(ctx, service.SID)
	if err != nil {
		return nil, err
	}
	if len(hooks) > 0 {
		add(declared, "webhooks", exportHooks(hooks))
	}
	addSettings(declared, service.Settings)
	add(env, "service", declared)
	return env, nil
}

// exportCredential gives a credential as it is declared, or why it cannot be.
func exportCredential(e Live, platform verify.Platform, sid verify.CredentialSID) (*yaml.Node, string) {
	i := slices.IndexFunc(e.Account.credentials, func(c verify.Credential) bool { return verify.SameSID(c.SID, sid) })
	if i < 0 {
		return nil, "is not in this account"
	}
	credential := e.Account.credentials[i]
	if !isOf(&credential, platform) {
		return nil, fmt.Sprintf("is of type %q", credential.Type)
	}
	if err := e.Env.CheckSandbox(credential.Type, credential.Sandbox); err != nil {
		return nil, err.Error()
	}
	node := mapping()
	addText(node, "name", credential.FriendlyName)
	addText(node, "credential_sid", string(credential.SID))
	key, file := "certificate_file", "the certificate and its key, a .p12 or a .pem"
	if platform == verify.PlatformFCM {
		key, file = "service_account_file", "the service account, a .json"
	}
	add(node, key, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!placeholder", Value: file, Style: yaml.TaggedStyle | yaml.DoubleQuotedStyle})
	return node, ""
}

func exportHooks(hooks []verify.Webhook) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, hook := range hooks {
		node := mapping()
		addText(node, "name", hook.FriendlyName)
		addText(node, "sid", string(hook.SID))
		addText(node, "url", hook.URL)
		addList(node, "events", hook.EventTypes)
		addText(node, "version", hook.Version)
		addText(node, "status", hook.Status)
		list.Content = append(list.Content, node)
	}
	return list
}

// addSettings writes the settings that have a value, each in the group that its name has.
func addSettings(declared *yaml.Node, settings verify.ServiceSettings) {
	groups := map[string]*yaml.Node{"": declared}
	for _, setting := range verify.ServiceSettingNames {
		value := settings[setting.Name]
		if value == "" || setting.Name == "friendly_name" || strings.HasPrefix(setting.Name, "push.") {
			continue
		}
		into, path := declared, ""
		steps := strings.Split(setting.Name, ".")
		for _, step := range steps[:len(steps)-1] {
			path += "." + step
			if groups[path] == nil {
				groups[path] = mapping()
				add(into, step, groups[path])
			}
			into = groups[path]
		}
		last := steps[len(steps)-1]
		switch {
		case last == "origins":
			addList(into, last, strings.Split(value, ","))
		case textSettings[last]:
			addText(into, last, value)
		default:
			add(into, last, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
		}
	}
}

// textSettings are those whose value is text, whatever it looks like; the others are numbers or truths.
var textSettings = map[string]bool{"issuer": true, "id": true, "name": true, "authenticator_attachment": true, "discoverable_credentials": true, "user_verification": true}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func add(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, text(key), value)
}

func addText(m *yaml.Node, key, value string) {
	if value != "" {
		add(m, key, text(value))
	}
}

func addList(m *yaml.Node, key string, values []string) {
	if len(values) == 0 {
		return
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range values {
		list.Content = append(list.Content, text(v))
	}
	add(m, key, list)
}

func words[T ~string](values []T) (list []string) {
	for _, v := range values {
		list = append(list, string(v))
	}
	return list
}
