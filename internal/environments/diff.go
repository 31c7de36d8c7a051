package environments

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Action is what a change does.
type Action string

// The actions. A push credential is replaced by making a new one beside it: the old one stays.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
)

// Kind is what is changed.
type Kind string

// The kinds, in the order in which they are made: a Service names credentials, and webhooks are of a Service.
const (
	KindCredential Kind = "credential"
	KindService    Kind = "service"
	KindWebhook    Kind = "webhook"
)

// KnownAfter stands for the SID of what is yet to be made.
const KnownAfter = "(known after apply)"

// Change is one difference between what is declared and what is there, which one request removes.
type Change struct {
	Action   Action          `json:"action"`
	Kind     Kind            `json:"kind"`
	Platform verify.Platform `json:"platform,omitempty"` // of a credential
	Name     string          `json:"name"`
	SID      string          `json:"sid,omitempty"` // of what is there; "" for what is to be made
	Fields   []Field         `json:"fields"`
	Updated  time.Time       `json:"date_updated,omitzero"` // of what is there
	ByName   bool            `json:"found_by_name,omitempty"`
	Effect   []string        `json:"effect,omitempty"` // what it means for users
	At       verify.Place    `json:"declared"`
}

// Field is a property before and after; Old is "" for what is yet to be made.
type Field struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Diff is how one environment differs from what it declares.
type Diff struct {
	Environment string            `json:"environment"`
	AccountSID  verify.AccountSID `json:"account_sid"`
	ServiceSID  verify.ServiceSID `json:"service_sid"` // "" before it is made
	ServiceName string            `json:"service_name"`
	Changes     []Change          `json:"changes"`
	Notes       []string          `json:"notes"` // what is not known, or is worth knowing

	credentials map[verify.Platform]*verify.Credential // that are there
	hooks       []verify.Webhook
}

// DeletedCredentials gives the push credentials that the changes delete.
func (d *Diff) DeletedCredentials() (deleted []verify.Credential) {
	for _, c := range d.Changes {
		if c.Kind == KindCredential && c.Action == Delete {
			deleted = append(deleted, verify.Credential{SID: verify.CredentialSID(c.SID), FriendlyName: c.Name})
		}
	}
	return deleted
}

// Compare gives the changes that make of what is there what an environment declares, in the order in which they can be made.
// The error is a refusal where it would have to guess, or why something could not be read.
func Compare(ctx context.Context, e *Environment, a *Account) (*Diff, error) {
	service, err := a.service(e)
	if err != nil {
		return nil, err
	}
	d := &Diff{Environment: e.Name, AccountSID: e.AccountSID, ServiceName: e.Declares.Settings["friendly_name"], Changes: []Change{}, Notes: []string{},
		credentials: map[verify.Platform]*verify.Credential{}}
	if service != nil {
		d.ServiceSID, d.ServiceName = service.SID, service.FriendlyName
	}
	c := &comparison{Diff: d, env: e, account: a, service: service, attach: map[verify.Platform]string{}}
	for _, platform := range platforms {
		if _, declared := e.Declares.Push[platform]; declared {
			if err := c.credential(ctx, platform); err != nil {
				return nil, err
			}
		}
	}
	if err := c.ofService(ctx); err != nil {
		return nil, err
	}
	if err := c.webhooks(ctx); err != nil {
		return nil, err
	}
	d.Changes = append(d.Changes, c.deletions...)
	return d, nil
}

// comparison is a Compare under way.
type comparison struct {
	*Diff
	env       *Environment
	account   *Account
	service   *verify.Service            // nil when it is yet to be made
	attach    map[verify.Platform]string // the credential that the Service is to have
	deletions []Change
}

func (c *comparison) credential(ctx context.Context, platform verify.Platform) error {
	p := c.env.Declares.Push[platform]
	live, err := c.account.credential(c.env, platform)
	if err != nil {
		return err
	}
	c.credentials[platform] = live
	switch {
	case p.Absent && live == nil:
		return nil
	case p.Absent:
		return c.deleteCredential(p, platform, live)
	case live == nil:
		return c.createCredential(p, platform)
	}
	c.attach[platform] = string(live.SID)
	stale, why, err := c.contents(ctx, p, platform, live)
	if err != nil {
		return err
	}
	if stale {
		c.replaceCredential(p, platform, live, why)
		return nil
	}
	return c.updateCredential(p, platform, live)
}

