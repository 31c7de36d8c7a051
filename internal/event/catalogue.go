package event

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// FactsDate is the day (UTC, YYYY-MM-DD) on which the facts of the catalogue were read from Twilio's public pages.
// Twilio changes causes and solutions, so whoever acts on them should open [Code.URL].
const FactsDate = "2026-11-23"

// Owner is whose job a fix is.
type Owner string

// The owners.
const (
	OwnerApp        Owner = "app"        // who makes the mobile app
	OwnerCredential Owner = "credential" // who holds the push credentials
	OwnerProvider   Owner = "provider"   // Apple or Google
	OwnerBackend    Owner = "backend"    // who runs the server that calls Twilio, or that Twilio calls
	OwnerTwilio     Owner = "twilio"
)

// Answer is yes, no, or not known.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Area is the part of Twilio a code comes from.
type Area string

// The areas.
const (
	AreaFCM        Area = "push to Android (FCM)"
	AreaAPNS       Area = "push to iOS (APNs)"
	AreaNotify     Area = "push sending"
	AreaVerifyPush Area = "Verify Push"
	AreaVerify     Area = "Verify"
	AreaAuth       Area = "account and keys"
	AreaGeneral    Area = "general"
	AreaKeychain   Area = "iOS keychain"
)

// Code is one entry of the catalogue: an error code of Twilio (dictionary of twilio.com/docs/api/errors), or an
// OSStatus of Apple that Verify's iOS SDK passes on, which is negative.
type Code struct {
	Number     int      `json:"code"`
	Name       string   `json:"name"`
	Area       Area     `json:"area"`
	Level      string   `json:"level"`       // error or warning; "" when no source says
	HTTPStatus int      `json:"http_status"` // of the API reply that carries it; 0 when no source says
	Owner      Owner    `json:"owner"`
	TokenDead  Answer   `json:"token_dead"` // whether the push token is of no use any more. No code proves that the factor is.
	Verdict    Verdict  `json:"verdict"`
	Action     Action   `json:"action"`
	Evidence   Evidence `json:"prune_evidence"` // the most that an event with this code can count for pruning
	Cause      string   `json:"cause"`
	Fix        string   `json:"fix"`
}

// URL is the page to read about the code.
func (c Code) URL() string {
	switch {
	case c.Number == 52112: // seen in the field; Twilio publishes no page
		return "https://github.com/twilio/twilio-voice-react-native/issues/552"
	case c.Area == AreaKeychain:
		return "https://developer.apple.com/documentation/security/security-framework-result-codes"
	}
	return fmt.Sprintf("https://www.twilio.com/docs/api/errors/%d", c.Number)
}

// IsPush tells whether the code is about handing a push to Apple or Google, whatever product sent it.
func (c Code) IsPush() bool {
	switch c.Area {
	case AreaFCM, AreaAPNS, AreaNotify:
		return c.Verdict != NotPush
	}
	return false
}

// Lookup gives the catalogue's entry for a number, and whether there is one.
func Lookup(number int) (Code, bool) {
	if code := find(number); code != nil {
		return *code, true
	}
	return Code{}, false
}

// Codes gives the whole catalogue, Twilio's codes first, in ascending order.
func Codes() []Code { return append(slices.Clone(codes[:]), keychain[:]...) }

// Search gives the entries that contain every one of the words, in any case, in their number, name, cause or fix. Those
// about push delivery and Verify Push come first.
func Search(words ...string) []Code {
	var near, far []Code
	for _, code := range Codes() {
		if !code.mentions(words) {
			continue
		}
		if code.IsPush() || code.Area == AreaVerifyPush || code.Area == AreaKeychain {
			near = append(near, code)
		} else {
			far = append(far, code)
		}
	}
	return append(near, far...)
}

func (c Code) mentions(words []string) bool {
	text := strings.ToLower(fmt.Sprintf("%d %s %s %s %s", c.Number, c.Name, c.Area, c.Cause, c.Fix))
	for _, word := range words {
		if !strings.Contains(text, strings.ToLower(word)) {
			return false
		}
	}
	return len(words) > 0
}

// find gives the entry without copying it; nil when there is none.
func find(number int) *Code {
	table := codes[:]
	if number < 0 {
		table = keychain[:]
	}
	i := sort.Search(len(table), func(i int) bool { return table[i].Number >= number })
	if i < len(table) && table[i].Number == number {
		return &table[i]
	}
	return nil
}

// keychain holds the OSStatus values that Verify's iOS SDK passes on, in ascending order (Apple, Security Framework
// result codes).
var keychain = [...]Code{
	{-34018, "errSecMissingEntitlement", AreaKeychain, "", 0, OwnerApp, No, NotPush, Investigate, EvidenceNone,
		"The app may not use the keychain: an entitlement is missing from its signature.",
		"Check keychain sharing and the signing of the build."},
	{-25308, "errSecInteractionNotAllowed", AreaKeychain, "", 0, OwnerApp, No, NotPush, Investigate, EvidenceNone,
		"The keychain is locked, as before the first unlock after a restart.",
		"Try again when the phone is unlocked; check the accessibility of the items."},
	{-25300, "errSecItemNotFound", AreaKeychain, "", 0, OwnerApp, Unknown, NotPush, Investigate, EvidenceNone,
		"The factor's key is not in this phone's keychain: removed, restored without it, or read too early (older SDKs).",
		"Update the SDK (2.2.2 tries again); if it stays, enrol again. The old factor stays on the server until it is deleted."},
	{-25299, "errSecDuplicateItem", AreaKeychain, "", 0, OwnerApp, No, NotPush, Investigate, EvidenceNone,
		"An item of that name is in the keychain already.",
		"Update the SDK (3.0.2 ends collisions); else remove the old item."},
	{-25293, "errSecAuthFailed", AreaKeychain, "", 0, OwnerApp, No, NotPush, Investigate, EvidenceNone,
		"The phone's owner could not be authenticated for the key.",
		"Try again with Face ID, Touch ID or the passcode."},
	{-128, "errSecUserCanceled", AreaKeychain, "", 0, OwnerApp, No, NotPush, NoAction, EvidenceNone,
		"The user dismissed the prompt that unlocks the key.",
		"Ask them to approve again; SDK 3.0.0 prompts too often, 3.0.1 fixes it."},
}
