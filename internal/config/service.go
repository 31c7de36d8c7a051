package config

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// serviceBlock is the service block of an environment: what it states, and where the files of its push credentials are.
type serviceBlock struct {
	states verify.ServiceDeclaration
	push   map[verify.Platform]pushReferences
}

// pushReferences lead to what a push credential is made of.
type pushReferences struct {
	certificate, key, account located    // files
	accountFrom               *reference // the service account, from a variable or a command
	passphrase                *reference
	passphraseFile            located
}

func (p position) place() verify.Place { return verify.Place{File: p.file, Line: p.line} }

// service reads the block. In a personal file only the references to files and pass phrases stand.
func (d *document) service(n *yaml.Node, key string) (*serviceBlock, error) {
	block := &serviceBlock{push: map[verify.Platform]pushReferences{}}
	states := &block.states
	states.At = d.at(n).place()
	states.Settings, states.Places = verify.ServiceSettings{}, map[string]verify.Place{}
	states.Push = map[verify.Platform]verify.PushDeclaration{}
	fields := []field{
		d.setting(states, "friendly_name", d.words),
		{"push", nil, func(e entry) error {
			return d.mapping(e.value, "push", "push", []field{
				{"apn", nil, func(e entry) error { return d.pushCredential(block, verify.PlatformAPN, e) }},
				{"fcm", nil, func(e entry) error { return d.pushCredential(block, verify.PlatformFCM, e) }},
			})
		}},
		{"webhooks", facts, into(&states.Webhooks, d.webhookDeclarations)},
		d.setting(states, "code_length", d.between(4, 10)),
		d.setting(states, "lookup_enabled", d.truth),
		d.settings(states, "totp", map[string]readText{
			"issuer": d.words, "time_step": d.between(20, 60), "code_length": d.between(3, 8), "skew": d.between(0, 2),
		}),
		d.settings(states, "passkeys", map[string]readText{
			"authenticator_attachment": oneOf(d, "platform", "cross-platform", "any"),
			"discoverable_credentials": oneOf(d, "required", "preferred", "discouraged"),
			"user_verification":        oneOf(d, "required", "preferred", "discouraged"),
		}, d.settings(states, "passkeys.relying_party", map[string]readText{"id": d.words, "name": d.words, "origins": d.commaList})),
		d.setting(states, "verify_event_subscription_enabled", d.truth),
	}
	return block, d.mapping(n, key, "service", fields)
}

// readText reads a setting's value as the text that stands for it.
type readText = func(n *yaml.Node, key string) (string, error)

// setting is the field of one setting of a Service, whose name is its path in Twilio's replies.
func (d *document) setting(states *verify.ServiceDeclaration, name string, read readText) field {
	return field{name[strings.LastIndex(name, ".")+1:], facts, func(e entry) error {
		value, err := read(e.value, name)
		if err == nil && value == "" {
			err = d.errorAt(e.value, "%s has no value; leave it out where it does not matter", name)
		}
		states.Settings[name], states.Places[name] = value, d.at(e.key).place()
		return err
	}}
}

// settings is the field of a group of settings, with what else is in the group.
func (d *document) settings(states *verify.ServiceDeclaration, group string, members map[string]readText, more ...field) field {
	return field{group[strings.LastIndex(group, ".")+1:], facts, func(e entry) error {
		fields := slices.Clone(more)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			fields = append(fields, d.setting(states, group+"."+name, members[name]))
		}
		return d.mapping(e.value, group, group, fields)
	}}
}

func (d *document) words(n *yaml.Node, key string) (string, error) { return d.text(n, key) }

func (d *document) truth(n *yaml.Node, key string) (string, error) {
	if isNull(n) {
		return "", nil
	}
	is, err := d.boolean(n, key)
	return strconv.FormatBool(is), err
}

// between reads a whole number of a range.
func (d *document) between(least, most int) readText {
	return func(n *yaml.Node, key string) (string, error) {
		if isNull(n) {
			return "", nil
		}
		number, err := d.count(n, key)
		if err == nil && (number < least || number > most) {
			err = d.errorAt(n, "%s takes a number from %d to %d, not %d", key, least, most, number)
		}
		return strconv.Itoa(number), err
	}
}

func (d *document) commaList(n *yaml.Node, key string) (string, error) {
	list, err := d.texts(n, key)
	return strings.Join(list, ","), err
}

const (
	ensureAbsent  = "absent"
	ensurePresent = "present"
)

