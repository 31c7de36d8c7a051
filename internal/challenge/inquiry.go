package challenge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// inquiry asks, within the budget, and keeps what it finds.
type inquiry struct {
	subject Subject
	env     verify.Environment
	service verify.ServiceSID
	src     Sources
	facts   facts
	checked []Check
	fatal   error
	seen    map[string]bool // events kept, by SID
}

func (q *inquiry) check(what, sid, result string) {
	q.checked = append(q.checked, Check{What: what, SID: sid, Result: result})
}

// name gives the subject as it was asked about.
func (q *inquiry) name() string {
	s, f := q.subject, q.facts
	switch {
	case s.Challenge != "":
		return "challenge " + string(s.Challenge) + of(f.identity)
	case s.Factor != "":
		return "factor " + string(s.Factor) + of(f.identity)
	case s.Identity != "":
		return "identity " + string(s.Identity)
	case s.Alert != "":
		return "alert " + string(s.Alert)
	case s.Event != nil:
		return "event " + cmp.Or(s.Event.EventSID, "without a SID")
	case s.Credential != "":
		return "push credential " + string(s.Credential)
	}
	return "Service " + string(q.service)
}

func of(identity verify.Identity) string {
	if identity == "" {
		return ""
	}
	return " of " + string(identity)
}

// resolve turns the subject into SIDs with an identity, or says that this is not possible.
func (q *inquiry) resolve(ctx context.Context) error {
	s := q.subject
	if s.Alert != "" {
		if err := q.readAlert(ctx, &s); err != nil {
			return err
		}
	}
	f := &q.facts
	f.service, f.alertID, f.event = q.service, s.Alert, s.Event
	f.identity, f.challengeID, f.factorID, f.asked = s.Identity, s.Challenge, s.Factor, s.Credential
	if s.Event != nil {
		q.keep(*s.Event)
		if s.Identity == "" { // nobody is named: what the event says of the credential or the Service is left
			f.challengeID, f.factorID = "", ""
		} else {
			f.asked = ""
		}
		return nil
	}
	if bare := cmp.Or(string(s.Challenge), string(s.Factor)); bare != "" {
		return q.findIdentity(ctx, bare)
	}
	return nil
}

// readAlert takes the subject from an alert.
func (q *inquiry) readAlert(ctx context.Context, s *Subject) error {
	alert, err := q.src.twilio.Alert(ctx, s.Alert)
	q.facts.alert = reading[verify.Alert]{alert, true, err}
	if q.failed(ctx, err, "alert", string(s.Alert)) {
		return q.fatal
	}
	e := event.FromAlert(alert)
	from := SubjectOf(e)
	from.Alert = s.Alert
	*s = from
	q.check("alert", string(s.Alert), describeEvent(e))
	return nil
}

// findIdentity looks for the identity of a bare SID: in this machine's memory, among stored events and alerts. The
// memory is asked even when the identity is given, because a SID known under another one explains a lot.
func (q *inquiry) findIdentity(ctx context.Context, sid string) error {
	f := &q.facts
	identity, known, err := q.src.memory.IdentityOf(ctx, sid)
	if err != nil {
		return err
	}
	f.knownHere, f.knownIdentity = known, identity
	if f.identity != "" {
		return nil
	}
	if known {
		f.identity = identity
		q.check("this machine's memory", sid, "belongs to "+string(identity))
		return nil
	}
	q.readEvents(ctx, event.Span{From: f.now.Add(-alertsKept), Until: f.now})
	if q.fatal != nil {
		return q.fatal
	}
	for _, e := range f.events {
		named := sameSID(e.ChallengeSID, sid) || sameSID(e.FactorSID, sid)
		if id, err := verify.ParseIdentity(e.Identity); named && isExact(e) && err == nil {
			f.identity = id
			q.check("debugger events", e.EventSID, "names "+sid+" and "+string(id))
			return nil
		}
	}
	return verify.Usagef("%s cannot be looked up: Twilio finds a challenge or factor only under its identity, and neither "+
		"this machine nor an alert knows it", sid).
		WithHint("add its identity: %s", q.env.Command("why", sid, "--identity", "IDENTITY"))
}

// gather reads what the subject needs, the most telling first.
func (q *inquiry) gather(ctx context.Context) {
	f := &q.facts
	switch {
	case f.challengeID != "":
		q.gatherChallenge(ctx)
	case f.factorID != "":
		q.gatherFactor(ctx)
	case f.identity != "":
		q.gatherIdentity(ctx)
	}
	if q.stopped() || f.alert.absent() {
		return
	}
	if !f.isAbsent() && !f.factor.absent() {
		q.gatherSetup(ctx)
	}
	if !q.stopped() {
		q.gatherEvents(ctx)
	}
}

