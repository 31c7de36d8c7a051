package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The limits of what is usual for factors.
const (
	manyFactors      = 15 // of the 20 push factors that an entity can have (api/errors/60315)
	unverifiedAge    = 24 * time.Hour
	unverifiedShare  = 0.05
	unverifiedLeast  = 20 // enrolments of a day, from which on a share says something
	withoutPushShare = 0.2
	oldToken         = 270 * 24 * time.Hour
	expiredInARow    = 3
	quietFor         = 60 * 24 * time.Hour
)

// shownExamples is how many users or devices an answer names.
const shownExamples = 5

func factorChecks() []Check {
	sample := []resource{sampleFactors}
	return []Check{
		{ID: "FAC-01", Title: "nobody has more factors than allowed", Severity: severityWarn, Certainty: declared, Needs: sample,
			RestsOn: []*Declaration{maxFactors}, Remedy: "delete the ones no longer used: Twilio stops at 20 push factors (60315)", Judge: fewFactors},
		{ID: "FAC-02", Title: "enrolments are completed", Severity: severityWarn, Certainty: heuristic, Needs: sample,
			Remedy: "look at the app's enrolment: the factor is created, but never verified", Judge: verified},
		{ID: "FAC-03", Title: "factors can be pushed to", Severity: severityInfo, Certainty: declared, Needs: sample,
			Skip: unlessPushing, Heeds: []*Declaration{platforms, iosBuild}, Remedy: "devices without a push token poll only: look at how the app gets its token", Judge: pushable},
		{ID: "FAC-04", Title: "factors are of the declared apps", Severity: severityWarn, Certainty: declared, Needs: sample,
			RestsOn: []*Declaration{appIDs}, Remedy: "find the build that enrols in the wrong Service", Judge: declaredApps},
		{ID: "FAC-05", Title: "no factor uses an SDK version with a known fault", Severity: severityWarn, Certainty: certain, Needs: sample,
			Remedy: "update the SDK in the app", Judge: soundSDKs},
		{ID: "FAC-06", Title: "Android push tokens are refreshed", Severity: severityWarn, Certainty: heuristic, Needs: sample,
			Remedy: "have the app send its token on every start", Judge: refreshed},
		{ID: "FAC-07", Title: "no factor lets all its challenges expire", Severity: severityWarn, Certainty: heuristic,
			Needs: []resource{sampleFactors, sampleAnswers}, Remedy: "the app may be gone; ask the user", Judge: answering},
		{ID: "FAC-08", Title: "no factor with a dead push token is left", Severity: severityWarn, Certainty: heuristic, Needs: []resource{sampleFactors, pushErrors},
			Remedy: "plan with factors prune: a dead push token is not a dead factor", Judge: noDeadTokens},
		{ID: "FAC-09", Title: "factors carry the declared metadata", Severity: severityWarn, Certainty: declared, Needs: sample,
			RestsOn: []*Declaration{metadataKeys}, Remedy: "have the app write it at enrolment: later nothing can", Judge: describedFactors},
		{ID: "FAC-10", Title: "names and metadata hold no personal data", Severity: severityWarn, Certainty: heuristic, Needs: sample,
			Remedy: "have the app name devices by model", Judge: impersonal},
		{ID: "FAC-11", Title: "no push token is shared", Severity: severityWarn, Certainty: certain, Needs: sample,
			Remedy: "one phone is enrolled twice or for two users: pushes for one reach the other", Judge: ownTokens},
	}
}

// pushFactors gives the sampled push factors of a platform, or of all when it is "".
func (snap *snapshot) pushFactors(platform verify.Platform) []verify.Factor {
	var factors []verify.Factor
	for _, user := range snap.Factors.Value.Users {
		for _, factor := range user.Items {
			if factor.IsPush() && (platform == "" || factor.Config.Platform == platform) {
				factors = append(factors, factor)
			}
		}
	}
	return factors
}

// aboutSample finishes an answer about sampled factors: how many were looked at, and examples of what was found.
func (snap *snapshot) aboutSample(a answer, examples []string) answer {
	return a.sampled(snap.Factors.Value.String()).seen(firstExamples(examples)...)
}

func firstExamples(examples []string) []string {
	if len(examples) <= shownExamples {
		return examples
	}
	return append(slices.Clone(examples[:shownExamples]), fmt.Sprintf("and %d more", len(examples)-shownExamples))
}

func (snap *snapshot) factorName(f verify.Factor) string {
	return fmt.Sprintf("%s of %s", f.SID, string(f.Identity))
}

