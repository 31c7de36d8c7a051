package doctor

import (
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// slot is what the checks of one platform share: where its credential stands and what to call it.
type slot struct {
	platform verify.Platform
	resource resource
	name     string // of the push service
	phones   string
	param    string // the parameter of a Service that names the credential
	kind     string // the credential type that fits
}

var (
	apn = slot{verify.PlatformAPN, apnCredential, "APNs", "iOS", "Push.ApnCredentialSid", verify.CredentialAPN}
	fcm = slot{verify.PlatformFCM, fcmCredential, "FCM", "Android", "Push.FcmCredentialSid", verify.CredentialFCM}
)

// intent is what an environment declares about a platform.
type intent int

const (
	undeclared intent = iota
	unused
	used
)

// intent is by the list of platforms; for iOS, by how the app is signed before that.
func (s slot) intent(env verify.Environment) intent {
	if s.platform == verify.PlatformAPN {
		switch env.IOSBuild {
		case verify.IOSNone:
			return unused
		case verify.IOSDebug, verify.IOSDistribution:
			return used
		}
	}
	switch {
	case len(env.Platforms) == 0:
		return undeclared
	case env.Uses(s.platform):
		return used
	}
	return unused
}

// checks are a platform's, which are skipped where nothing is pushed to it.
func (s slot) checks(all []Check) []Check {
	for i, c := range all {
		all[i].Heeds = []*Declaration{platforms}
		if s.platform == verify.PlatformAPN {
			all[i].Heeds = append(all[i].Heeds, iosBuild)
		}
		all[i].Skip = func(snap *snapshot) string {
			if why := s.unless(snap); why != "" || c.Skip == nil {
				return why
			}
			return c.Skip(snap)
		}
	}
	return all
}

func (s slot) unless(snap *snapshot) string {
	if s.intent(snap.Env) == unused {
		return fmt.Sprintf("the environment declares no push to %s", s.phones)
	}
	return ""
}

// bySID judges the credential that the Service names for the platform; where it names none, the answer says so.
func (s slot) bySID(judge func(*snapshot, verify.CredentialSID) answer) func(*snapshot) answer {
	return func(snap *snapshot) answer {
		sid := snap.Service.Value.CredentialSID(s.platform)
		switch {
		case snap.Service.Value.Push == nil:
			return noPush()
		case sid == "":
			return skip("no %s credential is attached", s.name)
		}
		return judge(snap, sid)
	}
}

// attached judges the credential behind the platform's pushes, which was read.
func (s slot) attached(judge func(*snapshot, verify.Credential) answer) func(*snapshot) answer {
	return s.bySID(func(snap *snapshot, _ verify.CredentialSID) answer {
		return judge(snap, snap.credential(s.platform).Value)
	})
}

func noPush() answer {
	return unknown("Twilio's reply for the Service has no push object, so its credentials are not known")
}

func (s slot) present(snap *snapshot) answer {
	if snap.Service.Value.Push == nil {
		return noPush()
	}
	if sid := snap.Service.Value.CredentialSID(s.platform); sid != "" {
		return pass("%s is attached", sid).about(string(sid))
	}
	a := fail("no %s credential is attached to the Service: no push reaches %s (52004)", s.name, s.phones)
	if s.platform == verify.PlatformAPN {
		a.Reason += ", and enrolling an iOS device with a push token can fail with HTTP 400"
	}
	return s.suggest(snap, a)
}

func (s slot) rightType(snap *snapshot, credential verify.Credential) answer {
	about := string(credential.SID)
	switch kind := strings.ToLower(credential.Type); kind {
	case s.kind:
		return pass("%s is of type %s", credential.SID, kind).about(about)
	case verify.CredentialGCM:
		if s.platform == verify.PlatformFCM {
			return s.suggest(snap, fail("%s is of type gcm, Google's legacy service, shut down in 2024", snap.named(credential)).about(about))
		}
		fallthrough
	case verify.CredentialAPN, verify.CredentialFCM:
		return s.suggest(snap, fail("%s is of type %s, but stands where the %s credential belongs (52003)", snap.named(credential), kind, s.name).about(about))
	}
	return unknown("%s has the type %q, which is unknown", credential.SID, credential.Type).about(about)
}

func (s slot) exists(snap *snapshot, sid verify.CredentialSID) answer {
	reading := snap.credential(s.platform)
	switch {
	case reading.asked && isNotFound(reading.Err):
		return s.suggest(snap, fail("the Service uses %s, which does not exist in this account: pushes to %s fail (52002)", sid, s.phones).about(string(sid)))
	case !reading.ok():
		return cannot(s.resource, reading.problem())
	case reading.Value.AccountSID == "" || snap.Service.Value.AccountSID == "":
		return unknown("Twilio's reply does not say which account %s belongs to", sid).about(string(sid))
	case !verify.SameSID(reading.Value.AccountSID, snap.Service.Value.AccountSID):
		return s.suggest(snap, fail("%s belongs to %s, the Service to %s (52162)", snap.named(reading.Value), reading.Value.AccountSID, snap.Service.Value.AccountSID).about(string(sid)))
	}
	return pass("%s exists in the Service's account", sid).about(string(sid))
}

func (s slot) unshared(snap *snapshot, sid verify.CredentialSID) answer {
	users, complete := snap.usersOf(s.platform, sid)
	if len(users) > 0 {
		return warn("%s is used by %s too: a fault in it affects all of them", sid, strings.Join(users, " and ")).about(string(sid)).
			fix("give each environment's Service its own %s credential", s.name)
	}
	if !complete {
		return unknown("%s is not used by another environment that could be read; the account's other Services could not be listed", sid).about(string(sid))
	}
	return pass("%s is used by this Service alone", sid).about(string(sid))
}

// usersOf names the other Services that use a credential, by environment where they have one, and tells whether all
// Services of the account were looked at.
func (snap *snapshot) usersOf(platform verify.Platform, sid verify.CredentialSID) (names []string, complete bool) {
	known := map[verify.ServiceSID]bool{snap.Service.Value.SID: true}
	for _, peer := range snap.neighbours() {
		service := peer.Service.Value
		if !peer.Service.ok() || known[service.SID] || !verify.SameSID(service.CredentialSID(platform), sid) {
			continue
		}
		known[service.SID] = true
		names = append(names, peer.Env.Name)
	}
	for _, service := range snap.Services.Value {
		if !known[service.SID] && verify.SameSID(service.CredentialSID(platform), sid) {
			names = append(names, snap.serviceName(service))
		}
	}
	return names, snap.Services.ok()
}

// serviceName calls a Service by its environment where it has one, else by its SID and name.
func (snap *snapshot) serviceName(service verify.Service) string {
	for _, env := range snap.Declared {
		if verify.SameSID(env.ServiceSID, service.SID) {
			return env.Name
		}
	}
	return fmt.Sprintf("%s %q", service.SID, service.FriendlyName)
}

// fits tells whether a credential is one that the platform's slot of this environment wants.
func (s slot) fits(snap *snapshot, credential verify.Credential) bool {
	return strings.EqualFold(credential.Type, s.kind) && snap.Env.CheckSandbox(credential.Type, credential.Sandbox) == nil
}

// suggest adds which credentials would do, with the command that attaches each. Choosing is left to the operator.
func (s slot) suggest(snap *snapshot, a answer) answer {
	if len(a.Commands) > 0 {
		return a
	}
	var spare []string
	for _, credential := range snap.Credentials.Value {
		users, _ := snap.usersOf(s.platform, credential.SID)
		if len(users) > 0 || verify.SameSID(credential.SID, snap.Service.Value.CredentialSID(s.platform)) || !s.fits(snap, credential) {
			continue
		}
		spare = append(spare, snap.named(credential))
		a = a.run(snap.command("doctor", "--fix", "--credential", string(credential.SID)))
	}
	switch {
	case len(spare) > 0:
		return a.fix("attach %s, which no Service uses", strings.Join(spare, " or "))
	case !snap.Credentials.ok():
		return a.fix("set %s of the Service to a credential that fits", s.param)
	}
	return a.fix("create a %s credential that fits (Console: Account > Keys & credentials > Push credentials) and attach it with %s",
		s.name, snap.command("doctor", "--fix", "--credential")+" CR…")
}

func (snap *snapshot) named(credential verify.Credential) string {
	if credential.FriendlyName == "" {
		return string(credential.SID)
	}
	return fmt.Sprintf("%s %q", credential.SID, credential.FriendlyName)
}

func credentialChecks() []Check {
	return []Check{
		{ID: "PUSH-CR-01", Title: "every push credential is used by a Service", Severity: severityInfo, Certainty: certain, PerAccount: true,
			Needs: []resource{allCredentials, allServices}, Remedy: "do not delete blindly: Voice and Conversations use push credentials too", Judge: credentialsUsed},
	}
}

func credentialsUsed(snap *snapshot) answer {
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
