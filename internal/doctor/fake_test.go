package doctor

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// sid makes a well-formed SID: sid("VA", 1) is VA followed by 31 zeros and a 1.
func sid(prefix string, n int) string { return fmt.Sprintf("%s%032x", prefix, n) }

func serviceSID(n int) verify.ServiceSID       { return verify.ServiceSID(sid("VA", n)) }
func credentialSID(n int) verify.CredentialSID { return verify.CredentialSID(sid("CR", n)) }

const account = verify.AccountSID("AC00000000000000000000000000000001")

// fakeTwilio is one account, answered from memory. It counts what it is asked and can be told to refuse or delay.
type fakeTwilio struct {
	services      []verify.Service
	credentials   []verify.Credential
	account       verify.Account
	keys          []verify.APIKey
	webhooks      map[verify.ServiceSID][]verify.Webhook
	events        []event.Event
	missing       []event.Span
	subscriptions []verify.EventSubscription
	types         map[string][]string
	sinks         []verify.EventSink
	changes       []verify.AuditEvent
	usage         []verify.UsageRecord
	entities      map[verify.ServiceSID][]verify.Entity
	factors       map[verify.Identity][]verify.Factor
	challenges    map[verify.Identity][]verify.Challenge
	probe         verify.Probe
	capture       Capture
	files         []verify.CredentialFile

	refuse map[string]error         // by method
	hang   map[string]bool          // by method: no answer until the context is done
	delay  map[string]time.Duration // by method; "" is every other method

	mu    sync.Mutex
	asked []string
}

