package challenge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// demo is the simulator's demo world and the environment that goes with its live Service.
func demo(t *testing.T, shape simulator.AlertShape) (*simulated, verify.Environment) {
	return newSimulated(t, simulator.Options{Seed: simulator.SeedDemo, AlertShape: shape}),
		verify.Environment{Name: "demo", ServiceSID: simulator.DemoServiceSID, IOSBuild: verify.IOSDistribution,
			Platforms: []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}, Demo: true}
}

// first gives the kind of the first cause, "" for none.
func first(a challenge.Answer) challenge.CauseKind {
	if len(a.Causes) == 0 {
		return ""
	}
	return a.Causes[0].Kind
}

func TestWhyInTheDemoWorld(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	challengeOf := func(sid string) challenge.Subject {
		return challenge.Subject{Challenge: verify.ChallengeSID(sid), Identity: simulator.DemoIdentity}
	}
	for name, tc := range map[string]struct {
		subject challenge.Subject
		want    challenge.CauseKind
		says    string
	}{
		"the user":               {challenge.Subject{Identity: simulator.DemoIdentity}, challenge.EnvironmentMismatch, "sandbox true, but the iOS app is signed for distribution"},
		"the pending challenge":  {challengeOf(simulator.DemoPendingChallengeSID), challenge.EnvironmentMismatch, simulator.DemoAPNCredentialSID},
		"the expired challenge":  {challengeOf(simulator.DemoExpiredChallengeSID), challenge.TokenDead, simulator.DemoDeadFactorSID},
		"the approved challenge": {challengeOf(simulator.DemoApprovedChallengeSID), challenge.Answered, "approved"},
		"the denied challenge":   {challengeOf(simulator.DemoDeniedChallengeSID), challenge.Answered, "denied"},
		"her old phone":          {challenge.Subject{Factor: simulator.DemoDeadFactorSID, Identity: simulator.DemoIdentity}, challenge.TokenDead, "52103"},
		"her tablet":             {challenge.Subject{Factor: simulator.DemoTabletFactorSID, Identity: simulator.DemoIdentity}, "", ""},
		"a phone without pushes": {challenge.Subject{Identity: "user-1008-hugo"}, challenge.PlatformNone, "must be opened"},
		"an unfinished phone":    {challenge.Subject{Identity: "user-1010-jonas"}, challenge.FactorUnverified, "not verified"},
		"somebody unknown":       {challenge.Subject{Identity: "user-9999-nobody"}, challenge.NeverExistedHere, "not in demo"},
		"another identity's challenge": {challenge.Subject{Challenge: simulator.DemoExpiredChallengeSID, Identity: "user-1002-bilal"},
			challenge.NeverExistedHere, "not in demo"},
		"an unknown factor": {challenge.Subject{Factor: "YF" + "0123456789abcdef0123456789abcdef", Identity: simulator.DemoIdentity},
			challenge.NeverExistedHere, "not in demo"},
		"the credential":         {challenge.Subject{Credential: simulator.DemoAPNCredentialSID}, challenge.EnvironmentMismatch, "52134"},
		"a credential in order":  {challenge.Subject{Credential: simulator.DemoFCMCredentialSID}, challenge.TokenDead, "individual factors"},
		"an unknown credential":  {challenge.Subject{Credential: "CR" + "0123456789abcdef0123456789abcdef"}, challenge.NeverExistedHere, "not in demo"},
		"the Service":            {challenge.Subject{Service: simulator.DemoServiceSID}, challenge.EnvironmentMismatch, "52134"},
		"whatever fails now":     {challenge.Subject{}, challenge.EnvironmentMismatch, "52134"},
		"the Service of staging": {challenge.Subject{Service: simulator.DemoStagingServiceSID}, challenge.EnvironmentMismatch, ""}, // judged by what demo declares
	} {
		answer := s.why(t, tc.subject, env, blank{})
		if first(answer) != tc.want || answer.Found != (tc.want != "") {
			t.Errorf("%s: found %v, %+v; want %s first", name, answer.Found, answer.Causes, tc.want)
			continue
		}
		if len(answer.Causes) > 0 && !strings.Contains(answer.Causes[0].Summary, tc.says) {
			t.Errorf("%s: %q does not say %q", name, answer.Causes[0].Summary, tc.says)
		}
		if len(answer.CannotKnow) == 0 || len(answer.Checked) == 0 {
			t.Errorf("%s: it does not say what was checked (%v) and what cannot be known (%v)", name, answer.Checked, answer.CannotKnow)
		}
		for _, c := range answer.Causes {
			if c.Next != "" && !strings.Contains(c.Next, "-e demo") && c.Kind != challenge.NeverExistedHere {
				t.Errorf("%s: %q does not name the environment", name, c.Next)
			}
		}
	}
}

