// Package simulator is Twilio Verify Push, served locally with state: Verify v2, Notify and Conversations Credentials,
// Monitor Alerts and Events, Accounts, API Keys, Usage Records and Event Streams, as far as a push operator, a backend
// or a phone meets them.
//
// A [Simulator] is an [http.Handler] over one SQLite file. Every change is one transaction, committed before the reply
// leaves, and what a request found is used by later ones only as long as nobody changes the state: two processes on one
// file see one world, and a killed process loses nothing it has acknowledged. Given one seed and a frozen clock, the same
// sequence of requests gives the same bytes.
//
// The package knows nothing of the rest of this program, on purpose: a fact about Twilio that was misread here is then
// not misread in the same way by the client that is tested against it.
//
// # Addressing
//
// A request whose Host is <product>.twilio.com goes to that product. Otherwise the path decides: /v2/… is Verify,
// /v1/Credentials is Notify, /v1/Alerts and /v1/Events are Monitor, /v1/Keys is IAM, /v1/Subscriptions and /v1/Sinks
// are Event Streams, /2010-04-01/… is the account API. Any product can also be named by a first path element, as in
// /conversations/v1/Credentials, which is the only way to reach Conversations without its host.
package simulator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Seed says what a new state holds. It is looked at only when the state is made.
type Seed string

// The seeds.
const (
	SeedEmpty Seed = "empty" // one account and nothing in it
	SeedDemo  Seed = "demo"  // the small company of [DemoEnvironments]
)

// AlertShape says how much a Verify Push alert tells about its factor. Which of them Twilio sends is not established.
type AlertShape string

// The shapes of a push alert.
const (
	AlertCorrelated     AlertShape = "correlated"      // with correlationIds: Service, identity, factor and challenge
	AlertCredentialOnly AlertShape = "credential-only" // with fromReference, the credential, and no more
	AlertBare           AlertShape = "bare"            // the provider's answer only
)

// ErrNotFound is wrapped by the errors of methods that were asked for something the state does not hold.
var ErrNotFound = errors.New("not found")

// InputError is the mistake of whoever called a method or the control API.
type InputError string

func (e InputError) Error() string { return string(e) }

func badInput(format string, args ...any) error { return InputError(fmt.Sprintf(format, args...)) }

// The credentials every new state accepts unless [Options] says otherwise.
const (
	DefaultAccountSID = "AC00000000000000000000000000000000"
	DefaultAuthToken  = "00000000000000000000000000000000"
)

// Options say where the state is and what it is when it has to be made. The zero value is an empty world in memory
// with the default credentials, on the wall clock.
type Options struct {
	// State is the SQLite file; "" is [Memory].
	State string
	// Seed is what a new state holds; empty means [SeedEmpty].
	Seed Seed
	// World is put into a new state, after its seed.
	World World
	// Randomness is what all SIDs, tokens and keys of a new state derive from. Empty means a fixed value, so that two
	// new states answer alike.
	Randomness string
	// Clock is the clock of a new state. The zero value is the wall clock, for SeedDemo the running clock at
	// [DemoInstant].
	Clock Clock
	// AccountSID and AuthToken are the account of a new state, instead of the default pair; both or neither.
	AccountSID, AuthToken string
	// AlertShape, when given, is stored in the state, a new one or not. New states have [AlertCorrelated].
	AlertShape AlertShape
	// OmitCredentialSID leaves config.credential_sid out of factors, as the OpenAPI examples do. Twilio's mobile SDKs
	// cannot enrol without it.
	OmitCredentialSID bool
	// WebhooksAnywhere lets webhooks be posted to other machines. Without it only loopback addresses are called.
	WebhooksAnywhere bool
	// ControlSecret is what the control API asks for. Without one there is no control API.
	ControlSecret string
	// Log receives one record per request and per failed webhook; nil logs nothing.
	Log *slog.Logger

	// Observe, when given, is told of every request to the API once it is answered. It must not keep the reply waiting.
	Observe func(Observed)

	// Wall is the time of day, for tests; nil means [time.Now].
	Wall func() time.Time
}

// Simulator serves one state. Its methods may be called concurrently, and by several processes on one file.
type Simulator struct {
	db      *sql.DB
	opts    Options
	clock   localClock
	hooks   *hookSender
	control func() *http.ServeMux
	writing sync.Mutex // writers of this process queue here instead of polling SQLite's lock

	requests atomic.Int64 // served so far, for Twilio-Request-Id
	inFlight atomic.Int64 // now, for Twilio-Concurrent-Requests and concurrency faults
}

// Open opens a state, making and seeding it first when it does not exist. The file is 0600 from the start, its folder
// is made when missing. A file that is not a simulator's state, or is a newer version's, is an error and left alone.
func Open(ctx context.Context, opts Options) (*Simulator, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Simulator{opts: opts, hooks: newHookSender(opts)}
	s.control = sync.OnceValue(func() *http.ServeMux { return newControlMux(s) })
	db, err := openDB(opts.State)
	if err != nil {
		return nil, err
	}
	s.db = db
	if err := s.prepareWhenFree(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("simulator state %s: %w", opts.State, err)
	}
	return s, nil
}

// Memory as the state keeps it in memory and forgets it on Close.
const Memory = ":memory:"

func (o *Options) complete() error {
	if o.State == "" {
		o.State = Memory
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Randomness == "" {
		o.Randomness = "verifyctl"
	}
	switch o.Seed {
	case "":
		o.Seed = SeedEmpty
	case SeedEmpty, SeedDemo:
	default:
		return fmt.Errorf("unknown seed %q: it is %q or %q", o.Seed, SeedDemo, SeedEmpty)
	}
	if o.AccountSID == "" && o.AuthToken == "" {
		o.AccountSID, o.AuthToken = DefaultAccountSID, DefaultAuthToken
	}
	if !isSID("AC", o.AccountSID) || o.AuthToken == "" {
		return errors.New("an account SID is AC and 32 hexadecimal digits, and needs an auth token with it")
	}
	switch o.AlertShape {
	case "", AlertCorrelated, AlertCredentialOnly, AlertBare:
	default:
		return fmt.Errorf("unknown alert shape %q: it is %q, %q or %q", o.AlertShape, AlertCorrelated, AlertCredentialOnly, AlertBare)
	}
	if o.Clock.Mode == "" && o.Seed == SeedDemo {
		o.Clock = Clock{Mode: ClockRunning, At: DemoInstant}
	}
	return o.Clock.complete()
}

// Close stores how far the clock ran, waits briefly for webhooks under way and closes the state.
func (s *Simulator) Close() error {
	s.hooks.close()
	err := s.storeClock(context.Background())
	return errors.Join(err, s.db.Close())
}

// ServeHTTP answers one request to the simulated APIs.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPath) {
		s.serveControl(w, r)
		return
	}
	s.serveAPI(w, r)
}
