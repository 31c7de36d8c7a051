package verify

import "time"

// What one machine remembers about an environment. Package store keeps these records; the capabilities name them in the
// small interfaces by which they ask for them.

// Deletion is a factor that was deleted from this machine, as it was last seen. A factor can never be restored, so this
// record is all that is left of it.
type Deletion struct {
	ID         int64     `json:"id"`
	Factor     Factor    `json:"factor"`     // without its push token
	TokenHash  string    `json:"token_hash"` // keyed hash of the push token, "" when it had none
	By         string    `json:"by"`         // who deleted it, such as the OS user
	Reason     string    `json:"reason"`
	At         time.Time `json:"at"`      // when the delete was about to be sent
	Outcome    string    `json:"outcome"` // "" while nobody knows what became of it: it may have been deleted
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// DeletionEnd is what became of a deletion.
type DeletionEnd struct {
	ID      int64
	Outcome string
	Gone    bool // the factor is not there any more
	At      time.Time
}

// DeletionFilter narrows a list of deletions. Zero values do not narrow.
type DeletionFilter struct {
	Identity  Identity
	FactorSID FactorSID
	Since     time.Time
	Until     time.Time // exclusive
	Limit     int
}

// CreatedChallenge is a challenge that was created from this machine.
type CreatedChallenge struct {
	SID        ChallengeSID `json:"sid"`
	ServiceSID ServiceSID   `json:"service_sid"`
	Identity   Identity     `json:"identity"`
	FactorSID  FactorSID    `json:"factor_sid"`
	ActionID   string       `json:"action_id"`
	Created    time.Time    `json:"created"`
	Expires    time.Time    `json:"expires"`
}

// ClaimKey names what is created once: the challenge of one action for one factor.
type ClaimKey struct {
	ServiceSID ServiceSID
	ActionID   string
	FactorSID  FactorSID
}

// ClaimState says who may create the challenge of a [ClaimKey].
type ClaimState string

// The states of a claim.
const (
	ClaimMine      ClaimState = "mine"      // this caller, and nobody else, may create it
	ClaimMade      ClaimState = "made"      // it was created: see Claim.ChallengeSID
	ClaimElsewhere ClaimState = "elsewhere" // another caller, still running, is creating it: ask again soon
)

// Claim is the answer to a claim on a [ClaimKey].
type Claim struct {
	Key   ClaimKey
	State ClaimState

	// ChallengeSID is the challenge that was created, when State is ClaimMade.
	ChallengeSID ChallengeSID
	// LookFirst is set when State is ClaimMine and an earlier claimer died, or did not learn the outcome of its
	// request: the pending challenges must be read before anything is sent.
	LookFirst bool
	// Machine is the other machine whose run has the claim, when State is ClaimElsewhere; "" for this one.
	Machine string
	// Since is when the claim was taken, by the clock of its machine.
	Since time.Time
	// Ticket tells this claim from every other one of the same key.
	Ticket int64
}

// SendOutcome is what became of a request that makes a phone ring.
type SendOutcome string

// The outcomes. Everything but SendRefused counts as used.
const (
	SendUnknown SendOutcome = "maybe sent" // begun, and nobody knows how it ended
	SendDone    SendOutcome = "sent"       // Twilio accepted it
	SendRefused SendOutcome = "not sent"   // Twilio refused it, or it was never sent
)

// Resend is one resend of a challenge's push from this machine.
type Resend struct {
	ID              int64           `json:"id"`
	ChallengeSID    ChallengeSID    `json:"challenge_sid"`
	NotificationSID NotificationSID `json:"notification_sid"`
	At              time.Time       `json:"at"`
	Outcome         SendOutcome     `json:"outcome"`
}

// Receipt is the word of the app or its backend that a challenge arrived on the phone.
type Receipt struct {
	ChallengeSID ChallengeSID `json:"challenge_sid"`
	At           time.Time    `json:"at"`
	Source       string       `json:"source"`
}

// IndexedFactor is a factor as the index of this machine has it.
type IndexedFactor struct {
	Factor              // without its push token
	TokenHash string    `json:"token_hash"` // keyed hash of the push token; equal hashes are equal tokens
	ReadAt    time.Time `json:"read_at"`
}

// EntityFactors is all factors of one entity, as read at one time.
type EntityFactors struct {
	Entity  Entity
	Factors []Factor
	ReadAt  time.Time
	Gone    bool // the entity was not there any more; Entity.Identity names it
}

// CrawlKind is how much of a Service a crawl reads.
type CrawlKind string

// The kinds of crawl.
const (
	CrawlFull    CrawlKind = "full"    // every entity
	CrawlChanged CrawlKind = "changed" // only the entities that were put on its list
)

// Crawl is one run that fills the index. It outlives the process: one that was cut off is continued.
type Crawl struct {
	ID         int64      `json:"id"`
	ServiceSID ServiceSID `json:"service_sid"`
	Kind       CrawlKind  `json:"kind"`
	Started    time.Time  `json:"started"`
	Finished   time.Time  `json:"finished,omitzero"` // zero while it has not finished
	Cursor     string     `json:"cursor"`            // of the next page of entities
	Listed     bool       `json:"listed"`            // the last page of entities was read
	Entities   int        `json:"entities"`          // in the index when it finished
	Factors    int        `json:"factors"`           // in the index when it finished
	Resumed    bool       `json:"resumed"`           // an earlier process began it
}

// Freshness says how old the answers of the index are.
type Freshness struct {
	AccountSID AccountSID `json:"account_sid"`
	ServiceSID ServiceSID `json:"service_sid"`          // of which the index is; "" when there is none
	OldestRead time.Time  `json:"oldest_read,omitzero"` // no entity was read earlier
	LastFull   Crawl      `json:"last_full"`            // the last full crawl that finished; ID 0 when there was none
	Unfinished Crawl      `json:"unfinished"`           // the crawl that was cut off or is running; ID 0 when there is none
	Waiting    int        `json:"waiting"`              // entities on its list that are not read yet
}

// FactorGroup is how many factors share the same values.
type FactorGroup struct {
	Values []string `json:"values"` // in the order of the fields asked for
	Count  int      `json:"count"`
}

// ItemOutcome is what became of one item of a plan.
type ItemOutcome struct {
	Plan    string    `json:"plan"` // the plan's SHA-256
	Item    int       `json:"item"`
	SID     string    `json:"sid"`
	Outcome string    `json:"outcome"`
	Detail  string    `json:"detail"`
	At      time.Time `json:"at"`
}