func TestWhyOfAnAlertAndOfAPayload(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	for alert, err := range s.client.Alerts(t.Context(), verify.AlertFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if alert.ErrorCode != "52103" && alert.ErrorCode != "52134" || !strings.Contains(alert.AlertText, "YF") {
			continue
		}
		want := map[string]challenge.CauseKind{"52103": challenge.TokenDead, "52134": challenge.EnvironmentMismatch}[alert.ErrorCode]
		if answer := s.why(t, challenge.Subject{Alert: alert.SID}, env, blank{}); first(answer) != want {
			t.Errorf("alert %s (%s): %+v, want %s", alert.SID, alert.ErrorCode, answer.Causes, want)
		}
		if answer := s.why(t, challenge.SubjectOf(event.FromAlert(alert)), env, blank{}); first(answer) != want {
			t.Errorf("payload %s (%s): %+v, want %s", alert.SID, alert.ErrorCode, answer.Causes, want)
		}
	}
	if answer := s.why(t, challenge.Subject{Alert: "NO0123456789abcdef0123456789abcdef"}, env, blank{}); first(answer) != challenge.NeverExistedHere {
		t.Errorf("an unknown alert: %+v", answer.Causes)
	}
}

// knowing is a machine that remembers one identity for every SID.
type knowing struct {
	blank
	identity verify.Identity
}

func (k knowing) IdentityOf(context.Context, string) (verify.Identity, bool, error) {
	return k.identity, true, nil
}

func TestWhyResolvesABareSID(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	bare := challenge.Subject{Challenge: simulator.DemoExpiredChallengeSID}
	if answer := s.why(t, bare, env, knowing{identity: simulator.DemoIdentity}); first(answer) != challenge.TokenDead {
		t.Errorf("known to this machine: %+v", answer.Causes)
	}
	if answer := s.why(t, bare, env, blank{}); first(answer) != challenge.TokenDead {
		t.Errorf("named by an alert: %+v", answer.Causes)
	}
	wrong := challenge.Subject{Challenge: simulator.DemoExpiredChallengeSID, Identity: "user-1002-bilal"}
	if answer := s.why(t, wrong, env, knowing{identity: simulator.DemoIdentity}); first(answer) != challenge.NeverExistedHere ||
		!strings.Contains(answer.Causes[0].Summary, "belongs to "+simulator.DemoIdentity) {
		t.Errorf("asked for under another identity: %+v", answer.Causes)
	}
	unknown := challenge.Subject{Challenge: simulator.DemoApprovedChallengeSID} // no alert names it
	_, err := challenge.Why(t.Context(), challenge.Question{Subject: unknown, Env: env, Now: s.now()}, sources(s, blank{}))
	var e *verify.Error
	if !errors.As(err, &e) || e.Kind != verify.KindUsage || !strings.Contains(e.Message, "only under its identity") || !strings.Contains(e.Hint, "--identity") {
		t.Errorf("known to nobody: %v; want a usage error that asks for the identity", err)
	}
}

