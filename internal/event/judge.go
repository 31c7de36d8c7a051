package event

import (
	"slices"
	"strconv"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// judge concludes from the facts of one event. It decides three things apart from each other: which factor (if any) the
// event names, what went wrong, and what the two together may count for.
func judge(e *Event, f *facts, r *recorder) {
	if f.own != nil {
		*e = takeBack(f, r.noService)
		return
	}
	*e = Event{
		Source: f.source, EventSID: eventID(f.eventSID), AccountSID: sidOf(f.accountSID, "AC"), Timestamp: f.time, Level: f.level,
		NotificationSID: sidOf(f.notification, "NT"), CredentialSID: sidOf(f.from, "CR"), Description: f.description,
		Platform: platformOf(f.binding), Verdict: VerdictUnknown, Action: investigate, PruneEvidence: EvidenceNone,
		Envelope: r.envelope, Repaired: f.repaired != "", Reasons: make([]string, 0, 2),
	}
	code := f.catalogued(e)
	e.name(f, &r.ids)
	e.Product = productOf(f, e, code)
	if e.Product == ProductVoice {
		e.forgetFactor()
	}
	j := judgement{e: e, f: f, code: code, words: r.descriptions.read(f.description)}
	j.decide()
	j.weigh(r)
	e.Next = e.next("")
}

// catalogued fills in the code, and gives its entry of the catalogue or nil.
func (f *facts) catalogued(e *Event) *Code {
	if f.code == 0 {
		return nil
	}
	number := f.code
	e.ErrorCode = &number
	code := find(number)
	if code != nil {
		e.ErrorName = code.Name
	}
	return code
}

func platformOf(binding string) verify.Platform {
	switch strings.ToLower(binding) {
	case "apn", "apns":
		return verify.PlatformAPN
	case "fcm", "gcm":
		return verify.PlatformFCM
	}
	return verify.Platform(binding)
}

// name fills in whom the event is about.
func (e *Event) name(f *facts, ids *idGroups) {
	if f.source == SourceVerifyWebhook {
		e.ServiceSID, e.EntitySID, e.Identity = sidOf(f.service, "VA"), sidOf(f.entity, "YE"), f.identity
		e.FactorSID, e.ChallengeSID = sidOf(f.factor, "YF"), sidOf(f.challenge, "YC")
		e.Masked = isMaskedID(f.service) || isMaskedID(f.factor) || isMaskedID(f.challenge)
	} else {
		e.nameByCorrelation(f, ids)
	}
	e.Masked = e.Masked || isMaskedID(e.NotificationSID) || isMaskedID(e.CredentialSID) || isMaskedID(e.Identity)
}

// isMaskedID tells whether somebody blotted out a part of an id, an identity too.
func isMaskedID(id string) bool {
	if _, g := gradeSID(id); g != notSID {
		return g == maskSID
	}
	return strings.IndexByte(id, '*') >= 0 || strings.Contains(id, "…") || strings.Contains(id, "•")
}

func (e *Event) nameByCorrelation(f *facts, ids *idGroups) {
	others := [...]string{f.accountSID, f.notification, f.request, f.delivery, f.bindingSID, f.from, f.eventSID}
	var c correlation
	if f.correlationList != nil {
		ids.tokens = append(ids.tokens[:0], f.correlationList...)
		c = ids.sort(", ", others[:])
	} else if f.correlation != "" {
		c = ids.correlate(f.correlation, others[:])
	}
	e.ServiceSID, e.EntitySID, e.FactorSID, e.ChallengeSID = c.service, c.entity, c.factor, c.challenge
	e.Identity, e.Ambiguous, e.Candidates, e.Masked = c.identity, c.ambiguous, c.candidates, c.masked
	e.Repaired = e.Repaired || c.cut
	e.because(c.reasons...)
	if c.cut {
		e.because("the list of correlation ids was cut")
	}
	if f.aside {
		e.Inferred = true
		e.because("its ids are those of the request it is about")
	}
	e.crossCheck(f)
}

// crossCheck takes what the event's other fields say of the same resources. They fill gaps, which is never evidence, and
// a contradiction makes the event ambiguous. What these fields hold for Verify Push is not documented.
func (e *Event) crossCheck(f *facts) {
	for _, sid := range [...]string{f.primary, f.resource, f.service, f.factor, f.challenge} {
		if len(sid) < 2 || sid[0] != 'V' && sid[0] != 'Y' {
			continue
		}
		prefix, g := gradeSID(sid)
		if g != wholeSID && g != maskSID {
			continue
		}
		switch prefix {
		case "VA":
			e.agree(&e.ServiceSID, sid)
		case "YF":
			e.agree(&e.FactorSID, sid)
		case "YC":
			e.agree(&e.ChallengeSID, sid)
		default:
			continue
		}
		e.Masked = e.Masked || g == maskSID
	}
}

func (e *Event) agree(have *string, sid string) {
	switch {
	case *have == "" && e.Ambiguous:
	case *have == "":
		*have = sid
		e.Inferred = true
	case !verify.SameSID(*have, sid):
		e.Ambiguous = true
		e.because("another field of the event names " + sid)
	}
}

// because adds reasons that are not there yet: an event that was written before has them.
func (e *Event) because(reasons ...string) {
	for _, reason := range reasons {
		if !slices.Contains(e.Reasons, reason) {
			e.Reasons = append(e.Reasons, reason)
		}
	}
}

func (e *Event) forgetFactor() {
	e.FactorSID, e.ChallengeSID, e.EntitySID, e.Identity, e.Candidates = "", "", "", "", nil
}

// isVerify tells whether the event names a resource that only Verify has.
func (e *Event) isVerify() bool {
	return e.FactorSID != "" || e.ChallengeSID != "" || e.EntitySID != "" || len(e.Candidates) > 0
}

// productOf tells whose event it is. Voice and Notify share the push senders with Verify Push, and their events differ
// in the ids they carry.
func productOf(f *facts, e *Event, code *Code) Product {
	push := f.seen.hasPush() || code != nil && code.IsPush()
	switch {
	case f.source == SourceVerifyWebhook:
		return ProductVerifyPush
	case f.source == SourceAlertTrigger, f.isOtherStream():
		return ProductOther
	case hasPrefix(f.primary, "CA") || push && hasPrefix(f.resource, "CA"):
		return e.callProduct()
	case e.isVerify(), push && e.ServiceSID != "":
		return ProductVerifyPush
	case hasPrefix(f.service, "IS"), strings.EqualFold(f.binding, "sms"):
		return ProductNotify
	case f.product != "":
		return namedProduct(f.product)
	case code != nil && code.Area == areaVerifyPush:
		return ProductVerifyPush
	case push:
		return ProductUnknown
	case f.code != 0:
		return ProductOther
	}
	return ProductUnknown
}

// callProduct is Voice's, unless the event names a factor too: then it contradicts itself.
func (e *Event) callProduct() Product {
	if !e.isVerify() {
		return ProductVoice
	}
	e.Ambiguous = true
	e.because("it names both a call and a factor")
	return ProductUnknown
}

func namedProduct(name string) Product {
	switch lower := strings.ToLower(name); {
	case strings.Contains(lower, "voice"):
		return ProductVoice
	case strings.Contains(lower, "notify"):
		return ProductNotify
	case strings.Contains(lower, "verify push"):
		return ProductVerifyPush
	}
	return ProductOther
}

// judgement is the second half: verdict, action and evidence.
type judgement struct {
	e     *Event
	f     *facts
	code  *Code // nil when there is none, or an unknown one
	words reading
}

// decide sets verdict and action by the code, and by the description where the code does not tell or must not be
// believed.
func (j *judgement) decide() {
	e := j.e
	switch {
	case j.f.source == SourceVerifyWebhook:
		j.conclude(NotPush, noAction, "a Verify webhook ("+j.f.streamType+"), not an error")
	case j.f.source == SourceAlertTrigger:
		j.conclude(NotPush, noAction, "a usage trigger on alerts: it carries counts, no factor")
	case j.f.isOtherStream():
		j.conclude(NotPush, noAction, "an event of another kind: "+j.f.streamType)
	case j.code == nil:
		j.decideByWords()
	case j.contradicted():
		j.decideAgainstCode()
	case j.code.Verdict == VerdictUnknown && j.words.known && j.code.IsPush() && j.code.Action == investigate:
		j.conclude(j.words.verdict, actionFor(j.words.verdict), j.code.Cause)
		e.because("the verdict is the description's")
	case hasPrefix(e.ServiceSID, "VA") && isFetchFailure(j.code.Number):
		j.conclude(WebhookFailed, fixWebhook, j.code.Cause)
	default:
		j.conclude(j.code.Verdict, j.code.Action, j.code.Beside(j.f.description).Cause)
	}
}

func isFetchFailure(code int) bool { return 11200 <= code && code <= 11299 }

func (j *judgement) conclude(v Verdict, a Action, reason string) {
	j.e.Verdict, j.e.Action = v, a
	j.e.because(reason)
}

// decideByWords is for an event without a code, or with one that is in no catalogue.
func (j *judgement) decideByWords() {
	push := j.f.seen.hasPush()
	switch {
	case j.f.code != 0 && !push && !is52(j.f.code):
		j.conclude(NotPush, noAction, "code "+strconv.Itoa(j.f.code)+" is not about push")
	case j.f.code != 0:
		j.conclude(VerdictUnknown, investigate, "code "+strconv.Itoa(j.f.code)+" is not in the catalogue")
	case !push && j.f.source != SourceSalvaged:
		j.conclude(NotPush, noAction, "it has no error code and none of the fields of a push")
	default:
		j.e.because("it shows no error code")
	}
	if push && j.words.known {
		j.conclude(j.words.verdict, actionFor(j.words.verdict), "the verdict is the description's: "+firstLine(j.f.description))
	}
}

func is52(code int) bool { return 52000 <= code && code < 53000 }

// contradicted tells whether the description blames something else than the code does, or the platform cannot have such
// an error. Only codes that blame the token can do harm, so only those are doubted.
func (j *judgement) contradicted() bool {
	if v := j.code.Verdict; v != TokenDead && v != TokenInvalid {
		return false
	}
	return j.words.known && j.words.verdict != j.code.Verdict && !j.bothBlameToken() || j.wrongPlatform()
}

// bothBlameToken allows "BadDeviceToken" beside an APNs code for a malformed token, and the like: neither is evidence.
func (j *judgement) bothBlameToken() bool {
	return j.code.Verdict == TokenInvalid &&
		(j.words.verdict == TokenDead || j.words.verdict == TokenInvalid || j.words.verdict == EnvironmentMismatch)
}

func (j *judgement) wrongPlatform() bool {
	switch j.code.Area {
	case areaFCM:
		return j.e.Platform == verify.PlatformAPN && j.code.Number != 52119
	case areaAPNS:
		return j.e.Platform == verify.PlatformFCM
	}
	return false
}

func (j *judgement) decideAgainstCode() {
	verdict := VerdictUnknown
	if j.words.known && (j.words.verdict == CredentialBroken || j.words.verdict == CredentialWrongType) {
		verdict = j.words.verdict
	}
	j.conclude(verdict, actionFor(verdict), strconv.Itoa(j.f.code)+" blames the token, but the description or the platform does not fit")
}

func actionFor(v Verdict) Action {
	switch v {
	case TokenDead, TokenInvalid:
		return refreshToken
	case CredentialBroken, CredentialMissing, CredentialWrongType:
		return fixCredential
	case EnvironmentMismatch:
		return checkEnvironment
	case AppMismatch:
		return checkApp
	case WebhookFailed:
		return fixWebhook
	case Throttled:
		return wait
	case NotPush:
		return noAction
	}
	return investigate
}

// weigh sets what the event counts for pruning: nothing unless everything about it is beyond doubt, down to the letter of
// its JSON, which is only checked when it matters.
func (j *judgement) weigh(r *recorder) {
	e := j.e
	if e.Candidates == nil {
		e.Candidates = noCandidates
	}
	if j.code == nil || j.code.Evidence == EvidenceNone || e.Verdict != TokenDead {
		return
	}
	if e.FactorSID != "" && !e.Repaired && !r.isStrict(j.f) {
		e.Repaired = true
		j.f.markRepaired("its text is not strict JSON or UTF-8")
	}
	if doubt := j.doubt(); doubt != "" {
		e.because("no evidence: " + doubt)
		return
	}
	e.PruneEvidence = j.code.Evidence
	if e.PruneEvidence == EvidenceWeak {
		e.because("weak evidence: this code also comes when only the token changed, or for Apple's other environment")
	}
}

var noCandidates = []Candidate{}

// doubt says what keeps the event from being evidence, "" when nothing does.
func (j *judgement) doubt() string {
	e := j.e
	switch {
	case e.Product != ProductVerifyPush:
		return "it is not an event of Verify Push"
	case e.Ambiguous:
		return "it can be read in several ways"
	case e.Masked:
		return "its SIDs are masked"
	case e.Repaired && j.f.repaired != "":
		return j.f.repaired
	case e.Repaired:
		return "the list of correlation ids was cut"
	case e.FactorSID == "":
		return "it names no factor"
	case e.Inferred:
		return "a SID was inferred from another field"
	case !isExact(e.FactorSID, "YF"):
		return "the factor SID is not exact"
	case !isExact(e.ServiceSID, "VA"):
		return "it names no Service"
	case j.f.codesDiffer:
		return "it names two different codes"
	}
	return ""
}

func isExact(sid, prefix string) bool {
	got, ok := verify.SIDPrefix(sid)
	return ok && got == prefix
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
