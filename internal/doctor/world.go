package doctor

import (
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
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

// World is everything the checks of one environment may look at: what is declared, and what was read or why not.
type World struct {
	Env        verify.Environment
	Connection Connection
	Now        time.Time
	Since      time.Time            // from when on push errors were looked at
	Peers      []*World             // every world of the run, this one among them
	Declared   []verify.Environment // every environment of the environment file, examined or not
	Build      *Build               // the app given for comparison, nil when none was
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
	account string              // the key of its account, for grouping
	mask    func(string) string // shortens identities and names; nil leaves them
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

// problem gives why a resource has no value in this world, nil when it has one. A credential that is not attached has
// none and is no problem either.
func (w *World) problem(r Resource) error {
	switch r {
	case TheService:
		return w.Service.problem()
	case APNCredential:
		return w.credentialProblem(w.APN, verify.PlatformAPN)
	case FCMCredential:
		return w.credentialProblem(w.FCM, verify.PlatformFCM)
	case AllServices:
		return w.Services.problem()
	case AllCredentials:
		return w.Credentials.problem()
	case TheAccount:
		return w.Account.problem()
	case AllKeys:
		return w.Keys.problem()
	case AllWebhooks:
		return w.Webhooks.problem()
	case PushErrors:
		return w.Events.problem()
	case EventStreams:
		return w.Streams.problem()
	case Changes:
		return w.Changes.problem()
	case Usage:
		return w.Usage.problem()
	case SampleFactors:
		return w.Factors.problem()
	case SampleAnswers:
		return w.Challenges.problem()
	case OneRequest:
		return w.Probe.problem()
	case Latency:
		return w.Latency.problem()
	case OtherHosts:
		return w.OtherHosts.problem()
	case Captured:
		return w.Capture.problem()
	}
	return errNotAsked
}

func (w *World) credentialProblem(reading Reading[verify.Credential], platform verify.Platform) error {
	if !reading.asked && w.Service.OK() && w.Service.Value.CredentialSID(platform) == "" {
		return nil
	}
	return reading.problem()
}

// credential gives the reading of the credential behind a platform's pushes.
func (w *World) credential(platform verify.Platform) Reading[verify.Credential] {
	if platform == verify.PlatformAPN {
		return w.APN
	}
	return w.FCM
}

// neighbours gives the other worlds of the run.
func (w *World) neighbours() []*World {
	var others []*World
	for _, peer := range w.Peers {
		if peer != w {
			others = append(others, peer)
		}
	}
	return others
}

// accountPeers gives the worlds of the same account, this one among them.
func (w *World) accountPeers() []*World {
	var same []*World
	for _, peer := range w.Peers {
		if peer.account == w.account {
			same = append(same, peer)
		}
	}
	return same
}

// command makes a verifyctl command for this world's environment.
func (w *World) command(words ...string) string { return verify.Command(w.Env.Name, words...) }

// masked shortens an identity or a name where --mask asks for it.
func (w *World) masked(name string) string {
	if w.mask == nil {
		return name
	}
	return w.mask(name)
}