// stopped tells that nothing more can be learned, by an error or because Twilio cannot be reached.
func (q *inquiry) stopped() bool { return q.fatal != nil || q.facts.unreachable() != nil }

func (q *inquiry) gatherChallenge(ctx context.Context) {
	f := &q.facts
	found, err := q.src.twilio.Challenge(ctx, q.service, f.identity, f.challengeID)
	f.challenge = reading[verify.Challenge]{found, true, err}
	if q.failed(ctx, err, "challenge", string(f.challengeID)) {
		if q.fatal == nil && f.challenge.absent() {
			q.readFactors(ctx)
		}
		return
	}
	q.check("challenge", string(found.SID), describeChallenge(found, f.now))
	q.remember(ctx, found.SID)
	f.factorID = found.FactorSID
	q.readFactor(ctx)
}

func (q *inquiry) gatherFactor(ctx context.Context) {
	q.readFactor(ctx)
	if !q.stopped() {
		q.readChallenges(ctx, verify.ChallengeFilter{FactorSID: q.facts.factorID, Newest: true})
	}
	if !q.stopped() && q.facts.factor.absent() {
		q.readFactors(ctx)
	}
}

func (q *inquiry) gatherIdentity(ctx context.Context) {
	q.readFactors(ctx)
	if q.stopped() || !q.facts.factors.ok() {
		return
	}
	q.readChallenges(ctx, verify.ChallengeFilter{Newest: true})
	f := &q.facts
	if len(f.challenges.value) > 0 {
		latest := f.challenges.value[0]
		f.challengeID, f.challenge = latest.SID, reading[verify.Challenge]{latest, true, nil}
		f.factorID = latest.FactorSID
		q.check("challenge", string(latest.SID), "the latest, "+describeChallenge(latest, f.now))
		q.remember(ctx, latest.SID)
	} else if len(f.factors.value) == 1 {
		f.factorID = f.factors.value[0].SID
	}
	if f.factorID != "" {
		f.factor = findFactor(f.factors.value, f.factorID)
		if f.factor.absent() {
			q.readDeletions(ctx)
		}
	}
}

// findFactor takes a factor from the list of its identity; one that is not in it is not there.
func findFactor(list []verify.Factor, sid verify.FactorSID) reading[verify.Factor] {
	for _, f := range list {
		if verify.SameSID(f.SID, sid) {
			return reading[verify.Factor]{f, true, nil}
		}
	}
	return reading[verify.Factor]{asked: true, err: &verify.Error{Kind: verify.KindNotFound,
		Message: "factor " + string(sid) + " is not among the identity's factors"}}
}

func (q *inquiry) readFactor(ctx context.Context) {
	f := &q.facts
	found, err := q.src.twilio.Factor(ctx, q.service, f.identity, f.factorID)
	f.factor = reading[verify.Factor]{found, true, err}
	if q.failed(ctx, err, "factor", string(f.factorID)) {
		if q.fatal == nil && f.factor.absent() {
			q.readDeletions(ctx)
		}
		return
	}
	q.check("factor", string(found.SID), fmt.Sprintf("%q, %s, platform %s", found.FriendlyName, found.Status, found.Config.Platform))
}

func (q *inquiry) readFactors(ctx context.Context) {
	list, err := collect(q.src.twilio.Factors(ctx, q.service, q.facts.identity))
	q.facts.factors = reading[[]verify.Factor]{list, true, err}
	if !q.failed(ctx, err, "identity", string(q.facts.identity)) {
		q.check("identity", string(q.facts.identity), "has "+verify.Count(len(list), "factor"))
	}
}

func (q *inquiry) readChallenges(ctx context.Context, filter verify.ChallengeFilter) {
	list, err := collect(q.src.twilio.Challenges(ctx, q.service, q.facts.identity, filter))
	q.facts.challenges = reading[[]verify.Challenge]{list, true, err}
	q.failed(ctx, err, "challenges", "")
}

// readDeletions asks this machine whether it deleted the factor.
func (q *inquiry) readDeletions(ctx context.Context) {
	for deletion, err := range q.src.memory.Deletions(ctx, verify.DeletionFilter{FactorSID: q.facts.factorID}) {
		if err != nil {
			q.fatal = err
			return
		}
		q.facts.deleted = append(q.facts.deleted, deletion)
	}
}

// remember takes what this machine knows of a challenge.
func (q *inquiry) remember(ctx context.Context, sid verify.ChallengeSID) {
	var err error
	if q.facts.resends, err = q.src.memory.Resends(ctx, sid); err == nil {
		q.facts.receipts, err = q.src.memory.Receipts(ctx, sid)
	}
	if err != nil {
		q.fatal = err
	}
}

