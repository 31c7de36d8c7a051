package doctor

import (
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// slot is what the checks of one platform share: where its credential stands and what to call it.
type slot struct {
	platform verify.Platform
	resource Resource
	name     string // of the push service
	phones   string
	param    string // the parameter of a Service that names the credential
	kind     string // the credential type that fits
}

var (
	apn = slot{verify.PlatformAPN, APNCredential, "APNs", "iOS", "Push.ApnCredentialSid", verify.CredentialAPN}
	fcm = slot{verify.PlatformFCM, FCMCredential, "FCM", "Android", "Push.FcmCredentialSid", verify.CredentialFCM}
)

// intent is what an environment declares about a platform.
type intent int

const (
	undeclared intent = iota
	unused
	used
)

// intent tells whether the environment says that it pushes to a platform. For iOS, how the app is signed says it before
// the list of platforms does.
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

// unless gives the reason to skip a platform's checks.
func (s slot) unless(snap *Snapshot) string {
	if s.intent(snap.Env) == unused {
		return fmt.Sprintf("the environment declares that it does not push to %s", s.phones)
	}
	return ""
}

// attached gives the credential behind the platform's pushes. When there is none, the answer says why and ok is false.
func (s slot) attached(snap *Snapshot) (credential verify.Credential, instead Answer, ok bool) {
	switch {
	case snap.Service.Value.Push == nil:
		return credential, noPush(), false
	case snap.Service.Value.CredentialSID(s.platform) == "":
		return credential, skip("no %s credential is attached", s.name), false
	}
	return snap.credential(s.platform).Value, Answer{}, true
}

func noPush() Answer {
	return unknown("Twilio's reply for the Service has no push object, so its credentials are not known")
}

// present judges that a credential is attached where the platform is used.
func (s slot) present(snap *Snapshot) Answer {
	if snap.Service.Value.Push == nil {
		return noPush()
	}
	if sid := snap.Service.Value.CredentialSID(s.platform); sid != "" {
		return pass("%s is attached", sid).about(string(sid))
	}
	if s.intent(snap.Env) == undeclared {
		return unknown("no %s credential is attached, and the environment does not declare its platforms", s.name).
			fix("declare platforms in the environment file: %s in it if the app uses %s, else not", s.platform, s.name)
	}
	a := fail("no %s credential is attached to the Service: no push reaches %s (52004)", s.name, s.phones)
	if s.platform == verify.PlatformAPN {
		a.Reason += ", and enrolling an iOS device with a push token can fail with HTTP 400"
	}
	return s.suggest(snap, a)
}

// rightType judges that the credential is for this platform.
func (s slot) rightType(snap *Snapshot) Answer {
	credential, instead, ok := s.attached(snap)
	if !ok {
		return instead
	}
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
	return unknown("%s has the type %q, which is not one we know", credential.SID, credential.Type).about(about)
}

// exists judges that the credential the Service names can be used by it.
func (s slot) exists(snap *Snapshot) Answer {
	if snap.Service.Value.Push == nil {
		return noPush()
	}
	sid := snap.Service.Value.CredentialSID(s.platform)
	if sid == "" {
		return skip("no %s credential is attached", s.name)
	}
	reading := snap.credential(s.platform)
	switch {
	case reading.asked && isNotFound(reading.Err):
		return s.suggest(snap, fail("the Service names %s, which does not exist in this account: pushes to %s fail (52002)", sid, s.phones).about(string(sid)))
	case !reading.OK():
		return cannot(s.resource, reading.problem())
	case reading.Value.AccountSID == "" || snap.Service.Value.AccountSID == "":
		return unknown("Twilio's reply does not say which account %s belongs to", sid).about(string(sid))
	case !verify.SameSID(reading.Value.AccountSID, snap.Service.Value.AccountSID):
		return s.suggest(snap, fail("%s belongs to %s, the Service to %s (52162)", snap.named(reading.Value), reading.Value.AccountSID, snap.Service.Value.AccountSID).about(string(sid)))
	}
	return pass("%s exists in the Service's account", sid).about(string(sid))
}

// unshared judges that no other Service uses the credential.
func (s slot) unshared(snap *Snapshot) Answer {
	sid := snap.Service.Value.CredentialSID(s.platform)
	switch {
	case snap.Service.Value.Push == nil:
		return noPush()
	case sid == "":
		return skip("no %s credential is attached", s.name)
	}
	users, complete := snap.usersOf(s.platform, sid)
	if len(users) > 0 {
		return warn("%s is used by %s too: what is wrong with it is wrong for all", sid, strings.Join(users, " and ")).about(string(sid)).
			fix("give each environment's Service its own %s credential", s.name)
	}
	if !complete {
		return unknown("%s is not used by another environment that could be read; the account's other Services could not be listed", sid).about(string(sid))
	}
	return pass("%s is used by this Service alone", sid).about(string(sid))
}

// usersOf names the other Services that use a credential, by environment where they have one, and tells whether all
// Services of the account were looked at.
func (snap *Snapshot) usersOf(platform verify.Platform, sid verify.CredentialSID) (names []string, complete bool) {
	known := map[verify.ServiceSID]bool{snap.Service.Value.SID: true}
	for _, peer := range snap.neighbours() {
		service := peer.Service.Value
		if !peer.Service.OK() || known[service.SID] || !verify.SameSID(service.CredentialSID(platform), sid) {
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
	return names, snap.Services.OK()
}

// serviceName calls a Service by its environment where it has one, else by its SID and name.
func (snap *Snapshot) serviceName(service verify.Service) string {
	for _, env := range snap.Declared {
		if verify.SameSID(env.ServiceSID, service.SID) {
			return env.Name
		}
	}
	return fmt.Sprintf("%s %q", service.SID, service.FriendlyName)
}

// fits tells whether a credential is one that the platform's slot of this environment wants.
func (s slot) fits(snap *Snapshot, credential verify.Credential) bool {
	if !strings.EqualFold(credential.Type, s.kind) {
		return false
	}
	if s.platform != verify.PlatformAPN {
		return true
	}
	want := wantedSandbox(snap.Env.IOSBuild)
	return want != verify.SandboxUnknown && credential.Sandbox == want
}

// suggest adds to a failed answer which credentials would do, with the command that attaches each. Choosing is left to
// the operator.
func (s slot) suggest(snap *Snapshot, a Answer) Answer {
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
	case !snap.Credentials.OK():
		return a.fix("set %s of the Service to a credential that fits", s.param)
	}
	return a.fix("create a fitting %s credential (Console: Account > Keys & credentials > Push credentials) and attach it with %s",
		s.name, snap.command("doctor", "--fix", "--credential")+" CR…")
}

// named calls a credential by its SID and name.
func (snap *Snapshot) named(credential verify.Credential) string {
	if credential.FriendlyName == "" {
		return string(credential.SID)
	}
	return fmt.Sprintf("%s %q", credential.SID, credential.FriendlyName)
}
