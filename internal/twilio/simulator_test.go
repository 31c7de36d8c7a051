package twilio_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	demo     = verify.ServiceSID(simulator.DemoServiceSID)
	amara    = verify.Identity(simulator.DemoIdentity)
	tablet   = verify.FactorSID(simulator.DemoTabletFactorSID)
	answered = verify.ChallengeSID(simulator.DemoApprovedChallengeSID)
)

// demoWorld is the demo world on a network inside the process, and a client that never sleeps for real.
func demoWorld(t *testing.T, adjust ...func(*twilio.Options)) (*twilio.Client, *simulator.Simulator) {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: simulator.SeedDemo})
	if err != nil {
		t.Fatal(err)
	}
	network := simulator.NewPipeListener()
	served := make(chan error, 1)
	go func() { served <- sim.Serve(network) }()
	opts := twilio.Options{
		Username: simulator.DefaultAccountSID, Password: simulator.DefaultAuthToken, Account: simulator.DefaultAccountSID,
		BaseURL: "http://simulator", Dial: network.DialContext,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, change := range adjust {
		change(&opts)
	}
	client, err := twilio.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		network.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return client, sim
}

func gather[R any](t *testing.T, seq func(func(R, error) bool)) []R {
	t.Helper()
	var all []R
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func wantKind(t *testing.T, err error, kind verify.Kind) {
	t.Helper()
	if err == nil || verify.KindOf(err) != kind {
		t.Errorf("got %v, want kind %s", err, kind)
	}
}

func TestReadingTheDemoWorld(t *testing.T) {
	c, _ := demoWorld(t)
	ctx := t.Context()
	if got := gather(t, c.Services(ctx)); len(got) != 3 {
		t.Errorf("%d Services", len(got))
	}
	s, err := c.Service(ctx, demo)
	if err != nil || s.CredentialSID(verify.PlatformAPN) != simulator.DemoAPNCredentialSID {
		t.Errorf("the Service is %+v, %v", s, err)
	}
	entities := gather(t, c.Entities(ctx, demo))
	var crawled []verify.Entity
	for at := ""; ; {
		page, next, err := c.EntityPage(ctx, demo, at, 4)
		if err != nil {
			t.Fatal(err)
		}
		crawled = append(crawled, page...)
		if at = next; at == "" {
			break
		}
	}
	if len(entities) < 10 || len(crawled) != len(entities) {
		t.Errorf("%d entities listed, %d crawled", len(entities), len(crawled))
	}
	factors := gather(t, c.Factors(ctx, demo, amara))
	if len(factors) != 3 || factors[0].Config.Token.Reveal() == "" || factors[0].Metadata["app_version"] == "" {
		t.Errorf("the user's factors are %+v", factors)
	}
	if e, err := c.Entity(ctx, demo, amara); err != nil || e.SID != factors[0].EntitySID {
		t.Errorf("the entity is %+v, %v", e, err)
	}
	if len(gather(t, c.Challenges(ctx, demo, amara, verify.ChallengeFilter{}))) < 4 {
		t.Error("the user has too few challenges")
	}
	denied := gather(t, c.Challenges(ctx, demo, amara, verify.ChallengeFilter{FactorSID: tablet, Status: verify.ChallengeDenied, Newest: true}))
	if len(denied) != 1 || denied[0].SID != simulator.DemoDeniedChallengeSID {
		t.Errorf("denied on the tablet: %+v", denied)
	}
	if got := gather(t, c.Credentials(ctx)); len(got) != 6 {
		t.Errorf("%d credentials", len(got))
	}
	cr, err := c.Credential(ctx, simulator.DemoAPNCredentialSID)
	if err != nil || cr.Sandbox != verify.SandboxTrue || cr.ReadFrom != "notify" {
		t.Errorf("the live credential is %+v, %v", cr, err)
	}
	alerts := gather(t, c.Alerts(ctx, verify.AlertFilter{}))
	if len(alerts) == 0 {
		t.Fatal("no alerts")
	}
	if a, err := c.Alert(ctx, alerts[0].SID); err != nil || a.AlertText != alerts[0].AlertText {
		t.Errorf("the alert is %+v, %v", a, err)
	}
	if a, err := c.Account(ctx, simulator.DefaultAccountSID); err != nil || a.Status != "active" {
		t.Errorf("the account is %+v, %v", a, err)
	}
	gather(t, c.Webhooks(ctx, demo))
	gather(t, c.Keys(ctx, simulator.DefaultAccountSID))
	gather(t, c.Subscriptions(ctx))
	gather(t, c.Sinks(ctx))
	gather(t, c.AuditEvents(ctx, verify.AuditFilter{}))
	gather(t, c.UsageRecords(ctx, simulator.DefaultAccountSID, verify.UsageVerifyPush, time.Time{}, time.Time{}))
}

func TestWritingToTheDemoWorld(t *testing.T) {
	c, _ := demoWorld(t)
	ctx := t.Context()
	ch, err := c.Writer().CreateChallenge(ctx, demo, amara, verify.NewChallenge{
		FactorSID: tablet, Message: "Log in from a new laptop?", Fields: []verify.Field{{Label: "Place", Value: "Berlin"}},
		HiddenDetails: map[string]string{verify.ActionID: "a-1"},
	})
	if err != nil || ch.Status != verify.ChallengePending || ch.Details.Fields[0].Value != "Berlin" || ch.HiddenDetails[verify.ActionID] != "a-1" {
		t.Fatalf("%+v, %v", ch, err)
	}
	for range verify.MaxNotifications {
		if n, err := c.Writer().CreateNotification(ctx, demo, amara, ch.SID, time.Minute); err != nil || n.TTL != 60 {
			t.Fatalf("%+v, %v", n, err)
		}
	}
	_, err = c.Writer().CreateNotification(ctx, demo, amara, ch.SID, time.Minute)
	wantKind(t, err, verify.KindLimit)
	if verify.CodeOf(err) != 60309 {
		t.Error(err)
	}
	_, err = c.Writer().CreateNotification(ctx, demo, amara, answered, time.Minute)
	wantKind(t, err, verify.KindFailed)
	_, err = c.Writer().CreateNotification(ctx, demo, amara, simulator.DemoExpiredChallengeSID, time.Minute)
	wantKind(t, err, verify.KindExpired)

	if s, err := c.Writer().SetServiceCredential(ctx, demo, verify.PlatformAPN, simulator.DemoSpareCredentialSID); err != nil || s.Push.APNCredentialSID != simulator.DemoSpareCredentialSID {
		t.Errorf("%+v, %v", s, err)
	}
	for was, err := range c.Webhooks(ctx, demo) {
		if err != nil {
			t.Fatal(err)
		}
		hook, err := c.Writer().UpdateWebhook(ctx, demo, verify.Webhook{SID: was.SID, EventTypes: []string{"*"}})
		if err != nil || hook.URL != was.URL || hook.EventTypes[0] != "*" || was.EventTypes[0] == "*" {
			t.Errorf("%+v became %+v, %v", was, hook, err)
		}
	}

	settings := verify.ServiceSettings{"friendly_name": "Bank test", "totp.skew": "0", "passkeys.relying_party.origins": "a.example,b.example"}
	made, err := c.Writer().CreateService(ctx, settings)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range settings {
		if got, known := made.Settings[name]; got != want || !known {
			t.Errorf("%s is %q, %v", name, got, known)
		}
	}
	if got, known := made.Settings["push.apn_credential_sid"]; got != "" || !known {
		t.Errorf("a Service without a credential has %q, %v", got, known)
	}
	credential, err := c.Writer().CreateCredential(ctx, verify.CredentialWrite{Type: verify.CredentialFCM, FriendlyName: "Android", Secret: `{"type":"service_account","project_id":"p"}`})
	if err != nil || credential.FriendlyName != "Android" || credential.ReadFrom != "notify" {
		t.Fatalf("%+v, %v", credential, err)
	}
	if changed, err := c.Writer().UpdateCredential(ctx, credential.SID, verify.CredentialWrite{Type: verify.CredentialFCM, FriendlyName: "Android live"}); err != nil || changed.FriendlyName != "Android live" {
		t.Errorf("%+v, %v", changed, err)
	}
	if s, err := c.Writer().UpdateService(ctx, made.SID, verify.ServiceSettings{"push.fcm_credential_sid": string(credential.SID)}); err != nil || s.Push.FCMCredentialSID != credential.SID {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = c.Writer().UpdateService(ctx, made.SID, verify.ServiceSettings{"no_such_setting": "1"})
	wantKind(t, err, verify.KindUsage)
	hook, err := c.Writer().CreateWebhook(ctx, made.SID, verify.Webhook{FriendlyName: "answers", EventTypes: []string{"*"}, URL: "https://bank.example/"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Writer().DeleteWebhook(ctx, made.SID, hook.SID), c.Writer().DeleteCredential(ctx, credential)); err != nil {
		t.Error(err)
	}

	if err := c.Writer().DeleteFactor(ctx, demo, amara, tablet); err != nil {
		t.Fatal(err)
	}
	wantKind(t, c.Writer().DeleteFactor(ctx, demo, amara, tablet), verify.KindNotFound)
	if err := c.Writer().DeleteEntity(ctx, demo, amara); err != nil {
		t.Fatal(err)
	}
	_, err = c.Entity(ctx, demo, amara)
	wantKind(t, err, verify.KindNotFound)
}

// TestFaultsOfTheNetwork: what Twilio did in truth is what the client says it did.
func TestFaultsOfTheNetwork(t *testing.T) {
	exists := func(t *testing.T, c *twilio.Client) bool {
		t.Helper()
		_, err := c.Factor(t.Context(), demo, amara, tablet)
		if err != nil && verify.KindOf(err) != verify.KindNotFound {
			t.Fatal(err)
		}
		return err == nil
	}
	for _, fault := range []simulator.Fault{
		{Kind: simulator.FaultResetBefore, Count: 1}, {Kind: simulator.FaultResetAfter, Count: 1},
		{Kind: simulator.FaultError, Count: 1}, {Kind: simulator.FaultErrorAfter, Count: 1}, {Kind: simulator.FaultRateLimit, Count: 2},
	} {
		t.Run("delete/"+string(fault.Kind), func(t *testing.T) {
			c, sim := demoWorld(t)
			fault.Operation = "DeleteFactor"
			if _, err := sim.AddFault(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
			if err := c.Writer().DeleteFactor(t.Context(), demo, amara, tablet); err != nil || exists(t, c) {
				t.Errorf("got %v, and the factor is there: %v", err, exists(t, c))
			}
		})
		t.Run("create/"+string(fault.Kind), func(t *testing.T) {
			c, sim := demoWorld(t)
			fault.Operation = "CreateChallenge"
			if _, err := sim.AddFault(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
			before := len(gather(t, c.Challenges(t.Context(), demo, amara, verify.ChallengeFilter{})))
			_, err := c.Writer().CreateChallenge(t.Context(), demo, amara, verify.NewChallenge{FactorSID: tablet, Message: "Log in?"})
			made := len(gather(t, c.Challenges(t.Context(), demo, amara, verify.ChallengeFilter{}))) - before
			if fault.Kind == simulator.FaultRateLimit {
				if err != nil || made != 1 {
					t.Errorf("%d challenges were made: %v", made, err)
				}
				return
			}
			wantKind(t, err, verify.KindPartial)
			if strings.HasSuffix(string(fault.Kind), "-after") != (made == 1) || made > 1 {
				t.Errorf("%d challenges were made", made)
			}
		})
	}
}

func TestKeysOfAnotherAccountNeverWrite(t *testing.T) {
	const other = "AC" + "ffffffffffffffffffffffffffffffff"
	c, _ := demoWorld(t, func(o *twilio.Options) { o.Account = other })
	wantKind(t, c.Writer().DeleteFactor(t.Context(), demo, amara, tablet), verify.KindRefused)
	if _, err := c.Factor(t.Context(), demo, amara, tablet); err != nil {
		t.Errorf("the factor cannot be read any more: %v", err)
	}
}

func TestWrongKeys(t *testing.T) {
	c, _ := demoWorld(t, func(o *twilio.Options) { o.Password = "wrong" })
	_, err := c.Service(t.Context(), demo)
	wantKind(t, err, verify.KindAuth)
	_, err = c.Credential(t.Context(), simulator.DemoAPNCredentialSID)
	wantKind(t, err, verify.KindAuth)
}

// TestTheFirstWriteIntoAnEmptyAccount: no Service tells whose the keys are, and keys of another account write nothing.
func TestTheFirstWriteIntoAnEmptyAccount(t *testing.T) {
	key := simulator.Key{SID: "SK00000000000000000000000000000001", Secret: "secret", Account: simulator.DefaultAccountSID}
	for account, isOurs := range map[verify.AccountSID]bool{simulator.DefaultAccountSID: true, "AC00000000000000000000000000000099": false} {
		sim, err := simulator.Open(t.Context(), simulator.Options{World: simulator.World{Keys: []simulator.Key{key}}})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(sim)
		client, err := twilio.New(twilio.Options{Username: key.SID, Password: key.Secret, Account: account, BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = client.Writer().CreateService(t.Context(), verify.ServiceSettings{"friendly_name": "Bank"}); (err == nil) != isOurs {
			t.Errorf("keys of %s: %v", account, err)
		}
		client.Close()
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}
}