// With bare alerts a dead token cannot be told apart, so nothing is claimed about one.
func TestWhyNeverBlamesATokenThatNoAlertNames(t *testing.T) {
	for _, shape := range []simulator.AlertShape{simulator.AlertBare, simulator.AlertCredentialOnly} {
		s, env := demo(t, shape)
		for _, subject := range []challenge.Subject{{}, {Identity: simulator.DemoIdentity}, {Identity: "user-1013-mateo"},
			{Factor: simulator.DemoDeadFactorSID, Identity: simulator.DemoIdentity},
			{Challenge: simulator.DemoExpiredChallengeSID, Identity: simulator.DemoIdentity}} {
			for _, c := range s.why(t, subject, env, blank{}).Causes {
				if c.Kind == challenge.TokenDead || c.Kind == challenge.TokenInvalid {
					t.Errorf("%s, %+v: claims %+v", shape, subject, c)
				}
			}
		}
	}
}

func TestWhyTellsWhenTwilioCannotBeReached(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	down := broken{s.client, &verify.Error{Kind: verify.KindUnreachable, Message: "no route to host"}}
	answer, err := challenge.Why(t.Context(), challenge.Question{Subject: challenge.Subject{Identity: simulator.DemoIdentity}, Env: env,
		Now: s.now()}, challenge.NewSources(down, blank{}, newAlertFeed))
	if err != nil || first(answer) != challenge.TwilioUnreachable || len(answer.Causes) != 1 || !answer.Found {
		t.Errorf("%+v, %v; want that and nothing else", answer.Causes, err)
	}
	denied := broken{s.client, &verify.Error{Kind: verify.KindAuth, Message: "wrong key"}}
	if _, err := challenge.Why(t.Context(), challenge.Question{Subject: challenge.Subject{Identity: simulator.DemoIdentity}, Env: env,
		Now: s.now()}, challenge.NewSources(denied, blank{}, newAlertFeed)); verify.KindOf(err) != verify.KindAuth {
		t.Errorf("without permission: %v", err)
	}
}

// The user has approved, and Twilio's webhook to the backend fails: both are told.
func TestWhyTellsThatTheBackendWasNotTold(t *testing.T) {
	w := world(android)
	w.Services[0].Webhooks = []simulator.WorldWebhook{{URL: "http://127.0.0.1:1/verify"}} // nobody listens there
	s := newSimulated(t, simulator.Options{World: w, Clock: simulator.Clock{Mode: simulator.ClockFrozen, At: noonInMay}})
	made, err := s.client.Writer().CreateChallenge(t.Context(), serviceSID, user, verify.NewChallenge{FactorSID: android, Message: "Log in?"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Answer(t.Context(), android, "", true); err != nil {
		t.Fatal(err)
	}
	s.awaitAlert(t, "60330")
	answer := s.why(t, challenge.Subject{Challenge: made.SID, Identity: user}, verify.Environment{Name: "prod", ServiceSID: serviceSID}, blank{})
	if len(answer.Causes) != 2 || first(answer) != challenge.Answered || answer.Causes[1].Kind != challenge.WebhookFailed {
		t.Errorf("%+v; want answered, then webhook_failed", answer.Causes)
	}
}

// awaitAlert waits until an alert that follows from work in the background is there.
func (s *simulated) awaitAlert(t *testing.T, code string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for alert, err := range s.client.Alerts(t.Context(), verify.AlertFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if alert.ErrorCode == code {
				return
			}
		}
	}
	t.Fatalf("no alert %s came", code)
}

// broken fails every list and read of factors.
type broken struct {
	challenge.Twilio
	err error
}

func (b broken) Factors(context.Context, verify.ServiceSID, verify.Identity) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) { yield(verify.Factor{}, b.err) }
}

