package doctor

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// oddWorld draws a world as no healthy API would tell it: fields missing, words unknown, lists empty, times at zero, and
// any read failed or never asked for.
func oddWorld(r *rapid.T) *snapshot {
	word := rapid.SampledFrom([]string{"", "True", "False", "apn", "fcm", "gcm", "enabled", "disabled", "v2", "POST", "*", "active", "Trial", "push", "verified",
		"pending", "expired", "approved", "denied", "none", "yes", "::", "https://x.example", "\x1b[2J", "user@bank.example", "3.0.0", sid("CR", 1), sid("VA", 1), sid("YF", 1)})
	text := func(label string) string { return word.Draw(r, label) }
	moment := func(label string) time.Time {
		return rapid.SampledFrom([]time.Time{{}, noon, noon.Add(-time.Minute), noon.AddDate(0, -1, 0), noon.AddDate(-2, 0, 0), noon.AddDate(5, 0, 0)}).Draw(r, label)
	}
	push := func() *verify.PushConfig {
		if rapid.Bool().Draw(r, "null push") {
			return nil
		}
		return &verify.PushConfig{IncludeDate: rapid.Bool().Draw(r, "date"), APNCredentialSID: verify.CredentialSID(text("apn")), FCMCredentialSID: verify.CredentialSID(text("fcm"))}
	}
	service := func() verify.Service {
		return verify.Service{SID: verify.ServiceSID(text("service")), AccountSID: verify.AccountSID(text("account")), FriendlyName: text("name"), Push: push(), DateUpdated: moment("updated")}
	}
	credential := func() verify.Credential {
		raw := text("sandbox")
		return verify.Credential{SID: verify.CredentialSID(text("sid")), AccountSID: verify.AccountSID(text("account")), FriendlyName: text("name"), Type: text("type"),
			Sandbox: verify.ParseSandbox(&raw), SandboxText: &raw, DateUpdated: moment("updated")}
	}
	code := rapid.SampledFrom([]int{0, 52103, 52131, 52134, 52143, 52117, 52104, 60330}).Draw(r, "code")
	happened := event.Event{ErrorCode: &code, Timestamp: moment("at"), ServiceSID: text("service"), CredentialSID: text("credential"), FactorSID: text("factor"),
		Product: event.Product(text("product")), Verdict: event.Verdict(text("verdict")), Platform: verify.Platform(text("platform"))}
	identity := verify.Identity(text("identity"))
	factor := verify.Factor{SID: verify.FactorSID(text("sid")), Identity: identity, FriendlyName: text("name"), Status: verify.FactorStatus(text("status")), Type: verify.FactorType(text("type")),
		Metadata: map[string]string{"a": text("metadata")}, DateCreated: moment("created"), DateUpdated: moment("updated"),
		Config: verify.FactorConfig{SDKVersion: text("sdk"), AppID: text("app"), Platform: verify.Platform(text("platform")), Token: verify.PushToken(text("token"))}}
	challenge := verify.Challenge{SID: verify.ChallengeSID(text("sid")), FactorSID: verify.FactorSID(text("factor")), Status: verify.ChallengeStatus(text("status")), DateCreated: moment("created"),
		DateResponded: moment("responded"), ExpirationDate: moment("expires"), HiddenDetails: map[string]string{"action_id": text("action")}}
	entity := verify.Entity{Identity: identity}
	snap := &snapshot{
		Env: verify.Environment{Name: text("env"), ServiceSID: verify.ServiceSID(text("service")), AccountSID: verify.AccountSID(text("account")), Kind: verify.EnvironmentKind(text("kind")),
			IOSBuild:  rapid.SampledFrom([]verify.IOSBuild{verify.IOSDebug, verify.IOSDistribution, verify.IOSNone, verify.IOSUndeclared, "adhoc"}).Draw(r, "build"),
			Platforms: rapid.SliceOf(rapid.SampledFrom([]verify.Platform{"apn", "fcm", "none", "wns"})).Draw(r, "platforms"), AppIDs: rapid.SliceOf(word).Draw(r, "apps"),
			Attestations: map[string]verify.Attestation{"EVT-01": {By: text("by"), Until: text("until")}}},
		Connection: Connection{KeySID: text("key"), Region: text("region"), Proxy: text("proxy"), CAFile: text("ca"), Hosts: rapid.SliceOf(word).Draw(r, "hosts")},
		Now:        noon, Since: noon.Add(-24 * time.Hour), account: "one",
		Service: read(r, "service", service()), APN: read(r, "apn", credential()), FCM: read(r, "fcm", credential()),
		Services: read(r, "services", []verify.Service{service()}), Credentials: read(r, "credentials", []verify.Credential{credential(), {}}),
		Account: read(r, "account", verify.Account{Status: text("status"), Type: text("type")}), Keys: read(r, "keys", []verify.APIKey{{SID: verify.APIKeySID(text("key")), DateCreated: moment("created")}}),
		Webhooks: read(r, "webhooks", []verify.Webhook{{SID: verify.WebhookSID(text("sid")), Status: text("status"), Version: text("version"), URL: text("url"), Method: text("method"), EventTypes: rapid.SliceOf(word).Draw(r, "events")}}),
		Events:   read(r, "events", alerts{Events: []event.Event{happened, {}}, Missing: []event.Span{{}}}), Streams: read(r, "streams", streams{Subscriptions: []verify.EventSubscription{{SID: text("sid"), SinkSID: text("sink")}}}),
		Changes: read(r, "changes", []verify.AuditEvent{{ResourceSID: text("resource")}}), Usage: read(r, "usage", []verify.UsageRecord{{Count: 3}}),
		Factors:    read(r, "factors", sampleOf[verify.Factor]{Users: []userSample[verify.Factor]{{Entity: entity, Items: []verify.Factor{factor, factor}}, {}}, More: rapid.Bool().Draw(r, "more")}),
		Challenges: read(r, "challenges", sampleOf[verify.Challenge]{Users: []userSample[verify.Challenge]{{Entity: entity, Items: []verify.Challenge{challenge, {}}}}}),
		Probe:      read(r, "probe", verify.Probe{Samples: []verify.Timing{{}}}), Latency: read(r, "latency", verify.Probe{Samples: []verify.Timing{{}, {Reused: true}}}),
		OtherHosts: read(r, "hosts", []verify.Probe{{Host: text("host")}}), Capture: read(r, "capture", Capture{Covered: []event.Span{{}, {From: moment("from"), Until: moment("until")}}}),
	}
	snap.Peers = []*snapshot{snap}
	return snap
}

