package challenge

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// diagnosis concludes from facts. It asks nothing.
type diagnosis struct {
	facts
	causes       causes
	unattributed int // push errors around the time that may be the subject's and name no factor
}

func (d *diagnosis) run() {
	if err := d.unreachable(); err != nil {
		d.causes.add(Cause{Kind: TwilioUnreachable, Confidence: Certain, Owner: OwnerOperator,
			Summary:  "Twilio gave no usable answer, so nothing else could be checked",
			Evidence: []string{err.Error()}, Next: d.env.Command("latency")})
	}
	d.presence()
	if d.isAbsent() {
		return
	}
	d.answer()
	if d.factor.absent() {
		return // no push goes to it, whatever the set-up
	}
	d.device()
	d.setUp()
	for _, e := range d.facts.events {
		d.consider(e)
	}
	d.resendLimit()
	d.silence()
}

// answer tells that there is nothing to explain: the user has answered.
func (d *diagnosis) answer() {
	if !d.challenge.ok() || !isAnswered(d.challenge.value) {
		return
	}
	c := d.challenge.value
	took := c.DateResponded.Sub(c.DateCreated).Truncate(time.Second)
	cause := Cause{Kind: Answered, Confidence: Certain, Owner: string(event.OwnerBackend),
		Summary:  fmt.Sprintf("the user %s it %v after it was created", c.Status, took),
		Evidence: []string{fmt.Sprintf("challenge %s was %s at %s", c.SID, c.Status, verify.Stamp(c.DateResponded))},
		Next:     d.env.Command("challenge", "show", string(c.SID), "--identity", string(c.Identity))}
	if c.Status == verify.ChallengeApproved {
		cause.Summary += "; if they are still waiting, the backend has not picked up the answer"
	} else {
		cause.Owner = OwnerUser
	}
	d.causes.add(cause)
}

// device tells what about the factor keeps pushes from being sent at all.
func (d *diagnosis) device() {
	list := d.factors.value
	if d.factor.ok() {
		list = []verify.Factor{d.factor.value}
	}
	for _, f := range list {
		switch {
		case f.IsPush() && f.Status != verify.FactorVerified:
			d.causes.add(Cause{Kind: FactorUnverified, Confidence: d.ifOnly(list), Owner: string(event.OwnerApp),
				Summary:  fmt.Sprintf("factor %s (%q) is not verified: no challenge can be created for it", f.SID, f.FriendlyName),
				Evidence: []string{fmt.Sprintf("it was created at %s; Twilio removes unverified factors after 1 to 24 hours", verify.Stamp(f.DateCreated))},
				Next:     d.env.Command("factors", "show", string(f.Identity), string(f.SID))})
		case f.IsPush() && f.Config.Platform == verify.PlatformNone:
			cause := Cause{Kind: PlatformNone, Confidence: d.ifOnly(list), Owner: OwnerUser,
				Summary:  fmt.Sprintf("factor %s (%q) has the platform none: it never gets a push, its app must be opened", f.SID, f.FriendlyName),
				Evidence: []string{"notification_platform is none"}}
			if d.challenge.ok() && d.isPending() {
				cause.Next = d.watch()
			}
			d.causes.add(cause)
		}
	}
}

// ifOnly is certain for the one factor in question, and possible for one of several of which another may ring.
func (d *diagnosis) ifOnly(list []verify.Factor) Confidence {
	if d.factor.ok() || len(list) == 1 {
		return Certain
	}
	return Possible
}

func (d *diagnosis) isPending() bool {
	return d.challenge.value.Status == verify.ChallengePending && !Expired(d.challenge.value, d.now)
}

func (d *diagnosis) watch() string {
	return d.env.Command("challenge", "watch", string(d.challengeID), "--identity", string(d.identity))
}

// setUp holds the Service and its push credentials against the platforms in question.
func (d *diagnosis) setUp() {
	if !d.setup.ok() || d.asked != "" && !d.credentials[d.asked].ok() {
		return
	}
	for _, p := range d.platforms() {
		d.slot(p)
	}
}

