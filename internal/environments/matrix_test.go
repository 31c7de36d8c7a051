package environments_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	accountSID = "AC00000000000000000000000000000001"
	serviceSID = "VA00000000000000000000000000000001"
	oldSID     = "CR00000000000000000000000000000001"
	newSID     = "CR00000000000000000000000000000002"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// world is an account with one Service, as far as its APNs credentials go.
type world struct {
	credentials map[verify.CredentialSID]verify.Credential
	attached    verify.CredentialSID
	flip        bool // somebody changes the sandbox of every credential after the lists were read
	writes      int
}

func (w *world) Services(context.Context) iter.Seq2[verify.Service, error] {
	return func(yield func(verify.Service, error) bool) {
		yield(verify.Service{SID: serviceSID, FriendlyName: "Bank", Push: &verify.PushConfig{APNCredentialSID: w.attached},
			Settings: verify.ServiceSettings{"friendly_name": "Bank", "push.apn_credential_sid": string(w.attached), "push.fcm_credential_sid": ""}}, nil)
	}
}

func (w *world) Credentials(context.Context) iter.Seq2[verify.Credential, error] {
	return func(yield func(verify.Credential, error) bool) {
		for _, sid := range []verify.CredentialSID{oldSID, newSID} {
			if c, there := w.credentials[sid]; there && !yield(c, nil) {
				return
			}
		}
	}
}

func (w *world) Credential(_ context.Context, sid verify.CredentialSID) (verify.Credential, error) {
	c := w.credentials[sid]
	if w.flip {
		c.Sandbox = map[verify.Sandbox]verify.Sandbox{verify.SandboxTrue: verify.SandboxFalse, verify.SandboxFalse: verify.SandboxTrue}[c.Sandbox]
		w.credentials[sid] = c
	}
	return c, nil
}

func (w *world) Webhooks(context.Context, verify.ServiceSID) iter.Seq2[verify.Webhook, error] {
	return func(func(verify.Webhook, error) bool) {}
}

func (w *world) CreateCredential(_ context.Context, n verify.CredentialWrite) (verify.Credential, error) {
	w.writes++
	return verify.Credential{SID: newSID, Type: n.Type, FriendlyName: n.FriendlyName, Sandbox: n.Sandbox}, nil
}

func (w *world) UpdateCredential(_ context.Context, sid verify.CredentialSID, n verify.CredentialWrite) (verify.Credential, error) {
	w.writes++
	c := w.credentials[sid]
	if n.Sandbox != "" {
		c.Sandbox = n.Sandbox
	}
	w.credentials[sid] = c
	return c, nil
}

func (w *world) DeleteCredential(context.Context, verify.Credential) error { return nil }

func (w *world) CreateService(context.Context, verify.ServiceSettings) (verify.Service, error) {
	return verify.Service{}, nil
}

func (w *world) UpdateService(_ context.Context, _ verify.ServiceSID, s verify.ServiceSettings) error {
	w.writes++
	if sid, sets := s["push.apn_credential_sid"]; sets {
		w.attached = verify.CredentialSID(sid)
	}
	return nil
}

func (w *world) CreateWebhook(context.Context, verify.ServiceSID, verify.Webhook) (verify.Webhook, error) {
	return verify.Webhook{}, nil
}

func (w *world) UpdateWebhook(context.Context, verify.ServiceSID, verify.Webhook) error { return nil }

func (w *world) DeleteWebhook(context.Context, verify.ServiceSID, verify.WebhookSID) error {
	return nil
}

// apply plans and applies what an environment declares of its APNs credential.
func (w *world) apply(t *testing.T, env verify.Environment) error {
	t.Helper()
	e := &environments.Environment{Environment: env, Now: noon, Declares: verify.ServiceDeclaration{
		Settings: verify.ServiceSettings{}, Push: map[verify.Platform]verify.PushDeclaration{verify.PlatformAPN: {Name: "iOS", SID: oldSID}},
	}}
	if _, err := e.Open(t.Context()); err != nil {
		return err
	}
	account, err := environments.ReadAccount(t.Context(), accountSID, w)
	if err != nil {
		t.Fatal(err)
	}
	diff, err := environments.Compare(t.Context(), e, account)
	if err != nil {
		return err
	}
	applier := environments.Applier{Env: e, Account: account, Writer: w, Now: func() time.Time { return noon }, Did: func(environments.Change) {}}
	return applier.Apply(t.Context(), diff)
}

// TestNoCellEndsInAMismatch: whatever the build, the sandbox and the kind, by attaching or by changing in place, and even when
// somebody changes the credential meanwhile, nothing that is written makes a Service push through a credential that Apple
// would refuse for its build. Without a build nothing is written at all.
func TestNoCellEndsInAMismatch(t *testing.T) {
	cells := 0
	for _, build := range []verify.IOSBuild{verify.IOSDebug, verify.IOSDistribution, verify.IOSNone, verify.IOSUndeclared} {
		for _, sandbox := range []verify.Sandbox{verify.SandboxTrue, verify.SandboxFalse, verify.SandboxUnknown} {
			for _, kind := range []verify.EnvironmentKind{verify.Development, verify.Staging, verify.Production, ""} {
				for _, attached := range []verify.CredentialSID{"", oldSID} {
					for _, flip := range []bool{false, true} {
						cells++
						cell := fmt.Sprintf("build %q, sandbox %s, kind %q, attached %q, changed meanwhile %v", build, sandbox, kind, attached, flip)
						w := &world{attached: attached, flip: flip, credentials: map[verify.CredentialSID]verify.Credential{
							oldSID: {SID: oldSID, Type: verify.CredentialAPN, FriendlyName: "iOS", Sandbox: sandbox},
						}}
						err := w.apply(t, verify.Environment{Name: "some", AccountSID: accountSID, ServiceSID: serviceSID, Kind: kind, IOSBuild: build})
						has := w.credentials[oldSID].Sandbox
						switch want := build.WantedSandbox(); {
						case want == verify.SandboxUnknown:
							if w.writes > 0 || err == nil {
								t.Errorf("%s: %d writes, %v", cell, w.writes, err)
							}
						case w.writes > 0 && has != want && !flip:
							t.Errorf("%s: ends with sandbox %s", cell, has)
						case w.writes > 0 && w.attached != "" && attached == "" && has != want:
							t.Errorf("%s: was attached with sandbox %s", cell, has)
						case err == nil && has != want && !flip:
							t.Errorf("%s: no error, and sandbox %s", cell, has)
						}
					}
				}
			}
		}
	}
	if cells != 4*3*4*2*2 {
		t.Errorf("%d cells", cells)
	}
}