// replaceCredential makes a new credential beside one that was made of something else.
func (c *comparison) replaceCredential(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential, why string) {
	change := Change{Action: Replace, Kind: KindCredential, Platform: platform, Name: c.nameOf(p, live), SID: string(live.SID),
		Fields:  append(c.inPlace(p, platform, live), Field{"contents", why, c.env.uploads[platform].describe()}),
		Updated: live.DateUpdated, ByName: p.SID == "", At: p.At}
	if !c.env.Drift {
		c.attach[platform] = KnownAfter
		change.Effect = []string{fmt.Sprintf("the old credential %s stays as it is, until %s", live.SID, verify.Command(c.Environment, "credentials", "retire", string(live.SID)))}
	}
	c.Changes = append(c.Changes, change)
}

func (c *comparison) nameOf(p verify.PushDeclaration, live *verify.Credential) string {
	if p.Name == "" {
		return live.FriendlyName
	}
	return p.Name
}

// made are the fields of a credential that is to be made, without its contents.
func (c *comparison) made(platform verify.Platform) []Field {
	if platform == verify.PlatformAPN {
		return []Field{{Name: "sandbox", New: string(c.env.IOSBuild.WantedSandbox())}}
	}
	return nil
}

func (c *comparison) createCredential(p verify.PushDeclaration, platform verify.Platform) error {
	switch p.Contents {
	case verify.ContentsUndeclared:
		return verify.Usagef("%s: there is no push credential for %s %s, and no file is declared to make it of", p.At, platform, called(p)).
			WithHint("declare its %s", map[verify.Platform]string{verify.PlatformAPN: "certificate_file", verify.PlatformFCM: "service_account_file"}[platform])
	case verify.ContentsPlaceholder:
		return verify.Refusedf("%s: there is no push credential for %s %s, and a placeholder has nothing to make it of", p.ContentsAt, platform, called(p)).
			WithHint("put the name of the file in the place of the placeholder")
	}
	if p.Name == "" {
		return verify.Refusedf("%s: the push credential %s of %s is not in account %s", p.At, p.SID, c.env.Name, c.AccountSID).
			WithHint("correct credential_sid, or declare a name for a new one")
	}
	if err := c.sameProject(platform, ""); err != nil {
		return err
	}
	if !c.env.Drift {
		c.attach[platform] = KnownAfter
	}
	change := Change{Action: Create, Kind: KindCredential, Platform: platform, Name: p.Name, At: p.At,
		Fields: append(c.made(platform), Field{Name: "contents", New: c.described(platform)})}
	if p.SID != "" {
		change.Effect = []string{fmt.Sprintf("%s, which is declared, is not in the account any more", p.SID)}
	}
	c.Changes = append(c.Changes, change)
	return nil
}

// described says what a credential would be made of.
func (c *comparison) described(platform verify.Platform) string {
	if c.env.absent[platform] {
		return "unknown: its file is not on this machine"
	}
	return c.env.uploads[platform].describe()
}

// called says which credential is declared.
func called(p verify.PushDeclaration) string {
	if p.SID != "" {
		return "of SID " + string(p.SID)
	}
	return fmt.Sprintf("named %q", p.Name)
}

// inPlace are the name and, for Apple, the sandbox of a credential where they differ: the two that can be changed in place.
func (c *comparison) inPlace(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) (fields []Field) {
	if p.Name != "" && p.Name != live.FriendlyName {
		fields = append(fields, Field{"friendly_name", live.FriendlyName, p.Name})
	}
	if want := c.env.IOSBuild.WantedSandbox(); platform == verify.PlatformAPN && live.Sandbox != want {
		fields = append(fields, Field{"sandbox", string(live.Sandbox), string(want)})
	}
	return fields
}

// updateCredential changes in place what can be. The sandbox of a credential that another Service uses too is not: its own
// pushes would fail.
func (c *comparison) updateCredential(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) error {
	fields := c.inPlace(p, platform, live)
	if len(fields) == 0 {
		return nil
	}
	change := Change{Action: Update, Kind: KindCredential, Platform: platform, Name: c.nameOf(p, live), SID: string(live.SID), Fields: fields,
		Updated: live.DateUpdated, ByName: p.SID == "", At: p.At}
	if fields[len(fields)-1].Name == "sandbox" {
		want := c.env.IOSBuild.WantedSandbox()
		for _, user := range c.account.users(live.SID) {
			if c.service == nil || !verify.SameSID(user.SID, c.service.SID) {
				return verify.Refusedf("%s: %s has sandbox %s, %s needs %s, and Service %s (%s) uses it too", p.At, live.SID, live.Sandbox, c.env.Name, want, user.SID, user.FriendlyName).
					WithHint("declare a push credential of its own for %s: another name, and its certificate_file", c.env.Name)
			}
		}
		change.Effect = []string{"pushes through it go to Apple's " + map[verify.Sandbox]string{verify.SandboxTrue: "sandbox", verify.SandboxFalse: "production"}[want] + " from then on"}
	}
	c.Changes = append(c.Changes, change)
	return nil
}