// placeholderTag marks where the contents of a push credential go, which no API gives back.
const placeholderTag = "!placeholder"

// maxFriendlyName is twilio_notify_v1.json's for credentials and twilio_verify_v2.json's for webhooks, in characters.
const maxFriendlyName = 64

func (d *document) pushCredential(block *serviceBlock, platform verify.Platform, of entry) error {
	what := "push." + string(platform)
	p := verify.PushDeclaration{At: d.at(of.key).place()}
	var from pushReferences
	var ensure string
	fields := []field{
		{"name", facts, into(&p.Name, d.friendlyName)},
		{"credential_sid", facts, into(&p.SID, sid(d, verify.ParseCredentialSID))},
		{"ensure", facts, into(&ensure, oneOf(d, ensurePresent, ensureAbsent))},
	}
	if platform == verify.PlatformAPN {
		fields = append(fields, field{"sandbox", facts, into(&p.Sandbox, func(n *yaml.Node, key string) (verify.Sandbox, error) {
			word, err := d.truth(n, key)
			return verify.Sandbox(word), err
		})},
			field{"certificate_file", nil, d.contentsInto(&p, &from.certificate)},
			field{"private_key_file", nil, into(&from.key, d.located)},
			field{"passphrase", nil, func(e entry) error { return d.referenceInto(&from.passphrase, e) }},
			field{"passphrase_env", nil, d.variableInto(&from.passphrase)},
			field{"passphrase_file", nil, into(&from.passphraseFile, d.located)},
			field{"passphrase_command", byPerson, d.commandInto(&from.passphrase)})
	} else {
		fields = append(fields,
			field{"service_account_file", nil, d.contentsInto(&p, &from.account)},
			field{"service_account_env", nil, d.variableInto(&from.accountFrom)},
			field{"service_account_command", byPerson, d.commandInto(&from.accountFrom)})
	}
	if err := d.mapping(of.value, what, what, fields); err != nil {
		return err
	}
	p.Absent = ensure == ensureAbsent
	if from.accountFrom != nil {
		if p.Contents != verify.ContentsUndeclared {
			return d.errorAt(of.key, "%s has two sources for one service account", what)
		}
		p.Contents, p.ContentsAt, p.Description = verify.ContentsDeclared, from.accountFrom.at.place(), from.accountFrom.words()
	}
	if from.passphrase != nil && from.passphraseFile.value != "" {
		return d.errorAt(of.key, "%s has two sources for one pass phrase", what)
	}
	block.states.Push[platform], block.push[platform] = p, from
	if d.role == personal {
		return nil // it only adds to what the team's file states
	}
	return d.checkPush(of.key, what, p, from)
}

// words says what a reference is, without where it stands.
func (r reference) words() string {
	r.at = position{}
	return r.String()
}

// checkPush says what a declared push credential lacks.
func (d *document) checkPush(n *yaml.Node, what string, p verify.PushDeclaration, from pushReferences) error {
	switch {
	case p.Name == "" && p.SID == "":
		return d.errorAt(n, "%s needs a name, or the credential_sid of one that exists", what)
	case from.key.value != "" && p.Contents == verify.ContentsUndeclared:
		return d.errorAt(n, "%s has a private_key_file without a certificate_file", what)
	case p.Absent && p.Contents == verify.ContentsDeclared:
		return d.errorAt(n, "%s says ensure: absent and names a file to upload; remove one of them", what)
	}
	return nil
}

// referenceInto reads a reference that is a value of its own, such as {keychain: ENTRY}.
func (d *document) referenceInto(target **reference, e entry) error {
	r, err := d.referenceIn(e.value, e.name())
	if err != nil {
		return err
	}
	return d.setReference(e.value, e.name(), target, r)
}

// contentsInto reads the name of the file that a credential is made of, or a placeholder for it.
func (d *document) contentsInto(p *verify.PushDeclaration, file *located) func(entry) error {
	return func(e entry) (err error) {
		p.ContentsAt = d.at(e.value).place()
		if e.value.Tag == placeholderTag {
			p.Contents, p.Description = verify.ContentsPlaceholder, e.name()
			return nil
		}
		if *file, err = d.located(e.value, e.name()); err == nil && file.value != "" {
			p.Contents, p.Description = verify.ContentsDeclared, e.name()+" "+file.value
		}
		return err
	}
}

