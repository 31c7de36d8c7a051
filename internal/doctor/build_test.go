package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// appSigned gives an app whose signature and profile say the same.
func appSigned(environment, id string) *pushfile.App {
	e := pushfile.Entitlements{Environment: environment, Application: "TEAM123456." + id}
	return &pushfile.App{File: "Bank.ipa", Bundle: id, Signed: &e,
		Profile: &pushfile.Profile{Name: "Bank live", Expires: time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC), Entitlements: e}}
}

func TestBuildAgainstDeclarationAndCredential(t *testing.T) {
	onlyProfile := func(environment string) *pushfile.App {
		app := appSigned(environment, "com.bank.example")
		app.Bundle, app.Signed, app.Unread = "", nil, "a provisioning profile is what an app may be signed with"
		return app
	}
	requested := func(environment string) *pushfile.App {
		return &pushfile.App{File: "Bank.entitlements", Unread: "an .entitlements file is what Xcode asks for, not what was signed",
			Requested: &pushfile.Entitlements{Environment: environment}}
	}
	with := func(change func(*pushfile.App)) *pushfile.App {
		app := appSigned("production", "com.bank.example")
		change(app)
		return app
	}
	nothing := func(*bench) {}
	for name, c := range map[string]struct {
		app    *pushfile.App
		break_ func(*bench)
		want   [3]Status // BUILD-01, -02, -03
		says   string    // of BUILD-01
	}{
		"as declared":    {appSigned("production", "com.bank.example"), nothing, [3]Status{Pass, Pass, Pass}, "by its code signature"},
		"debug build":    {appSigned("development", "com.bank.example"), nothing, [3]Status{Fail, Fail, Pass}, "debug"},
		"no push":        {appSigned("", "com.bank.example"), nothing, [3]Status{Fail, Unknown, Pass}, "no push token"},
		"unknown word":   {appSigned("sandbox", "com.bank.example"), nothing, [3]Status{Unknown, Unknown, Pass}, "sandbox"},
		"other app":      {appSigned("production", "com.other.example"), nothing, [3]Status{Pass, Pass, Fail}, ""},
		"undeclared":     {appSigned("production", "com.bank.example"), func(b *bench) { b.env.IOSBuild, b.env.AppIDs = "", nil }, [3]Status{Unknown, Pass, Unknown}, "ios_build is not declared"},
		"unreadable":     {appSigned("production", "com.bank.example"), func(b *bench) { b.apn().Sandbox = verify.SandboxUnknown }, [3]Status{Pass, Unknown, Pass}, ""},
		"wrong sandbox":  {appSigned("production", "com.bank.example"), func(b *bench) { b.apn().Sandbox = verify.SandboxTrue }, [3]Status{Pass, Fail, Pass}, ""},
		"expired":        {appSigned("production", "com.bank.example"), func(b *bench) { b.now = noon.AddDate(1, 0, 0) }, [3]Status{Warn, Pass, Pass}, "expired"},
		"none attached":  {appSigned("production", "com.bank.example"), func(b *bench) { b.service().Push.APNCredentialSID = "" }, [3]Status{Pass, Skipped, Pass}, ""},
		"refused to say": {appSigned("production", "com.bank.example"), func(b *bench) { b.refuse["Credential"] = denied(403, 20006) }, [3]Status{Pass, Unknown, Pass}, ""},

		"signed without push": {with(func(a *pushfile.App) { a.Signed = &pushfile.Entitlements{Application: a.Signed.Application} }), nothing, [3]Status{Fail, Unknown, Pass}, "Its profile allows production, but iOS goes by the code signature"},
		"signed otherwise": {with(func(a *pushfile.App) {
			a.Signed = &pushfile.Entitlements{Environment: "development", Application: a.Signed.Application}
		}), nothing, [3]Status{Fail, Fail, Pass}, "its profile allows production"},
		"profile of another": {with(func(a *pushfile.App) { a.Profile.Application = "TEAM123456.com.other" }), nothing, [3]Status{Fail, Pass, Pass}, "its profile is for TEAM123456.com.other"},
		"profile for many":   {with(func(a *pushfile.App) { a.Profile.Application = "TEAM123456.*" }), nothing, [3]Status{Pass, Pass, Pass}, ""},
		"signed as another": {with(func(a *pushfile.App) {
			a.Signed = &pushfile.Entitlements{Environment: "production", Application: "TEAM123456.com.other"}
			a.Profile = nil
		}), nothing, [3]Status{Pass, Pass, Fail}, ""},
		"a flaw":              {&pushfile.App{File: "Bank.ipa", Bundle: "com.bank.example", Flaw: "the slices disagree"}, nothing, [3]Status{Fail, Unknown, Pass}, "the slices disagree"},
		"simulator":           {with(func(a *pushfile.App) { a.Simulator = true }), nothing, [3]Status{Unknown, Unknown, Pass}, "simulator"},
		"only its profile":    {onlyProfile("production"), nothing, [3]Status{Unknown, Pass, Pass}, "may be signed with"},
		"profile for debug":   {onlyProfile("development"), nothing, [3]Status{Fail, Fail, Pass}, "as far as the provisioning profile tells"},
		"profile for no push": {onlyProfile(""), nothing, [3]Status{Fail, Unknown, Pass}, "the provisioning profile has no aps-environment"},
		"asked for":           {requested("production"), nothing, [3]Status{Unknown, Unknown, Unknown}, "not what was signed"},
		"asked for debug":     {requested("development"), nothing, [3]Status{Unknown, Unknown, Unknown}, "not what was signed"},
		"asked for nothing":   {requested(""), nothing, [3]Status{Fail, Unknown, Unknown}, "no aps-environment"},
	} {
		t.Run(name, func(t *testing.T) {
			f, env := healthy()
			b := &bench{fakeTwilio: f, env: env, now: noon}
			c.break_(b)
			target := f.target(b.env)
			target.Now = b.now
			report := examine(t, []Target{target}, Options{App: c.app, Only: []string{"BUILD-*"}})
			for i, want := range c.want {
				id := fmt.Sprintf("BUILD-%02d", i+1)
				got := find(t, report, "live", id)
				if got.Status != want {
					t.Errorf("%s is %s, want %s: %s", id, got.Status, want, got.Reason)
				}
				if i == 0 && !strings.Contains(got.Reason, c.says) {
					t.Errorf("%s does not say %q: %s", id, c.says, got.Reason)
				}
			}
		})
	}
}
