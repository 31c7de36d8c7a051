package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func apnChecks() []Check {
	attached, spare := []resource{theService, apnCredential}, []resource{allCredentials, allServices}
	return apn.checks([]Check{
		{ID: "PUSH-APN-00", Title: "an APNs credential is attached where iOS is pushed to", Severity: severityFail, Certainty: declared,
			Needs: []resource{theService}, Reads: spare, RestsOn: []*Declaration{platforms}, Remedy: "attach an APNs credential to the Service", Judge: apn.present},
		{ID: "PUSH-APN-01", Title: "the APNs credential serves distribution builds where the app is one", Severity: severityFail, Certainty: declared,
			Skip: unlessBuild(verify.IOSDistribution), Needs: attached, Reads: spare, RestsOn: []*Declaration{iosBuild},
			Remedy: "TestFlight, Ad Hoc and store builds need a credential with sandbox false", Judge: apn.attached(rightSandbox)},
		{ID: "PUSH-APN-02", Title: "the APNs credential serves debug builds where the app is one", Severity: severityFail, Certainty: declared,
			Skip: unlessBuild(verify.IOSDebug), Needs: attached, Reads: spare, RestsOn: []*Declaration{iosBuild},
			Remedy: "debug builds (run from Xcode) need a credential with sandbox true", Judge: apn.attached(rightSandbox)},
		{ID: "PUSH-APN-03", Title: "the APNs credential's sandbox can be read", Severity: severityFail, Certainty: certain, Needs: attached,
			Remedy: "look at the credential in the Console", Judge: apn.attached(readableSandbox)},
		{ID: "PUSH-APN-04", Title: "the APNs credential is of type apn", Severity: severityFail, Certainty: certain, Needs: attached, Reads: spare,
			Remedy: "attach a credential of type apn", Judge: apn.attached(apn.rightType)},
		{ID: "PUSH-APN-05", Title: "the APNs credential exists in the Service's account", Severity: severityFail, Certainty: certain,
			Needs: []resource{theService}, Reads: []resource{apnCredential, allCredentials, allServices},
			Remedy: "attach a credential of the Service's own account", Judge: apn.bySID(apn.exists)},
		{ID: "PUSH-APN-06", Title: "no other environment uses the APNs credential", Severity: severityWarn, Certainty: certain,
			Needs: []resource{theService}, Reads: []resource{allServices},
			Remedy: "one credential for each Service and environment", Judge: apn.bySID(apn.unshared)},
		{ID: "PUSH-APN-07", Title: "the APNs credential was renewed within eleven months", Severity: severityWarn, Certainty: heuristic,
			Skip: unlessExpiryUnknown, Needs: attached, Reads: []resource{credentialFiles}, Remedy: "look up the certificate's expiry and record it: " + recordExpiry, Judge: apn.attached(renewed)},
		{ID: "PUSH-APN-08", Title: "Apple accepts the credential", Severity: severityFail, Certainty: heuristic,
			Needs: []resource{theService, pushErrors}, Reads: []resource{apnCredential},
			Remedy: "renew the certificate, upload it as a new credential and attach that; leave the factors alone", Judge: apn.accepted(52131, 52145)},
		{ID: "PUSH-APN-09", Title: "Apple accepts the push tokens", Severity: severityFail, Certainty: heuristic,
			Needs: []resource{theService, pushErrors}, Reads: []resource{apnCredential, sampleFactors}, RestsOn: []*Declaration{iosBuild},
			Remedy: "on many devices: the build and the credential are for different Apple environments; on a few: bad tokens. Do not prune", Judge: tokensAccepted},
		{ID: "PUSH-APN-10", Title: "the APNs credential is for the app", Severity: severityFail, Certainty: heuristic,
			Needs: []resource{theService, pushErrors}, Reads: []resource{apnCredential, sampleFactors}, RestsOn: []*Declaration{appIDs},
			Remedy: "the certificate's subject has to be the app's bundle id; a VoIP certificate does not serve", Judge: rightTopic},
		{ID: "PUSH-APN-11", Title: "the APNs certificate is for the app and does not expire soon", Severity: severityFail, Certainty: attested,
			Reads: []resource{theService, credentialFiles}, RestsOn: []*Declaration{appIDs}, Remedy: "no API shows; record it: " + recordExpiry, Judge: certificate},
	})
}

