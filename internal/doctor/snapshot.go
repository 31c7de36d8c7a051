package doctor

import (
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Resource is something that can be read, named as a person would.
type Resource string

// The resources.
const (
	TheService     Resource = "the Verify Service"
	APNCredential  Resource = "the APNs credential"
	FCMCredential  Resource = "the FCM credential"
	AllServices    Resource = "the list of Verify Services"
	AllCredentials Resource = "the list of push credentials"
	TheAccount     Resource = "the account"
	AllKeys        Resource = "the list of API keys"
	AllWebhooks    Resource = "the Verify webhooks"
	PushErrors     Resource = "the debugger alerts"
	EventStreams   Resource = "the Event Streams subscriptions"
	Changes        Resource = "the record of changes"
	Usage          Resource = "the usage records"
	SampleFactors  Resource = "the factors"
	SampleAnswers  Resource = "the challenges"
	OneRequest     Resource = "a timed request"
	Latency        Resource = "the latency"
	OtherHosts     Resource = "the latency of other hosts"
	Captured       Resource = "the events captured here"
)

// permissions names what a key needs to read a resource, for the finding about a refusal.
var permissions = map[Resource]string{
	TheService:     "Verify: read Services",
	AllServices:    "Verify: list Services",
	APNCredential:  "push credentials (Notify or Conversations); no published permission of a restricted key covers them, so this takes a standard key",
	FCMCredential:  "push credentials (Notify or Conversations); no published permission of a restricted key covers them, so this takes a standard key",
	AllCredentials: "push credentials (Notify or Conversations); no published permission of a restricted key covers them, so this takes a standard key",
	TheAccount:     "the account itself; only a main key or the auth token has it, and not having it is good practice",
	AllKeys:        "the account's API keys; only a main key or the auth token has it",
	AllWebhooks:    "Verify: read Webhooks",
	PushErrors:     "Monitor: read Alerts",
	EventStreams:   "Event Streams: read Subscriptions and Sinks",
	Changes:        "Monitor: read Events",
	Usage:          "usage records; a restricted key has to be given them",
	SampleFactors:  "Verify: read Entities and Factors",
	SampleAnswers:  "Verify: read Entities and Challenges",
}

// Snapshot is everything the checks of one environment may look at: what is declared, and what was read or why not.
type Snapshot struct {
	Env        verify.Environment
	Connection Connection
	Now        time.Time
	Since      time.Time            // from when on push errors were looked at
	Peers      []*Snapshot          // every snapshot of the run, this one among them
	Declared   []verify.Environment // every environment of the environment file, examined or not
	App        *pushfile.App        // the app given for comparison, nil when none was
	NoLink     error                // why there is no connection at all, nil when there is one

	Service     Reading[verify.Service]
	APN         Reading[verify.Credential] // behind the Service; not asked for when none is attached
	FCM         Reading[verify.Credential]
	Services    Reading[[]verify.Service]
	Credentials Reading[[]verify.Credential]
	Account     Reading[verify.Account]
	Keys        Reading[[]verify.APIKey]
	Webhooks    Reading[[]verify.Webhook]
	Events      Reading[Alerts] // of the whole account
	Streams     Reading[Streams]
	Changes     Reading[[]verify.AuditEvent]
	Usage       Reading[[]verify.UsageRecord]
	Factors     Reading[Sample[verify.Factor]]
	Challenges  Reading[Sample[verify.Challenge]]
	Probe       Reading[verify.Probe] // one request on a new connection
	Latency     Reading[verify.Probe] // many requests
	OtherHosts  Reading[[]verify.Probe]
	Capture     Reading[Capture]

	file    string // where it is declared
	line    int
	account string // the key of its account, for grouping
}

// Alerts are the debugger events of an account within a span of time.
type Alerts struct {
	Events  []event.Event
	Missing []event.Span // of which the debugger did not give all
}

// Streams is what Event Streams is set up to do.
type Streams struct {
	Subscriptions []verify.EventSubscription
	Types         map[string][]string // event types by subscription SID
	Sinks         map[string]verify.EventSink
}

// Sample is what was read of some of the users of a Service.
type Sample[T any] struct {
	Users []UserSample[T]
	More  bool // there are users that were not looked at
}

// UserSample is what was read of one user.
type UserSample[T any] struct {
	Entity verify.Entity
	Items  []T
}

// String says how much of the whole the sample is. Twilio tells no totals, so a part is "the first n users of more".
func (s Sample[T]) String() string {
	if s.More {
		return fmt.Sprintf("the first %d users of more", len(s.Users))
	}
	return fmt.Sprintf("%d of %d users", len(s.Users), len(s.Users))
}

// problem gives why a resource has no value in this snapshot, nil when it has one. A credential that is not attached has
// none and is no problem either.
func (snap *Snapshot) problem(r Resource) error {
	switch r {
	case TheService:
		return snap.Service.problem()
	case APNCredential:
		return snap.credentialProblem(snap.APN, verify.PlatformAPN)
	case FCMCredential:
		return snap.credentialProblem(snap.FCM, verify.PlatformFCM)
	case AllServices:
		return snap.Services.problem()
	case AllCredentials:
		return snap.Credentials.problem()
	case TheAccount:
		return snap.Account.problem()
	case AllKeys:
		return snap.Keys.problem()
	case AllWebhooks:
		return snap.Webhooks.problem()
	case PushErrors:
		return snap.Events.problem()
	case EventStreams:
		return snap.Streams.problem()
	case Changes:
		return snap.Changes.problem()
	case Usage:
		return snap.Usage.problem()
	case SampleFactors:
		return snap.Factors.problem()
	case SampleAnswers:
		return snap.Challenges.problem()
	case OneRequest:
		return snap.Probe.problem()
	case Latency:
		return snap.Latency.problem()
	case OtherHosts:
		return snap.OtherHosts.problem()
	case Captured:
		return snap.Capture.problem()
	}
	return errNotAsked
}

func (snap *Snapshot) credentialProblem(reading Reading[verify.Credential], platform verify.Platform) error {
	if !reading.asked && snap.Service.OK() && snap.Service.Value.CredentialSID(platform) == "" {
		return nil
	}
	return reading.problem()
}

// credential gives the reading of the credential behind a platform's pushes.
func (snap *Snapshot) credential(platform verify.Platform) Reading[verify.Credential] {
	if platform == verify.PlatformAPN {
		return snap.APN
	}
	return snap.FCM
}

// neighbours gives the other snapshots of the run.
func (snap *Snapshot) neighbours() []*Snapshot {
	var others []*Snapshot
	for _, peer := range snap.Peers {
		if peer != snap {
			others = append(others, peer)
		}
	}
	return others
}

// accountPeers gives the snapshots of the same account, this one among them.
func (snap *Snapshot) accountPeers() []*Snapshot {
	var same []*Snapshot
	for _, peer := range snap.Peers {
		if peer.account == snap.account {
			same = append(same, peer)
		}
	}
	return same
}

// command makes a verifyctl command for this snapshot's environment.
func (snap *Snapshot) command(words ...string) string { return verify.Command(snap.Env.Name, words...) }
