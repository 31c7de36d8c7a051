package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Rules are the operator's thresholds for what counts as a dead factor.
type Rules struct {
	MinUnanswered int           `json:"min_unanswered"` // challenges that expired unanswered after the event
	Quiet         verify.Period `json:"quiet"`          // how long the event must lie back
	Idle          verify.Period `json:"idle"`           // how long a factor must have given no sign of life; 0 turns the idle rule off
}

// DefaultRules are the thresholds when the operator names none. The idle rule is off.
var DefaultRules = Rules{MinUnanswered: 1, Quiet: verify.Period(14 * day)}

const (
	// idleDays is on how many different days a challenge must have gone unanswered before inactivity alone counts.
	idleDays = 3

	// refreshRace is how long before an event a token may have been refreshed and the event still be about the token
	// before: the push was under way to the old address.
	refreshRace = time.Hour
)

// Decision is what is to be done with a candidate.
type Decision string

// The decisions.
const (
	Delete Decision = "delete"
	Keep   Decision = "keep"
	Defer  Decision = "defer" // keep for now: the evidence is from a storm, ask again later
)

// Reason says in one word why a candidate was not taken, or on what evidence it was.
type Reason string

// The reasons.
const (
	reasonDeadToken Reason = "dead_token" // delete: its push token is dead and nobody answers on it
	reasonIdle      Reason = "idle"       // delete: nobody has answered on it for the idle period
	reasonLocksOut  Reason = "locks_out"  // keep: somebody would have no verified push factor left, and the plan does not say so
	reasonSelected  Reason = "selected"   // delete: an operator selected it

	reasonNotPush      Reason = "not_push"       // it is not a push factor
	reasonUnverified   Reason = "unverified"     // it was never verified; Twilio removes such factors by itself
	reasonUpdated      Reason = "updated"        // it was created or updated since: its token may be another
	reasonAnswered     Reason = "answered"       // a challenge was answered on it since
	reasonSeen         Reason = "seen"           // the backend has seen it since
	reasonQuiet        Reason = "too_recent"     // the quiet period is not over
	reasonNotAsked     Reason = "not_challenged" // too few challenges expired on it since: silence without a question is no proof
	reasonNeedsIdle    Reason = "needs_idle"     // its code is no proof without the idle rule
	reasonStorm        Reason = "storm"          // its event is part of a storm
	reasonMasked       Reason = "masked"         // the event does not give the factor's SID in full
	reasonAmbiguous    Reason = "ambiguous"      // the event can be read in several ways
	reasonInferred     Reason = "inferred"       // the event does not name the Service
	reasonRepaired     Reason = "repaired"       // the event's text was damaged
	reasonContradicted Reason = "contradicted"   // the event contradicts itself, or what Twilio says of the factor
	reasonUndated      Reason = "undated"        // the event has no time, or one in the future
	reasonGone         Reason = "gone"           // it no longer exists
	reasonUnreadable   Reason = "unreadable"     // it, or its challenges, could not be read
	reasonChanged      Reason = "changed"        // it has changed since the plan was made
	reasonUnmatched    Reason = "unmatched"      // it does not fit the selection any more
	reasonForeign      Reason = "foreign"        // it belongs to another account or Service
)

// Evidence is what speaks for the death of a factor. It is written into the plan, and looked at again before the delete.
type Evidence struct {
	Event    *deadToken `json:"event,omitempty"`
	LastSeen time.Time  `json:"last_seen,omitzero"` // by the backend's word

	// What the challenges say, at the time of planning.
	Unanswered     int       `json:"unanswered"`               // that expired on it since the event, or within the idle period
	LastUnanswered time.Time `json:"last_unanswered,omitzero"` // when the latest of them was created
}

// deadToken is the event that says that a factor's push token is dead.
type deadToken struct {
	EventSID string          `json:"event_sid"`
	Code     int             `json:"code"`
	At       time.Time       `json:"at"`
	Platform verify.Platform `json:"platform,omitempty"`
	Grade    event.Evidence  `json:"grade"` // strong or weak
}

// candidate is what is known about one factor, as read just now.
type candidate struct {
	Factor     verify.Factor
	Challenges []verify.Challenge // of its identity, from [Rules.since] on
	Event      *deadToken         // the latest one that names it; nil without one
	LastSeen   time.Time          // by the backend's word; zero when the backend says nothing about it
	Storms     []Storm
}

// finding is a decision and what it rests on.
type finding struct {
	Decision Decision
	Reason   Reason
	Detail   string // a sentence for the operator
	Evidence Evidence
}

// conclude ends with a reason, which decides.
func conclude(reason Reason, evidence Evidence, format string, args ...any) finding {
	decision := Keep
	switch reason {
	case reasonDeadToken, reasonIdle:
		decision = Delete
	case reasonStorm:
		decision = Defer
	}
	return finding{decision, reason, fmt.Sprintf(format, args...), evidence}
}

