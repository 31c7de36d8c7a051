package event

import (
	"slices"

	"github.com/valyala/fastjson"
)

// readOwn takes in an event as verifyctl itself wrote it.
func (r *recorder) readOwn(object *fastjson.Object) bool {
	e := Event{Reasons: texts(object.Get("reasons").GetArray())}
	for name, at := range e.texts() {
		*at = string(object.Get(name).GetStringBytes())
	}
	for name, at := range e.flags() {
		*at = object.Get(name).GetBool()
	}
	if environment := object.Get("environment"); environment != nil && environment.Type() == fastjson.TypeString {
		name := string(environment.GetStringBytes())
		e.Environment = &name
	}
	for _, c := range object.Get("candidates").GetArray() {
		e.Candidates = append(e.Candidates, Candidate{string(c.GetStringBytes("identity")), string(c.GetStringBytes("factor_sid")),
			string(c.GetStringBytes("service_sid")), string(c.GetStringBytes("challenge_sid"))})
	}
	e.Timestamp, _ = parseTime(string(object.Get("timestamp").GetStringBytes()))
	if code := object.Get("error_code"); code != nil && code.Type() == fastjson.TypeNumber {
		number := code.GetInt()
		e.ErrorCode = &number
	}
	return r.takeOwn(&e)
}

func (r *recorder) takeOwn(e *Event) bool {
	if !e.isWellFormed() {
		return false
	}
	r.facts.reset()
	r.facts.source, r.facts.own = e.Source, e
	return r.finish()
}

// texts gives the fields that are texts, by the names they are written with.
func (e *Event) texts() map[string]*string {
	return map[string]*string{"source": &e.Source, "envelope": &e.Envelope, "event_sid": &e.EventSID, "account_sid": &e.AccountSID,
		"level": &e.Level, "product": (*string)(&e.Product), "service_sid": &e.ServiceSID, "identity": &e.Identity, "entity_sid": &e.EntitySID,
		"factor_sid": &e.FactorSID, "challenge_sid": &e.ChallengeSID, "notification_sid": &e.NotificationSID, "credential_sid": &e.CredentialSID,
		"platform": (*string)(&e.Platform), "description": &e.Description, "verdict": (*string)(&e.Verdict), "action": (*string)(&e.Action),
		"prune_evidence": (*string)(&e.PruneEvidence)}
}

func (e *Event) flags() map[string]*bool {
	return map[string]*bool{"masked": &e.Masked, "ambiguous": &e.Ambiguous, "inferred": &e.Inferred, "repaired": &e.Repaired}
}

// isWellFormed tells whether the event has what every event of ours has.
func (e *Event) isWellFormed() bool {
	return e.Source != "" && e.Product != "" && slices.Contains(verdicts, e.Verdict) && slices.Contains(actions, e.Action) &&
		slices.Contains(evidences, e.PruneEvidence)
}

var verdicts = []Verdict{TokenDead, TokenInvalid, EnvironmentMismatch, AppMismatch, CredentialBroken, CredentialMissing,
	CredentialWrongType, Throttled, WebhookFailed, NotPush, VerdictUnknown}

var actions = []Action{refreshToken, fixCredential, checkEnvironment, checkApp, fixWebhook, wait, noAction, investigate}

var evidences = []Evidence{EvidenceStrong, EvidenceWeak, EvidenceNone}

// takeBack gives an event that was written before. It says no more than it did then, and evidence only if the rules give
// it still: what was written may have been changed.
func takeBack(f *facts, noService bool) Event {
	e := *f.own
	e.EventSID, e.AccountSID = eventID(e.EventSID), sidOf(e.AccountSID, "AC")
	e.ServiceSID, e.EntitySID = sidOf(e.ServiceSID, "VA"), sidOf(e.EntitySID, "YE")
	e.FactorSID, e.ChallengeSID = sidOf(e.FactorSID, "YF"), sidOf(e.ChallengeSID, "YC")
	e.NotificationSID, e.CredentialSID = sidOf(e.NotificationSID, "NT"), sidOf(e.CredentialSID, "CR")
	e.Repaired = e.Repaired || f.repaired != ""
	if e.Product == ProductVoice {
		e.forgetFactor()
	}
	if e.Candidates == nil {
		e.Candidates = noCandidates
	}
	if e.Reasons == nil {
		e.Reasons = []string{}
	}
	e.ErrorName = ""
	if e.ErrorCode != nil {
		if code := find(*e.ErrorCode); code != nil {
			e.ErrorName = code.Name
		}
	}
	if !e.mayBeEvidence(noService) {
		e.PruneEvidence = EvidenceNone
	}
	e.Next = e.next("")
	return e
}

// mayBeEvidence holds an event that was written before against the rules of [judgement.weigh].
func (e *Event) mayBeEvidence(noService bool) bool {
	if e.ErrorCode == nil || e.Verdict != TokenDead || e.Action != refreshToken || e.Product != ProductVerifyPush || e.Source == SourceSalvaged {
		return false
	}
	code := find(*e.ErrorCode)
	words := readDescription(e.Description)
	return code != nil && code.Evidence == e.PruneEvidence && (!words.known || words.verdict == TokenDead) &&
		!e.Ambiguous && !e.Masked && !e.Repaired && !e.Inferred && isExact(e.FactorSID, "YF") && (noService || isExact(e.ServiceSID, "VA"))
}
