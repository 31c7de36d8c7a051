package challenge

import (
	"cmp"
	"context"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Which events are looked at.
const (
	// alertsKept is how long Twilio answers for alerts (30 days; twilio_monitor_v1.json, ListAlert), less an hour for
	// clocks that differ.
	alertsKept = 30*24*time.Hour - time.Hour
	// beforeChallenge and afterChallenge bound the time around a challenge in which others' errors may explain its own.
	beforeChallenge = time.Hour
	afterChallenge  = 10 * time.Minute
	// recently is the time in which errors explain what happens now, unless somebody says otherwise.
	recently = 24 * time.Hour
)

// Answer says why, what that rests on, and what it does not cover.
type Answer struct {
	Subject     string            `json:"subject"`
	Environment string            `json:"environment"`
	Found       bool              `json:"found"` // whether the first cause is certain or likely
	State       string            `json:"state"` // what is known of the subject, in one sentence
	Causes      []Cause           `json:"causes"`
	Checked     []Check           `json:"checked"`
	CannotKnow  []string          `json:"cannot_know"`
	Requests    int               `json:"requests"`
	Unread      int               `json:"unread"` // how many reads failed: what they would have told is not known
	Challenge   *verify.Challenge `json:"challenge"`
	Factor      *verify.Factor    `json:"factor"`

	FirstUnread error    `json:"-"` // why the first of them failed
	Names       []string `json:"-"` // identities and people's own words that stand in the texts
}

// Check is one thing that was looked at.
type Check struct {
	What   string `json:"what"`
	SID    string `json:"sid"` // "" where none names it
	Result string `json:"result"`
}

// Question is what is asked, where and when.
type Question struct {
	Subject
	Env    verify.Environment
	Others []verify.Environment // where the subject may be when it is not in Env
	Now    time.Time            // the environment's time
	Since  time.Duration        // how far back errors explain what happens now, where no challenge is in question; 0 is a day
}

// Why finds out why a push or an answer did not come. It sends at most [MaxRequests] requests. A read that fails is
// told and never counts as healthy; only missing permission, an interruption, or a subject that cannot be resolved is an
// error.
func Why(ctx context.Context, question Question, src Sources) (Answer, error) {
	env := question.Env
	q := &inquiry{subject: question.Subject, env: env, src: src, service: env.ServiceSID, facts: facts{env: env,
		others: question.Others, now: question.Now, since: cmp.Or(question.Since, recently)}}
	if q.subject.Service != "" {
		q.service = q.subject.Service
	}
	if err := q.resolve(ctx); err != nil {
		return Answer{}, err
	}
	q.gather(ctx)
	if q.fatal != nil {
		return Answer{}, q.fatal
	}
	d := diagnosis{facts: q.facts, causes: causes{}}
	d.run()
	answer := Answer{Subject: q.name(), Environment: env.Name, Causes: d.causes.ranked(), Checked: q.checked,
		CannotKnow: d.cannotKnow(), State: d.state(), Requests: src.budget.used, Names: d.names()}
	if unread := q.facts.unread(); len(unread) > 0 {
		answer.Unread, answer.FirstUnread = len(unread), unread[0]
	}
	answer.Found = len(answer.Causes) > 0 && answer.Causes[0].isFound()
	if q.facts.challenge.ok() {
		answer.Challenge = &q.facts.challenge.value
	}
	if q.facts.factor.ok() {
		answer.Factor = &q.facts.factor.value
	}
	return answer, nil
}
