package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// evidence is what the debugger says about pushes, one cause for what may be thousands of alerts.
type evidence struct {
	LookedAt bool      `json:"looked_at"`
	Why      string    `json:"why,omitempty"` // why not
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"`
	Causes   []cause   `json:"causes"`
}

// cause is one thing that keeps pushes, or webhooks, from arriving.
type cause struct {
	Environments []string        `json:"environments"`
	Platform     verify.Platform `json:"platform,omitempty"`
	Verdict      event.Verdict   `json:"verdict"`
	Code         int             `json:"error_code"`
	Name         string          `json:"error_name"`
	Credential   string          `json:"credential_sid,omitempty"`
	First        time.Time       `json:"first"`
	Last         time.Time       `json:"last"`
	Events       int             `json:"events"`
	Devices      int             `json:"devices"`              // different factors; 0 when no event names one
	OfDevices    int             `json:"of_devices,omitempty"` // how many there are, where that is known
	Past         string          `json:"past,omitempty"`       // what was changed since the last event; "" when it still goes on
	Headline     string          `json:"headline"`
	Commands     []string        `json:"commands,omitempty"`
}

// conclusion says what a verdict means for the reader, and above all what not to do.
var conclusion = map[event.Verdict]string{
	event.CredentialBroken:    "credential broken. Do not delete factors.",
	event.CredentialMissing:   "the Service has no credential for them. Do not delete factors.",
	event.CredentialWrongType: "the Service names a credential of the wrong type. Do not delete factors.",
	event.EnvironmentMismatch: "the credential's sandbox and the app's signing do not match, or the tokens are bad. Do not delete factors.",
	event.TokenInvalid:        "bad push tokens, or the wrong Apple environment. Do not delete factors.",
	event.AppMismatch:         "the credential is for another app. Do not delete factors.",
	event.TokenDead:           "push tokens are dead; the phones may still answer by polling.",
	event.Throttled:           "Apple or Google slows us down; wait.",
	event.WebhookFailed:       "your webhook does not answer 200.",
}

// findEvidence groups the events of all snapshots by cause, what still goes on first, then by how many devices it hits.
func findEvidence(snapshots []*snapshot, opts Options) evidence {
	found := evidence{Causes: []cause{}}
	if opts.NoEvidence {
		found.Why = "not asked for"
		return found
	}
	groups := map[string]*tally{}
	var order []string
	for _, snap := range snapshots {
		if found.Until.Before(snap.Now) {
			found.Since, found.Until = snap.Since, snap.Now
		}
		if !snap.Events.ok() {
			found.Why = describe(snap.Events.problem())
			continue
		}
		found.LookedAt = true
		for _, e := range snap.Events.Value.Events {
			if !isTrouble(e) || !snap.owns(e) {
				continue
			}
			key := fmt.Sprint(snap.account, e.Verdict, codeOf(e), strings.ToLower(e.CredentialSID), e.Platform, snap.overtaken(e) != "")
			if groups[key] == nil {
				groups[key], order = newTally(e), append(order, key)
			}
			groups[key].add(snap, e)
		}
	}
	if found.LookedAt {
		found.Why = ""
	}
	for _, key := range order {
		found.Causes = append(found.Causes, groups[key].total())
	}
	slices.SortStableFunc(found.Causes, func(a, b cause) int {
		return cmp.Or(cmp.Compare(min(len(a.Past), 1), min(len(b.Past), 1)),
			cmp.Compare(b.Devices, a.Devices), cmp.Compare(b.Events, a.Events), a.First.Compare(b.First))
	})
	return found
}

// isTrouble tells the events that say something about delivery from the rest of the account's noise.
func isTrouble(e event.Event) bool {
	switch e.Product {
	case event.ProductVoice, event.ProductNotify, event.ProductOther:
		return false
	}
	return e.ErrorCode != nil && e.Verdict != event.NotPush && (isPushCode(*e.ErrorCode) || *e.ErrorCode == codeWebhook)
}

// codeWebhook is Twilio's complaint about a Verify webhook that did not answer (api/errors/60330).
const codeWebhook = 60330

// isPushCode tells the codes of the push senders (api/errors/52000 to 52999).
func isPushCode(code int) bool { return 52000 <= code && code < 53000 }

func codeOf(e event.Event) int {
	if e.ErrorCode == nil {
		return 0
	}
	return *e.ErrorCode
}

// owns tells whether an event names this environment's Service, or nothing but a credential that the Service uses.
func (snap *snapshot) owns(e event.Event) bool {
	if e.ServiceSID != "" {
		return strings.EqualFold(e.ServiceSID, string(snap.Env.ServiceSID))
	}
	if e.CredentialSID == "" {
		return false
	}
	return strings.EqualFold(e.CredentialSID, string(snap.Service.Value.CredentialSID(verify.PlatformAPN))) ||
		strings.EqualFold(e.CredentialSID, string(snap.Service.Value.CredentialSID(verify.PlatformFCM)))
}

// overtaken says what was changed after an event so that it no longer tells how things are, "" when nothing was.
func (snap *snapshot) overtaken(e event.Event) string {
	if e.CredentialSID != "" && snap.Service.Value.Push != nil {
		for _, s := range []slot{apn, fcm} {
			if !strings.EqualFold(e.CredentialSID, string(snap.Service.Value.CredentialSID(s.platform))) {
				continue
			}
			if reading := snap.credential(s.platform); reading.ok() && reading.Value.DateUpdated.After(e.Timestamp) {
				return fmt.Sprintf("%s was updated since", e.CredentialSID)
			}
			return ""
		}
		return fmt.Sprintf("%s is no longer attached", e.CredentialSID)
	}
	return ""
}

