package event

import (
	"strconv"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// messages are what Twilio's REST API writes beside a code that stands for many things, so that the code alone would
// mislead. Whoever has only the sentence has the code by it where the sentence is of no other.
var messages = []struct {
	number int
	has    string // in the message, in small letters
	alone  bool   // the sentence tells its code
	owner  Owner
	name   string
	cause  string
	fix    string
}{
	{20001, "could not parse certificate", true, OwnerCredential, "Could not parse certificate",
		"The certificate of the push credential is not PEM text as Twilio reads it: on one line, indented, with \\n in letters, in binary, without its BEGIN and END lines, or another file.",
		"verifyctl credentials lint CERT.pem says what it is, and with --extract DIR writes it as Twilio wants it."},
	{20001, "could not parse private key", true, OwnerCredential, "Could not parse private key",
		"The private key of the push credential is not PEM text as Twilio reads it, or it is encrypted.",
		"verifyctl credentials lint CERT.pem KEY.pem says what it is, and with --extract DIR writes it as Twilio wants it."},
	{20001, "'secret' must be present", true, OwnerCredential, "Secret must be present",
		"An FCM credential was sent without its Secret, which is the JSON of a service account.",
		"Send the whole JSON as Secret; verifyctl credentials lint service-account.json checks it first."},
	{20001, "must be present", false, OwnerBackend, "A parameter is missing", "A parameter that Twilio needs was not sent: the message names it.", "Send it."},
	{20001, "missing required parameter", false, OwnerBackend, "A parameter is missing", "A parameter that Twilio needs was not sent: the message names it.", "Send it."},
	{20001, "unknown parameter", false, OwnerBackend, "Unknown parameters", "The request had parameters that Twilio does not know and ignored.", "Check how the parameters are spelled."},
	{20001, "", false, OwnerBackend, "Bad request", "Twilio refused the request for what the message beside the code says.", "Correct what the message names."},
}

// Beside gives the entry as the message beside the code makes it out. An empty message changes nothing.
func (c Code) Beside(message string) Code {
	message = strings.TrimSpace(message)
	for _, m := range messages {
		if m.number == c.Number && message != "" && strings.Contains(strings.ToLower(message), m.has) {
			c.Name, c.Cause, c.Fix, c.Owner = m.name, m.cause, m.fix, m.owner
			if m.name != "Unknown parameters" { // that one is a warning, and no refusal
				c.Level, c.HTTPStatus = "error", 400
			}
			return c
		}
	}
	return c
}

// LookupMessage gives the entry that a sentence without its code stands for, and whether there is one.
func LookupMessage(text string) (Code, bool) {
	text = strings.ToLower(text)
	for _, m := range messages {
		if m.alone && strings.Contains(text, m.has) {
			code, ok := Lookup(m.number)
			return code.Beside(m.has), ok
		}
	}
	return lookupSDK(text)
}

// sdkErrors are the kinds of error of the mobile SDKs, by what Xcode and logcat print of them, squashed
// (TwilioVerifyError in twilio-verify-ios, TwilioVerifyException in twilio-verify-android).
var sdkErrors = []struct {
	name   string
	number int
}{
	{"keystorage", 60405}, {"storage", 60403}, {"network", 60401}, {"mapper", 60402}, {"input", 60404},
	{"initialization", 60406}, {"authenticationtoken", 60407},
}

var (
	fromSDK    = verify.Lazily(`twilioverify(?:sdk|error|exception)|com\.twilio\.verify|keychainerror`)
	statusCode = verify.Lazily(`(?:code|status)[^0-9\n]{0,12}?(-[0-9]{1,6})\b`)
	sdkCode    = verify.Lazily(`\b(?:6040[1-7]|6800[1-7])\b`)
)

// lookupSDK gives the entry of an error of the mobile SDKs as it was printed, in small letters: that of the keychain
// inside it, else its own.
func lookupSDK(text string) (Code, bool) {
	if !fromSDK().MatchString(text) {
		return Code{}, false
	}
	for _, match := range statusCode().FindAllStringSubmatch(text, -1) {
		number, _ := strconv.Atoi(match[1]) //nolint:errcheck // a few digits
		if code, ok := Lookup(number); ok {
			return code, true
		}
	}
	if digits := sdkCode().FindString(text); digits != "" {
		number, _ := strconv.Atoi(digits) //nolint:errcheck // five digits
		return Lookup(number)
	}
	squashed := squash(text)
	for _, e := range sdkErrors {
		if strings.Contains(squashed, e.name+"error") || strings.Contains(squashed, e.name+"exception") {
			return Lookup(e.number)
		}
	}
	return Code{}, false
}
