package doctor

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The limits of what is usual for challenges.
const (
	fewChallenges    = 10 // from how many on a share says something
	expiredShare     = 0.2
	deniedShare      = 0.1
	burst            = 5 // challenges of one identity within burstWindow
	burstWindow      = 10 * time.Minute
	deniedBefore     = 3 // denials within fatigueWindow before an approval
	fatigueWindow    = 30 * time.Minute
	longLife         = 15 * time.Minute
	silentAnswer     = time.Second
	silentShare      = 0.2
	usageDifference  = 0.02
	usageToleratedBy = 1 // challenges, so that a handful is never a difference
)

func challengeChecks() []Check {
	sample := []resource{sampleAnswers}
	return []Check{
		{ID: "CHL-01", Title: "challenges are answered", Severity: severityWarn, Certainty: heuristic, Needs: sample,
			Remedy: "look at delivery first, then at what the user sees", Judge: answersCome},
		{ID: "CHL-02", Title: "nobody is flooded with challenges", Severity: severityFail, Certainty: heuristic, Needs: sample,
			Remedy: "somebody has the password and pushes until the user gives in, or a backend retries in a loop: stop it", Judge: noFlood},
		{ID: "CHL-03", Title: "nobody approves after denying again and again", Severity: severityFail, Certainty: heuristic, Needs: sample,
			Remedy: "lock the account and call the user", Judge: noFatigue},
		{ID: "CHL-04", Title: "an action has one pending challenge on a factor", Severity: severityWarn, Certainty: certain, Needs: sample,
			Remedy: "have the backend look for a pending challenge with the action_id before it creates one", Judge: oncePerAction},
		{ID: "CHL-05", Title: "challenges carry an action_id", Severity: severityWarn, Certainty: certain, Needs: sample,
			Remedy: "put action_id into the hidden details, so that doubles can be told", Judge: marked},
		{ID: "CHL-06", Title: "challenges live a quarter of an hour at most", Severity: severityWarn, Certainty: declared, Needs: sample, Skip: unlessProduction,
			RestsOn: []*Declaration{kind}, Remedy: "shorten the expiration", Judge: shortLived},
		{ID: "CHL-07", Title: "challenges tell the user what is approved", Severity: severityWarn, Certainty: certain, Needs: sample,
			Remedy: "add details such as place, device and amount", Judge: explained},
		{ID: "CHL-08", Title: "people answer, not programs", Severity: severityWarn, Certainty: heuristic, Needs: sample,
			Remedy: "the app may approve silently: see whether that is meant", Judge: considered},
		{ID: "COST-01", Title: "billed challenges match answered challenges", Severity: severityWarn, Certainty: measured, PerAccount: true,
			Needs: []resource{sampleAnswers, usage, allServices}, Remedy: "look for an environment you do not know, or for a leaked key", Judge: billedAsSeen},
		{ID: "COST-02", Title: "few challenges are denied", Severity: severityWarn, Certainty: heuristic, Needs: sample,
			Remedy: "denials are billed; somebody may be pressuring users, or the text confuses them", Judge: fewDenied},
	}
}

var unlessProduction = unless(func(snap *snapshot) bool { return snap.Env.IsProduction() }, "the environment is not for production")

func (snap *snapshot) pushChallenges() []verify.Challenge {
	var challenges []verify.Challenge
	for _, user := range snap.Challenges.Value.Users {
		for _, challenge := range user.Items {
			if challenge.FactorType == verify.FactorPush || challenge.FactorType == "" {
				challenges = append(challenges, challenge)
			}
		}
	}
	return challenges
}

func (snap *snapshot) countStatus(status verify.ChallengeStatus) int {
	n := 0
	for _, challenge := range snap.pushChallenges() {
		if challenge.Status == status {
			n++
		}
	}
	return n
}

func (snap *snapshot) aboutChallenges(a answer, examples []string) answer {
	return a.sampled(snap.Challenges.Value.String()).seen(firstExamples(examples)...)
}

func answersCome(snap *snapshot) answer {
	expired := snap.countStatus(verify.ChallengeExpired)
	ended := expired + snap.countStatus(verify.ChallengeApproved) + snap.countStatus(verify.ChallengeDenied)
	return snap.share(expired, ended, expiredShare, "ended challenges expired", "").
		fixIfBroken("look at delivery first (push errors above), then at what the user sees")
}