// unlessBuild skips what is only for one way of signing.
func unlessBuild(build verify.IOSBuild) func(*snapshot) string {
	return func(snap *snapshot) string {
		if declared := snap.Env.IOSBuild; declared != build && declared != verify.IOSUndeclared {
			return fmt.Sprintf("the app is declared as a %s build", declared)
		}
		return ""
	}
}

func rightSandbox(snap *snapshot, credential verify.Credential) answer {
	about := string(credential.SID)
	want := snap.Env.IOSBuild.WantedSandbox()
	switch credential.Sandbox {
	case want:
		return pass("%s has sandbox %s, as a %s build needs", credential.SID, want, snap.Env.IOSBuild).about(about)
	case verify.SandboxTrue, verify.SandboxFalse:
		return apn.suggest(snap, fail("%s has sandbox %s, but the app is a %s build, which needs %s: Apple refuses every push to it (52134)",
			snap.named(credential), credential.Sandbox, snap.Env.IOSBuild, want).about(about))
	}
	return unreadableSandbox(credential)
}

func readableSandbox(snap *snapshot, credential verify.Credential) answer {
	if credential.Sandbox != verify.SandboxTrue && credential.Sandbox != verify.SandboxFalse {
		return unreadableSandbox(credential)
	}
	return pass("%s has sandbox %s", credential.SID, credential.Sandbox).about(string(credential.SID))
}

func unreadableSandbox(credential verify.Credential) answer {
	was := "nothing"
	if credential.SandboxText != nil {
		was = fmt.Sprintf("%q", *credential.SandboxText)
	}
	return unknown("%s has %s where its sandbox should say true or false", credential.SID, was).about(string(credential.SID)).
		fix("look at the credential in the Console: Account > Keys & credentials > Push credentials")
}

// recordExpiry is how the expiry of a certificate gets into the environment file.
const recordExpiry = "verifyctl credentials lint CERT.pem --record ENV"

// When a certificate's end is near: Apple's last a year, a month is what a renewal takes where it has to be asked for, and in
// the last week it is late.
const (
	oldCertificate = 335 * 24 * time.Hour
	expiresSoon    = 30 * 24 * time.Hour
	expiresNow     = 7 * 24 * time.Hour
)

// unlessExpiryUnknown skips guessing at a certificate's age where its expiry is known.
func unlessExpiryUnknown(snap *snapshot) string {
	if _, how := snap.certificateFile(); how != "" {
		return "what the certificate says is recorded; PUSH-APN-11 looks at it"
	}
	return ""
}

func renewed(snap *snapshot, credential verify.Credential) answer {
	about := string(credential.SID)
	switch {
	case credential.DateUpdated.IsZero():
		return unknown("Twilio's reply does not say when %s was changed", credential.SID).about(about)
	case snap.Now.Sub(credential.DateUpdated) > oldCertificate:
		return warn("%s was last changed on %s: its certificate is probably near its yearly end", snap.named(credential), day(credential.DateUpdated)).about(about).
			fix("look up its expiry in Apple's developer portal, and record it").run(recordCommand(snap))
	}
	return pass("%s was last changed on %s", credential.SID, day(credential.DateUpdated)).about(about)
}

// recordCommand notes what a certificate's file tells; without an environment there is no place to note it.
func recordCommand(snap *snapshot) string {
	words := []string{"credentials", "lint", "CERT.pem"}
	if snap.Env.Name != "" {
		words = append(words, "--record", snap.Env.Name)
	}
	return snap.Env.Config.Command(words...)
}

