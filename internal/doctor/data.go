package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func dataChecks() []Check {
	return []Check{
		{ID: "DATA-01", Title: "identities reveal nothing about people", Severity: severityFail, Certainty: heuristic, Needs: []resource{sampleFactors},
			Remedy: "use random ids or keyed hashes for new enrolments: an identity cannot be changed", Judge: opaqueIdentities},
		{ID: "DATA-02", Title: "identities cannot be guessed", Severity: severityInfo, Certainty: heuristic, Needs: []resource{sampleFactors},
			Remedy: "a plain SHA-256 of an e-mail address can be guessed: use a keyed hash or a random id", Judge: unguessable},
		{ID: "DATA-03", Title: "every entity has a factor", Severity: severityWarn, Certainty: certain, Needs: []resource{sampleFactors},
			Remedy: "delete what is left of users who are gone", Judge: noEmptyEntities},
		{ID: "DATA-04", Title: "challenges carry no secrets", Severity: severityWarn, Certainty: heuristic, Needs: []resource{sampleAnswers},
			Remedy: "leave card numbers, codes and addresses out of details and hidden details", Judge: noSecrets},
	}
}

var (
	phoneIdentity = verify.Lazily(`^\d{8,15}$`)
	nameIdentity  = verify.Lazily(`^[A-Za-z]{2,}-[A-Za-z]{2,}$`)
	hashIdentity  = verify.Lazily(`^[0-9A-Fa-f]{64}$`)
)

func opaqueIdentities(snap *snapshot) answer {
	var bad, names []string
	for _, user := range snap.Factors.Value.Users {
		identity := string(user.Entity.Identity)
		_, err := verify.ParseIdentity(identity)
		switch {
		case strings.ContainsAny(identity, "@+"):
			bad = append(bad, identity+" looks like an e-mail address or a phone number")
		case phoneIdentity().MatchString(identity):
			bad = append(bad, identity+" looks like a phone number")
		case err != nil:
			bad = append(bad, identity+" is outside what Twilio documents for identities")
		case nameIdentity().MatchString(identity):
			names = append(names, identity+" looks like a name")
		}
	}
	how := "use random ids or keyed hashes for new enrolments; an identity cannot be changed, so those users have to enrol again"
	switch {
	case len(bad) > 0:
		return snap.aboutSample(fail("%s personal, or outside Twilio's rule", verify.Count(len(bad), "identity is", "identities are")), bad).fix("%s", how)
	case len(names) > 0:
		return snap.aboutSample(warn("%s like a person's name", verify.Count(len(names), "identity looks", "identities look")), names).fix("%s", how)
	}
	return snap.aboutSample(pass("none looks personal"), nil)
}

func unguessable(snap *snapshot) answer {
	hashes := 0
	for _, user := range snap.Factors.Value.Users {
		if hashIdentity().MatchString(string(user.Entity.Identity)) {
			hashes++
		}
	}
	if hashes > 0 {
		return snap.aboutSample(note("%s 64 hexadecimal digits: perhaps a plain SHA-256 of an e-mail address, which can be guessed", verify.Count(hashes, "identity is", "identities are")), nil).
			fix("make sure that the hash has a key")
	}
	return snap.aboutSample(pass("none looks like a plain hash"), nil)
}

func noEmptyEntities(snap *snapshot) answer {
	var empty []string
	for _, user := range snap.Factors.Value.Users {
		if len(user.Items) == 0 {
			empty = append(empty, string(user.Entity.Identity))
		}
	}
	if len(empty) > 0 {
		return snap.aboutSample(warn("%s no factor", verify.Count(len(empty), "entity has", "entities have")), empty).
			fix("delete those whose users are gone").run(snap.command("entities", "delete", empty[0]))
	}
	return snap.aboutSample(pass("every entity has one"), nil)
}

func noSecrets(snap *snapshot) answer {
	var examples []string
	for _, user := range snap.Challenges.Value.Users {
		for _, challenge := range user.Items {
			if kind := challengeSecret(challenge); kind != "" {
				examples = append(examples, fmt.Sprintf("%s: %s", challenge.SID, kind))
			}
		}
	}
	if len(examples) > 0 {
		return snap.aboutChallenges(warn("%s what looks like a secret", verify.Count(len(examples), "challenge carries", "challenges carry")), examples).
			fix("leave it out of details and hidden details: the phone and Twilio keep both")
	}
	return snap.aboutChallenges(pass("none does"), nil)
}

func challengeSecret(c verify.Challenge) string {
	for _, key := range slices.Sorted(maps.Keys(c.HiddenDetails)) {
		if kind := secretKind(c.HiddenDetails[key]); kind != "" {
			return fmt.Sprintf("hidden detail %q looks like %s", key, kind)
		}
	}
	if kind := secretKind(c.Details.Message); kind != "" {
		return "the message looks like it has " + kind
	}
	for _, field := range c.Details.Fields {
		if kind := secretKind(field.Value); kind != "" {
			return fmt.Sprintf("field %q looks like %s", field.Label, kind)
		}
	}
	return ""
}

var (
	emailPattern  = verify.Lazily(`[^\s@]+@[^\s@]+\.[A-Za-z]{2,}`)
	phonePattern  = verify.Lazily(`(?:^|\s)\+\d[\d ()-]{7,}\d`)
	ownerPattern  = verify.Lazily(`(?i)\p{L}{2,}['’]s\s+(?:i?phone|ipad|pixel|galaxy|handy|tablet|mobile)`)
	digitsPattern = verify.Lazily(`\d(?:[ -]?\d){12,18}`)
	codePattern   = verify.Lazily(`(?i)\b(?:otp|code|pin|password|passwort)\b\D{0,12}\d{4,8}\b`)
)

// personal says what kind of personal data a text looks like, "" for none.
func personal(text string) string {
	switch {
	case emailPattern().MatchString(text):
		return "an e-mail address"
	case phonePattern().MatchString(text):
		return "a phone number"
	case ownerPattern().MatchString(text):
		return "a person's name"
	}
	return ""
}

// secretKind says what kind of secret or personal data a text looks like, "" for none.
func secretKind(text string) string {
	for _, digits := range digitsPattern().FindAllString(text, -1) {
		if isCardNumber(digits) {
			return "a card number"
		}
	}
	if codePattern().MatchString(text) {
		return "a one-time code or a password"
	}
	if emailPattern().MatchString(text) {
		return "an e-mail address"
	}
	return ""
}

// isCardNumber checks the Luhn sum of the digits in s.
func isCardNumber(s string) bool {
	sum, n := 0, 0
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		digit := int(s[i] - '0')
		if n%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
		n++
	}
	return n >= 13 && n <= 19 && sum%10 == 0 && sum > 0
}
