package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestOneFindingForEachCause(t *testing.T) {
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env}
	for i := range 200 {
		b.pushError(52134, verify.PlatformAPN, credentialSID(1), i)
	}
	for i := range 3 {
		b.pushError(52103, verify.PlatformFCM, credentialSID(2), 500+i)
	}
	b.events = append(b.events, b.events[0]) // delivered twice
	b.pushError(60330, "", "", 1)
	b.pushError(52131, verify.PlatformAPN, credentialSID(9), 1) // a credential that was replaced since
	for range 50 {                                              // Voice noise
		b.pushError(52134, verify.PlatformAPN, credentialSID(1), 1)
		noise := &b.events[len(b.events)-1]
		noise.Product, noise.ServiceSID = event.ProductVoice, ""
	}
	b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1)
	b.events[len(b.events)-1].ServiceSID = sid("VA", 77) // another Service's

	report := examine(t, []Target{f.target(env)}, Options{})
	var got []string
	for _, c := range report.Evidence.Causes {
		got = append(got, fmt.Sprint(c.Code, " ", c.Events, " ", c.Devices, " ", c.Past != ""))
	}
	want := []string{"52134 200 200 false", "52103 3 3 false", "60330 1 1 false", "52131 1 1 true"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("causes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, c := range report.Evidence.Causes {
		if strings.Contains(c.Headline, "%") {
			t.Errorf("a share is told though nobody counted: %s", c.Headline)
		}
		if (c.Code == 52134 || c.Code == 52131 && c.Past == "") && !strings.Contains(c.Headline, "Do not delete factors") {
			t.Errorf("no word against deleting: %s", c.Headline)
		}
	}
}

func TestSharesWhereEverybodyWasCounted(t *testing.T) {
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env}
	b.pushError(52134, verify.PlatformAPN, credentialSID(1), 1)
	all := examine(t, []Target{f.target(env)}, everything(env))
	if headline := all.Evidence.Causes[0].Headline; !strings.Contains(headline, "1 of 1 device (100 %)") {
		t.Errorf("no share: %s", headline)
	}
	b.entities[env.ServiceSID] = append(b.entities[env.ServiceSID], verify.Entity{Identity: "another-user"})
	some := everything(env)
	some.Sample = 1
	if headline := examine(t, []Target{f.target(env)}, some).Evidence.Causes[0].Headline; strings.Contains(headline, "%") {
		t.Errorf("a share of a sample: %s", headline)
	}
}

func TestSharedCredentialIsOneCauseForBoth(t *testing.T) {
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env}
	b.secondEnvironment()
	b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1)
	b.events[0].ServiceSID = "" // only the credential tells
	report := examine(t, []Target{f.target(env), f.target(b.more[0])}, Options{})
	if len(report.Evidence.Causes) != 1 {
		t.Fatalf("%d causes: %+v", len(report.Evidence.Causes), report.Evidence.Causes)
	}
	if c := report.Evidence.Causes[0]; strings.Join(c.Environments, " ") != "live staging" || c.Events != 1 {
		t.Errorf("it is about %v, %d events", c.Environments, c.Events)
	}
}

func TestEvidenceThatWasNotLookedAtSaysSo(t *testing.T) {
	f, env := healthy()
	for name, opts := range map[string]Options{"refused": {}, "not asked for": {NoEvidence: true}} {
		f.refuse["Events"] = denied(401, 20003)
		report := examine(t, []Target{f.target(env)}, opts)
		if report.Evidence.LookedAt || report.Evidence.Why == "" {
			t.Errorf("%s: %+v", name, report.Evidence)
		}
		want := map[string]Status{"refused": Unknown, "not asked for": Skipped}[name]
		if got := find(t, report, "live", "PUSH-APN-08"); got.Status != want {
			t.Errorf("%s: PUSH-APN-08 is %s", name, got.Status)
		}
	}
}

func TestOldEventsAreNotRead(t *testing.T) {
	f, env := healthy()
	b := &bench{fakeTwilio: f, env: env}
	b.pushError(52131, verify.PlatformAPN, credentialSID(1), 1)
	b.events[0].Timestamp = noon.Add(-30 * time.Hour)
	if got := find(t, examine(t, []Target{f.target(env)}, Options{}), "live", "PUSH-APN-08"); got.Status != Pass {
		t.Errorf("an event of the day before counts: %s", got.Reason)
	}
	if got := find(t, examine(t, []Target{f.target(env)}, Options{Since: 48 * time.Hour}), "live", "PUSH-APN-08"); got.Status != Fail {
		t.Errorf("an event within --since does not count: %s", got.Reason)
	}
}
