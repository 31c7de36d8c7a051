package event

import (
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// reading is what a provider's words mean. The zero value is no meaning that we know.
type reading struct {
	verdict Verdict
	known   bool
}

// phrases are words that Apple, Google and Twilio's senders use, squashed to lower-case letters and digits, in order of
// precedence: what blames the credential comes first, because believing it never costs anybody a factor. (Apple,
// "Handling notification responses from APNs"; Google, FCM v1 ErrorCode and the legacy error names.)
var phrases = []struct {
	verdict Verdict
	words   []string
}{
	{EnvironmentMismatch, []string{"badcertificateenvironment", "badenvironmentkey"}},
	{CredentialWrongType, []string{"invalidcredentialtype"}},
	{CredentialBroken, []string{"credential", "unauthorized", "unauthorised", "unauthenticated", "authenticationerror",
		"invalidprovidertoken", "expiredprovidertoken", "missingprovidertoken", "badcertificate", "forbidden",
		"permissiondenied", "thirdpartyautherror", "apikey", "certificateexpired", "certificaterevoked"}},
	{EnvironmentMismatch, []string{"baddevicetoken", "notvalidforthegivenenvironment"}},
	{AppMismatch, []string{"devicetokennotfortopic", "topicdisallowed", "badtopic", "missingtopic", "senderidmismatch",
		"mismatchsenderid", "mismatchedsender", "invalidpackagename", "doesnotmatchthespecifiedtopic",
		"topicisnotallowed", "apnstopicvalueisinvalid"}},
	{TokenDead, []string{"notregistered", "unregistered", "expiredtoken", "requestedentitywasnotfound"}},
	{TokenInvalid, []string{"invalidregistration", "missingregistration", "missingdevicetoken", "invalidargument"}},
	{Throttled, []string{"quotaexceeded", "messagerateexceeded", "toomanyrequests", "toomanyprovidertokenupdates"}},
	{VerdictUnknown, []string{"unavailable", "internalservererror", "shutdown", "timeout", "timedout"}},
}

var httpStatus = verify.Lazily(`(?:^|[^0-9])(401|403|410|429|500|502|503|504)(?:[^0-9]|$)`)

var statusReadings = map[string]Verdict{
	"401": CredentialBroken, "403": CredentialBroken, "410": TokenDead, "429": Throttled,
	"500": VerdictUnknown, "502": VerdictUnknown, "503": VerdictUnknown, "504": VerdictUnknown,
}

// readDescription tells what a description blames.
func readDescription(text string) reading {
	status := httpStatus().FindStringSubmatch(text)
	if status != nil && statusReadings[status[1]] == CredentialBroken {
		return reading{CredentialBroken, true}
	}
	squashed := squash(text)
	for _, p := range phrases {
		for _, word := range p.words {
			if strings.Contains(squashed, word) {
				return reading{p.verdict, true}
			}
		}
	}
	if status != nil {
		return reading{statusReadings[status[1]], true}
	}
	return reading{}
}

func squash(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			return r
		}
		return -1
	}, text)
}

// descriptions remembers what descriptions mean, because few different ones make up a whole export.
type descriptions map[string]reading

func (d descriptions) read(text string) reading {
	if text == "" {
		return reading{}
	}
	if r, ok := d[text]; ok {
		return r
	}
	r := readDescription(text)
	if len(text) <= 256 {
		if len(d) >= 1024 {
			clear(d)
		}
		d[strings.Clone(text)] = r
	}
	return r
}
