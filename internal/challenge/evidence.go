package challenge

import (
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// relation is how an event is related to what is asked about.
type relation int

const (
	unrelated      relation = iota
	unattributed            // it names neither factor nor Service nor credential, and comes at the time
	sameSetUp               // it names the push credential or the Service in question, and comes at the time
	ofTheFactor             // it names the factor
	ofTheChallenge          // it names the challenge
)

// isExact tells whether an event's SIDs can be relied on.
func isExact(e event.Event) bool { return !e.Masked && !e.Ambiguous && !e.Repaired }

// blamesToken tells whether a cause is a phone's token. Such a cause is claimed of nobody whom an event does not name.
func blamesToken(kind CauseKind) bool { return kind == TokenDead || kind == TokenInvalid }

// consider turns one event into a cause, as far as it is related to the subject.
func (d *diagnosis) consider(e event.Event) {
	kind := kindOfEvent(e)
	if kind == "" || e.Product == event.ProductVoice || e.Product == event.ProductNotify {
		return
	}
	how := d.relate(e)
	if d.mayBeOurs(e, kind, how) {
		d.unattributed++
	}
	if how == unrelated {
		return
	}
	confidence, ok := d.weigh(e, kind, how)
	if !ok {
		return
	}
	c := Cause{Kind: kind, Confidence: confidence, Owner: ownerOf(e), Summary: d.summary(e, kind, how),
		Evidence: d.evidence(e, kind, how), Next: d.next(kind), ErrorCode: number(e), direct: how == ofTheChallenge}
	if confidence == History {
		c = d.past(c, d.changedAfter(e, kind))
	}
	d.causes.add(c).count(e)
}

// past tells a cause as history, with what was done since and what can be tried.
func (d *diagnosis) past(c Cause, until time.Time) Cause {
	c.Until = until
	c.Summary = fmt.Sprintf("until %s, when that was changed, this was the cause: %s; no later push is known to have failed so", verify.Stamp(until), c.Summary)
	switch {
	case !d.challenge.ok():
		c.Next = d.env.Command("doctor")
	case d.lastPush().After(until):
		c.Summary += fmt.Sprintf(", and this challenge was pushed again at %s", verify.Stamp(d.lastPush()))
		c.Next = d.watch()
	case d.isPending():
		c.Next = d.env.Command("challenge", "resend", string(d.challenge.value.SID), "--identity", string(d.identity))
	}
	return c
}

// mayBeOurs tells whether an event that names no factor may be about the subject's: it comes at the time, or it tells
// of a dead token, which is told once, since this one was last refreshed.
func (d *diagnosis) mayBeOurs(e event.Event, kind CauseKind, how relation) bool {
	switch {
	case e.FactorSID != "":
		return false
	case how == unattributed || how == sameSetUp:
		return true
	}
	isHere := d.isOfCredential(e) || e.CredentialSID == "" && e.ServiceSID == ""
	return blamesToken(kind) && isHere && d.usesPlatform(e) && d.factor.ok() && d.factor.value.DateUpdated.Before(e.Timestamp)
}

// relate tells how an event is related to the subject.
func (d *diagnosis) relate(e event.Event) relation {
	if isExact(e) && e.ServiceSID != "" && !sameSID(e.ServiceSID, d.facts.service) {
		return unrelated // of another environment
	}
	switch {
	case isExact(e) && sameSID(e.ChallengeSID, d.challengeID):
		return ofTheChallenge
	case isExact(e) && sameSID(e.FactorSID, d.factorID):
		return ofTheFactor
	case !d.isInTime(e):
		return unrelated
	case d.isOfCredential(e):
		return sameSetUp
	case d.asked == "" && isExact(e) && e.ServiceSID != "" && d.usesPlatform(e):
		return sameSetUp
	case d.asked == "" && e.ServiceSID == "" && e.CredentialSID == "" && e.FactorSID == "" && d.usesPlatform(e):
		return unattributed
	}
	return unrelated
}

// isInTime tells whether an event of others may explain the subject.
func (d *diagnosis) isInTime(e event.Event) bool {
	span := d.recent()
	if d.challenge.ok() {
		span = d.around()
	}
	return !e.Timestamp.Before(span.From) && !e.Timestamp.After(span.Until)
}

// isOfCredential tells whether an event names a push credential in question.
func (d *diagnosis) isOfCredential(e event.Event) bool {
	if d.asked != "" {
		return sameSID(e.CredentialSID, d.asked)
	}
	for _, p := range d.platforms() {
		if d.setup.ok() && sameSID(e.CredentialSID, d.setup.value.CredentialSID(p)) {
			return true
		}
	}
	return false
}

func (d *diagnosis) usesPlatform(e event.Event) bool {
	return e.Platform == "" || d.uses(e.Platform)
}

// isCredentialWide tells whether a verdict is about a credential or a Service as a whole, and so about every phone of it.
func isCredentialWide(kind CauseKind) bool {
	switch kind {
	case CredentialMissing, CredentialWrongType, CredentialBroken, LegacyFCM, Throttled, WebhookFailed:
		return true
	}
	return false
}

// weigh says how sure an event makes a cause, and whether it may be claimed at all.
func (d *diagnosis) weigh(e event.Event, kind CauseKind, how relation) (Confidence, bool) {
	switch {
	case blamesToken(kind):
		return d.weighToken(e, kind, how)
	case kind == WebhookFailed:
		return Likely, how == sameSetUp || how == ofTheChallenge || how == ofTheFactor
	case how == ofTheChallenge && d.isOutdated(e, kind):
		return History, true
	case how == ofTheChallenge:
		return Certain, true
	case !d.isInTime(e) && d.challenge.ok():
		return "", false
	case d.isOutdated(e, kind):
		return History, !d.challenge.ok() || d.changedAfter(e, kind).After(d.challenge.value.DateCreated)
	case how == ofTheFactor:
		return Likely, true
	case how == sameSetUp && kind == EnvironmentMismatch && d.isOfCredential(e) && d.contradictsDeclaration():
		return Certain, true
	case how == sameSetUp && isCredentialWide(kind):
		return Likely, true
	case how == sameSetUp && e.FactorSID == "" && d.asked == "": // it may be this factor's
		return Possible, true
	case how == sameSetUp && d.identity == "":
		return Likely, true
	case how == sameSetUp:
		return Possible, d.causes[kind] != nil
	case how == unattributed && kind == EnvironmentMismatch && d.causes[kind] != nil:
		return d.causes[kind].Confidence, true
	}
	return Possible, isCredentialWide(kind) || kind == EnvironmentMismatch || kind == AppMismatch
}

// contradictsDeclaration tells whether the sandbox setting does not fit the builds, and did not when the push was sent.
func (d *diagnosis) contradictsDeclaration() bool {
	c, ok := d.apnCredential()
	return ok && sandboxContradicts(c.Sandbox, d.env.IOSBuild) && d.unless(c.DateUpdated, Certain) == Certain
}

// isOutdated tells whether what an event complains of was changed after it.
func (d *diagnosis) isOutdated(e event.Event, kind CauseKind) bool {
	return !d.changedAfter(e, kind).IsZero()
}

// changedAfter is when what an event complains of was last changed, if that was after it; else zero.
func (d *diagnosis) changedAfter(e event.Event, kind CauseKind) time.Time {
	var changed time.Time
	switch kind {
	case CredentialMissing, CredentialWrongType:
		changed = d.setup.value.DateUpdated
	case CredentialBroken, LegacyFCM, EnvironmentMismatch, AppMismatch:
		changed = d.credentialChanged(e)
	case TokenDead, TokenInvalid:
		if d.factor.ok() && sameSID(e.FactorSID, d.factor.value.SID) {
			changed = d.factor.value.DateUpdated
		}
	}
	if changed.After(e.Timestamp) {
		return changed
	}
	return time.Time{}
}

// credentialChanged is when the push credential that an event complains of was last changed, or another one was attached
// in its place, which changes the Service.
func (d *diagnosis) credentialChanged(e event.Event) (changed time.Time) {
	attached := false
	for _, p := range d.platforms() {
		attached = attached || sameSID(e.CredentialSID, d.setup.value.CredentialSID(p))
	}
	if d.setup.ok() && d.asked == "" && e.CredentialSID != "" && !attached {
		return d.setup.value.DateUpdated
	}
	for _, c := range d.credentials {
		isIt := e.CredentialSID == "" && d.usesPlatform(e) || sameSID(e.CredentialSID, c.value.SID)
		if c.ok() && isIt && c.value.DateUpdated.After(changed) {
			changed = c.value.DateUpdated
		}
	}
	return changed
}

// weighToken claims a dead or wrong push token only of a factor that an exact event names, whose token was not refreshed
// since, and outside a storm: many phones at once are a broken credential.
func (d *diagnosis) weighToken(e event.Event, kind CauseKind, how relation) (Confidence, bool) {
	switch {
	case d.isStorm(e):
		return "", false
	case d.identity == "" && isExact(e) && e.PruneEvidence == event.EvidenceStrong:
		return Certain, true // of the factor it names, whichever that is
	case how != ofTheChallenge && how != ofTheFactor:
		return "", false
	case kind == TokenDead && e.PruneEvidence == event.EvidenceNone:
		return "", false
	case d.isOutdated(e, kind):
		return History, how == ofTheChallenge // the token was refreshed since
	case kind == TokenDead && e.PruneEvidence == event.EvidenceWeak:
		return Likely, true
	case kind == TokenInvalid && how == ofTheFactor:
		return Likely, true
	}
	return Certain, true
}

// A storm is this many factors of one Service with the same code within an hour.
const (
	stormFactors = 5
	stormTime    = time.Hour
)

func (d *diagnosis) isStorm(e event.Event) bool {
	named := map[string]bool{}
	for _, other := range d.facts.events {
		gap := other.Timestamp.Sub(e.Timestamp).Abs()
		if gap < stormTime && number(other) == number(e) && sameSID(other.ServiceSID, e.ServiceSID) && other.FactorSID != "" {
			named[other.FactorSID] = true
		}
	}
	return len(named) >= stormFactors
}

func number(e event.Event) int {
	if e.ErrorCode == nil {
		return 0
	}
	return *e.ErrorCode
}

func ownerOf(e event.Event) string {
	if code, ok := event.Lookup(number(e)); ok {
		return string(code.Owner)
	}
	return OwnerOperator
}

// summary says what an event means, in one sentence.
func (d *diagnosis) summary(e event.Event, kind CauseKind, how relation) string {
	code := codeText(e)
	what, cause := "pushes are refused", ""
	if entry, ok := event.Lookup(number(e)); ok {
		cause = ": " + lowerFirst(entry.Cause)
	}
	if kind == TokenDead && d.identity == "" {
		return fmt.Sprintf("push tokens of individual factors are dead (%s): most often the app was removed; the phones may still "+
			"answer when the app is opened", code)
	}
	switch kind {
	case TokenDead:
		return fmt.Sprintf("the push token of factor %s is dead (%s): most often the app was removed; the phone may still answer "+
			"when the app is opened", e.FactorSID, code)
	case TokenInvalid:
		return fmt.Sprintf("the push token of factor %s is not one that its provider accepts (%s): the app has to send it again", e.FactorSID, code)
	case EnvironmentMismatch:
		if c, ok := d.apnCredential(); ok && sandboxContradicts(c.Sandbox, d.env.IOSBuild) {
			return mismatch(c, d.env.IOSBuild) + " (" + code + ")"
		}
		return fmt.Sprintf("Apple refuses the push token (%s): the credential's sandbox setting and the signing of the app do not fit", code)
	case WebhookFailed:
		return fmt.Sprintf("Twilio could not tell the backend about answers (%s)%s", code, cause)
	}
	if how == unattributed {
		what = "a push was refused at that time, but not whose"
	}
	return fmt.Sprintf("%s (%s)%s", what, code, cause)
}

// lowerFirst makes a sentence part of another one. Names such as APNs and FCM stay.
func lowerFirst(s string) string {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 1 && 'A' <= s[0] && s[0] <= 'Z' && 'a' <= s[1] && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func (d *diagnosis) apnCredential() (verify.Credential, bool) {
	read := d.credentials[d.setup.value.CredentialSID(verify.PlatformAPN)]
	return read.value, d.setup.ok() && read.ok()
}

func (d *diagnosis) evidence(e event.Event, kind CauseKind, how relation) []string {
	line := describeEvent(e)
	switch how {
	case ofTheChallenge:
		line += ", of this challenge"
	case ofTheFactor:
		line += ", of this factor"
	case sameSetUp:
		line += ", of the same Service or credential"
	case unattributed:
		line += ", which names nobody"
	}
	if how != ofTheChallenge && d.isOutdated(e, kind) {
		line += "; the setting was changed since"
	}
	return []string{line}
}

// next gives the command for a cause.
func (d *diagnosis) next(kind CauseKind) string {
	switch kind {
	case TokenDead, TokenInvalid:
		if d.identity != "" && d.factorID != "" {
			return d.env.Command("factors", "show", string(d.identity), string(d.factorID))
		}
	case Throttled:
		return d.env.Command("debugger", "alerts", "--since", "24h")
	}
	return d.env.Command("doctor")
}