// offenders judges that no sampled push factor breaks a rule; broken says how one does, "" when it does not.
func (snap *snapshot) offenders(what string, broken func(verify.Factor) string) answer {
	var examples []string
	factors := snap.pushFactors("")
	for _, factor := range factors {
		if how := broken(factor); how != "" {
			examples = append(examples, snap.factorName(factor)+": "+how)
		}
	}
	if len(examples) == 0 {
		return snap.aboutSample(pass("none of %s", verify.Count(len(factors), "push factor")), nil)
	}
	return snap.aboutSample(warn("%d of %d push factors %s", len(examples), len(factors), what), examples)
}

func fewFactors(snap *snapshot) answer {
	limit := min(snap.Env.MaxFactors, manyFactors)
	var over []string
	var worst verify.Identity
	for _, user := range snap.Factors.Value.Users {
		n := pushCount(user)
		if n > limit || n >= manyFactors {
			if worst == "" {
				worst = user.Entity.Identity
			}
			over = append(over, fmt.Sprintf("%s has %d", string(user.Entity.Identity), n))
		}
	}
	if len(over) == 0 {
		return snap.aboutSample(pass("nobody has more than %d", limit), nil)
	}
	return snap.aboutSample(warn("%s more than %d push factors", verify.Count(len(over), "user has", "users have"), limit), over).
		fix("see which are still used").run(snap.command("factors", "list", string(worst)))
}

func pushCount(user userSample[verify.Factor]) (n int) {
	for _, factor := range user.Items {
		if factor.IsPush() {
			n++
		}
	}
	return n
}

func verified(snap *snapshot) answer {
	created, unverified := 0, 0
	var old []string
	for _, factor := range snap.pushFactors("") {
		recent := snap.Now.Sub(factor.DateCreated) <= unverifiedAge
		if recent {
			created++
		}
		if factor.Status != verify.FactorUnverified {
			continue
		}
		if recent {
			unverified++
		} else {
			old = append(old, fmt.Sprintf("%s was created on %s", snap.factorName(factor), day(factor.DateCreated)))
		}
	}
	switch {
	case created >= unverifiedLeast && float64(unverified) > unverifiedShare*float64(created):
		return snap.aboutSample(warn("%d of %d enrolments of the last day are not completed", unverified, created), nil).
			fix("look at the app's enrolment: the factor is created, but never verified")
	case len(old) > 0:
		return snap.aboutSample(warn("%s older than a day and still unverified; Twilio usually deletes them within a day", verify.Count(len(old), "factor is", "factors are")), old)
	}
	return snap.aboutSample(pass("%d of %d of the last day are unverified, none is older", unverified, created), nil)
}

func pushable(snap *snapshot) answer {
	factors := snap.pushFactors("")
	without := len(snap.pushFactors(verify.PlatformNone))
	sentence := fmt.Sprintf("%d of %d push factors have no push token", without, len(factors))
	if float64(without) > withoutPushShare*float64(len(factors)) {
		return snap.aboutSample(note("%s and only poll", sentence), nil).fix("look at how the app gets its token; phones without Google's services never have one")
	}
	return snap.aboutSample(pass("%s", sentence), nil)
}

func declaredApps(snap *snapshot) answer {
	return snap.offenders("are of other apps than "+strings.Join(snap.Env.AppIDs, ", "), func(f verify.Factor) string {
		if slices.Contains(snap.Env.AppIDs, f.Config.AppID) {
			return ""
		}
		return fmt.Sprintf("%q", f.Config.AppID)
	}).fixIfBroken("find the build that enrols in the wrong Service, or correct app_ids")
}

func (a answer) fixIfBroken(format string, args ...any) answer {
	if a.Status == Pass && !a.Note {
		return a
	}
	return a.fix(format, args...)
}

// knownFaults are what the change logs of twilio-verify-ios and twilio-verify-android call faulty, as of November 2026.
var knownFaults = []struct {
	platform    verify.Platform
	from, fixed verify.Version
	what        string
}{
	{verify.PlatformAPN, sdk("3.0.0"), sdk("3.0.1"), "asks for biometrics when it should not, fixed in 3.0.1"},
	{verify.PlatformAPN, sdk("0"), sdk("2.2.2"), "fails with keychain error 25300, fixed in 2.2.2"},
	{verify.PlatformAPN, sdk("0"), sdk("3.0.2"), "can mix up two factors' keys, fixed in 3.0.2"},
	{verify.PlatformFCM, sdk("0"), sdk("0.6.1"), "hides Twilio's error codes, fixed in 0.6.1"},
}

func sdk(version string) verify.Version {
	v, _ := verify.ParseVersion(version)
	return v
}