// certificateFile gives what is known of the file behind the attached APNs credential, and how: what this machine remembers
// of it, else what was recorded of it in the environment, else what the file says that the environment declares: it may have been
// renewed and not uploaded, so it comes last. It is the zero value when nothing is known of it.
func (snap *snapshot) certificateFile() (file verify.CredentialFile, how string) {
	attached := snap.Service.Value.CredentialSID(verify.PlatformAPN)
	for _, file := range snap.Files.Value {
		if attached != "" && verify.SameSID(file.CredentialSID, attached) {
			return file, "as its file said on " + day(file.At)
		}
	}
	note := snap.Env.CredentialNotes[verify.PlatformAPN]
	isAnothers := note.CredentialSID != "" && attached != "" && !verify.SameSID(note.CredentialSID, attached)
	if i := slices.IndexFunc(snap.Files.Value, isDeclared); i >= 0 && (note.Recorded == "" || isAnothers) {
		return snap.Files.Value[i], "as the declared file says, if that is what was uploaded"
	}
	expires, err := time.Parse(time.DateOnly, note.Expires)
	if note.Recorded == "" || err != nil && note.Expires != "" {
		return verify.CredentialFile{}, ""
	}
	return verify.CredentialFile{CredentialSID: note.CredentialSID, Platform: verify.PlatformAPN, NotAfter: expires, Topics: note.Topics}, "as recorded on " + note.Recorded
}

// isDeclared tells a certificate file that an environment declares from those that were uploaded.
func isDeclared(file verify.CredentialFile) bool {
	return file.At.IsZero() && file.Platform == verify.PlatformAPN
}

// certificate judges what the certificate's file told before it was uploaded, or else takes somebody's word.
func certificate(snap *snapshot) answer {
	file, how := snap.certificateFile()
	record := recordCommand(snap)
	attached := snap.Service.Value.CredentialSID(verify.PlatformAPN)
	switch {
	case how == "" && snap.Env.CredentialNotes[verify.PlatformAPN].Recorded != "":
		return unknown("the recorded expiry %q is not a date", snap.Env.CredentialNotes[verify.PlatformAPN].Expires).fix("record it again").run(record)
	case how == "" && snap.Files.Err != nil:
		return unknown("what is known of the certificate's file could not be read: %v", snap.Files.Err)
	case how == "":
		a := byAttestation(snap, "PUSH-APN-11", "when the certificate expires and which app it is for")
		if a.Status == Unknown && !snap.Env.Demo {
			a = a.run(record)
		}
		return a
	case file.CredentialSID != "" && attached != "" && !verify.SameSID(file.CredentialSID, attached):
		return unknown("what was recorded is about %s, but %s is attached", file.CredentialSID, attached).about(string(attached)).
			fix("record what the new certificate says").run(record)
	case file.NotAfter.IsZero():
		return forApp(snap, file, pass("it does not expire, %s", how))
	}
	const renew = "renew the certificate, upload it as a new credential, attach that, and record it"
	switch left := file.NotAfter.Sub(snap.Now); {
	case left <= 0:
		return fail("the certificate expired on %s", day(file.NotAfter)).fix(renew).run(record)
	case left < expiresNow:
		return forApp(snap, file, fail("the certificate expires on %s, in %s", day(file.NotAfter), days(left)).fix(renew).run(record))
	case left < expiresSoon:
		return forApp(snap, file, warn("the certificate expires on %s, in %s", day(file.NotAfter), days(left)).fix(renew).run(record))
	}
	return forApp(snap, file, pass("the certificate expires on %s, %s", day(file.NotAfter), how))
}