func (d *diagnosis) slot(p verify.Platform) {
	sid := d.setup.value.CredentialSID(p)
	fix := d.env.Command("doctor")
	if sid == "" {
		if d.asked == "" {
			d.causes.add(Cause{Kind: CredentialMissing, Confidence: d.unless(d.setup.value.DateUpdated, Certain), Owner: string(event.OwnerCredential),
				Summary:  fmt.Sprintf("the Service has no push credential for %s: no push of that platform is sent", p),
				Evidence: []string{fmt.Sprintf("Service %s has no %s credential%s", d.facts.service, p, d.changed(d.setup.value.DateUpdated))}, Next: fix})
		}
		return
	}
	read, asked := d.credentials[sid]
	switch {
	case !asked:
	case read.absent():
		d.causes.add(Cause{Kind: CredentialMissing, Confidence: Certain, Owner: string(event.OwnerCredential),
			Summary:  fmt.Sprintf("the Service's %s credential %s does not exist any more", p, sid),
			Evidence: []string{fmt.Sprintf("Twilio has no push credential %s", sid)}, Next: fix})
	case read.ok():
		d.credential(p, read.value, fix)
	}
}

// credential judges what the API shows of a credential. Its certificate or key never shows.
func (d *diagnosis) credential(p verify.Platform, c verify.Credential, fix string) {
	switch {
	case c.Type == verify.CredentialGCM && p == verify.PlatformFCM:
		d.causes.add(Cause{Kind: LegacyFCM, Confidence: Certain, Owner: string(event.OwnerCredential),
			Summary:  fmt.Sprintf("push credential %s is for Google's legacy service, which was shut down in 2024", c.SID),
			Evidence: []string{"its type is gcm"}, Next: fix})
		return
	case c.Type != string(p):
		d.causes.add(Cause{Kind: CredentialWrongType, Confidence: Certain, Owner: string(event.OwnerCredential),
			Summary:  fmt.Sprintf("push credential %s has type %s, but the Service needs one for %s", c.SID, c.Type, p),
			Evidence: []string{fmt.Sprintf("Service %s uses it for %s", d.facts.service, p)}, Next: fix})
		return
	}
	if p != verify.PlatformAPN || !sandboxContradicts(c.Sandbox, d.env.IOSBuild) {
		return
	}
	d.causes.add(Cause{Kind: EnvironmentMismatch, Confidence: d.unless(c.DateUpdated, Likely), Owner: string(event.OwnerCredential),
		Summary: mismatch(c, d.env.IOSBuild),
		Evidence: []string{fmt.Sprintf("push credential %s has sandbox %s%s; %s declares ios_build %s", c.SID, c.Sandbox,
			d.changed(c.DateUpdated), d.place(), d.env.IOSBuild)}, Next: fix})
}

// unless gives a confidence, or only possible when the setting was changed after the challenge in question was sent: it
// then tells of later pushes, not of that one.
func (d *diagnosis) unless(changed time.Time, c Confidence) Confidence {
	if d.challenge.ok() && changed.After(d.lastPush()) {
		return Possible
	}
	return c
}

// lastPush is when the challenge was last pushed, as far as this machine knows.
func (d *diagnosis) lastPush() time.Time {
	last := d.challenge.value.DateCreated
	for _, r := range d.resends {
		if r.Outcome != verify.SendRefused && r.At.After(last) {
			last = r.At
		}
	}
	return last
}

func (d *diagnosis) changed(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", last changed " + verify.Stamp(at)
}

// sandboxContradicts tells whether a credential serves the other of Apple's environments than the builds need. What is
// unknown or undeclared contradicts nothing.
func sandboxContradicts(s verify.Sandbox, build verify.IOSBuild) bool {
	return s == verify.SandboxTrue && build == verify.IOSDistribution || s == verify.SandboxFalse && build == verify.IOSDebug
}

func mismatch(c verify.Credential, build verify.IOSBuild) string {
	return fmt.Sprintf("push credential %s has sandbox %s, but the iOS app is signed for %s: Apple refuses its tokens", c.SID,
		c.Sandbox, build)
}

// resendLimit tells that no more pushes can be sent for a pending challenge.
func (d *diagnosis) resendLimit() {
	if !d.challenge.ok() || !d.isPending() {
		return
	}
	used := 0
	for _, r := range d.resends {
		if r.Outcome != verify.SendRefused {
			used++
		}
	}
	if used < verify.MaxNotifications {
		return
	}
	d.causes.add(Cause{Kind: ResendLimit, Confidence: Certain, Owner: OwnerUser, ErrorCode: limitReached,
		Summary: fmt.Sprintf("its push was resent %d times, the most Twilio allows: only opening the app helps", used),
		Evidence: []string{fmt.Sprintf("%s from this machine, %d at most for a challenge", verify.Count(used, "resend"),
			verify.MaxNotifications)},
		Next: d.watch()})
}

