package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// resource is something that can be read, named as a person would.
type resource string

// The resources.
const (
	theService     resource = "the Verify Service"
	apnCredential  resource = "the APNs credential"
	fcmCredential  resource = "the FCM credential"
	allServices    resource = "the list of Verify Services"
	allCredentials resource = "the list of push credentials"
	theAccount     resource = "the account"
	allKeys        resource = "the list of API keys"
	allWebhooks    resource = "the Verify webhooks"
	pushErrors     resource = "the debugger alerts"
	eventStreams   resource = "the Event Streams subscriptions"
	changes        resource = "the record of changes"
	usage          resource = "the usage records"
	sampleFactors  resource = "the factors"
	sampleAnswers  resource = "the challenges"
	oneRequest     resource = "a timed request"
	latency        resource = "the latency"
	otherHosts     resource = "the latency of other hosts"
	captured       resource = "the events captured here"

	credentialFiles resource = "the credential files remembered or declared here"
)

// permissions names what a key needs to read a resource, for the finding about a refusal.
var permissions = map[resource]string{
	theService:     "Verify: read Services",
	allServices:    "Verify: list Services",
	apnCredential:  "push credentials (Notify or Conversations); no published permission of a restricted key covers them, so this takes a standard key",
	fcmCredential:  "push credentials (Notify or Conversations); no published permission of a restricted key covers them, so this takes a standard key",
	allCredentials: "push credentials (Notify or Conversations); no published permission of a restricted key covers them, so this takes a standard key",
	theAccount:     "the account itself; only a main key or the auth token has it, and not having it is good practice",
	allKeys:        "the account's API keys; only a main key or the auth token has it",
	allWebhooks:    "Verify: read Webhooks",
	pushErrors:     "Monitor: read Alerts",
	eventStreams:   "Event Streams: read Subscriptions and Sinks",
	changes:        "Monitor: read Events",
	usage:          "usage records; a restricted key has to be given them",
	sampleFactors:  "Verify: read Entities and Factors",
	sampleAnswers:  "Verify: read Entities and Challenges",
}

// snapshot is everything the checks of one environment may look at: what is declared, and what was read or why not.
type snapshot struct {
	Env        verify.Environment
	Connection Connection
	Now        time.Time
	Since      time.Time            // from when on push errors were looked at
	Peers      []*snapshot          // every snapshot of the run, this one among them
	Declared   []verify.Environment // every environment of the environment file, examined or not
	App        *pushfile.App        // the app given for comparison, nil when none was
	NoLink     error                // why there is no connection at all, nil when there is one

	Service     reading[verify.Service]
	APN         reading[verify.Credential] // behind the Service; not asked for when none is attached
	FCM         reading[verify.Credential]
	Services    reading[[]verify.Service]
	Credentials reading[[]verify.Credential]
	Account     reading[verify.Account]
	Keys        reading[[]verify.APIKey]
	Webhooks    reading[[]verify.Webhook]
	Events      reading[alerts] // of the whole account
	Streams     reading[streams]
	Changes     reading[[]verify.AuditEvent]
	Usage       reading[[]verify.UsageRecord]
	Factors     reading[sampleOf[verify.Factor]]
	Challenges  reading[sampleOf[verify.Challenge]]
	Probe       reading[verify.Probe] // one request on a new connection
	Latency     reading[verify.Probe] // many requests
	OtherHosts  reading[[]verify.Probe]
	Capture     reading[Capture]
	Files       reading[[]verify.CredentialFile] // of push credentials, as they were before they were uploaded; the newest first

	file    string // where it is declared
	line    int
	account string // the key of its account, for grouping
}

// alerts are the debugger events of an account within a span of time.
type alerts struct {
	Events  []event.Event
	Missing []event.Span // of which the debugger did not give all
}

// streams is what Event Streams is set up to do.
type streams struct {
	Subscriptions []verify.EventSubscription
	Types         map[string][]string // event types by subscription SID
	Sinks         map[string]verify.EventSink
}

// sampleOf is what was read of some of the users of a Service.
type sampleOf[T any] struct {
	Users []userSample[T]
	More  bool // there are users that were not looked at
}

// userSample is what was read of one user.
type userSample[T any] struct {
	Entity verify.Entity
	Items  []T
}

// String says how much of the whole the sample is. Twilio tells no totals, so a part is "the first n users of more".
func (s sampleOf[T]) String() string {
	if s.More {
		return fmt.Sprintf("the first %d users of more", len(s.Users))
	}
	return fmt.Sprintf("%d of %d users", len(s.Users), len(s.Users))
}

// problem gives why a resource has no value in this snapshot, nil when it has one. A credential that is not attached has
// none and is no problem either.
func (snap *snapshot) problem(r resource) error {
	for _, s := range []slot{apn, fcm} {
		if r == s.resource && !snap.credential(s.platform).asked && snap.Service.ok() && snap.Service.Value.CredentialSID(s.platform) == "" {
			return nil
		}
	}
	return map[resource]interface{ problem() error }{
		theService: &snap.Service, apnCredential: &snap.APN, fcmCredential: &snap.FCM, allServices: &snap.Services,
		allCredentials: &snap.Credentials, theAccount: &snap.Account, allKeys: &snap.Keys, allWebhooks: &snap.Webhooks,
		pushErrors: &snap.Events, eventStreams: &snap.Streams, changes: &snap.Changes, usage: &snap.Usage,
		sampleFactors: &snap.Factors, sampleAnswers: &snap.Challenges, oneRequest: &snap.Probe, latency: &snap.Latency,
		otherHosts: &snap.OtherHosts, captured: &snap.Capture, credentialFiles: &snap.Files,
	}[r].problem()
}

func (snap *snapshot) credential(platform verify.Platform) reading[verify.Credential] {
	if platform == verify.PlatformAPN {
		return snap.APN
	}
	return snap.FCM
}

// neighbours gives the other snapshots of the run.
func (snap *snapshot) neighbours() []*snapshot {
	return slices.DeleteFunc(slices.Clone(snap.Peers), func(peer *snapshot) bool { return peer.Env.Name == snap.Env.Name })
}

// accountPeers gives the snapshots of the same account, this one among them.
func (snap *snapshot) accountPeers() []*snapshot {
	return slices.DeleteFunc(slices.Clone(snap.Peers), func(peer *snapshot) bool { return peer.account != snap.account })
}

// command makes a verifyctl command for this snapshot's environment.
func (snap *snapshot) command(words ...string) string { return snap.Env.Command(words...) }
