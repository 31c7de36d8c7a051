package event

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
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

// Answer is "yes", "no" or "unknown".
type Answer string

// Area is the part of Twilio a code comes from.
type Area string

// The areas that something depends on; codes.tsv has others too.
const (
	areaFCM        Area = "push to Android (FCM)"
	areaAPNS       Area = "push to iOS (APNs)"
	areaNotify     Area = "push sending"
	areaVerifyPush Area = "Verify Push"
	areaKeychain   Area = "iOS keychain"
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
	case c.Area == areaKeychain:
		return "https://developer.apple.com/documentation/security/security-framework-result-codes"
	}
	return fmt.Sprintf("https://www.twilio.com/docs/api/errors/%d", c.Number)
}

// IsPush tells whether the code is about handing a push to Apple or Google, whatever product sent it.
func (c Code) IsPush() bool {
	switch c.Area {
	case areaFCM, areaAPNS, areaNotify:
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
func Codes() []Code {
	all := catalogue()
	twilio := slices.IndexFunc(all, func(c Code) bool { return c.Number > 0 })
	return slices.Concat(all[twilio:], all[:twilio])
}

// Search gives the entries that contain every one of the words, in any case, in their number, name, cause or fix. Those
// about push delivery and Verify Push come first.
func Search(words ...string) []Code {
	var near, far []Code
	for _, code := range Codes() {
		if !code.mentions(words) {
			continue
		}
		if code.IsPush() || code.Area == areaVerifyPush || code.Area == areaKeychain {
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
	all := catalogue()
	i, found := sort.Find(len(all), func(i int) int { return cmp.Compare(number, all[i].Number) })
	if !found {
		return nil
	}
	return &all[i]
}

//go:embed codes.tsv
var codesTable string

// catalogue is codes.tsv in ascending order of number, read on first use.
var catalogue = sync.OnceValue(func() []Code {
	var all []Code
	for line := range strings.Lines(codesTable) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		number, err := strconv.Atoi(cells[0])
		if err != nil {
			continue // a comment, or the names of the columns
		}
		status, _ := strconv.Atoi(cells[3]) //nolint:errcheck // a test reads the table
		all = append(all, Code{Number: number, Area: Area(cells[1]), Level: cells[2], HTTPStatus: status, Owner: Owner(cells[4]),
			TokenDead: Answer(cells[5]), Verdict: Verdict(cells[6]), Action: Action(cells[7]), Evidence: Evidence(cells[8]),
			Name: cells[9], Cause: cells[10], Fix: cells[11]})
	}
	return all
})
