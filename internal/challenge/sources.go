package challenge

import (
	"context"
	"errors"
	"iter"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// MaxRequests is how many requests one why may send: in an incident many ask at once, and users' logins share the
// account's limit.
const MaxRequests = 8

// alertsPage is how many alerts one request gives at most (twilio_monitor_v1.json, ListAlert, PageSize).
const alertsPage = 1000

// errSpent is the error of a read that was not made because the requests are used up.
var errSpent = errors.New("not read: the limit of 8 requests for each why was reached")

// budget counts requests down. Retries after a failure are not counted.
type budget struct{ used int }

func (b *budget) take() error {
	if b.used >= MaxRequests {
		return errSpent
	}
	b.used++
	return nil
}

// Twilio is everything that why reads.
type Twilio interface {
	Challenge(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeSID) (verify.Challenge, error)
	Challenges(context.Context, verify.ServiceSID, verify.Identity, verify.ChallengeFilter) iter.Seq2[verify.Challenge, error]
	Factor(context.Context, verify.ServiceSID, verify.Identity, verify.FactorSID) (verify.Factor, error)
	Factors(context.Context, verify.ServiceSID, verify.Identity) iter.Seq2[verify.Factor, error]
	Service(context.Context, verify.ServiceSID) (verify.Service, error)
	Credential(context.Context, verify.CredentialSID) (verify.Credential, error)
	AlertReader
}

// AlertReader reads the account's alerts.
type AlertReader interface {
	Alert(context.Context, verify.AlertSID) (verify.Alert, error)
	Alerts(context.Context, verify.AlertFilter) iter.Seq2[verify.Alert, error]
}

// Feed gives the debugger events of a span of time, newest first and each once.
type Feed interface {
	Events(ctx context.Context, span event.Span) iter.Seq2[event.Event, error]
}

// Memory is what this machine knows of what happened from here.
type Memory interface {
	IdentityOf(ctx context.Context, sid string) (verify.Identity, bool, error)
	Resends(context.Context, verify.ChallengeSID) ([]verify.Resend, error)
	Receipts(context.Context, verify.ChallengeSID) ([]verify.Receipt, error)
	Deletions(context.Context, verify.DeletionFilter) iter.Seq2[verify.Deletion, error]
}

// Sources is where why looks. Make it with [NewSources].
type Sources struct {
	twilio Twilio // within the budget
	feed   Feed
	memory Memory
	budget *budget
}

// NewSources makes sources that send at most [MaxRequests] requests, those of the feed included, for one why. The feed is
// made over the counted list of alerts it is given.
func NewSources(twilio Twilio, memory Memory, feed func(AlertReader) Feed) Sources {
	b := &budget{}
	counted := countedTwilio{twilio, b}
	return Sources{twilio: counted, feed: feed(counted), memory: memory, budget: b}
}

// countedTwilio sends no more requests than its budget has.
type countedTwilio struct {
	Twilio
	budget *budget
}

func counted[T any](b *budget, read func() (T, error)) (T, error) {
	if err := b.take(); err != nil {
		var none T
		return none, err
	}
	return read()
}

func (t countedTwilio) Challenge(ctx context.Context, svc verify.ServiceSID, id verify.Identity, sid verify.ChallengeSID) (verify.Challenge, error) {
	return counted(t.budget, func() (verify.Challenge, error) { return t.Twilio.Challenge(ctx, svc, id, sid) })
}

func (t countedTwilio) Factor(ctx context.Context, svc verify.ServiceSID, id verify.Identity, sid verify.FactorSID) (verify.Factor, error) {
	return counted(t.budget, func() (verify.Factor, error) { return t.Twilio.Factor(ctx, svc, id, sid) })
}

func (t countedTwilio) Service(ctx context.Context, svc verify.ServiceSID) (verify.Service, error) {
	return counted(t.budget, func() (verify.Service, error) { return t.Twilio.Service(ctx, svc) })
}

// Credential counts twice when Twilio's Notify API did not give the credential, because another one was asked then.
func (t countedTwilio) Credential(ctx context.Context, sid verify.CredentialSID) (verify.Credential, error) {
	if MaxRequests-t.budget.used < 2 {
		return verify.Credential{}, errSpent
	}
	t.budget.used++
	credential, err := t.Twilio.Credential(ctx, sid)
	if err != nil || credential.ReadFrom != "notify" {
		t.budget.used++
	}
	return credential, err
}

func (t countedTwilio) Alert(ctx context.Context, sid verify.AlertSID) (verify.Alert, error) {
	return counted(t.budget, func() (verify.Alert, error) { return t.Twilio.Alert(ctx, sid) })
}

func (t countedTwilio) Challenges(ctx context.Context, svc verify.ServiceSID, id verify.Identity, f verify.ChallengeFilter) iter.Seq2[verify.Challenge, error] {
	return pages(t.budget, t.Twilio.Challenges(ctx, svc, id, f), smallestPage, false)
}

func (t countedTwilio) Factors(ctx context.Context, svc verify.ServiceSID, id verify.Identity) iter.Seq2[verify.Factor, error] {
	return pages(t.budget, t.Twilio.Factors(ctx, svc, id), smallestPage, false)
}

func (t countedTwilio) Alerts(ctx context.Context, f verify.AlertFilter) iter.Seq2[verify.Alert, error] {
	return pages(t.budget, t.Twilio.Alerts(ctx, f), alertsPage, true)
}

// smallestPage is how many rows of a list certainly come with its first request, whatever page size the client asks for.
const smallestPage = 50

// pages gives the rows of the first page, or goes on as long as there is budget for the request that fetches the next page.
func pages[T any](b *budget, rows iter.Seq2[T, error], size int, goOn bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := b.take(); err != nil {
			yield(none, err)
			return
		}
		n := 0
		for row, err := range rows {
			if !yield(row, err) {
				return
			}
			if n++; n%size != 0 {
				continue
			}
			if !goOn {
				return
			}
			if err := b.take(); err != nil {
				yield(none, err)
				return
			}
		}
	}
}
