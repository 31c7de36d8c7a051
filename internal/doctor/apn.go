package doctor

import (
	"fmt"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// wantedSandbox gives what a credential's sandbox must be for a build; unknown where the build does not say.
func wantedSandbox(build verify.IOSBuild) verify.Sandbox {
	switch build {
	case verify.IOSDebug:
		return verify.SandboxTrue
	case verify.IOSDistribution:
		return verify.SandboxFalse
	}
	return verify.SandboxUnknown
}

func apnChecks() []Check {
	attached := []Resource{TheService, APNCredential}
	return []Check{
		{ID: "PUSH-APN-00", Title: "an APNs credential is attached where iOS is pushed to", Severity: SeverityFail, Certainty: Declared,
			Skip: apn.unless, Needs: []Resource{TheService}, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "attach an APNs credential to the Service", Judge: apn.present},
		{ID: "PUSH-APN-01", Title: "the APNs credential serves distribution builds where the app is one", Severity: SeverityFail, Certainty: Declared,
			Skip: unlessBuild(verify.IOSDistribution), Needs: attached, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "TestFlight, Ad Hoc and store builds need a credential with sandbox false", Judge: rightSandbox},
		{ID: "PUSH-APN-02", Title: "the APNs credential serves debug builds where the app is one", Severity: SeverityFail, Certainty: Declared,
			Skip: unlessBuild(verify.IOSDebug), Needs: attached, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "builds signed for debugging (run from Xcode) need a credential with sandbox true", Judge: rightSandbox},
		{ID: "PUSH-APN-03", Title: "the APNs credential's sandbox can be read", Severity: SeverityFail, Certainty: Certain,
			Skip: apn.unless, Needs: attached, Remedy: "look at the credential in the Console", Judge: readableSandbox},
		{ID: "PUSH-APN-04", Title: "the APNs credential is of type apn", Severity: SeverityFail, Certainty: Certain,
			Skip: apn.unless, Needs: attached, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "attach a credential of type apn", Judge: apn.rightType},
		{ID: "PUSH-APN-05", Title: "the APNs credential exists in the Service's account", Severity: SeverityFail, Certainty: Certain,
			Skip: apn.unless, Needs: []Resource{TheService}, Reads: []Resource{APNCredential, AllCredentials, AllServices},
			Remedy: "attach a credential of the Service's own account", Judge: apn.exists},
		{ID: "PUSH-APN-06", Title: "no other environment uses the APNs credential", Severity: SeverityWarn, Certainty: Certain,
			Skip: apn.unless, Needs: []Resource{TheService}, Reads: []Resource{AllServices},
			Remedy: "one credential for each Service and environment", Judge: apn.unshared},
	}
}

// unlessBuild skips what is only for one way of signing. A build that is not declared is left to the check for
// distribution builds, which says that it is unknown.
func unlessBuild(build verify.IOSBuild) func(*World) string {
	return func(w *World) string {
		if why := apn.unless(w); why != "" {
			return why
		}
		switch declared := w.Env.IOSBuild; {
		case declared == build:
			return ""
		case wantedSandbox(declared) != verify.SandboxUnknown:
			return fmt.Sprintf("the app is declared as a %s build", declared)
		case build == verify.IOSDebug:
			return "how the app is signed is not declared; PUSH-APN-01 says so"
		}
		return ""
	}
}

// rightSandbox judges a credential's sandbox against the way the app is signed.
func rightSandbox(w *World) Answer {
	credential, instead, ok := apn.attached(w)
	if !ok {
		return instead
	}
	about := string(credential.SID)
	want := wantedSandbox(w.Env.IOSBuild)
	if want == verify.SandboxUnknown {
		return unknown("the environment does not declare how its iOS app is signed, so the credential's sandbox (%s) cannot be judged", credential.Sandbox).
			about(about).fix("declare ios_build in the environment file: debug for builds run from Xcode, distribution for TestFlight, Ad Hoc and store builds")
	}
	switch credential.Sandbox {
	case want:
		return pass("%s has sandbox %s, as a %s build needs", credential.SID, want, w.Env.IOSBuild).about(about)
	case verify.SandboxTrue, verify.SandboxFalse:
		return apn.suggest(w, fail("%s has sandbox %s, but the app is a %s build, which needs %s: Apple refuses every push to it (52134)",
			w.named(credential), credential.Sandbox, w.Env.IOSBuild, want).about(about))
	}
	return unreadableSandbox(credential)
}

func readableSandbox(w *World) Answer {
	credential, instead, ok := apn.attached(w)
	if !ok {
		return instead
	}
	if credential.Sandbox != verify.SandboxTrue && credential.Sandbox != verify.SandboxFalse {
		return unreadableSandbox(credential)
	}
	return pass("%s has sandbox %s", credential.SID, credential.Sandbox).about(string(credential.SID))
}

func unreadableSandbox(credential verify.Credential) Answer {
	was := "nothing"
	if credential.SandboxText != nil {
		was = fmt.Sprintf("%q", *credential.SandboxText)
	}
	return unknown("%s has %s where its sandbox should say true or false", credential.SID, was).about(string(credential.SID)).
		fix("look at the credential in the Console: Account > Keys & credentials > Push credentials")
}