// push gives the environment's events with one of some codes, those that still count and those overtaken by a change.
func (snap *snapshot) push(codes ...int) (current, past []event.Event) {
	for _, e := range snap.Events.Value.Events {
		if !isTrouble(e) || !snap.owns(e) || !slices.Contains(codes, codeOf(e)) {
			continue
		}
		if snap.overtaken(e) != "" {
			past = append(past, e)
		} else {
			current = append(current, e)
		}
	}
	return current, past
}

func devicesOf(events []event.Event) int {
	seen := map[string]bool{}
	for _, e := range events {
		if e.FactorSID != "" {
			seen[strings.ToLower(e.FactorSID)] = true
		}
	}
	return len(seen)
}

// tally collects the events of one cause.
type tally struct {
	cause
	now       time.Time
	events    map[string]bool
	devices   map[string]bool
	ofDevices map[verify.ServiceSID]int
}

func newTally(e event.Event) *tally {
	c := cause{Platform: e.Platform, Verdict: e.Verdict, Code: codeOf(e), Name: e.ErrorName, Credential: e.CredentialSID, First: e.Timestamp}
	if e.Next != "" {
		c.Commands = []string{e.Next}
	}
	return &tally{cause: c, events: map[string]bool{}, devices: map[string]bool{}, ofDevices: map[verify.ServiceSID]int{}}
}

// add counts an event of a snapshot. Snapshots that share a Service see the same event: it counts once.
func (t *tally) add(snap *snapshot, e event.Event) {
	t.Environments = including(t.Environments, snap.Env.Name)
	if n, ok := snap.devices(e.Platform); ok {
		t.ofDevices[snap.Env.ServiceSID] = n
	}
	t.Past = snap.overtaken(e)
	t.now = snap.Now
	t.events[cmp.Or(e.EventSID, fmt.Sprint(e.Timestamp, e.FactorSID, e.ChallengeSID))] = true
	if e.FactorSID != "" {
		t.devices[strings.ToLower(e.FactorSID)] = true
	}
	if e.Timestamp.Before(t.First) {
		t.First = e.Timestamp
	}
	if e.Timestamp.After(t.Last) {
		t.Last = e.Timestamp
	}
}

// devices gives how many verified factors of a platform the environment has, when every user was looked at.
func (snap *snapshot) devices(platform verify.Platform) (int, bool) {
	if !snap.Factors.ok() || snap.Factors.Value.More || platform == "" {
		return 0, false
	}
	n := 0
	for _, user := range snap.Factors.Value.Users {
		for _, factor := range user.Items {
			if factor.CanBeChallenged() && factor.Config.Platform == platform {
				n++
			}
		}
	}
	return n, true
}

func (t *tally) total() cause {
	c := t.cause
	c.Events, c.Devices = len(t.events), len(t.devices)
	if len(t.ofDevices) == len(t.Environments) {
		for _, n := range t.ofDevices {
			c.OfDevices += n
		}
	}
	c.Headline = c.headline(t.now)
	return c
}

// headline says it in one line, such as "since 02:03 UTC iOS pushes are refused: 52131 Invalid APNs credentials, 412
// devices, CRe0… → credential broken. Do not delete factors."
func (c cause) headline(now time.Time) string {
	var b strings.Builder
	if c.Past == "" {
		fmt.Fprintf(&b, "since %s ", clock(c.First, now))
	} else {
		fmt.Fprintf(&b, "from %s to %s ", clock(c.First, now), clock(c.Last, now))
	}
	fmt.Fprintf(&b, "%s: %d", c.subject(), c.Code)
	if c.Name != "" {
		fmt.Fprintf(&b, " %s", c.Name)
	}
	switch {
	case c.Devices > 0 && c.OfDevices >= c.Devices:
		fmt.Fprintf(&b, ", %d of %s (%d %%)", c.Devices, verify.Count(c.OfDevices, "device"), c.Devices*100/c.OfDevices)
	case c.Devices > 0:
		fmt.Fprintf(&b, ", %s", verify.Count(c.Devices, "device"))
	default:
		fmt.Fprintf(&b, ", %s", verify.Count(c.Events, "event"))
	}
	if c.Credential != "" {
		fmt.Fprintf(&b, ", %s", c.Credential)
	}
	switch meaning := conclusion[c.Verdict]; {
	case c.Past != "":
		fmt.Fprintf(&b, " → %s: none since", c.Past)
	case meaning != "":
		fmt.Fprintf(&b, " → %s", meaning)
	default:
		b.WriteString(" → not known what it means. Do not delete factors.")
	}
	return b.String()
}

func (c cause) subject() string {
	who := cmp.Or(map[verify.Platform]string{verify.PlatformAPN: "iOS pushes", verify.PlatformFCM: "Android pushes"}[c.Platform], "pushes")
	switch {
	case c.Code == codeWebhook:
		return "webhooks fail"
	case c.Verdict == event.TokenDead:
		return who + " go to dead push tokens"
	case c.Past != "":
		return who + " were refused"
	}
	return who + " are refused"
}

// clock writes a moment for somebody who reads it now: the time, with the day when it is not today. Always UTC.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04 UTC")
	}
	return t.Format("2006-01-02 15:04 UTC")
}
