package challenge

import (
	"errors"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// reading is one thing that was asked for.
type reading[T any] struct {
	value T
	asked bool
	err   error
}

// ok tells whether it was read and is there; absent, whether Twilio says that it is not there.
func (r reading[T]) ok() bool     { return r.asked && r.err == nil }
func (r reading[T]) absent() bool { return r.asked && verify.KindOf(r.err) == verify.KindNotFound }

// facts is everything that was found out, before anything is concluded.
type facts struct {
	env     verify.Environment
	others  []verify.Environment
	now     time.Time
	since   time.Duration // how far back errors explain what happens now
	service verify.ServiceSID

	identity    verify.Identity
	challengeID verify.ChallengeSID
	factorID    verify.FactorSID
	alertID     verify.AlertSID
	event       *event.Event // asked about
	alert       reading[verify.Alert]

	challenge   reading[verify.Challenge]
	factor      reading[verify.Factor]
	factors     reading[[]verify.Factor]    // of the identity
	challenges  reading[[]verify.Challenge] // of the identity or the factor, newest first
	setup       reading[verify.Service]
	credentials map[verify.CredentialSID]reading[verify.Credential]
	asked       verify.CredentialSID // the credential that is the subject

	events     []event.Event
	eventsFrom time.Time // all events since then were looked at; zero when none were
	eventsErr  error     // why not further back

	resends       []verify.Resend
	receipts      []verify.Receipt
	deleted       []verify.Deletion // of the factor, from this machine
	knownHere     bool              // this machine has seen the SID in this environment
	knownIdentity verify.Identity   // under which it has
}

// isAbsent tells whether the subject itself is not here, so that nothing of this environment explains it.
func (f *facts) isAbsent() bool {
	return f.alert.absent() || f.challenge.absent() || f.factors.absent() && f.challengeID == "" ||
		f.asked != "" && f.credentials[f.asked].absent()
}

// unreachable gives the first error that says that Twilio does not answer.
func (f *facts) unreachable() error {
	for _, err := range f.unread() {
		if verify.KindOf(err) == verify.KindUnreachable {
			return err
		}
	}
	return nil
}

// unread gives why reads failed. That something is not there is an answer, and what was not asked for did not fail.
func (f *facts) unread() []error {
	errs := []error{f.alert.err, f.challenge.err, f.factor.err, f.factors.err, f.challenges.err, f.setup.err, f.eventsErr}
	for _, c := range f.credentials {
		errs = append(errs, c.err)
	}
	return slices.DeleteFunc(errs, func(err error) bool {
		return err == nil || verify.KindOf(err) == verify.KindNotFound || errors.Is(err, errSpent)
	})
}

// credentialsToRead gives the credential asked about, else those of the platforms in question.
func (f *facts) credentialsToRead() []verify.CredentialSID {
	if f.asked != "" {
		return []verify.CredentialSID{f.asked}
	}
	var sids []verify.CredentialSID
	for _, p := range f.platforms() {
		if sid := f.setup.value.CredentialSID(p); sid != "" && !slices.Contains(sids, sid) {
			sids = append(sids, sid)
		}
	}
	return sids
}

// platforms gives the push platforms that matter for the subject: the factor's, else those of the identity's factors,
// else those the environment declares, else all.
func (f *facts) platforms() []verify.Platform {
	all := []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}
	switch {
	case f.factor.ok():
		return slices.DeleteFunc(all, func(p verify.Platform) bool { return p != f.factor.value.Config.Platform })
	case f.factors.ok():
		return slices.DeleteFunc(all, func(p verify.Platform) bool {
			return !slices.ContainsFunc(f.factors.value, func(x verify.Factor) bool { return x.IsPush() && x.Config.Platform == p })
		})
	case len(f.env.Platforms) > 0:
		return slices.DeleteFunc(all, func(p verify.Platform) bool { return !f.env.Uses(p) })
	}
	return all
}

// around is the time in which errors may explain the challenge.
func (f *facts) around() event.Span {
	c := f.challenge.value
	end := c.ExpirationDate.Add(afterChallenge)
	if end.After(f.now) {
		end = f.now
	}
	return event.Span{From: c.DateCreated.Add(-beforeChallenge), Until: end}
}

// recent is the time in which errors explain what happens now.
func (f *facts) recent() event.Span {
	return event.Span{From: f.now.Add(-f.since), Until: f.now}
}

// isExplained tells whether an event names the challenge itself.
func (f *facts) isExplained() bool {
	return slices.ContainsFunc(f.events, func(e event.Event) bool {
		return sameSID(e.ChallengeSID, f.challengeID) && isExact(e) && kindOfEvent(e) != ""
	})
}

// names gives the identities and device names that stand in texts.
func (f *facts) names() []string {
	names := []string{string(f.identity), string(f.knownIdentity), f.factor.value.FriendlyName}
	for _, factor := range f.factors.value {
		names = append(names, factor.FriendlyName)
	}
	if f.challenge.ok() {
		names = append(names, f.challenge.value.Details.Message)
	}
	return names
}
