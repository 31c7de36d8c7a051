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

// Writer changes what is set up. A create that fails with [verify.KindPartial] may have happened.
type Writer interface {
	CreateCredential(ctx context.Context, n verify.CredentialWrite) (verify.Credential, error)
	UpdateCredential(ctx context.Context, credential verify.CredentialSID, n verify.CredentialWrite) (verify.Credential, error)
	DeleteCredential(ctx context.Context, credential verify.Credential) error
	CreateService(ctx context.Context, settings verify.ServiceSettings) (verify.Service, error)
	UpdateService(ctx context.Context, service verify.ServiceSID, settings verify.ServiceSettings) error
	CreateWebhook(ctx context.Context, service verify.ServiceSID, hook verify.Webhook) (verify.Webhook, error)
	UpdateWebhook(ctx context.Context, service verify.ServiceSID, hook verify.Webhook) error
	DeleteWebhook(ctx context.Context, service verify.ServiceSID, hook verify.WebhookSID) error
}

// Journal keeps on this machine what is about to be made, before it is sent, so that a run that was killed is resumed without
// making anything twice.
type Journal interface {
	BeginCreation(ctx context.Context, c verify.Creation) (id int64, err error)
	FinishCreation(ctx context.Context, id int64, outcome verify.CreationOutcome, sid string) error
	Creations(ctx context.Context, account verify.AccountSID) ([]verify.Creation, error) // that are not finished
	RememberCredentialFile(ctx context.Context, f verify.CredentialFile) error
}

// Applier makes of what is there what an environment declares.
type Applier struct {
	Env     *Environment
	Account *Account
	Writer  Writer
	Journal Journal
	Now     func() time.Time
	// Note writes SIDs into the file that declares the environment.
	Note func(kind Kind, platform verify.Platform, name, sid string) error
	// Did is told of each change that was made.
	Did func(Change)
	// Settled is told how a create of an earlier run ended that was cut off, before the journal forgets it; "" made nothing.
	Settled func(c verify.Creation, sid string) error
}

// Apply makes the changes in their order. It stops at the first that fails: what was made stays, and the next run goes on
// from there. The error is of [verify.KindPartial] where it is not known whether a request was carried out.
func (a *Applier) Apply(ctx context.Context, diff *Diff) error {
	for _, change := range diff.Changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.apply(ctx, diff, &change); err != nil {
			return fmt.Errorf("%s %s: %w", change.Action, change, err)
		}
		a.Did(change)
	}
	return nil
}

func (a *Applier) apply(ctx context.Context, diff *Diff, change *Change) error {
	switch {
	case change.Kind == KindCredential && change.Action == Update:
		return a.updateCredential(ctx, diff, change)
	case change.Kind == KindCredential && change.Action == Delete:
		return a.deleteCredential(ctx, verify.CredentialSID(change.SID))
	case change.Kind == KindCredential:
		return a.createCredential(ctx, change)
	case change.Kind == KindService:
		return a.service(ctx, diff, change)
	case change.Action == Create:
		return a.createWebhook(ctx, diff, change)
	case change.Action == Delete:
		return a.Writer.DeleteWebhook(ctx, diff.ServiceSID, verify.WebhookSID(change.SID))
	}
	hook := a.declaredHook(change)
	hook.SID = verify.WebhookSID(change.SID)
	return a.Writer.UpdateWebhook(ctx, diff.ServiceSID, hook)
}

// declaredHook gives the declaration that a change is of.
func (a *Applier) declaredHook(change *Change) verify.Webhook {
	for _, declared := range a.Env.Declares.Webhooks {
		if declared.Webhook.FriendlyName == change.Name && (change.SID == "" || declared.Webhook.SID == "" || verify.SameSID(string(declared.Webhook.SID), change.SID)) {
			return declared.Webhook
		}
	}
	return verify.Webhook{}
}

// credentialsFrom is the API that answered with the account's credentials, "" where there are none.
func (a *Account) credentialsFrom() string {
	if len(a.credentials) == 0 {
		return ""
	}
	return a.credentials[0].ReadFrom
}

func (a *Applier) createCredential(ctx context.Context, change *Change) error {
	platform := change.Platform
	upload := a.Env.uploads[platform]
	write, file := upload.write, upload.file
	write.FriendlyName, write.ReadFrom = change.Name, a.Account.credentialsFrom()
	if err := a.Env.CheckSandbox(write.Type, write.Sandbox); err != nil {
		return err
	}
	file.Fingerprint = a.Env.Memory.HashCredential(upload.contents)
	var beside []string
	for _, c := range a.Account.credentials {
		if isOf(&c, platform) && c.FriendlyName == change.Name {
			beside = append(beside, string(c.SID))
		}
	}
	creation := verify.Creation{Kind: string(KindCredential), Platform: platform, Name: change.Name, Beside: beside, File: &file}
	return a.create(ctx, creation, func(ctx context.Context) (string, time.Time, error) {
		made, err := a.Writer.CreateCredential(ctx, write)
		return string(made.SID), made.DateUpdated, err
	})
}

