package doctor

import (
	"context"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Target is one environment to examine.
type Target struct {
	Env        verify.Environment
	Connection Connection
	Sources    Sources
	Err        error     // why there is no connection, such as a key that could not be fetched; nil when there is one
	Now        time.Time // by the environment's own clock
	File       string    // the file that declares the environment, "" when none does
	Line       int
}

// Connection is how an environment is reached, without its secret.
type Connection struct {
	KeySID  string   // the user name that is sent: SK… for an API key, AC… for an auth token
	Region  string   // "" is us1
	Edge    string   // "" lets Twilio choose
	BaseURL string   // "" is Twilio itself
	CAFile  string   // a private authority or a pinned certificate
	Proxy   string   // the proxy that requests to Twilio take, "" for none
	Hosts   []string // that requests go to
}

// Sources is where a target's readings come from, one for each thing to read. One that is nil cannot be read here, and
// the checks that need it are unknown.
type Sources struct {
	Service       ServiceReader
	Services      ServiceLister
	Credential    CredentialReader
	Credentials   CredentialLister
	Account       AccountReader
	Keys          KeyLister
	Webhooks      WebhookLister
	Feed          Feed
	Subscriptions SubscriptionLister
	Audit         AuditLister
	Usage         UsageLister
	Entities      EntityLister
	Factors       FactorLister
	Challenges    ChallengeLister
	Prober        Prober
	Capture       CaptureReader
}

// ServiceReader reads one Verify Service.
type ServiceReader interface {
	Service(ctx context.Context, sid verify.ServiceSID) (verify.Service, error)
}

// ServiceLister lists the Verify Services of the account.
type ServiceLister interface {
	Services(ctx context.Context) iter.Seq2[verify.Service, error]
}

// CredentialReader reads one push credential.
type CredentialReader interface {
	Credential(ctx context.Context, sid verify.CredentialSID) (verify.Credential, error)
}

// CredentialLister lists the push credentials of the account.
type CredentialLister interface {
	Credentials(ctx context.Context) iter.Seq2[verify.Credential, error]
}

// AccountReader reads the account itself.
type AccountReader interface {
	Account(ctx context.Context, sid verify.AccountSID) (verify.Account, error)
}

// KeyLister lists the API keys of the account.
type KeyLister interface {
	Keys(ctx context.Context, account verify.AccountSID) iter.Seq2[verify.APIKey, error]
}

// WebhookLister lists the webhooks of a Service.
type WebhookLister interface {
	Webhooks(ctx context.Context, sid verify.ServiceSID) iter.Seq2[verify.Webhook, error]
}

// Feed gives the debugger events of the account within a span of time, each once, and afterwards the parts of that span
// of which it could not give all.
type Feed interface {
	Events(ctx context.Context, since, until time.Time) (events []event.Event, missing []event.Span, err error)
}

// SubscriptionLister lists the Event Streams subscriptions of the account, what they subscribe to, and where to.
type SubscriptionLister interface {
	Subscriptions(ctx context.Context) iter.Seq2[verify.EventSubscription, error]
	SubscribedEvents(ctx context.Context, subscription string) iter.Seq2[verify.SubscribedEvent, error]
	Sinks(ctx context.Context) iter.Seq2[verify.EventSink, error]
}

// AuditLister lists the recorded changes of the account.
type AuditLister interface {
	AuditEvents(ctx context.Context, filter verify.AuditFilter) iter.Seq2[verify.AuditEvent, error]
}

// UsageLister lists what the account used of a category.
type UsageLister interface {
	UsageRecords(ctx context.Context, account verify.AccountSID, category string, start, end time.Time) iter.Seq2[verify.UsageRecord, error]
}

// EntityLister lists the entities of a Service.
type EntityLister interface {
	Entities(ctx context.Context, sid verify.ServiceSID) iter.Seq2[verify.Entity, error]
}

// FactorLister lists the factors of one identity.
type FactorLister interface {
	Factors(ctx context.Context, sid verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error]
}

// ChallengeLister lists the challenges of one identity.
type ChallengeLister interface {
	Challenges(ctx context.Context, sid verify.ServiceSID, identity verify.Identity, filter verify.ChallengeFilter) iter.Seq2[verify.Challenge, error]
}

// Prober measures requests to the API, the first on a new connection and the rest on the same one. An empty host means
// the one that verification requests go to.
type Prober interface {
	Probe(ctx context.Context, host string, count int) (verify.Probe, error)
}

// CaptureReader tells what this machine has captured of the environment's debugger events.
type CaptureReader interface {
	Capture(ctx context.Context) (Capture, error)
}

// Capture is what this machine holds of debugger events.
type Capture struct {
	Events  int          // how many
	Last    time.Time    // of the newest one; zero when there is none
	Covered []event.Span // of which every event was captured, oldest first
}