// gatherSetup reads the Service and the push credentials that matter for the subject.
func (q *inquiry) gatherSetup(ctx context.Context) {
	f := &q.facts
	found, err := q.src.twilio.Service(ctx, q.service)
	f.setup = reading[verify.Service]{found, true, err}
	if !q.failed(ctx, err, "Service", string(q.service)) {
		q.check("Service", string(q.service), describeService(found))
	}
	f.credentials = map[verify.CredentialSID]reading[verify.Credential]{}
	for _, sid := range f.credentialsToRead() {
		if q.stopped() {
			return
		}
		found, err := q.src.twilio.Credential(ctx, sid)
		f.credentials[sid] = reading[verify.Credential]{found, true, err}
		if !q.failed(ctx, err, "push credential", string(sid)) {
			q.check("push credential", string(sid), describeCredential(found))
		}
	}
}

// gatherEvents reads the events around the challenge, and when they do not name it, all that Twilio keeps: a dead token
// is reported once, and iOS reports late.
func (q *inquiry) gatherEvents(ctx context.Context) {
	f := &q.facts
	everything := event.Span{From: f.now.Add(-alertsKept), Until: f.now}
	if f.challenge.ok() {
		q.readEvents(ctx, f.around())
		if q.stopped() || f.isExplained() || isAnswered(f.challenge.value) {
			return
		}
	} else if f.identity == "" {
		everything = f.recent()
	}
	if !q.stopped() && !f.eventsFrom.Equal(everything.From) {
		q.readEvents(ctx, everything)
	}
}

// readEvents reads the events of a span, newest first, as far as the requests go.
func (q *inquiry) readEvents(ctx context.Context, span event.Span) {
	n := 0
	oldest := span.Until
	var failed error
	for e, err := range q.src.feed.Events(ctx, span) {
		if err != nil {
			failed = err
			break
		}
		n++
		if e.Timestamp.Before(oldest) {
			oldest = e.Timestamp
		}
		q.keep(e)
	}
	if q.isFatal(ctx, failed) {
		return
	}
	f := &q.facts
	result := fmt.Sprintf("%s from %s to %s", verify.Count(n, "event"), verify.Stamp(span.From), verify.Stamp(span.Until))
	if failed != nil {
		f.eventsErr = failed
		result = fmt.Sprintf("%s back to %s; %s", verify.Count(n, "event"), verify.Stamp(oldest), failure(failed))
	} else {
		oldest = span.From
	}
	if f.eventsFrom.IsZero() || oldest.Before(f.eventsFrom) {
		f.eventsFrom = oldest
	}
	q.check("debugger events", "", result)
}

// keep takes an event once.
func (q *inquiry) keep(e event.Event) {
	if q.seen == nil {
		q.seen = map[string]bool{}
	}
	if e.EventSID != "" && q.seen[e.EventSID] {
		return
	}
	q.seen[e.EventSID] = true
	q.facts.events = append(q.facts.events, e)
}

// isFatal tells whether an error ends the inquiry: missing permission and an interruption do, for what they hide cannot
// be reasoned about.
func (q *inquiry) isFatal(ctx context.Context, err error) bool {
	kind := verify.KindOf(err)
	if err != nil && (ctx.Err() != nil || kind == verify.KindInterrupted || kind == verify.KindUsage || kind == verify.KindRefused) {
		q.fatal = err
	}
	if err != nil && kind == verify.KindAuth && !q.readSomething() {
		q.fatal = err // a restricted key may lack one permission; one that reads nothing is no use
	}
	return q.fatal != nil
}

func (q *inquiry) readSomething() bool {
	f := &q.facts
	return f.alert.ok() || f.challenge.ok() || f.factor.ok() || f.factors.ok() || f.setup.ok()
}

// failed tells whether a read gave nothing, and notes why where the inquiry goes on.
func (q *inquiry) failed(ctx context.Context, err error, what, sid string) bool {
	if !q.isFatal(ctx, err) && err != nil {
		q.check(what, sid, failure(err))
	}
	return err != nil || q.fatal != nil
}

// failure says in words why a read gave nothing.
func failure(err error) string {
	switch {
	case errors.Is(err, errSpent):
		return errSpent.Error()
	case verify.KindOf(err) == verify.KindNotFound:
		return "not there"
	}
	return "could not be read: " + err.Error()
}

func collect[T any](rows iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for row, err := range rows {
		if err != nil {
			return list, err
		}
		list = append(list, row)
	}
	return list, nil
}