// create makes one thing: what is about to be made is on disk before the request, and its SID after.
func (a *Applier) create(ctx context.Context, c verify.Creation, send func(context.Context) (sid string, updated time.Time, err error)) (err error) {
	c.AccountSID, c.Begun = a.Account.SID, a.Now()
	if c.ID, err = a.Journal.BeginCreation(ctx, c); err != nil {
		return err
	}
	sid, updated, err := send(verify.WithIntent(ctx, c.Intent()))
	switch {
	case err == nil:
		return a.adopt(ctx, c, sid, updated)
	case verify.KindOf(err) != verify.KindPartial:
		if finishErr := a.Journal.FinishCreation(ctx, c.ID, verify.CreationNot, ""); finishErr != nil {
			return fmt.Errorf("%w; %w", err, finishErr)
		}
		return err
	}
	found, lookErr := a.lookFor(ctx, c)
	if lookErr != nil || found == nil {
		return err // of KindPartial: the next run looks again
	}
	return a.adopt(ctx, c, found.sid, found.updated)
}

// adopt takes what was made for the environment's own, on this machine and in its file.
func (a *Applier) adopt(ctx context.Context, c verify.Creation, sid string, updated time.Time) error {
	ctx = context.WithoutCancel(ctx) // it exists
	if c.File != nil {
		file := *c.File
		file.CredentialSID, file.At, file.Updated = verify.CredentialSID(sid), a.Now(), updated
		if err := a.Journal.RememberCredentialFile(ctx, file); err != nil {
			return err
		}
	}
	if err := a.Journal.FinishCreation(ctx, c.ID, verify.CreationDone, sid); err != nil {
		return err
	}
	a.Env.take(Kind(c.Kind), c.Platform, c.Name, sid)
	if err := a.Note(Kind(c.Kind), c.Platform, c.Name, sid); err != nil {
		return err
	}
	return a.Journal.FinishCreation(ctx, c.ID, verify.CreationNoted, sid)
}

// take makes the declaration name what was made.
func (e *Environment) take(kind Kind, platform verify.Platform, name, sid string) {
	switch kind {
	case KindService:
		e.ServiceSID = verify.ServiceSID(sid)
	case KindCredential:
		e.Declares.Push = maps.Clone(e.Declares.Push)
		p := e.Declares.Push[platform]
		p.SID = verify.CredentialSID(sid)
		e.Declares.Push[platform] = p
	default:
		e.Declares.Webhooks = slices.Clone(e.Declares.Webhooks)
		for i := range e.Declares.Webhooks {
			if e.Declares.Webhooks[i].Webhook.FriendlyName == name {
				e.Declares.Webhooks[i].Webhook.SID = verify.WebhookSID(sid)
			}
		}
	}
}

// found is what a look-up found.
type found struct {
	sid     string
	updated time.Time
}

// clockSkew is how far this machine's clock may be ahead of Twilio's, and still what was made is known to be ours.
const clockSkew = 10 * time.Minute

// lookFor looks whether something was made: it has the name, was not there before, and is no older than the request. It is
// nil when it was not; two are a refusal.
func (a *Applier) lookFor(ctx context.Context, c verify.Creation) (*found, error) {
	account, err := ReadAccount(ctx, a.Account.SID, a.Account.reader)
	if err != nil {
		return nil, err
	}
	a.Account = account
	var all []found
	fits := func(name, sid string, created, updated time.Time) {
		same := func(before string) bool { return verify.SameSID(before, sid) }
		if name == c.Name && !slices.ContainsFunc(c.Beside, same) && !created.Before(c.Begun.Add(-clockSkew)) {
			all = append(all, found{sid, updated})
		}
	}
	switch Kind(c.Kind) {
	case KindCredential:
		for _, credential := range account.credentials {
			if isOf(&credential, c.Platform) {
				fits(credential.FriendlyName, string(credential.SID), credential.DateCreated, credential.DateUpdated)
			}
		}
	case KindService:
		for _, s := range account.services {
			fits(s.FriendlyName, string(s.SID), s.DateCreated, s.DateUpdated)
		}
	default:
		hooks, err := account.hooks(ctx, verify.ServiceSID(c.Within))
		if err != nil {
			return nil, err
		}
		for _, h := range hooks {
			fits(h.FriendlyName, string(h.SID), h.DateCreated, h.DateUpdated)
		}
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return &all[0], nil
	}
	return nil, verify.Refusedf("an earlier run may have made one of %s and %s, both named %q, and which one is not known", all[0].sid, all[1].sid, c.Name).
		WithHint("name the right one by its SID in the declaration, and delete the other by hand")
}

// Settle finishes what an earlier run had begun when it was cut off: what was made is taken for the environment's own, and
// what was not is made again. It gives how much that was.
func (a *Applier) Settle(ctx context.Context) (settled int, err error) {
	open, err := a.Journal.Creations(ctx, a.Account.SID)
	if err != nil {
		return 0, err
	}
	for _, c := range open {
		if err := a.settle(ctx, c); err != nil {
			return 0, err
		}
	}
	return len(open), nil
}