func (c *comparison) deleteCredential(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) error {
	for _, user := range c.account.users(live.SID) {
		return verify.Refusedf("%s: %s cannot be deleted: Service %s (%s) uses it, and would push nothing any more", p.At, live.SID, user.SID, user.FriendlyName).
			WithHint("attach another credential to that Service first; no documented request detaches one")
	}
	c.deletions = append(c.deletions, Change{Action: Delete, Kind: KindCredential, Platform: platform, Name: live.FriendlyName, SID: string(live.SID), Fields: []Field{},
		Updated: live.DateUpdated, ByName: p.SID == "", At: p.At,
		Effect: []string{"no Verify Service of this account uses it; whether another product does, such as Voice, is not visible here"}})
	return nil
}

// contents tells whether a credential is to be replaced because its contents are not the declared ones, and what they are. No
// API gives contents back: what is known of them is what this machine has uploaded.
func (c *comparison) contents(ctx context.Context, p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) (stale bool, why string, err error) {
	what := "certificate of " + string(live.SID)
	if platform == verify.PlatformFCM {
		what = "service account of " + string(live.SID)
	}
	known, err := c.env.remembered(ctx, live.SID)
	if err != nil {
		return false, "", err
	}
	if p.Contents != verify.ContentsDeclared || c.env.absent[platform] || known == nil || c.env.Memory == nil {
		if known == nil {
			c.Notes = append(c.Notes, what+": what is in it is unknown: it cannot be read back, and was not uploaded from here")
		} else {
			c.Notes = append(c.Notes, fmt.Sprintf("%s: it cannot be read back; ours was uploaded %s%s", what, day(known.At), since(live, known)))
		}
		return false, "", nil
	}
	if err := c.sameProject(platform, live.SID); err != nil {
		return false, "", err
	}
	switch {
	case c.env.Memory.HashCredential(c.env.uploads[platform].contents) != known.Fingerprint:
		return true, describe(*known, nil), nil
	case live.DateUpdated.After(written(known)):
		return true, fmt.Sprintf("unknown: changed by somebody else %s, after ours was uploaded %s", verify.Stamp(live.DateUpdated), verify.Stamp(known.At)), nil
	}
	c.Notes = append(c.Notes, fmt.Sprintf("%s: it cannot be read back; ours was uploaded %s and is unchanged since", what, day(known.At)))
	return false, "", nil
}

func since(live *verify.Credential, known *verify.CredentialFile) string {
	if live.DateUpdated.After(written(known)) {
		return ", and the credential was changed " + verify.Stamp(live.DateUpdated)
	}
	return " and is unchanged since"
}

// written is when the credential was changed last by what is remembered, by Twilio's clock where that is known.
func written(known *verify.CredentialFile) time.Time {
	if known.Updated.IsZero() {
		return known.At
	}
	return known.Updated
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// remembered gives what this machine uploaded last as a credential, nil when it does not know.
func (e *Environment) remembered(ctx context.Context, credential verify.CredentialSID) (*verify.CredentialFile, error) {
	if e.Memory == nil {
		return nil, nil
	}
	for file, err := range e.Memory.CredentialFiles(ctx) {
		if err != nil {
			return nil, err
		}
		if verify.SameSID(file.CredentialSID, credential) {
			return &file, nil
		}
	}
	return nil, nil
}

// sameProject refuses the service account of another Firebase project than that of the credential, or of the one that the
// Service has: the tokens of its factors are of that project, and Google would refuse every push (52104).
func (c *comparison) sameProject(platform verify.Platform, credential verify.CredentialSID) error {
	if platform != verify.PlatformFCM || c.env.absent[platform] {
		return nil
	}
	candidates := []verify.CredentialSID{credential}
	if c.service != nil {
		candidates = append(candidates, c.service.CredentialSID(platform))
	}
	for _, sid := range candidates {
		known, err := c.env.remembered(context.Background(), sid)
		if err != nil {
			return err
		}
		if project := c.env.uploads[platform].file.Project; sid != "" && known != nil && known.Project != "" && known.Project != project {
			return verify.Refusedf("%s: the service account is of the Firebase project %s, and %s of %s: phones enrolled with it could not be pushed (52104)",
				c.env.Declares.Push[platform].ContentsAt, project, sid, known.Project).
				WithHint("take a service account of that project; another project needs a Service of its own, where users enrol again")
		}
	}
	return nil
}

func (u upload) describe() string { return describe(u.file, u.contents) }

// describe says what is in a credential file, so that everybody who reviews a plan can tell it from another.
func describe(file verify.CredentialFile, contents []byte) string {
	if file.Platform == verify.PlatformFCM {
		return fmt.Sprintf("service account of project %s, key %s", file.Project, file.KeyID)
	}
	text := "certificate"
	if len(file.Topics) > 0 {
		text += " of " + strings.Join(file.Topics, ", ")
	}
	text += " until " + day(file.NotAfter)
	if contents != nil {
		text += ", SHA-256 " + shortSum(contents)
	}
	return text
}

func (c *comparison) ofService(ctx context.Context) error {
	states := c.env.Declares
	change := Change{Kind: KindService, Name: c.ServiceName, Action: Create, At: states.At}
	live := verify.ServiceSettings{}
	if c.service != nil {
		live = c.service.Settings
		change.Action, change.SID, change.Updated, change.ByName = Update, string(c.service.SID), c.service.DateUpdated, c.env.ServiceSID == ""
	}
	wanted := maps.Clone(states.Settings)
	for platform, sid := range c.attach {
		wanted["push."+string(platform)+"_credential_sid"] = sid
	}
	for _, setting := range verify.ServiceSettingNames {
		want, stated := wanted[setting.Name]
		if !stated {
			continue
		}
		has, known := live[setting.Name]
		switch {
		case c.service == nil:
			change.Fields = append(change.Fields, Field{Name: setting.Name, New: want})
		case !known:
			return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("Twilio's reply about Service %s has no %s, so whether it is as declared is unknown", c.service.SID, setting.Name)}
		case !strings.EqualFold(has, want) || !isSID(want) && has != want:
			change.Fields = append(change.Fields, Field{setting.Name, has, want})
		}
	}
	if len(change.Fields) > 0 {
		if at, stated := states.Places[change.Fields[0].Name]; stated {
			change.At = at
		}
		change.Effect = c.effect(ctx, change.Fields)
		c.Changes = append(c.Changes, change)
	}
	return nil
}