// A key that may not read push credentials or alerts leaves a gap, which is told; the rest is answered.
func TestWhyWithARestrictedKey(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	answer, err := challenge.Why(t.Context(), challenge.Question{Env: env, Now: s.now(), Subject: challenge.Subject{
		Identity: simulator.DemoIdentity, Challenge: simulator.DemoExpiredChallengeSID}},
		challenge.NewSources(restricted{s.client}, blank{}, newAlertFeed))
	if err != nil || first(answer) != challenge.ExpiredUnanswered || answer.Found {
		t.Errorf("%+v, %v; want an expired challenge of unknown cause", answer.Causes, err)
	}
	if told := strings.Join(answer.CannotKnow, "\n"); !strings.Contains(told, "push errors: not permitted") {
		t.Errorf("it does not say that the alerts are missing:\n%s", told)
	}
}

type restricted struct{ challenge.Twilio }

var errForbidden = &verify.Error{Kind: verify.KindAuth, Message: "not permitted"}

func (restricted) Credential(context.Context, verify.CredentialSID) (verify.Credential, error) {
	return verify.Credential{}, errForbidden
}

func (restricted) Alerts(context.Context, verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	return func(yield func(verify.Alert, error) bool) { yield(verify.Alert{}, errForbidden) }
}

// In an account full of noise the requests run out; that is told, and never more than eight are sent.
func TestWhyStaysWithinItsRequests(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	noisy := &noisyAccount{Twilio: s.client}
	for name, subject := range map[string]challenge.Subject{
		"a challenge":      {Identity: simulator.DemoIdentity, Challenge: simulator.DemoExpiredChallengeSID},
		"an identity":      {Identity: simulator.DemoIdentity},
		"a factor":         {Identity: simulator.DemoIdentity, Factor: simulator.DemoTabletFactorSID},
		"a gone factor":    {Identity: simulator.DemoIdentity, Factor: "YF0123456789abcdef0123456789abcdef"},
		"everything":       {},
		"a bare challenge": {Challenge: simulator.DemoExpiredChallengeSID},
	} {
		noisy.pages = 0
		before := s.requests.Load()
		memory := challenge.Memory(blank{})
		if subject.Challenge != "" && subject.Identity == "" {
			memory = knowing{identity: simulator.DemoIdentity}
		}
		answer, err := challenge.Why(t.Context(), challenge.Question{Subject: subject, Env: env, Now: s.now()},
			challenge.NewSources(noisy, memory, newAlertFeed))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if sent := int(s.requests.Load()-before) + noisy.pages; sent > challenge.MaxRequests {
			t.Errorf("%s: %d requests", name, sent)
		}
		if told := strings.Join(answer.CannotKnow, "\n"); !strings.Contains(told, "push errors before") {
			t.Errorf("%s: it does not say how far back it looked:\n%s", name, told)
		}
	}
}

// noisyAccount has an endless list of alerts of other products, in pages of a thousand.
type noisyAccount struct {
	challenge.Twilio
	pages int
}

func (n *noisyAccount) Alerts(_ context.Context, f verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	return func(yield func(verify.Alert, error) bool) {
		for i := 0; ; i++ {
			if i%1000 == 0 {
				n.pages++
			}
			if !yield(verify.Alert{ErrorCode: "11200", AlertText: "Msg=noise", DateCreated: f.End.Add(-time.Duration(i) * time.Second)}, nil) {
				return
			}
		}
	}
}

