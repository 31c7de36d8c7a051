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
	Twilio     reader
	Feed       feed
	Memory     memory
	Err        error     // why there is no connection, such as a key that could not be fetched; then the three above are nil
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

// reader reads what the checks look at. Lists end with the first error; Probe without a host takes the one of verifications.
type reader interface {
	Account(ctx context.Context, sid verify.AccountSID) (verify.Account, error)
	Keys(ctx context.Context, account verify.AccountSID) iter.Seq2[verify.APIKey, error]
	UsageRecords(ctx context.Context, account verify.AccountSID, category string, start, end time.Time) iter.Seq2[verify.UsageRecord, error]
	AuditEvents(ctx context.Context, filter verify.AuditFilter) iter.Seq2[verify.AuditEvent, error]
	Subscriptions(ctx context.Context) iter.Seq2[verify.EventSubscription, error]
	SubscribedEvents(ctx context.Context, subscription string) iter.Seq2[verify.SubscribedEvent, error]
	Sinks(ctx context.Context) iter.Seq2[verify.EventSink, error]
	Credential(ctx context.Context, sid verify.CredentialSID) (verify.Credential, error)
	Credentials(ctx context.Context) iter.Seq2[verify.Credential, error]
	Service(ctx context.Context, sid verify.ServiceSID) (verify.Service, error)
	Services(ctx context.Context) iter.Seq2[verify.Service, error]
	Webhooks(ctx context.Context, sid verify.ServiceSID) iter.Seq2[verify.Webhook, error]
	Entities(ctx context.Context, sid verify.ServiceSID) iter.Seq2[verify.Entity, error]
	Factors(ctx context.Context, sid verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error]
	Challenges(ctx context.Context, sid verify.ServiceSID, identity verify.Identity, filter verify.ChallengeFilter) iter.Seq2[verify.Challenge, error]
	Probe(ctx context.Context, host string, count int) (verify.Probe, error)
}

// feed gives the debugger events of the account within a span of time, each once, and afterwards the parts of that span
// of which it could not give all.
type feed interface {
	Events(ctx context.Context, since, until time.Time) (events []event.Event, missing []event.Span, err error)
}

// memory tells what this machine has captured of the environment's debugger events, and what it remembers of the files of
// its push credentials, the newest first. A file that the environment declares and that is on this machine comes after them,
// without a time.
type memory interface {
	Capture(ctx context.Context) (Capture, error)
	CredentialFiles(ctx context.Context) iter.Seq2[verify.CredentialFile, error]
}

// Capture is what this machine holds of debugger events.
type Capture struct {
	Events  int          // how many
	Last    time.Time    // of the newest one; zero when there is none
	Covered []event.Span // of which every event was captured, oldest first
}