// answer is the fate of one request.
func (f *fakeTwilio) answer(ctx context.Context, method string, about any) error {
	f.mu.Lock()
	f.asked = append(f.asked, fmt.Sprint(method, " ", about))
	f.mu.Unlock()
	if f.hang[method] {
		<-ctx.Done()
		return ctx.Err()
	}
	delay, ok := f.delay[method]
	if !ok {
		delay = f.delay[""]
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.refuse[method]
}

func (f *fakeTwilio) Service(ctx context.Context, sid verify.ServiceSID) (verify.Service, error) {
	if err := f.answer(ctx, "Service", sid); err != nil {
		return verify.Service{}, err
	}
	for _, s := range f.services {
		if s.SID == sid {
			return s, nil
		}
	}
	return verify.Service{}, notFound()
}

func (f *fakeTwilio) Services(ctx context.Context) iter.Seq2[verify.Service, error] {
	return fakeList(ctx, f, "Services", "", func() []verify.Service { return f.services })
}

func (f *fakeTwilio) Credential(ctx context.Context, sid verify.CredentialSID) (verify.Credential, error) {
	if err := f.answer(ctx, "Credential", sid); err != nil {
		return verify.Credential{}, err
	}
	for _, c := range f.credentials {
		if c.SID == sid {
			return c, nil
		}
	}
	return verify.Credential{}, notFound()
}

func (f *fakeTwilio) Credentials(ctx context.Context) iter.Seq2[verify.Credential, error] {
	return fakeList(ctx, f, "Credentials", "", func() []verify.Credential { return f.credentials })
}

func (f *fakeTwilio) Account(ctx context.Context, sid verify.AccountSID) (verify.Account, error) {
	return f.account, f.answer(ctx, "Account", sid)
}

func (f *fakeTwilio) Keys(ctx context.Context, ac verify.AccountSID) iter.Seq2[verify.APIKey, error] {
	return fakeList(ctx, f, "Keys", ac, func() []verify.APIKey { return f.keys })
}

func (f *fakeTwilio) Webhooks(ctx context.Context, sid verify.ServiceSID) iter.Seq2[verify.Webhook, error] {
	return fakeList(ctx, f, "Webhooks", sid, func() []verify.Webhook { return f.webhooks[sid] })
}

func (f *fakeTwilio) Events(ctx context.Context, since, until time.Time) ([]event.Event, []event.Span, error) {
	if err := f.answer(ctx, "Events", ""); err != nil {
		return nil, nil, err
	}
	var inside []event.Event
	for _, e := range f.events {
		if !e.Timestamp.Before(since) && !e.Timestamp.After(until) {
			inside = append(inside, e)
		}
	}
	return inside, f.missing, nil
}

func (f *fakeTwilio) Subscriptions(ctx context.Context) iter.Seq2[verify.EventSubscription, error] {
	return fakeList(ctx, f, "Subscriptions", "", func() []verify.EventSubscription { return f.subscriptions })
}

func (f *fakeTwilio) SubscribedEvents(ctx context.Context, subscription string) iter.Seq2[verify.SubscribedEvent, error] {
	return fakeList(ctx, f, "SubscribedEvents", subscription, func() []verify.SubscribedEvent {
		var list []verify.SubscribedEvent
		for _, t := range f.types[subscription] {
			list = append(list, verify.SubscribedEvent{SubscriptionSID: subscription, Type: t})
		}
		return list
	})
}

func (f *fakeTwilio) Sinks(ctx context.Context) iter.Seq2[verify.EventSink, error] {
	return fakeList(ctx, f, "Sinks", "", func() []verify.EventSink { return f.sinks })
}

func (f *fakeTwilio) AuditEvents(ctx context.Context, _ verify.AuditFilter) iter.Seq2[verify.AuditEvent, error] {
	return fakeList(ctx, f, "AuditEvents", "", func() []verify.AuditEvent { return f.changes })
}

func (f *fakeTwilio) UsageRecords(ctx context.Context, _ verify.AccountSID, category string, _, _ time.Time) iter.Seq2[verify.UsageRecord, error] {
	return fakeList(ctx, f, "UsageRecords", category, func() []verify.UsageRecord { return f.usage })
}

func (f *fakeTwilio) Entities(ctx context.Context, sid verify.ServiceSID) iter.Seq2[verify.Entity, error] {
	return fakeList(ctx, f, "Entities", sid, func() []verify.Entity { return f.entities[sid] })
}

func (f *fakeTwilio) Factors(ctx context.Context, _ verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error] {
	return fakeList(ctx, f, "Factors", identity, func() []verify.Factor { return f.factors[identity] })
}

func (f *fakeTwilio) Challenges(ctx context.Context, _ verify.ServiceSID, identity verify.Identity, _ verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	return fakeList(ctx, f, "Challenges", identity, func() []verify.Challenge { return f.challenges[identity] })
}

func (f *fakeTwilio) Probe(ctx context.Context, host string, count int) (verify.Probe, error) {
	return f.probe, f.answer(ctx, "Probe", fmt.Sprint(host, count))
}

func (f *fakeTwilio) CredentialFiles(ctx context.Context) iter.Seq2[verify.CredentialFile, error] {
	return fakeList(ctx, f, "CredentialFiles", "", func() []verify.CredentialFile { return f.files })
}

func (f *fakeTwilio) Capture(ctx context.Context) (Capture, error) {
	return f.capture, f.answer(ctx, "Capture", "")
}

func fakeList[T any](ctx context.Context, f *fakeTwilio, method string, about any, items func() []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := f.answer(ctx, method, about); err != nil {
			var zero T
			yield(zero, err)
			return
		}
		for _, item := range items() {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func (f *fakeTwilio) target(env verify.Environment) Target {
	return Target{Env: env, Twilio: f, Feed: f, Memory: f, Now: noon, Connection: Connection{KeySID: sid("SK", 1), Hosts: []string{"verify.twilio.com"}}}
}

func notFound() error {
	return &verify.Error{Kind: verify.KindNotFound, Message: "not found", HTTPStatus: http.StatusNotFound, TwilioCode: 20404}
}

func denied(status, code int) error {
	return &verify.Error{Kind: verify.KindAuth, Message: "Twilio refused the key", HTTPStatus: status, TwilioCode: code}
}

func broken() error {
	return &verify.Error{Kind: verify.KindUnreachable, Message: "Twilio failed", HTTPStatus: http.StatusServiceUnavailable}
}

// healthy gives an account in which every check that the API can answer passes, and its one environment.
func healthy() (*fakeTwilio, verify.Environment) {
	long := noon.AddDate(0, -2, 0)
	push := &verify.PushConfig{APNCredentialSID: credentialSID(1), FCMCredentialSID: credentialSID(2)}
	falsehood := "False"
	identity := verify.Identity("8c1f9f5e-4f0c-4c60-9f0a-2f6f1f0d1c11")
	service := serviceSID(1)
	entity := verify.Entity{SID: "YE1", Identity: identity, AccountSID: account, ServiceSID: service, DateCreated: long}
	factor := verify.Factor{SID: verify.FactorSID(sid("YF", 1)), Identity: identity, ServiceSID: service, Status: verify.FactorVerified, Type: verify.FactorPush,
		FriendlyName: "Pixel 9", Metadata: map[string]string{"app_version": "4.2"}, DateCreated: long, DateUpdated: long,
		Config: verify.FactorConfig{SDKVersion: "3.0.2", AppID: "com.bank.example", Platform: verify.PlatformAPN, Token: "token-1"}}
	challenge := verify.Challenge{SID: verify.ChallengeSID(sid("YC", 1)), Identity: identity, FactorSID: factor.SID, Status: verify.ChallengeApproved,
		Details: verify.Details{Message: "Log in?", Fields: []verify.Field{{Label: "Place", Value: "Lisbon"}}}, HiddenDetails: map[string]string{"action_id": "a1"},
		DateCreated: noon.Add(-time.Hour), DateResponded: noon.Add(-time.Hour + 8*time.Second), ExpirationDate: noon.Add(-time.Hour + 5*time.Minute)}
	f := &fakeTwilio{
		services: []verify.Service{{SID: service, AccountSID: account, FriendlyName: "Bank live", Push: push, DateCreated: long, DateUpdated: long}},
		credentials: []verify.Credential{
			{SID: credentialSID(1), AccountSID: account, FriendlyName: "ios live", Type: "apn", Sandbox: verify.SandboxFalse, SandboxText: &falsehood, DateCreated: long, DateUpdated: long},
			{SID: credentialSID(2), AccountSID: account, FriendlyName: "android live", Type: "fcm", DateCreated: long, DateUpdated: long},
		},
		account: verify.Account{SID: account, OwnerAccountSID: account, Status: "active", Type: "Full"},
		keys:    []verify.APIKey{{SID: verify.APIKeySID(sid("SK", 1)), DateCreated: long}},
		webhooks: map[verify.ServiceSID][]verify.Webhook{service: {{SID: verify.WebhookSID(sid("YW", 1)), ServiceSID: service, AccountSID: account,
			EventTypes: []string{"*"}, Status: "enabled", Version: "v2", URL: "https://hooks.bank.example/verify", Method: "POST"}}},
		subscriptions: []verify.EventSubscription{{SID: sid("DF", 1), SinkSID: sid("DG", 1)}},
		types:         map[string][]string{sid("DF", 1): {verify.EventErrorLogged}},
		sinks:         []verify.EventSink{{SID: sid("DG", 1), Status: verify.SinkActive, Type: "webhook"}},
		usage:         []verify.UsageRecord{{Category: verify.UsageVerifyPush, Count: 1}},
		entities:      map[verify.ServiceSID][]verify.Entity{service: {entity}},
		factors:       map[verify.Identity][]verify.Factor{identity: {factor}},
		challenges:    map[verify.Identity][]verify.Challenge{identity: {challenge}},
		probe: verify.Probe{Host: "verify.twilio.com", Issuer: "Public CA", HasDate: true, Samples: []verify.Timing{
			{Total: 200 * time.Millisecond, FirstByte: 90 * time.Millisecond, Server: 40 * time.Millisecond, HasServer: true, Status: 200},
			{Reused: true, Total: 100 * time.Millisecond, FirstByte: 90 * time.Millisecond, Server: 40 * time.Millisecond, HasServer: true, Status: 200}}},
		capture: Capture{Events: 3, Last: noon.Add(-time.Hour), Covered: []event.Span{{From: noon.AddDate(0, 0, -20), Until: noon.Add(-time.Hour)}}},
		refuse:  map[string]error{}, hang: map[string]bool{}, delay: map[string]time.Duration{},
	}
	env := verify.Environment{Name: "live", AccountSID: account, ServiceSID: service, Kind: verify.Production,
		IOSBuild: verify.IOSDistribution, Platforms: []verify.Platform{verify.PlatformAPN, verify.PlatformFCM},
		AppIDs: []string{"com.bank.example"}, MaxFactors: 3, MetadataKeys: []string{"app_version"}, WebhookURL: "https://hooks.bank.example/verify",
		Attestations: map[string]verify.Attestation{
			"EVT-01": {By: "Ana", On: "2026-11-01", Until: "2027-05-01"},
		},
		CredentialNotes: map[verify.Platform]verify.CredentialNote{
			verify.PlatformAPN: {CredentialSID: credentialSID(1), Expires: "2027-10-01", Topics: []string{"com.bank.example"}, Recorded: "2026-11-01"},
		}}
	return f, env
}

// everything makes every check possible.
func everything(envs ...verify.Environment) Options {
	return Options{Sample: 50, Latency: true, Timeout: time.Second, Since: DefaultSince, Declared: envs}
}

// examine runs the checks and fails the test when the run itself fails.
func examine(t *testing.T, targets []Target, opts Options) Report {
	t.Helper()
	report, err := Run(t.Context(), targets, opts)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return report
}

// find gives the result of one check in one environment.
func find(t *testing.T, report Report, env, check string) Result {
	t.Helper()
	for _, r := range report.Results {
		if r.Check == check && (r.Environment == env || r.Environment == "") {
			return r
		}
	}
	t.Fatalf("no result of %s for %s", check, env)
	return Result{}
}
