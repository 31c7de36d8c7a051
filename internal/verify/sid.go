package verify

import (
	"fmt"
	"strings"
)

// A SID names one Twilio resource: two capital letters that tell its kind, then 32 hexadecimal digits, 34 characters
// in all (twilio_verify_v2.json, the pattern of every sid). Hex may be upper or lower case and is kept as given;
// compare with [SameSID].
const (
	sidLength = 34
	sidPrefix = 2
)

// The SIDs verifyctl knows by kind. A value of one of these types that came through its Parse function is well formed;
// one that came from a Twilio reply is taken as Twilio sent it.
type (
	AccountSID      string // AccountSID starts with AC.
	APIKeySID       string // APIKeySID starts with SK.
	ServiceSID      string // ServiceSID starts with VA.
	EntitySID       string // EntitySID starts with YE; paths use the Identity instead.
	FactorSID       string // FactorSID starts with YF.
	ChallengeSID    string // ChallengeSID starts with YC.
	NotificationSID string // NotificationSID starts with NT.
	CredentialSID   string // CredentialSID starts with CR: a push credential, never account keys.
	AlertSID        string // AlertSID starts with NO: a Monitor Alert and the debugger event of the same number.
	WebhookSID      string // WebhookSID starts with YW.
)

// resourceNames tells what each SID prefix stands for, in the words of api.twilio.com's documentation.
var resourceNames = map[string]string{
	"AC": "account", "SK": "API key", "VA": "Verify Service", "YE": "entity", "YF": "factor", "YC": "challenge",
	"NT": "notification", "CR": "push credential", "NO": "alert", "YW": "webhook", "YK": "access token",
	"IS": "Notify Service", "BS": "Notify binding", "RQ": "request", "DA": "delivery", "AE": "audit event", "CA": "call",
	"US": "user", "SM": "message", "MM": "message", "RU": "push correlation",
}

// ResourceName says in words what a SID prefix such as "YF" stands for, or "" when it is not one we know.
func ResourceName(prefix string) string { return resourceNames[prefix] }

// ParseAccountSID accepts an AC SID; the error is a usage [Error] that says what is wrong and where.
func ParseAccountSID(s string) (AccountSID, error) { return parseSID[AccountSID]("AC", s) }

// ParseAPIKeySID accepts an SK SID; the error is a usage [Error] that says what is wrong and where.
func ParseAPIKeySID(s string) (APIKeySID, error) { return parseSID[APIKeySID]("SK", s) }

// ParseServiceSID accepts a VA SID; the error is a usage [Error] that says what is wrong and where.
func ParseServiceSID(s string) (ServiceSID, error) { return parseSID[ServiceSID]("VA", s) }

// ParseFactorSID accepts a YF SID; the error is a usage [Error] that says what is wrong and where.
func ParseFactorSID(s string) (FactorSID, error) { return parseSID[FactorSID]("YF", s) }

// ParseChallengeSID accepts a YC SID; the error is a usage [Error] that says what is wrong and where.
func ParseChallengeSID(s string) (ChallengeSID, error) { return parseSID[ChallengeSID]("YC", s) }

// ParseCredentialSID accepts a CR SID; the error is a usage [Error] that says what is wrong and where.
func ParseCredentialSID(s string) (CredentialSID, error) { return parseSID[CredentialSID]("CR", s) }

// ParseAlertSID accepts an NO SID; the error is a usage [Error] that says what is wrong and where.
func ParseAlertSID(s string) (AlertSID, error) { return parseSID[AlertSID]("NO", s) }

// ParseWebhookSID accepts a YW SID; the error is a usage [Error] that says what is wrong and where.
func ParseWebhookSID(s string) (WebhookSID, error) { return parseSID[WebhookSID]("YW", s) }

// SIDPrefix gives the two letters of a well-formed SID of any kind, and whether s is one.
func SIDPrefix(s string) (string, bool) {
	if len(s) != sidLength || !isUpper(s[0]) || !isUpper(s[1]) {
		return "", false
	}
	for i := sidPrefix; i < sidLength; i++ {
		if !isHex(s[i]) {
			return "", false
		}
	}
	return s[:sidPrefix], true
}

// SameSID tells whether two SIDs name the same resource: the hex digits may differ in case.
func SameSID[T ~string](a, b T) bool { return strings.EqualFold(string(a), string(b)) }

func parseSID[T ~string](prefix, s string) (T, error) {
	if problem := sidProblem(prefix, s); problem != "" {
		return "", &Error{
			Kind:    KindUsage,
			Message: fmt.Sprintf("%q is not %s SID: %s", s, WithArticle(resourceNames[prefix]), problem),
			Hint:    fmt.Sprintf("%s SID is %s followed by 32 hexadecimal digits", WithArticle(resourceNames[prefix]), prefix),
		}
	}
	return T(s), nil
}

// sidProblem says what keeps s from being a SID of the wanted prefix, or "" when nothing does.
func sidProblem(prefix, s string) string {
	switch {
	case s == "":
		return "it is empty"
	case strings.TrimSpace(s) != s:
		return "it has white space around it"
	}
	if got, ok := SIDPrefix(s); ok && got != prefix {
		if name := ResourceName(got); name != "" {
			return fmt.Sprintf("it starts with %s, which is %s", got, WithArticle(name))
		}
		return fmt.Sprintf("it starts with %s", got)
	}
	if !strings.HasPrefix(s, prefix) {
		return fmt.Sprintf("it does not start with %s", prefix)
	}
	for i, r := range s[sidPrefix:] {
		if r > 0x7f || !isHex(byte(r)) {
			return fmt.Sprintf("character %d, %q, is not a hexadecimal digit", i+sidPrefix+1, r)
		}
	}
	if len(s) != sidLength {
		return fmt.Sprintf("it has %d characters instead of %d", len(s), sidLength)
	}
	return ""
}

// WithArticle puts "a" or "an" before a noun, by its spoken first sound.
func WithArticle(noun string) string {
	if noun != "" && strings.ContainsRune("aeioAEIO", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