// read draws a reading that may have failed, or was never asked for.
func read[T any](r *rapid.T, label string, value T) reading[T] {
	switch rapid.IntRange(0, 5).Draw(r, label) {
	case 0:
		return failed[T](denied(403, 20006))
	case 1:
		return reading[T]{}
	case 2:
		return failed[T](broken())
	}
	return got(value)
}

// TestOddWorlds makes every check in worlds that make no sense: none panics, each says why, and the sandbox check never
// passes but where it must.
func TestOddWorlds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := oddWorld(r), oddWorld(r)
		a.Peers = []*snapshot{a, b}
		b.Peers = a.Peers
		report := judgeAll(a.Peers, Catalogue(), Options{})
		for _, result := range report.Results {
			if result.Reason == "" || rank[result.Status] == 0 && result.Status != Pass && result.Status != Skipped {
				r.Fatalf("%s is %q for %q", result.Check, result.Status, result.Reason)
			}
			if result.Check == "PUSH-APN-01" && result.Environment == a.Env.Name && a.Env.Name != b.Env.Name && result.Status == Pass &&
				!(a.Env.IOSBuild == verify.IOSDistribution && a.APN.ok() && a.APN.Value.Sandbox == verify.SandboxFalse) {
				r.Fatalf("PUSH-APN-01 passes: %s", result.Reason)
			}
			if result.ReadFailed && result.Status != Unknown {
				r.Fatalf("%s failed to read, but is %s", result.Check, result.Status)
			}
		}
		var out bytes.Buffer
		for _, err := range []error{WriteText(&out, report, true, unpainted), WriteMarkdown(&out, report, asIs), WriteJUnit(&out, report, FailOnFail),
			WriteSARIF(&out, report, ""), WriteReadiness(&out, report.Readiness(), true, unpainted), WriteReadiness(&out, report.Readiness(), false, unpainted)} {
			if err != nil {
				r.Fatal(err)
			}
		}
		if bytes.ContainsRune(out.Bytes(), 0x1b) {
			i := bytes.IndexRune(out.Bytes(), 0x1b)
			r.Fatalf("an escape character got through: %q", out.Bytes()[max(0, i-120):min(out.Len(), i+40)])
		}
	})
}