// share judges that not too many of some challenges are of one kind; alarm is said besides where they are.
func (snap *snapshot) share(some, of int, most float64, what, alarm string) answer {
	sentence := fmt.Sprintf("%d of %d %s", some, of, what)
	if of >= fewChallenges && float64(some) > most*float64(of) {
		return snap.aboutChallenges(warn("%s%s", sentence, alarm), nil)
	}
	return snap.aboutChallenges(pass("%s", sentence), nil)
}

func noFlood(snap *snapshot) answer {
	var flooded []string
	for _, user := range snap.Challenges.Value.Users {
		if n := mostWithin(burstWindow, user.Items); n > burst {
			flooded = append(flooded, fmt.Sprintf("%s got %d within ten minutes", string(user.Entity.Identity), n))
		}
	}
	if len(flooded) > 0 {
		return snap.aboutChallenges(fail("%s flooded", verify.Count(len(flooded), "user was", "users were")), flooded).
			fix("somebody may have the password and push until the user gives in, or a backend retries in a loop: stop it, and warn the user")
	}
	return snap.aboutChallenges(pass("nobody got more than %d within ten minutes", burst), nil)
}

// mostWithin gives the most challenges that were created within any window of time.
func mostWithin(window time.Duration, challenges []verify.Challenge) int {
	byTime := slices.Clone(challenges)
	slices.SortFunc(byTime, func(a, b verify.Challenge) int { return a.DateCreated.Compare(b.DateCreated) })
	most, start := 0, 0
	for end := range byTime {
		for byTime[end].DateCreated.Sub(byTime[start].DateCreated) > window {
			start++
		}
		most = max(most, end-start+1)
	}
	return most
}

func noFatigue(snap *snapshot) answer {
	var suspects []string
	for _, user := range snap.Challenges.Value.Users {
		for _, approved := range user.Items {
			if approved.Status != verify.ChallengeApproved {
				continue
			}
			denials := 0
			for _, denied := range user.Items {
				before := approved.DateResponded.Sub(denied.DateResponded)
				if denied.Status == verify.ChallengeDenied && before >= 0 && before <= fatigueWindow {
					denials++
				}
			}
			if denials >= deniedBefore {
				suspects = append(suspects, fmt.Sprintf("%s approved %s at %s after %d denials", string(user.Entity.Identity),
					approved.SID, clock(approved.DateResponded, snap.Now), denials))
			}
		}
	}
	if len(suspects) > 0 {
		return snap.aboutChallenges(fail("%s after denying again and again", verify.Count(len(suspects), "approval came", "approvals came")), suspects).
			fix("lock the account and call the user: this is what a worn-down victim looks like")
	}
	return snap.aboutChallenges(pass("nobody did"), nil)
}

// oncePerAction counts pending challenges of one factor: an action may well be sent to each of a user's devices.
func oncePerAction(snap *snapshot) answer {
	type action struct {
		factor verify.FactorSID
		id     string
	}
	pending := map[action][]verify.Challenge{}
	var order []action
	for _, challenge := range snap.pushChallenges() {
		key := action{challenge.FactorSID, challenge.HiddenDetails[verify.ActionID]}
		if challenge.Status != verify.ChallengePending || key.id == "" || challenge.ExpirationDate.Before(snap.Now) {
			continue
		}
		if len(pending[key]) == 0 {
			order = append(order, key)
		}
		pending[key] = append(pending[key], challenge)
	}
	var doubles []string
	for _, key := range order {
		if n := len(pending[key]); n > 1 {
			doubles = append(doubles, fmt.Sprintf("%s has %d pending for action_id %q", key.factor, n, key.id))
		}
	}
	if len(doubles) > 0 {
		return snap.aboutChallenges(warn("%s more than once to the same factor", verify.Count(len(doubles), "action was sent", "actions were sent")), doubles).
			fix("have the backend look for a pending challenge with the action_id before it creates one; %s does", snap.command("challenge", "create"))
	}
	return snap.aboutChallenges(pass("no action was sent twice to a factor"), nil)
}

func marked(snap *snapshot) answer {
	challenges := snap.pushChallenges()
	without := 0
	for _, challenge := range challenges {
		if challenge.HiddenDetails[verify.ActionID] == "" {
			without++
		}
	}
	if len(challenges) > 0 && without == len(challenges) {
		return snap.aboutChallenges(warn("none of %s has an action_id, so doubles cannot be told", verify.Count(without, "challenge")), nil).
			fix("put action_id into the hidden details")
	}
	return snap.aboutChallenges(pass("%d of %d challenges have none", without, len(challenges)), nil)
}

