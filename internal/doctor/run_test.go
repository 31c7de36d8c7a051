package doctor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestHealthyWorldHasNothingToSay(t *testing.T) {
	f, env := healthy()
	report := examine(t, []Target{f.target(env)}, everything(env))
	for _, r := range report.Results {
		if r.Status != Pass && r.Status != Skipped {
			t.Errorf("%s is %s: %s", r.Check, r.Status, r.Reason)
		}
	}
	if err := report.Outcome(FailOnUnknown); err != nil {
		t.Errorf("Outcome: %v", err)
	}
}

func TestEachResourceIsReadOnceForThreeEnvironments(t *testing.T) {
	f, env := healthy()
	var targets []Target
	var envs []verify.Environment
	for i, name := range []string{"dev", "staging", "live"} {
		e := env
		e.Name, e.ServiceSID = name, serviceSID(i+1)
		service := f.services[0]
		service.SID = e.ServiceSID
		if i > 0 {
			f.services = append(f.services, service)
		}
		envs = append(envs, e)
		targets = append(targets, f.target(e))
	}
	examine(t, targets, everything(envs...))
	f.asked = slices.DeleteFunc(f.asked, func(s string) bool { return s == "Capture " || s == "CredentialFiles " }) // local, one for each environment
	slices.Sort(f.asked)
	if twice := len(f.asked) - len(slices.Compact(slices.Clone(f.asked))); twice > 0 {
		t.Errorf("%d requests were made twice:\n%s", twice, strings.Join(f.asked, "\n"))
	}
}

func TestRefusalHidesNothingElseAndIsOneFinding(t *testing.T) {
	f, env := healthy()
	f.refuse["Credential"] = denied(http.StatusForbidden, 20006)
	f.refuse["Credentials"] = denied(http.StatusForbidden, 20006)
	report := examine(t, []Target{f.target(env)}, everything(env))

	if got := find(t, report, "live", "PUSH-APN-01"); got.Status != Unknown || !got.ReadFailed {
		t.Errorf("PUSH-APN-01 is %s, want unknown", got.Status)
	}
	if got := find(t, report, "live", "AUTH-05"); got.Status != Pass {
		t.Errorf("AUTH-05 is %s, want pass", got.Status)
	}
	if len(report.Unreadable) != 1 {
		t.Fatalf("%d findings, want 1: %+v", len(report.Unreadable), report.Unreadable)
	}
	if u := report.Unreadable[0]; !strings.Contains(u.Permission, "standard key") || !slices.Contains(u.Checks, "PUSH-APN-01") {
		t.Errorf("the finding does not name the permission and the checks: %+v", u)
	}
	if kind := verify.KindOf(report.Outcome(FailOnFail)); kind != verify.KindPartial {
		t.Errorf("the outcome is %s, want partial", kind)
	}
}

func TestHungEndpointIsReportedAsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, env := healthy()
		f.hang["Credential"] = true
		opts := everything(env)
		opts.Timeout = 5 * time.Second
		start := time.Now()
		report := examine(t, []Target{f.target(env)}, opts)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %s of the bubble's time, want the time-out", took)
		}
		if got := find(t, report, "live", "PUSH-APN-01"); got.Status != Unknown || !strings.Contains(got.Reason, "no answer within 5s") {
			t.Errorf("PUSH-APN-01 is %s: %s", got.Status, got.Reason)
		}
		if got := find(t, report, "live", "AUTH-01"); got.Status != Pass {
			t.Errorf("AUTH-01 is %s, want pass", got.Status)
		}
	})
}

func TestNoEnvironmentIsAUsageError(t *testing.T) {
	if _, err := Run(t.Context(), nil, Options{}); verify.KindOf(err) != verify.KindUsage {
		t.Errorf("got %v, want a usage error", err)
	}
}

func TestInterruptedRunSaysSo(t *testing.T) {
	f, env := healthy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, []Target{f.target(env)}, Options{}); !errors.Is(err, ctx.Err()) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyAndSkip(t *testing.T) {
	f, env := healthy()
	report := examine(t, []Target{f.target(env)}, Options{Only: []string{"push-apn-*"}, Skip: []string{"PUSH-APN-0?"}, NoEvidence: true})
	for _, r := range report.Results {
		if !strings.HasPrefix(r.Check, "PUSH-APN-") || r.Check == "PUSH-APN-01" {
			t.Errorf("%s was made", r.Check)
		}
	}
	if slices.ContainsFunc(f.asked, func(s string) bool { return strings.HasPrefix(s, "Webhooks") }) {
		t.Errorf("webhooks were read though no check needs them: %v", f.asked)
	}
	for _, opts := range []Options{{Only: []string{"PUSH-APN-99"}}, {Skip: []string{"[x"}}, {Only: []string{"SVC-01"}, Skip: []string{"SVC-*"}}} {
		if _, err := Run(t.Context(), []Target{f.target(env)}, opts); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%+v: got %v, want a usage error", opts, err)
		}
	}
}

func TestEnvironmentWithoutAKeyHidesNoOther(t *testing.T) {
	f, env := healthy()
	lost := env
	lost.Name, lost.ServiceSID = "lost", serviceSID(2)
	noKey := &verify.Error{Kind: verify.KindAuth, Message: "the keychain has no secret for lost", Hint: "store it: verifyctl env add lost --secret-stdin"}
	for _, order := range [][]Target{{f.target(env), {Env: lost, Err: noKey, Now: noon}}, {{Env: lost, Err: noKey, Now: noon}, f.target(env)}} {
		report := examine(t, order, everything(env, lost))
		if got := find(t, report, "lost", "AUTH-01"); got.Status != Fail || !strings.Contains(got.Fix, "--secret-stdin") {
			t.Errorf("AUTH-01 of lost is %s: %s, fix %q", got.Status, got.Reason, got.Fix)
		}
		if got := find(t, report, "live", "PUSH-APN-01"); got.Status != Pass {
			t.Errorf("PUSH-APN-01 of live is %s: %s", got.Status, got.Reason)
		}
		if got := find(t, report, "lost", "PUSH-CR-01"); got.Status != Pass {
			t.Errorf("the account's credentials were not read by the key there is: %s", got.Reason)
		}
	}
}

func TestASecondKeyReadsWhatTheFirstMayNot(t *testing.T) {
	f, env := healthy()
	weak, _ := healthy()
	weak.refuse["Credentials"] = denied(http.StatusForbidden, 20006)
	second := env
	second.Name = "second"
	first := f.target(env)
	first.Twilio, first.Connection.KeySID = weak, sid("SK", 2)
	report := examine(t, []Target{first, f.target(second)}, everything(env, second))
	if got := find(t, report, "", "PUSH-CR-01"); got.Status != Pass {
		t.Errorf("PUSH-CR-01 is %s: %s", got.Status, got.Reason)
	}
}
