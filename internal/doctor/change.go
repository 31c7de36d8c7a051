package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Change is one small write that fixes a finding: attaching a push credential, enabling a webhook, or subscribing it to
// event types. Exactly one of Credential, Status and EventTypes is set.
type Change struct {
	Environment string
	ServiceSID  verify.ServiceSID

	Platform   verify.Platform
	Credential verify.CredentialSID
	Was        verify.CredentialSID // what is attached before; "" for nothing

	Webhook    verify.Webhook // as it was read
	Status     string
	EventTypes []string
}

// String gives the change as a word that [ParseChange] reads: apn=CR…, YW….status=enabled, YW….event_types=a,b.
func (c Change) String() string {
	switch {
	case c.Credential != "":
		return fmt.Sprintf("%s=%s", c.Platform, c.Credential)
	case c.Status != "":
		return fmt.Sprintf("%s.status=%s", c.Webhook.SID, c.Status)
	}
	return fmt.Sprintf("%s.event_types=%s", c.Webhook.SID, strings.Join(c.EventTypes, ","))
}

// Describe says exactly what would be written, before and after.
func (c Change) Describe() string {
	switch {
	case c.Credential != "":
		param, was := apn.param, cmp.Or(string(c.Was), "nothing")
		if c.Platform == verify.PlatformFCM {
			param = fcm.param
		}
		return fmt.Sprintf("Service %s: %s from %s to %s", c.ServiceSID, param, was, c.Credential)
	case c.Status != "":
		return fmt.Sprintf("webhook %s (%s): status from %s to %s", c.Webhook.SID, plain(c.Webhook.URL), plain(c.Webhook.Status), c.Status)
	}
	return fmt.Sprintf("webhook %s (%s): event types from %s to %s", c.Webhook.SID, plain(c.Webhook.URL),
		plain(strings.Join(c.Webhook.EventTypes, ",")), plain(strings.Join(c.EventTypes, ",")))
}

// undo takes the change back, if that can be: no documented request detaches a credential.
func (c Change) undo() (Change, bool) {
	undo := c
	switch {
	case c.Credential != "":
		undo.Credential, undo.Was = c.Was, c.Credential
		return undo, c.Was != ""
	case c.Status != "":
		undo.Status = c.Webhook.Status
		undo.Webhook.Status = c.Status
		return undo, true
	}
	undo.EventTypes = c.Webhook.EventTypes
	undo.Webhook.EventTypes = c.EventTypes
	return undo, len(undo.EventTypes) > 0
}

// UndoCommand gives the command that takes the change of an environment back, "" when nothing can.
func (c Change) UndoCommand(env verify.Environment) string {
	undo, ok := c.undo()
	if !ok {
		return ""
	}
	return env.Command("doctor", "undo", undo.String())
}

// ParseChange reads what [Change.String] writes. The environment, the Service and what was there before are not part
// of it.
func ParseChange(text string) (Change, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || value == "" {
		return Change{}, notAChange(text)
	}
	if name == string(verify.PlatformAPN) || name == string(verify.PlatformFCM) {
		sid, err := verify.ParseCredentialSID(value)
		if err != nil {
			return Change{}, err
		}
		return Change{Platform: verify.Platform(name), Credential: sid}, nil
	}
	hook, field, _ := strings.Cut(name, ".")
	sid, err := verify.ParseWebhookSID(hook)
	if err != nil {
		return Change{}, err
	}
	change := Change{Webhook: verify.Webhook{SID: sid}}
	known := slices.Concat([]string{everyEvent}, answerEvents, factorEvents)
	switch types := strings.Split(value, ","); {
	case field == "status" && (value == webhookEnabled || value == webhookDisabled):
		change.Status = value
	case field == "event_types" && !slices.ContainsFunc(types, func(t string) bool { return !slices.Contains(known, t) }):
		change.EventTypes = types
	default:
		return Change{}, notAChange(text)
	}
	return change, nil
}

func notAChange(text string) error {
	return verify.Usagef("%q is not a change", text).WithHint("write apn=CR…, fcm=CR…, YW….status=enabled, YW….status=disabled or YW….event_types=a,b")
}

// Done tells whether what the change wants is there already, so that there is nothing to send.
func (c Change) Done() bool {
	switch {
	case c.Credential != "":
		return verify.SameSID(c.Was, c.Credential)
	case c.Status != "":
		return c.Webhook.Status == c.Status
	}
	return slices.Equal(slices.Sorted(slices.Values(c.Webhook.EventTypes)), slices.Sorted(slices.Values(c.EventTypes)))
}

// writer makes the changes.
type writer interface {
	// SetServiceCredential attaches a credential in the place of was, which is "" where none is attached.
	SetServiceCredential(ctx context.Context, service verify.ServiceSID, platform verify.Platform, credential, was verify.CredentialSID) error
	UpdateWebhook(ctx context.Context, service verify.ServiceSID, webhook verify.Webhook) error
}