func (a *Applier) settle(ctx context.Context, c verify.Creation) error {
	if c.Outcome == verify.CreationDone { // only its file was not written
		return a.adopt(ctx, c, c.SID, time.Time{})
	}
	made, err := a.lookFor(ctx, c)
	if err != nil {
		return err
	}
	if made == nil {
		made = &found{}
	}
	if err := a.Settled(c, made.sid); err != nil {
		return err
	}
	if made.sid == "" {
		return a.Journal.FinishCreation(ctx, c.ID, verify.CreationNot, "")
	}
	return a.adopt(ctx, c, made.sid, made.updated)
}

// fits reads a credential once more, and makes sure that it is of the platform and serves the build. It is asked right before
// the credential is attached or changed in place: somebody may have changed it since it was listed.
func (a *Applier) fits(ctx context.Context, platform verify.Platform, sid verify.CredentialSID) error {
	fresh, err := a.Account.reader.Credential(ctx, sid)
	switch {
	case err != nil:
		return fmt.Errorf("%s could not be read before it is attached: %w", sid, err)
	case !isOf(&fresh, platform):
		return verify.Refusedf("%s is of type %q, not %s", sid, fresh.Type, platform)
	}
	if err := a.Env.CheckSandbox(fresh.Type, fresh.Sandbox); err != nil {
		return fmt.Errorf("%s cannot be attached: %w", sid, err)
	}
	return nil
}

func (a *Applier) updateCredential(ctx context.Context, diff *Diff, change *Change) error {
	write := verify.CredentialWrite{ReadFrom: a.Account.credentialsFrom()}
	for _, f := range change.Fields {
		switch f.Name {
		case "friendly_name":
			write.FriendlyName = f.New
		case "sandbox":
			write.Sandbox = verify.Sandbox(f.New)
		}
	}
	sid := verify.CredentialSID(change.SID)
	fresh, err := a.Account.reader.Credential(ctx, sid)
	if err != nil {
		return err
	}
	after := fresh.Sandbox
	if write.Sandbox != "" {
		after = write.Sandbox
	}
	if err := a.Env.CheckSandbox(fresh.Type, after); err != nil {
		return err
	}
	changed, err := a.Writer.UpdateCredential(ctx, sid, write)
	if err != nil {
		return err
	}
	known, err := a.Env.remembered(ctx, sid)
	if err != nil || known == nil || fresh.DateUpdated.After(written(known)) {
		return err
	}
	known.Updated = changed.DateUpdated // it was ours that changed it, and not its contents
	return a.Journal.RememberCredentialFile(ctx, *known)
}

func (a *Applier) deleteCredential(ctx context.Context, sid verify.CredentialSID) error {
	account, err := ReadAccount(ctx, a.Account.SID, a.Account.reader)
	if err != nil {
		return err
	}
	a.Account = account
	for _, user := range account.users(sid) {
		return verify.Refusedf("%s cannot be deleted: Service %s (%s) uses it now", sid, user.SID, user.FriendlyName)
	}
	return a.Writer.DeleteCredential(ctx, verify.Credential{SID: sid, ReadFrom: account.credentialsFrom()})
}

// service makes the Service, or changes what differs. The credentials that it is to have are looked at again first.
func (a *Applier) service(ctx context.Context, diff *Diff, change *Change) error {
	settings := verify.ServiceSettings{}
	for _, f := range change.Fields {
		platform, isPush := strings.CutPrefix(f.Name, "push.")
		if !isPush {
			settings[f.Name] = f.New
			continue
		}
		of := verify.Platform(strings.TrimSuffix(platform, "_credential_sid"))
		sid := verify.CredentialSID(f.New)
		if f.New == KnownAfter {
			sid = a.Env.Declares.Push[of].SID
		}
		if err := a.fits(ctx, of, sid); err != nil {
			return err
		}
		settings[f.Name] = string(sid)
	}
	if change.Action == Update {
		return a.Writer.UpdateService(ctx, diff.ServiceSID, settings)
	}
	var beside []string
	for _, s := range a.Account.services {
		beside = append(beside, string(s.SID))
	}
	creation := verify.Creation{Kind: string(KindService), Name: settings["friendly_name"], Beside: beside}
	err := a.create(ctx, creation, func(ctx context.Context) (string, time.Time, error) {
		made, err := a.Writer.CreateService(ctx, settings)
		return string(made.SID), made.DateUpdated, err
	})
	diff.ServiceSID = a.Env.ServiceSID
	return err
}

func (a *Applier) createWebhook(ctx context.Context, diff *Diff, change *Change) error {
	hook := a.declaredHook(change)
	var beside []string
	for _, h := range diff.hooks {
		beside = append(beside, string(h.SID))
	}
	creation := verify.Creation{Kind: string(KindWebhook), Name: hook.FriendlyName, Beside: beside, Within: string(diff.ServiceSID)}
	return a.create(ctx, creation, func(ctx context.Context) (string, time.Time, error) {
		made, err := a.Writer.CreateWebhook(ctx, diff.ServiceSID, hook)
		return string(made.SID), made.DateUpdated, err
	})
}