func soundSDKs(snap *snapshot) answer {
	return snap.offenders("use an SDK version with a known fault", func(f verify.Factor) string {
		version, ok := verify.ParseVersion(f.Config.SDKVersion)
		if !ok {
			return ""
		}
		for _, fault := range knownFaults {
			if fault.platform == f.Config.Platform && version.Compare(fault.from) >= 0 && version.Compare(fault.fixed) < 0 {
				return fmt.Sprintf("%s %s", f.Config.SDKVersion, fault.what)
			}
		}
		return ""
	}).fixIfBroken("update the SDK in the app; the list is of November 2026")
}

func refreshed(snap *snapshot) answer {
	return snap.offenders("are Android and were not updated for nine months", func(f verify.Factor) string {
		if f.Config.Platform != verify.PlatformFCM || f.DateUpdated.IsZero() || snap.Now.Sub(f.DateUpdated) <= oldToken {
			return ""
		}
		return "last updated on " + day(f.DateUpdated)
	}).fixIfBroken("have the app send its token on every start")
}

func answering(snap *snapshot) answer {
	answers := map[verify.FactorSID][]verify.Challenge{}
	for _, user := range snap.Challenges.Value.Users {
		for _, challenge := range user.Items {
			answers[challenge.FactorSID] = append(answers[challenge.FactorSID], challenge)
		}
	}
	return snap.offenders("let their last challenges expire and have answered none for two months", func(f verify.Factor) string {
		challenges := answers[f.SID]
		slices.SortFunc(challenges, func(a, b verify.Challenge) int { return b.DateCreated.Compare(a.DateCreated) })
		expired := 0
		for i, challenge := range challenges {
			if challenge.Status == verify.ChallengeExpired && expired == i {
				expired++
			}
			answered := challenge.Status == verify.ChallengeApproved || challenge.Status == verify.ChallengeDenied
			if answered && snap.Now.Sub(challenge.DateResponded) < quietFor {
				return ""
			}
		}
		if expired < expiredInARow {
			return ""
		}
		return fmt.Sprintf("the last %d expired", expired)
	}).fixIfBroken("the app may be gone from those phones; %s lists factors by last answer", snap.command("fleet", "stale"))
}

func noDeadTokens(snap *snapshot) answer {
	died := map[string]time.Time{}
	current, past := snap.push(52103, 52141)
	for _, e := range slices.Concat(current, past) {
		key := strings.ToLower(e.FactorSID)
		if !e.Masked && !e.Ambiguous && !e.Inferred && e.Timestamp.After(died[key]) {
			died[key] = e.Timestamp
		}
	}
	a := snap.offenders("have a dead push token", func(f verify.Factor) string {
		at, ok := died[strings.ToLower(string(f.SID))]
		if !ok || f.DateUpdated.After(at) {
			return ""
		}
		return "since " + clock(at, snap.Now)
	})
	if a.Status == Pass {
		return a
	}
	return a.fix("plan their removal; a dead push token is not a dead factor, so nothing is deleted without a look").run(snap.command("factors", "prune", "--dry-run"))
}

func describedFactors(snap *snapshot) answer {
	return snap.offenders("lack some of "+strings.Join(snap.Env.MetadataKeys, ", "), func(f verify.Factor) string {
		var missing []string
		for _, key := range snap.Env.MetadataKeys {
			if f.Metadata[key] == "" {
				missing = append(missing, key)
			}
		}
		if len(missing) == 0 {
			return ""
		}
		return "no " + strings.Join(missing, ", ")
	}).fixIfBroken("have the app write it at enrolment: later nothing can, and without it no app version can be revoked")
}

func impersonal(snap *snapshot) answer {
	return snap.offenders("hold what looks like personal data", func(f verify.Factor) string {
		if kind := personal(f.FriendlyName); kind != "" {
			return "friendly_name looks like " + kind
		}
		for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
			if kind := personal(f.Metadata[key]); kind != "" {
				return fmt.Sprintf("metadata %q looks like %s", key, kind)
			}
		}
		return ""
	}).fixIfBroken("have the app name devices by model: Twilio keeps names outside your deletion rules")
}

func ownTokens(snap *snapshot) answer {
	holders := map[string][]verify.Factor{}
	for _, factor := range snap.pushFactors("") {
		if token := factor.Config.Token.Reveal(); token != "" {
			holders[token] = append(holders[token], factor)
		}
	}
	return snap.offenders("share their push token with another", func(f verify.Factor) string {
		for _, other := range holders[f.Config.Token.Reveal()] {
			if other.SID != f.SID {
				return "same token as " + snap.factorName(other)
			}
		}
		return ""
	}).fixIfBroken("one phone is enrolled twice, or for two users: pushes for one reach the other. Delete the older one")
}

// tallyText writes counted names such as "com.a (2), com.b (1)".
func tallyText(m map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%q (%d)", name, m[name]))
	}
	return strings.Join(parts, ", ")
}
