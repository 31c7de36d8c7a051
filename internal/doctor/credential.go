package doctor

import (
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func credentialChecks() []Check {
	return []Check{
		{ID: "PUSH-CR-01", Title: "every push credential is used by a Service", Severity: SeverityInfo, Certainty: Certain, Scope: PerAccount,
			Needs: []Resource{AllCredentials, AllServices}, Remedy: "do not delete blindly: Voice and Conversations use push credentials too", Judge: credentialsUsed},
	}
}

func credentialsUsed(snap *Snapshot) Answer {
	used := map[string]bool{}
	for _, service := range snap.Services.Value {
		for _, platform := range []verify.Platform{verify.PlatformAPN, verify.PlatformFCM} {
			used[strings.ToLower(string(service.CredentialSID(platform)))] = true
		}
	}
	var idle []string
	for _, credential := range snap.Credentials.Value {
		if !used[strings.ToLower(string(credential.SID))] {
			idle = append(idle, snap.named(credential))
		}
	}
	if len(idle) > 0 {
		return note("used by no Verify Service: %s", strings.Join(idle, ", ")).fix("do not delete blindly: Voice and Conversations use push credentials too")
	}
	return pass("all are")
}