// judge decides about one factor. It never takes a factor that gave a sign of life since its event (an update, an
// answered challenge, the backend's word), nor one that was not asked: a dead push token is not a dead factor, because
// the phone may still answer by polling.
func (r Rules) judge(s candidate, now time.Time) finding {
	evidence := Evidence{Event: s.Event, LastSeen: s.LastSeen}
	switch {
	case !s.Factor.IsPush():
		return conclude(reasonNotPush, evidence, "it is a %s factor", s.Factor.Type)
	case s.Factor.Status != verify.FactorVerified:
		return conclude(reasonUnverified, evidence, "it was never verified; Twilio removes such factors by itself")
	}
	idle := r.judgeIdle(s, now)
	switch {
	case idle.Decision == Delete || s.Event == nil:
		return idle
	case s.Event.Grade == event.EvidenceStrong:
		return r.judgeDeadToken(s, now)
	case r.Idle == 0:
		return conclude(reasonNeedsIdle, evidence, "%d is no proof without the idle rule (--idle)", s.Event.Code)
	}
	return idle
}

// judgeDeadToken decides on a strong event.
func (r Rules) judgeDeadToken(s candidate, now time.Time) finding {
	at := s.Event.At
	evidence := Evidence{Event: s.Event, LastSeen: s.LastSeen}
	switch {
	case at.IsZero() || at.After(now):
		return conclude(reasonUndated, evidence, "the event has no time in the past")
	case s.otherPlatform():
		return conclude(reasonContradicted, evidence, "the event is about %s, and the factor is of %s", s.Event.Platform, s.Factor.Config.Platform)
	}
	if sign := s.lastSign(); !sign.at.Before(at.Add(-sign.slack)) {
		return conclude(sign.reason, evidence, "%s %s, and the event is of %s", sign.what, verify.Stamp(sign.at), verify.Stamp(at))
	}
	if storm, ok := struckBy(s.Storms, s.Factor.Config.Platform, s.Event.Code, at); ok {
		return conclude(reasonStorm, evidence, "%d of %d %s factors failed with %d within one hour around %s: that is a broken credential, not uninstalled apps",
			storm.Factors, storm.Of, storm.Platform, storm.Code, verify.Stamp(storm.From))
	}
	begin, tooRecent, notAsked := at, reasonQuiet, reasonNotAsked
	if end := lastStorm(s.Storms, s.Factor.Config.Platform); end.After(begin) {
		begin, tooRecent, notAsked = end, reasonStorm, reasonStorm // a storm silences living phones too
	}
	if now.Before(begin.Add(time.Duration(r.Quiet))) {
		return conclude(tooRecent, evidence, "the quiet period of %s since %s is not over", r.Quiet, verify.Stamp(begin))
	}
	unanswered := s.unansweredSince(begin, now)
	evidence.Unanswered, evidence.LastUnanswered = len(unanswered), latest(unanswered)
	if need := max(r.MinUnanswered, 1); len(unanswered) < need {
		return conclude(notAsked, evidence, "%d challenges expired on it since %s, %d are needed", len(unanswered), verify.Stamp(begin), need)
	}
	return conclude(reasonDeadToken, evidence, "%d at %s, %d unanswered since", s.Event.Code, verify.Stamp(at), len(unanswered))
}

// judgeIdle decides on inactivity.
func (r Rules) judgeIdle(s candidate, now time.Time) finding {
	evidence := Evidence{Event: s.Event, LastSeen: s.LastSeen}
	if r.Idle == 0 {
		return conclude(reasonNeedsIdle, evidence, "the idle rule is off")
	}
	begin, notAsked := r.Idle.Before(now), reasonNotAsked
	if sign := s.lastSign(); !sign.at.Before(begin) {
		return conclude(sign.reason, evidence, "%s %s, within the idle period of %s", sign.what, verify.Stamp(sign.at), r.Idle)
	}
	if end := lastStorm(s.Storms, s.Factor.Config.Platform); end.After(begin) {
		begin, notAsked = end, reasonStorm // a storm silences living phones too
	}
	unanswered := slices.DeleteFunc(s.unansweredSince(begin, now), s.answeredElsewhere)
	evidence.Unanswered, evidence.LastUnanswered = len(unanswered), latest(unanswered)
	asked, need := daysOf(unanswered), max(idleDays, r.MinUnanswered)
	// A dead token, or the backend's word that it has not seen the app, leaves less to be proved by silence.
	if s.eventStands(now) || !s.LastSeen.IsZero() {
		asked, need = len(unanswered), max(r.MinUnanswered, 1)
	}
	if asked < need {
		return conclude(notAsked, evidence, "since %s it was challenged in vain %d times, %d are needed", verify.Stamp(begin), asked, need)
	}
	return conclude(reasonIdle, evidence, "no activity for %s, %d unanswered, the last of %s", r.Idle, len(unanswered), verify.Stamp(evidence.LastUnanswered))
}

