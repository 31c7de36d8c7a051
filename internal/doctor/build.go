package doctor

import (
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func buildChecks() []Check {
	return []Check{
		{ID: "BUILD-01", Title: "the app is signed as declared", Severity: SeverityFail, Certainty: Declared,
			Skip: unlessBuildGiven, Remedy: "correct ios_build, or sign the app for the environment it is meant for", Judge: signedAsDeclared},
		{ID: "BUILD-02", Title: "the APNs credential serves the app as it is signed", Severity: SeverityFail, Certainty: Certain,
			Skip: unlessBuildGiven, Needs: []Resource{TheService, APNCredential}, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "attach a credential whose sandbox is true for development, false for production", Judge: servesBuild},
		{ID: "BUILD-03", Title: "the app's bundle id is declared", Severity: SeverityFail, Certainty: Declared,
			Skip: unlessBuildGiven, Remedy: "correct app_ids, or build the app for this environment", Judge: declaredBundle},
	}
}

func unlessBuildGiven(snap *Snapshot) string {
	if snap.Build == nil {
		return "no app was given; --ios-app App.ipa reads one"
	}
	return ""
}

// facts says what the app says about itself.
func (b *Build) facts() []string {
	facts := []string{fmt.Sprintf("%s: aps-environment %s, bundle id %q, team %q, profile %q", b.File, orWord(b.Environment, "missing"), b.AppID, b.Team, b.Profile)}
	if b.Archive {
		facts = append(facts, "an archive is signed again when it is exported: look at the exported .ipa too")
	}
	return facts
}

func signedAsDeclared(snap *Snapshot) Answer {
	b := snap.Build
	switch {
	case b.Environment == "":
		return fail("the app has no aps-environment: iOS gives it no push token").about(b.File).seen(b.facts()...).
			fix("add the Push Notifications capability to the app, and a new profile")
	case b.Signed == verify.IOSUndeclared:
		return unknown("aps-environment is %q, neither development nor production", b.Environment).about(b.File).seen(b.facts()...)
	case snap.Env.IOSBuild == verify.IOSUndeclared:
		return unknown("the environment does not declare how its iOS app is signed; this one is a %s build", b.Signed).about(b.File).seen(b.facts()...).
			fix("if this is what users have, declare ios_build: %s", b.Signed)
	case b.Signed != snap.Env.IOSBuild:
		return fail("the app is a %s build, the environment declares %s", b.Signed, snap.Env.IOSBuild).about(b.File).seen(b.facts()...).
			fix("correct ios_build, or sign the app for the environment it is meant for")
	case !b.Expires.IsZero() && b.Expires.Before(snap.Now):
		return warn("the app is a %s build as declared, but its profile expired on %s", b.Signed, day(b.Expires)).about(b.File).seen(b.facts()...).fix("sign it with a new profile")
	}
	return pass("the app is a %s build, as declared", b.Signed).about(b.File).seen(b.facts()...)
}

func servesBuild(snap *Snapshot) Answer {
	credential, instead, ok := apn.attached(snap)
	if !ok {
		return instead
	}
	want := wantedSandbox(snap.Build.Signed)
	switch {
	case want == verify.SandboxUnknown:
		return unknown("how the app is signed is not known")
	case credential.Sandbox == want:
		return pass("%s has sandbox %s", credential.SID, want).about(string(credential.SID))
	case credential.Sandbox == verify.SandboxUnknown:
		return unreadableSandbox(credential)
	}
	return fail("%s has sandbox %s, but the app is signed for %s: Apple refuses every push to it (52134)", snap.named(credential), credential.Sandbox, snap.Build.Environment).
		about(string(credential.SID)).fix("attach a credential with sandbox %s, or sign the app for the other environment", want)
}

func declaredBundle(snap *Snapshot) Answer {
	switch {
	case len(snap.Env.AppIDs) == 0:
		return unknown("the environment does not declare app_ids; the app's is %s", snap.Build.AppID).about(snap.Build.AppID).fix("declare app_ids: [%s]", snap.Build.AppID)
	case contains(snap.Env.AppIDs, snap.Build.AppID):
		return pass("%s is declared", snap.Build.AppID).about(snap.Build.AppID)
	}
	return fail("the app is %s, the environment declares %s", snap.Build.AppID, strings.Join(snap.Env.AppIDs, ", ")).about(snap.Build.AppID).
		fix("correct app_ids, or build the app for this environment: a certificate serves one bundle id")
}