// forApp fails where a certificate is for another app than the declared ones, and else leaves the answer as it is.
func forApp(snap *snapshot, file verify.CredentialFile, otherwise answer) answer {
	if len(file.Topics) == 0 || overlap(file.Topics, snap.Env.AppIDs) {
		return otherwise
	}
	return fail("the certificate is for %s, the app is %s (52143)", strings.Join(file.Topics, ", "), strings.Join(snap.Env.AppIDs, ", ")).
		fix("attach a credential for the app's bundle id, or correct app_ids")
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

func (s slot) accepted(codes ...int) func(*snapshot) answer {
	return func(snap *snapshot) answer {
		current, past := snap.push(codes...)
		current, past = s.own(current), s.own(past)
		switch {
		case len(current) > 0:
			a := fail("%s refuses the credential: %s", s.name, tallied(snap, current)).about(current[0].CredentialSID)
			return a.fix("%s Do not delete factors", fixOf(codeOf(current[0]))).run(snap.Env.Config.Command("debugger", "explain", fmt.Sprint(codeOf(current[0]))))
		case len(past) > 0:
			return note("%s refused it until %s, and not since: %s", s.name, clock(lastOf(past), snap.Now), snap.overtaken(past[0]))
		}
		return pass("%s has not refused it since %s", s.name, clock(snap.Since, snap.Now))
	}
}

func byTime(a, b event.Event) int { return a.Timestamp.Compare(b.Timestamp) }

func lastOf(events []event.Event) time.Time { return slices.MaxFunc(events, byTime).Timestamp }

// own leaves the events that are about the platform, or about none.
func (s slot) own(events []event.Event) []event.Event {
	return slices.DeleteFunc(events, func(e event.Event) bool {
		return !slices.Contains([]verify.Platform{s.platform, "", verify.PlatformNone}, e.Platform)
	})
}

// tallied says in a few words how much was refused.
func tallied(snap *snapshot, events []event.Event) string {
	first := slices.MinFunc(events, byTime).Timestamp
	codes := map[int]bool{}
	var names []string
	for _, e := range events {
		if code := codeOf(e); !codes[code] {
			codes[code] = true
			names = append(names, strings.TrimSpace(fmt.Sprintf("%d %s", code, e.ErrorName)))
		}
	}
	return fmt.Sprintf("%s, %s on %s since %s", strings.Join(names, ", "), verify.Count(len(events), "event"),
		verify.Count(devicesOf(events), "device"), clock(first, snap.Now))
}

func fixOf(code int) string {
	if known, ok := event.Lookup(code); ok && known.Fix != "" {
		return known.Fix
	}
	return "Look up the code."
}

// manyDevices is from how many devices on a refused token tells of the set-up rather than of the devices, and
// mismatchShare from which share of them, where that is known.
const (
	manyDevices   = 5
	mismatchShare = 0.2
)

func tokensAccepted(snap *snapshot) answer {
	current, past := snap.push(52134)
	devices := devicesOf(current)
	total, known := snap.devices(verify.PlatformAPN)
	switch {
	case len(current) == 0 && len(past) > 0:
		return note("Apple refused tokens until %s, and none since: %s", clock(lastOf(past), snap.Now), snap.overtaken(past[0]))
	case len(current) == 0:
		return pass("Apple refused no token since %s", clock(snap.Since, snap.Now))
	case devices < manyDevices || known && float64(devices) <= mismatchShare*float64(total):
		return warn("Apple refuses a few tokens: %s", tallied(snap, current)).about("few").
			fix("let those apps send a fresh token (updateFactor). Do not delete factors").run(snap.command("debugger", "alerts", "--code", "52134"))
	}
	compare := snap.command("doctor", "--ios-app", "App.ipa")
	a := fail("Apple refuses many push tokens: %s", tallied(snap, current)).about(current[0].CredentialSID)
	switch sandbox := snap.APN.Value.Sandbox; {
	case !snap.APN.ok() || sandbox == verify.SandboxUnknown:
		return a.fix("the credential's sandbox could not be read: compare it with the app, which %s reads. Do not delete factors", compare)
	case sandbox != snap.Env.IOSBuild.WantedSandbox():
		return a.fix("the credential has sandbox %s, which does not fit a %s build: fix that first. Do not delete factors", sandbox, snap.Env.IOSBuild)
	}
	return a.fix("the credential (sandbox %s) and the declared build agree, so the app on the phones is probably signed otherwise: compare it with %s. Do not delete factors",
		snap.APN.Value.Sandbox, compare)
}

func rightTopic(snap *snapshot) answer {
	current, _ := snap.push(52143)
	if len(current) > 0 {
		return fail("Apple refuses pushes for the app they are meant for: %s", tallied(snap, current)).about(current[0].CredentialSID).
			fix("attach a credential whose certificate is for the app's bundle id; not a VoIP one. Do not delete factors")
	}
	strangers := map[string]int{}
	for _, factor := range snap.pushFactors(verify.PlatformAPN) {
		if !slices.Contains(snap.Env.AppIDs, factor.Config.AppID) {
			strangers[factor.Config.AppID]++
		}
	}
	if len(strangers) > 0 {
		return fail("factors of other apps than the declared ones: %s", tallyText(strangers)).sampled(snap.Factors.Value.String()).
			fix("the certificate serves one app: correct app_ids, or find the build that enrols in the wrong Service")
	}
	return pass("Apple has refused nothing because of the app since %s", clock(snap.Since, snap.Now))
}