// Apply makes the change. What was read before is sent along where Twilio replaces a whole.
func (c Change) Apply(ctx context.Context, to writer) error {
	if c.Credential != "" {
		return to.SetServiceCredential(ctx, c.ServiceSID, c.Platform, c.Credential, c.Was)
	}
	hook := c.Webhook
	if c.Status != "" {
		hook.Status = c.Status
	} else {
		hook.EventTypes = c.EventTypes
	}
	return to.UpdateWebhook(ctx, c.ServiceSID, hook)
}

// Resolve completes a change that was read by [ParseChange] with what the examined environment has now.
func (r Report) Resolve(change Change, environment string) (Change, error) {
	snap, err := r.snapshot(environment)
	if err != nil {
		return Change{}, err
	}
	change.Environment, change.ServiceSID = snap.Env.Name, snap.Env.ServiceSID
	if change.Credential != "" {
		if !snap.Service.ok() {
			return Change{}, snap.Service.problem()
		}
		change.Was = snap.Service.Value.CredentialSID(change.Platform)
		return change, nil
	}
	if !snap.Webhooks.ok() {
		return Change{}, snap.Webhooks.problem()
	}
	for _, hook := range snap.Webhooks.Value {
		if verify.SameSID(hook.SID, change.Webhook.SID) {
			change.Webhook = hook
			return change, nil
		}
	}
	return Change{}, &verify.Error{Kind: verify.KindNotFound, Message: fmt.Sprintf("%s has no webhook %s", snap.Env.ServiceSID, change.Webhook.SID)}
}

// Attach plans to attach a credential that the operator named. One that would not serve the environment is refused.
func (r Report) Attach(credential verify.Credential, environment string) (Change, error) {
	snap, err := r.snapshot(environment)
	if err != nil {
		return Change{}, err
	}
	if !snap.Service.ok() {
		return Change{}, snap.Service.problem()
	}
	s, ok := map[string]slot{verify.CredentialAPN: apn, verify.CredentialFCM: fcm}[strings.ToLower(credential.Type)]
	switch {
	case !ok:
		return Change{}, verify.Refusedf("%s is of type %q, which serves neither APNs nor FCM", credential.SID, credential.Type)
	case credential.AccountSID != "" && snap.Service.Value.AccountSID != "" && !verify.SameSID(credential.AccountSID, snap.Service.Value.AccountSID):
		return Change{}, verify.Refusedf("%s belongs to %s, the Service to %s", credential.SID, credential.AccountSID, snap.Service.Value.AccountSID)
	case s.intent(snap.Env) == unused:
		return Change{}, verify.Refusedf("%s declares that it does not push to %s%s, so it needs no %s credential", snap.Env.Name, s.phones, snap.declaredAt(), s.name)
	case !s.fits(snap, credential) && snap.Env.IOSBuild.WantedSandbox() == verify.SandboxUnknown:
		return Change{}, verify.Refusedf("%s does not declare how its iOS app is signed%s, so whether %s would serve it is not known", snap.Env.Name, snap.declaredAt(), credential.SID).
			WithHint("declare it: %s, or distribution", snap.Env.Config.Command("env", "set", snap.Env.Name, "ios_build=debug"))
	case !s.fits(snap, credential):
		return Change{}, verify.Refusedf("%s has sandbox %s, but %s has %s builds%s: Apple would refuse every push", credential.SID, credential.Sandbox, snap.Env.Name, snap.Env.IOSBuild, snap.declaredAt())
	}
	was := snap.Service.Value.CredentialSID(s.platform)
	if verify.SameSID(was, credential.SID) {
		return Change{}, verify.Refusedf("%s is attached already", credential.SID)
	}
	return Change{Environment: snap.Env.Name, ServiceSID: snap.Env.ServiceSID, Platform: s.platform, Credential: credential.SID, Was: was}, nil
}

// declaredAt names, in parentheses, where the environment stands; "" for one that no file declares.
func (s *snapshot) declaredAt() string {
	if s.file == "" {
		return ""
	}
	return fmt.Sprintf(" (%s:%d)", plain(s.file), s.line)
}

// Changes gives the safe writes that would fix what was found, without anything having to be chosen.
func (r Report) Changes() []Change {
	var all []Change
	for _, result := range r.Results {
		if result.Status == Pass || result.Status == Skipped {
			continue
		}
		for _, change := range result.changes {
			all = merge(all, change)
		}
	}
	return all
}

// merge adds a change to a list. Event types of one webhook become one change, and what is there already stays once.
func merge(all []Change, change Change) []Change {
	for i, c := range all {
		switch {
		case c.Environment != change.Environment || c.Webhook.SID != change.Webhook.SID:
		case c.String() == change.String():
			return all
		case len(c.EventTypes) > 0 && len(change.EventTypes) > 0:
			for _, eventType := range change.EventTypes {
				all[i].EventTypes = including(all[i].EventTypes, eventType)
			}
			return all
		}
	}
	return append(all, change)
}

func (r Report) snapshot(environment string) (*snapshot, error) {
	i := slices.IndexFunc(r.snapshots, func(snap *snapshot) bool { return snap.Env.Name == environment })
	if i < 0 {
		return nil, verify.Usagef("%s was not examined", environment)
	}
	return r.snapshots[i], nil
}