func TestParseSubject(t *testing.T) {
	const hex = "0123456789abcdef0123456789abcdef"
	identity := func(s string) (verify.Identity, error) { return verify.ParseIdentity(s) }
	for name, tc := range map[string]struct {
		refs []string
		want challenge.Subject
		says string
	}{
		"nothing":                   {nil, challenge.Subject{}, ""},
		"an identity":               {[]string{"user-1001"}, challenge.Subject{Identity: "user-1001"}, ""},
		"a challenge with identity": {[]string{"YC" + hex, "user-1001"}, challenge.Subject{Identity: "user-1001", Challenge: "YC" + hex}, ""},
		"an identity like a SID":    {[]string{"US" + hex}, challenge.Subject{Identity: "US" + hex}, ""},
		"a cut SID":                 {[]string{"YF0314f0000000000001349180db"}, challenge.Subject{}, "characters instead of 34"},
		"a masked SID":              {[]string{"YF0314fxxxxxxxxxxxxxxxxxx1349180db"}, challenge.Subject{}, "not a hexadecimal digit"},
		"two challenges":            {[]string{"YC" + hex, "YC" + hex}, challenge.Subject{}, "the second challenge"},
		"two identities":            {[]string{"user-1001", "user-1002"}, challenge.Subject{}, "two identities"},
		"a path":                    {[]string{"../x"}, challenge.Subject{}, "not an identity"},
	} {
		got, err := challenge.ParseSubject(tc.refs, identity)
		switch {
		case tc.says == "" && (err != nil || got != tc.want):
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tc.want)
		case tc.says != "" && (verify.KindOf(err) != verify.KindUsage || !strings.Contains(err.Error(), tc.says)):
			t.Errorf("%s: %v; want a usage error that says %q", name, err, tc.says)
		}
	}
}

func TestSubjectOfTakesOnlyWhatIsExact(t *testing.T) {
	const hex = "0123456789abcdef0123456789abcdef"
	e := event.Event{ServiceSID: "VA" + hex, Identity: "user-1001", FactorSID: "YF" + hex, ChallengeSID: "YC" + hex, CredentialSID: "CR" + hex}
	if got := challenge.SubjectOf(e); got.Factor != "YF"+hex || got.Identity != "user-1001" || got.Challenge == "" || got.Service == "" {
		t.Errorf("exact: %+v", got)
	}
	for _, doubt := range []func(*event.Event){func(e *event.Event) { e.Masked = true }, func(e *event.Event) { e.Ambiguous = true }} {
		unsure := e
		doubt(&unsure)
		if got := challenge.SubjectOf(unsure); got.Factor != "" || got.Identity != "" || got.Challenge != "" {
			t.Errorf("doubtful: %+v", got)
		}
	}
}

func TestAnswersTellWhomTheyName(t *testing.T) {
	s, env := demo(t, simulator.AlertCorrelated)
	for _, subject := range []challenge.Subject{{Identity: simulator.DemoIdentity}, {Identity: "user-1008-hugo"},
		{Identity: simulator.DemoIdentity, Challenge: simulator.DemoExpiredChallengeSID}} {
		answer := s.why(t, subject, env, blank{})
		answer.Challenge, answer.Factor = nil, nil
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range answer.Names {
			text = bytes.ReplaceAll(text, []byte(name), nil)
		}
		for _, name := range []string{"amara", "hugo", "Huawei P60", "Pixel 6", "Sign in to"} {
			if strings.Contains(string(text), name) {
				t.Errorf("the answer about %+v does not tell that it names %q", subject, name)
			}
		}
	}
}

// Whatever is given, a subject holds only well-formed SIDs and what the mapping took for an identity.
func FuzzParseSubject(f *testing.F) {
	f.Add("YC0123456789abcdef0123456789abcdef", "user-1001")
	f.Add("YF0314fxxxxxxxxxxxxxxxxxx1349180db", "")
	f.Add("../..", "NO")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 {
			return
		}
		s, err := challenge.ParseSubject([]string{a, b}, verify.ParseIdentity)
		if err != nil {
			if s != (challenge.Subject{}) {
				t.Fatalf("gave %+v with %v", s, err)
			}
			return
		}
		for prefix, sid := range map[string]string{"YC": string(s.Challenge), "YF": string(s.Factor), "CR": string(s.Credential),
			"VA": string(s.Service), "NO": string(s.Alert)} {
			if got, ok := verify.SIDPrefix(sid); sid != "" && (!ok || got != prefix) {
				t.Fatalf("took %q for a %s", sid, prefix)
			}
		}
		if _, err := verify.ParseIdentity(string(s.Identity)); s.Identity != "" && err != nil {
			t.Fatalf("took %q for an identity", s.Identity)
		}
	})
}