func isSID(s string) bool {
	_, ok := verify.SIDPrefix(s)
	return ok
}

func (c *comparison) webhooks(ctx context.Context) (err error) {
	if len(c.env.Declares.Webhooks) == 0 {
		return nil
	}
	if c.service != nil {
		if c.hooks, err = c.account.hooks(ctx, c.service.SID); err != nil {
			return err
		}
	}
	for _, declared := range c.env.Declares.Webhooks {
		if err := c.webhook(declared); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) webhook(declared verify.WebhookDeclaration) error {
	want := declared.Webhook
	var found []verify.Webhook
	for _, hook := range c.hooks {
		if want.SID != "" && verify.SameSID(hook.SID, want.SID) || want.SID == "" && hook.FriendlyName == want.FriendlyName {
			found = append(found, hook)
		}
	}
	change := Change{Kind: KindWebhook, Name: want.FriendlyName, At: declared.At, Action: Create}
	switch {
	case len(found) > 1:
		return verify.Refusedf("%s: Service %s has %d webhooks named %q", declared.At, c.ServiceSID, len(found), want.FriendlyName).
			WithHint("say which one is meant by its sid: %s", string(found[0].SID)+", …")
	case declared.Absent && len(found) == 0:
		return nil
	case len(found) == 0 && (want.URL == "" || len(want.EventTypes) == 0 || want.FriendlyName == ""):
		return verify.Refusedf("%s: Service %s has no webhook %s, and its name, url and events are not all declared to make it", declared.At, c.ServiceSID, want.SID).
			WithHint("correct its sid, or declare them")
	case len(found) == 0:
		change.Fields = hookFields(verify.Webhook{}, want)
		if want.SID != "" {
			change.Effect = []string{fmt.Sprintf("%s, which is declared, is not there any more", want.SID)}
		}
		c.Changes = append(c.Changes, change)
		return nil
	}
	live := found[0]
	change.SID, change.Updated, change.ByName = string(live.SID), live.DateUpdated, want.SID == ""
	if declared.Absent {
		change.Action, change.Fields = Delete, []Field{}
		change.Effect = []string{fmt.Sprintf("%s are no longer posted to %s", strings.Join(live.EventTypes, ", "), live.URL)}
		c.deletions = append(c.deletions, change)
		return nil
	}
	if change.Action, change.Fields = Update, hookFields(live, want); len(change.Fields) > 0 {
		c.Changes = append(c.Changes, change)
	}
	return nil
}

// hookFields compares what is stated of a webhook. Event types are a set.
func hookFields(live, want verify.Webhook) (fields []Field) {
	for _, f := range []Field{
		{"friendly_name", live.FriendlyName, want.FriendlyName}, {"webhook_url", live.URL, want.URL},
		{"event_types", eventSet(live.EventTypes), eventSet(want.EventTypes)}, {"version", live.Version, want.Version}, {"status", live.Status, want.Status},
	} {
		if f.New != "" && f.Old != f.New {
			fields = append(fields, f)
		}
	}
	return fields
}

func eventSet(types []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(types))), ",")
}