// silence is what is left when nothing else explains a challenge that nobody answered.
func (d *diagnosis) silence() {
	if !d.challenge.ok() || isAnswered(d.challenge.value) || d.isPending() {
		return
	}
	confidence := Likely
	for _, c := range d.causes {
		if c.isFound() || c.Confidence == History && c.direct {
			return
		}
		confidence = Possible
	}
	if d.eventsErr != nil || d.unattributed > 0 {
		confidence = Possible // its error may be among those not read, or among those that name no factor
	}
	c := d.challenge.value
	cause := Cause{Kind: ExpiredUnanswered, Confidence: confidence, Owner: OwnerUser,
		Summary:  "nobody answered before it expired, and no error is known: the push was lost or not noticed, or the user did not respond",
		Evidence: []string{fmt.Sprintf("challenge %s expired at %s", c.SID, verify.Stamp(c.ExpirationDate)), "no push error names it or its factor"},
		Next: d.env.Command("challenge", "create", string(c.Identity), "--factor", string(c.FactorSID), "--message",
			c.Details.Message)}
	if len(d.receipts) > 0 {
		cause.Summary = fmt.Sprintf("nobody answered before it expired, though the app confirmed at %s that it had it", verify.Stamp(d.receipts[0].At))
	}
	d.causes.add(cause)
}

// state says in one sentence what is known of the subject.
func (d *diagnosis) state() string {
	switch {
	case d.challenge.ok():
		return fmt.Sprintf("challenge %s of %s: %s", d.challenge.value.SID, d.identity, describeChallenge(d.challenge.value, d.now))
	case d.factor.ok():
		return "factor " + describeFactor(d.factor.value)
	case d.asked != "" && d.credentials[d.asked].ok():
		return "push credential " + describeCredential(d.credentials[d.asked].value)
	case d.factors.ok():
		return fmt.Sprintf("identity %s has %s and no challenge", d.identity, verify.Count(len(d.factors.value), "factor"))
	case d.event != nil:
		return describeEvent(*d.event)
	case d.setup.ok():
		return "Service " + describeService(d.setup.value)
	}
	return ""
}

// cannotKnow lists what this answer does not cover.
func (d *diagnosis) cannotKnow() []string {
	list := []string{"whether a phone received a push: neither Twilio nor Apple nor Google tells"}
	if len(d.receipts) > 0 {
		list = []string{"whether the user saw the push: the app confirmed that it had the challenge, no more"}
	}
	if d.uses(verify.PlatformAPN) && d.env.IOSBuild == verify.IOSUndeclared {
		list = append(list, "whether the sandbox setting is right: the environment does not declare ios_build")
	}
	if len(d.credentials) > 0 {
		list = append(list, "what is inside a push credential: certificate, expiry, bundle id and key are never given back")
	}
	if d.challenge.ok() && d.isPending() {
		list = append(list, "how many pushes a backend has sent: Twilio does not tell, and allows 3 resends in all")
	}
	if d.unattributed > 0 && d.identity != "" {
		list = append(list, fmt.Sprintf("whose %s of this time %s: the alerts name no factor", verify.Count(d.unattributed, "push error"),
			isAre(d.unattributed)))
	}
	switch {
	case d.unreachable() != nil:
	case d.eventsErr != nil && errors.Is(d.eventsErr, errSpent):
		list = append(list, "push errors before "+verify.Stamp(d.eventsFrom)+": "+errSpent.Error())
	case d.eventsErr != nil:
		list = append(list, "push errors: "+d.eventsErr.Error())
	case len(d.causes) == 0 || d.causes[ExpiredUnanswered] != nil:
		list = append(list, "errors that were never reported: a dead token is reported once, iOS reports late or never")
	}
	return list
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (d *diagnosis) uses(p verify.Platform) bool { return slices.Contains(d.platforms(), p) }

func codeText(e event.Event) string {
	if e.ErrorCode == nil {
		return "an error without a code"
	}
	return strconv.Itoa(*e.ErrorCode)
}
