package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func buildChecks() []Check {
	return []Check{
		{ID: "BUILD-01", Title: "the app is signed as declared", Severity: severityFail, Certainty: declared, Skip: unlessBuildGiven,
			RestsOn: []*Declaration{iosBuild}, Remedy: "correct ios_build, or sign the app for the environment it is meant for", Judge: signedAsDeclared},
		{ID: "BUILD-02", Title: "the APNs credential serves the app as it is signed", Severity: severityFail, Certainty: certain,
			Skip: unlessBuildGiven, Needs: []resource{theService, apnCredential}, Reads: []resource{allCredentials, allServices},
			Heeds: []*Declaration{iosBuild}, Remedy: "attach a credential whose sandbox is true for development, false for production", Judge: apn.attached(servesBuild)},
		{ID: "BUILD-03", Title: "the app's bundle id is declared", Severity: severityFail, Certainty: declared, Skip: unlessBuildGiven,
			RestsOn: []*Declaration{appIDs}, Remedy: "correct app_ids, or build the app for this environment", Judge: declaredBundle},
	}
}

var unlessBuildGiven = unless(func(snap *snapshot) bool { return snap.App != nil }, "no app was given; --ios-app App.ipa reads one")

func seenInApp(app *pushfile.App) []string {
	facts := []string{app.File + ": " + appRead(app)}
	e := app.Entitlements()
	facts[0] += fmt.Sprintf(": aps-environment %s, bundle id %q, team %q", cmp.Or(e.Environment, "missing"), app.AppID(), e.Team())
	switch {
	case app.Profile != nil:
		facts = append(facts, fmt.Sprintf("profile %q: aps-environment %s, for %s", app.Profile.Name, cmp.Or(app.Profile.Environment, "missing"), app.Profile.Application))
	case app.Misread != "":
		facts = append(facts, "its profile cannot be read: "+app.Misread)
	}
	if app.Archive {
		facts = append(facts, "an archive is signed again when it is exported: look at the exported .ipa too")
	}
	return facts
}

func appRead(app *pushfile.App) string {
	switch {
	case app.Signed != nil:
		return "the code signature"
	case app.Profile != nil:
		return "the provisioning profile"
	case app.Requested != nil:
		return "the .entitlements file"
	}
	return "nothing that was signed"
}

// signedAsDeclared goes by the code signature, as iOS does. A profile says only what may be signed.
func signedAsDeclared(snap *snapshot) answer {
	return judgeSigning(snap).about(snap.App.File).seen(seenInApp(snap.App)...)
}

func judgeSigning(snap *snapshot) answer {
	app, e := snap.App, snap.App.Entitlements()
	build, declared := e.Build(), snap.Env.IOSBuild
	switch {
	case app.Simulator:
		return unknown("the app was built for the simulator: it says nothing about the one that users have").fix("give the .ipa that users get")
	case app.Flaw != "":
		return fail("%s: iOS does not run such an app", app.Flaw).fix("sign the whole app again with one profile, and check the new .ipa")
	case e.Environment == "":
		return lacksPush(app)
	case app.Signed != nil && app.Profile != nil && app.Profile.Environment != e.Environment:
		return fail("the app was signed with aps-environment %s, but its profile allows %s: iOS does not install it", e.Environment, cmp.Or(app.Profile.Environment, "none")).
			fix("sign the app again with entitlements that its profile allows, and check the new .ipa")
	case app.Signed != nil && app.Profile != nil && e.Application != "" && !app.Profile.Covers(e):
		return fail("the app was signed as %s, but its profile is for %s: iOS does not install it", e.Application, app.Profile.Application).
			fix("sign the app again with its own profile, and check the new .ipa")
	case build == verify.IOSUndeclared:
		return unknown("aps-environment is %q, neither development nor production", e.Environment)
	case build != declared && app.Requested == nil:
		return fail("the app is a %s build, the environment declares %s%s", build, declared, onlyRead(app)).
			fix("correct ios_build, or sign the app for the environment it is meant for")
	case app.Signed == nil:
		return unknown("what the app was signed with was not read: %s; %s says %s, the environment declares %s", app.Unread, appRead(app), e.Environment, declared).
			fix("give the .ipa that users get: its code signature tells")
	case app.Profile != nil && !app.Profile.Expires.IsZero() && app.Profile.Expires.Before(snap.Now):
		return warn("the app is a %s build as declared, but its profile expired on %s", build, day(app.Profile.Expires)).fix("sign it with a new profile")
	}
	return pass("the app is a %s build by its code signature, as declared", build)
}

func lacksPush(app *pushfile.App) answer {
	const capability = "add the Push Notifications capability to the app, make a new profile, and sign with it"
	switch {
	case app.Signed != nil && app.Profile != nil && app.Profile.Environment != "":
		return fail("the app was signed without aps-environment: iOS gives it no push token. Its profile allows %s, but iOS goes by the code signature", app.Profile.Environment).
			fix("sign the app again with the entitlements of its profile (codesign --entitlements), and check the new .ipa")
	case app.Signed != nil:
		return fail("the app was signed without aps-environment: iOS gives it no push token").fix(capability)
	}
	return fail("%s has no aps-environment: an app that is signed by it gets no push token from iOS", appRead(app)).fix(capability)
}

// onlyRead qualifies what is said of an app whose signature was not read.
func onlyRead(app *pushfile.App) string {
	if app.Signed != nil {
		return ""
	}
	return ", as far as " + appRead(app) + " tells; what was signed was not read"
}

func servesBuild(snap *snapshot, credential verify.Credential) answer {
	e := snap.App.Entitlements()
	want := e.Build().WantedSandbox()
	switch {
	case want == verify.SandboxUnknown || snap.App.Simulator || snap.App.Requested != nil:
		return unknown("which credential the app needs cannot be told; see BUILD-01")
	case credential.Sandbox == want:
		return pass("%s has sandbox %s%s", credential.SID, want, onlyRead(snap.App)).about(string(credential.SID))
	case credential.Sandbox == verify.SandboxUnknown:
		return unreadableSandbox(credential)
	}
	return fail("%s has sandbox %s, but the app is signed for %s: Apple refuses every push to it (52134)", snap.named(credential), credential.Sandbox, e.Environment).
		about(string(credential.SID)).fix("attach a credential with sandbox %s, or sign the app for the other environment", want)
}

func declaredBundle(snap *snapshot) answer {
	app, id := snap.App, snap.App.AppID()
	switch {
	case id == "":
		return unknown("which app it is cannot be told from %s", appRead(app)).fix("give the .ipa that users get")
	case app.Signed != nil && app.Signed.Application != "" && app.Signed.AppID() != id:
		return fail("the app calls itself %s, but it was signed as %s: iOS does not install it", id, app.Signed.AppID()).about(id).
			fix("sign the app again with its own profile, and check the new .ipa")
	case slices.Contains(snap.Env.AppIDs, id):
		return pass("%s is declared", id).about(id)
	}
	return fail("the app is %s, the environment declares %s", id, strings.Join(snap.Env.AppIDs, ", ")).about(id).
		fix("correct app_ids, or build the app for this environment: a certificate serves one bundle id")
}