// breaking judges that no sampled challenge breaks a rule; broken says how one does, "" when it does not.
func (snap *snapshot) breaking(what string, broken func(verify.Challenge) string) answer {
	challenges := snap.pushChallenges()
	var examples []string
	for _, challenge := range challenges {
		if how := broken(challenge); how != "" {
			examples = append(examples, fmt.Sprintf("%s: %s", challenge.SID, how))
		}
	}
	if len(examples) == 0 {
		return snap.aboutChallenges(pass("none of %s", verify.Count(len(challenges), "challenge")), nil)
	}
	return snap.aboutChallenges(warn("%d of %d challenges %s", len(examples), len(challenges), what), examples)
}

func shortLived(snap *snapshot) answer {
	return snap.breaking("live longer than a quarter of an hour", func(c verify.Challenge) string {
		if life := c.ExpirationDate.Sub(c.DateCreated); life > longLife {
			return life.String()
		}
		return ""
	}).fixIfBroken("shorten the expiration: a forgotten challenge can still be approved")
}

func explained(snap *snapshot) answer {
	return snap.breaking("have no details fields", func(c verify.Challenge) string {
		if len(c.Details.Fields) == 0 {
			return "the user sees only the message"
		}
		return ""
	}).fixIfBroken("add details such as place, device and amount")
}

func considered(snap *snapshot) answer {
	answered, silent := 0, 0
	for _, challenge := range snap.pushChallenges() {
		if challenge.DateResponded.IsZero() || challenge.Status != verify.ChallengeApproved && challenge.Status != verify.ChallengeDenied {
			continue
		}
		answered++
		if challenge.DateResponded.Sub(challenge.DateCreated) < silentAnswer {
			silent++
		}
	}
	return snap.share(silent, answered, silentShare, "answers came within a second", ": the app may approve silently").
		fixIfBroken("see whether that is meant")
}

func fewDenied(snap *snapshot) answer {
	denied := snap.countStatus(verify.ChallengeDenied)
	answered := denied + snap.countStatus(verify.ChallengeApproved)
	return snap.share(denied, answered, deniedShare, "answered challenges were denied", "; denials are billed").
		fixIfBroken("somebody may be pressuring users, or the text confuses them")
}

// billedAsSeen compares usage with answered challenges. That says something only when everybody was looked at: every
// user, all their challenges, and every Service of the account.
func billedAsSeen(snap *snapshot) answer {
	looked := map[verify.ServiceSID]*snapshot{}
	for _, peer := range snap.accountPeers() {
		if peer.Challenges.ok() {
			looked[peer.Env.ServiceSID] = peer
		}
	}
	answered := int64(0)
	since := snap.Now.AddDate(0, 0, -usageDays).Truncate(24 * time.Hour)
	for _, service := range snap.Services.Value {
		peer := looked[service.SID]
		switch {
		case peer == nil:
			return unknown("%s was not looked at, and its challenges are billed too", snap.serviceName(service))
		case peer.Challenges.Value.More:
			return unknown("only some users of %s were looked at", peer.Env.Name).fix("a larger --sample compares all")
		}
		for _, user := range peer.Challenges.Value.Users {
			if len(user.Items) == challengesPerUser {
				return unknown("only the newest %d challenges of each user were looked at", challengesPerUser)
			}
			answered += answeredSince(user.Items, since)
		}
	}
	billed := int64(0)
	for _, record := range snap.Usage.Value {
		billed += record.Count
	}
	difference := math.Abs(float64(billed - answered))
	if difference > usageToleratedBy && difference > usageDifference*float64(billed) {
		return warn("Twilio counted %d in %d days, %d answered challenges are there", billed, usageDays, answered).
			fix("users who were deleted take their challenges along; else look for an environment you do not know, or for a leaked key")
	}
	return pass("Twilio counted %d in %d days, %d answered challenges are there", billed, usageDays, answered)
}

func answeredSince(challenges []verify.Challenge, since time.Time) (n int64) {
	for _, c := range challenges {
		if (c.Status == verify.ChallengeApproved || c.Status == verify.ChallengeDenied) && !c.DateResponded.Before(since) {
			n++
		}
	}
	return n
}