func (d *document) friendlyName(n *yaml.Node, key string) (string, error) {
	name, err := d.text(n, key)
	if err == nil && utf8.RuneCountInString(name) > maxFriendlyName {
		err = d.errorAt(n, "%s has more than %d characters", key, maxFriendlyName)
	}
	return name, err
}

// webhookEvents are what a webhook can be told (https://www.twilio.com/docs/verify/api/webhooks).
var webhookEvents = []string{"*", "factor.created", "factor.verified", "factor.deleted", "challenge.approved", "challenge.denied"}

func (d *document) webhookDeclarations(n *yaml.Node, key string) (hooks []verify.WebhookDeclaration, err error) {
	if isNull(n) {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, d.wrongType(n, key, "a list, such as [{name: answers, url: https://…, events: [challenge.approved]}]")
	}
	for _, item := range n.Content {
		hook, err := d.webhookDeclaration(resolve(item))
		if err != nil {
			return nil, err
		}
		same := func(h verify.WebhookDeclaration) bool {
			return h.Webhook.FriendlyName == hook.Webhook.FriendlyName && (h.Webhook.SID == "" || hook.Webhook.SID == "")
		}
		if i := slices.IndexFunc(hooks, same); i >= 0 {
			return nil, d.errorAt(item, "the webhook %s stands twice, first on line %d", shown(hook.Webhook.FriendlyName), hooks[i].At.Line)
		}
		hooks = append(hooks, hook)
	}
	return hooks, nil
}

func (d *document) webhookDeclaration(n *yaml.Node) (w verify.WebhookDeclaration, err error) {
	w.At = d.at(n).place()
	var ensure string
	h := &w.Webhook
	err = d.mapping(n, "a webhook", "a webhook", []field{
		{"name", nil, into(&h.FriendlyName, d.friendlyName)},
		{"sid", nil, into(&h.SID, sid(d, verify.ParseWebhookSID))},
		{"url", nil, into(&h.URL, d.webURL)},
		{"events", nil, into(&h.EventTypes, d.events)},
		{"version", nil, into(&h.Version, oneOf(d, "v1", "v2"))},
		{"status", nil, into(&h.Status, oneOf(d, "enabled", "disabled"))},
		{"ensure", nil, into(&ensure, oneOf(d, ensurePresent, ensureAbsent))},
	})
	w.Absent = ensure == ensureAbsent
	switch {
	case err != nil:
	case h.FriendlyName == "" && h.SID == "":
		err = d.errorAt(n, "a webhook needs a name, or the sid of one that exists")
	case !w.Absent && h.SID == "" && (h.URL == "" || len(h.EventTypes) == 0):
		err = d.errorAt(n, "the webhook %s needs a url and events", shown(h.FriendlyName))
	}
	return w, err
}

func (d *document) webURL(n *yaml.Node, key string) (string, error) {
	text, err := d.text(n, key)
	if err != nil || text == "" {
		return "", err
	}
	if u, parseErr := url.Parse(text); parseErr != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", d.errorAt(n, "%s takes an https:// address", key)
	}
	return text, nil
}

func (d *document) events(n *yaml.Node, key string) ([]string, error) {
	events, err := d.texts(n, key)
	for i, event := range events {
		if !slices.Contains(webhookEvents, event) {
			unknown := d.errorAt(n.Content[i], "%s is no event of a webhook", shown(event))
			if near := verify.Nearest(event, webhookEvents); near != "" {
				return nil, unknown.WithHint("did you mean %s?", near)
			}
			return nil, unknown.WithHint("the events are %s", strings.Join(webhookEvents, ", "))
		}
	}
	return events, err
}

// join lays the references of a personal file over what the team's states.
func (b *serviceBlock) join(mine *serviceBlock) error {
	for platform, added := range mine.states.Push {
		p, declared := b.states.Push[platform]
		if !declared {
			return verify.Usagef("%s: the team's file declares no push.%s", added.At, platform)
		}
		from, more := b.push[platform], mine.push[platform]
		if added.Contents != verify.ContentsUndeclared {
			p.Contents, p.ContentsAt, p.Description = added.Contents, added.ContentsAt, added.Description
			from.certificate, from.key, from.account, from.accountFrom = more.certificate, more.key, more.account, more.accountFrom
		}
		if more.passphrase != nil || more.passphraseFile.value != "" {
			from.passphrase, from.passphraseFile = more.passphrase, more.passphraseFile
		}
		b.states.Push[platform], b.push[platform] = p, from
	}
	return nil
}
