package doctor

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// writes lets the fake account be changed.
func (f *fakeTwilio) SetServiceCredential(_ context.Context, sid verify.ServiceSID, platform verify.Platform, credential, _ verify.CredentialSID) error {
	for i := range f.services {
		if f.services[i].SID == sid {
			push := *f.services[i].Push
			if platform == verify.PlatformAPN {
				push.APNCredentialSID = credential
			} else {
				push.FCMCredentialSID = credential
			}
			f.services[i].Push = &push
			return nil
		}
	}
	return notFound()
}

func (f *fakeTwilio) UpdateWebhook(_ context.Context, sid verify.ServiceSID, webhook verify.Webhook) error {
	for i, have := range f.webhooks[sid] {
		if have.SID == webhook.SID {
			f.webhooks[sid][i] = webhook
			return nil
		}
	}
	return notFound()
}

// TestChangesMendWhatTheyAreFor makes every change that is planned, checks again, takes it back, and looks whether all is
// as before.
func TestChangesMendWhatTheyAreFor(t *testing.T) {
	for name, c := range map[string]struct {
		break_ func(*bench)
		fails  []string
		want   string
	}{
		"webhook disabled": {func(b *bench) { b.hook().Status = "disabled" }, []string{"HOOK-01", "HOOK-08"}, sid("YW", 1) + ".status=enabled"},
		"events missing": {func(b *bench) { b.hook().EventTypes = []string{"challenge.approved"} }, []string{"HOOK-02", "HOOK-03"},
			sid("YW", 1) + ".event_types=challenge.approved,challenge.denied,factor.created,factor.verified,factor.deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			f, env := healthy()
			b := &bench{fakeTwilio: f, env: env}
			c.break_(b)
			before := slices.Clone(f.webhooks[env.ServiceSID])
			target := []Target{f.target(env)}
			report := examine(t, target, everything(env))
			changes := report.Changes()
			if len(changes) != 1 || changes[0].String() != c.want {
				t.Fatalf("the plan is %v, want %s", changes, c.want)
			}
			if err := changes[0].Apply(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			again := examine(t, target, everything(env))
			for _, id := range c.fails {
				if got := find(t, again, "live", id); got.Status != Pass {
					t.Errorf("%s is %s after the change: %s", id, got.Status, got.Reason)
				}
			}
			undo, ok := changes[0].undo()
			if !ok {
				t.Fatal("it cannot be taken back")
			}
			parsed, err := ParseChange(undo.String())
			if err != nil {
				t.Fatal(err)
			}
			resolved, err := again.Resolve(parsed, "live")
			if err != nil {
				t.Fatal(err)
			}
			if err := resolved.Apply(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, f.webhooks[env.ServiceSID]); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
		})
	}
}

func TestAttachTakesOnlyWhatServes(t *testing.T) {
	spare := verify.Credential{SID: credentialSID(7), AccountSID: account, Type: "APN", Sandbox: verify.SandboxFalse}
	for name, c := range map[string]struct {
		change func(*bench, *verify.Credential)
		want   verify.Kind // KindFailed when it is taken
	}{
		"serves":             {func(*bench, *verify.Credential) {}, verify.KindFailed},
		"fcm serves":         {func(_ *bench, c *verify.Credential) { c.Type, c.Sandbox = "fcm", "" }, verify.KindFailed},
		"wrong sandbox":      {func(_ *bench, c *verify.Credential) { c.Sandbox = verify.SandboxTrue }, verify.KindRefused},
		"unknown sandbox":    {func(_ *bench, c *verify.Credential) { c.Sandbox = verify.SandboxUnknown }, verify.KindRefused},
		"build undeclared":   {func(b *bench, _ *verify.Credential) { b.env.IOSBuild = "" }, verify.KindRefused},
		"iOS not pushed to":  {func(b *bench, _ *verify.Credential) { b.env.IOSBuild = verify.IOSNone }, verify.KindRefused},
		"legacy type":        {func(_ *bench, c *verify.Credential) { c.Type = "gcm" }, verify.KindRefused},
		"of another account": {func(_ *bench, c *verify.Credential) { c.AccountSID = "AC00000000000000000000000000000009" }, verify.KindRefused},
		"attached already":   {func(_ *bench, c *verify.Credential) { c.SID = credentialSID(1) }, verify.KindRefused},
	} {
		t.Run(name, func(t *testing.T) {
			f, env := healthy()
			b, credential := &bench{fakeTwilio: f, env: env}, spare
			c.change(b, &credential)
			report := examine(t, []Target{f.target(b.env)}, everything(b.env))
			change, err := report.Attach(credential, "live")
			if c.want != verify.KindFailed {
				if verify.KindOf(err) != c.want || err == nil {
					t.Fatalf("got %v and %v, want it refused", change, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := change.Apply(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			if got := f.services[0].CredentialSID(change.Platform); got != credential.SID {
				t.Errorf("%s is attached, want %s", got, credential.SID)
			}
			if undo, ok := change.undo(); !ok || undo.Credential != change.Was {
				t.Errorf("the way back is %v, %v", undo, ok)
			}
		})
	}
}

func TestNoWayBackFromNothing(t *testing.T) {
	change := Change{Environment: "live", Platform: verify.PlatformAPN, Credential: credentialSID(1)}
	if command := change.UndoCommand(verify.Environment{Name: "live"}); command != "" {
		t.Errorf("%q cannot detach a credential", command)
	}
}

func TestNothingIsPlannedWhereThereIsAChoice(t *testing.T) {
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env}
	b.env.WebhookURL = ""
	second := *b.hook()
	second.SID, second.URL = verify.WebhookSID(sid("YW", 2)), "https://other.bank.example"
	f.webhooks[env.ServiceSID] = append(f.webhooks[env.ServiceSID], second)
	for i := range f.webhooks[env.ServiceSID] {
		f.webhooks[env.ServiceSID][i].Status = "disabled"
	}
	b.apn().Sandbox = verify.SandboxTrue
	if changes := examine(t, []Target{f.target(b.env)}, everything(b.env)).Changes(); len(changes) > 0 {
		t.Errorf("planned %v", changes)
	}
}
func FuzzParseChange(f *testing.F) {
	f.Add("apn=" + sid("CR", 1))
	f.Add(sid("YW", 1) + ".status=enabled")
	f.Add(sid("YW", 1) + ".event_types=*,challenge.approved")
	f.Fuzz(func(t *testing.T, text string) {
		change, err := ParseChange(text)
		if err != nil {
			if verify.KindOf(err) != verify.KindUsage {
				t.Fatalf("%q: %v is no usage error", text, err)
			}
			return
		}
		if change.String() != text {
			t.Fatalf("%q reads back as %q", text, change.String())
		}
	})
}