// eventStands tells whether nothing speaks against the event of the subject but that the factor was not asked enough.
func (s candidate) eventStands(now time.Time) bool {
	if s.Event == nil || s.Event.At.IsZero() || s.Event.At.After(now) || s.otherPlatform() {
		return false
	}
	_, storm := struckBy(s.Storms, s.Factor.Config.Platform, s.Event.Code, s.Event.At)
	sign := s.lastSign()
	return !storm && sign.at.Before(s.Event.At.Add(-sign.slack))
}

// otherPlatform tells whether the event is about another platform than the factor's.
func (s candidate) otherPlatform() bool {
	return s.Event.Platform != "" && s.Event.Platform != s.Factor.Config.Platform
}

// since gives the time from which the challenges of a subject must be known: every challenge that could still be
// answered at the beginning of the evidence.
func (r Rules) since(event *deadToken, now time.Time) time.Time {
	begin := now
	if r.Idle > 0 {
		begin = r.Idle.Before(now)
	}
	if event != nil && event.At.Before(begin) {
		begin = event.At
	}
	return begin.Add(-verify.MaxChallengeTTL)
}

// sign is a sign of life.
type sign struct {
	at     time.Time
	reason Reason
	what   string
	slack  time.Duration // how long before an event it may lie and still speak against it
}

// lastSign gives the latest sign of life; the creation of the factor is one.
func (s candidate) lastSign() sign {
	last := sign{s.Factor.DateCreated, reasonUpdated, "it was created", refreshRace}
	add := func(other sign) {
		if other.at.Add(other.slack).After(last.at.Add(last.slack)) {
			last = other
		}
	}
	add(sign{s.Factor.DateUpdated, reasonUpdated, "it was updated", refreshRace})
	add(sign{s.LastSeen, reasonSeen, "the backend saw it", 0})
	for _, c := range s.Challenges {
		if verify.SameSID(c.FactorSID, s.Factor.SID) && answered(c) {
			add(sign{answeredAt(c), reasonAnswered, "challenge " + string(c.SID) + " was answered on it", 0})
		}
	}
	return last
}

// unansweredSince gives the challenges of this factor that ran out after a time without an answer, but for those that
// fell into a storm of its platform.
func (s candidate) unansweredSince(since, now time.Time) []verify.Challenge {
	var unanswered []verify.Challenge
	for _, c := range s.Challenges {
		if verify.SameSID(c.FactorSID, s.Factor.SID) && expiredBy(c, now) && c.ExpirationDate.After(since) &&
			!stormActive(s.Storms, s.Factor.Config.Platform, c.DateCreated) {
			unanswered = append(unanswered, c)
		}
	}
	return unanswered
}

// answeredElsewhere tells whether the user answered on another factor while a challenge was open: then its silence says
// nothing about the phone it was sent to.
func (s candidate) answeredElsewhere(c verify.Challenge) bool {
	return slices.ContainsFunc(s.Challenges, func(other verify.Challenge) bool {
		if verify.SameSID(other.FactorSID, s.Factor.SID) || !answered(other) {
			return false
		}
		at := answeredAt(other)
		return !at.Before(c.DateCreated) && !at.After(c.ExpirationDate)
	})
}

// answered tells whether somebody answered a challenge. What is neither pending nor expired counts as answered, words
// that Twilio may invent included.
func answered(c verify.Challenge) bool {
	return c.Status != verify.ChallengePending && c.Status != verify.ChallengeExpired
}

// answeredAt gives when a challenge was answered, or the latest time at which it can have been.
func answeredAt(c verify.Challenge) time.Time {
	return cmp.Or(c.DateResponded, c.DateUpdated, c.ExpirationDate)
}

// expiredBy tells whether a challenge ran out unanswered; Twilio may say so late.
func expiredBy(c verify.Challenge, now time.Time) bool {
	return c.Status == verify.ChallengeExpired || c.Status == verify.ChallengePending && c.ExpirationDate.Before(now)
}

func latest(challenges []verify.Challenge) time.Time {
	var last time.Time
	for _, c := range challenges {
		last = later(last, c.DateCreated)
	}
	return last
}

// daysOf counts the different days (UTC) on which the challenges were created.
func daysOf(challenges []verify.Challenge) int {
	days := map[time.Time]bool{}
	for _, c := range challenges {
		days[c.DateCreated.UTC().Truncate(day)] = true
	}
	return len(days)
}

const day = 24 * time.Hour
