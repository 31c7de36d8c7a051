// Package challenge puts a question on a user's phone once, follows it to the end, and says why it was not answered.
// It knows the vocabulary of verify and the events of event; what talks to Twilio and what remembers is handed to it.
package challenge

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Request is what someone wants to ask on a phone, before it is known whose phone that is.
type Request struct {
	Message  string            // what the lock screen shows; 1 to verify.MaxMessage characters
	Fields   []verify.Field    // labelled lines below it, at most verify.MaxFields
	Hidden   map[string]string // what the app reads and the user does not see
	ActionID string            // goes into the hidden details as verify.ActionID; "" takes the one of Hidden
	Expires  time.Duration     // how long it can be answered, above zero and up to verify.MaxChallengeTTL
}

// Check holds the request against every limit Twilio documents (twilio_verify_v2.json, CreateChallenge), counted in
// characters and not bytes, without asking Twilio. The error is one usage [verify.Error] that lists all problems.
func (r Request) Check() error {
	var p problems
	p.details(r.Message, r.Fields, twilioLimits)
	r.checkHidden(&p)
	switch {
	case r.Expires <= 0:
		p.add("it would expire at once: the life of a challenge is more than zero, not %v", r.Expires)
	case r.Expires < time.Second:
		p.add("it would expire after %v: Twilio counts whole seconds", r.Expires)
	case r.Expires > verify.MaxChallengeTTL:
		p.add("it would expire after %v, at most %v are allowed", r.Expires, verify.MaxChallengeTTL)
	}
	return p.err("the challenge cannot be created")
}

func (r Request) checkHidden(p *problems) {
	for _, key := range slices.Sorted(maps.Keys(r.Hidden)) {
		if key == "" {
			p.add("a hidden detail has no name")
		}
		p.characters(fmt.Sprintf("the hidden detail %q", key), key+r.Hidden[key])
	}
	if other := r.Hidden[verify.ActionID]; r.ActionID != "" && other != "" && other != r.ActionID {
		p.add("the action id is given twice, as %q and as the hidden detail %q", r.ActionID, other)
	}
	p.characters("the action id", r.ActionID)
	if n := hiddenLength(r.hidden()); n > verify.MaxHiddenDetails {
		p.add("the hidden details, the action id among them, are %d characters as JSON, at most %d are allowed", n,
			verify.MaxHiddenDetails)
	}
}

// Action gives the action id the request carries, whether it came by itself or among the hidden details; "" for none.
func (r Request) Action() string {
	return cmp.Or(r.ActionID, r.Hidden[verify.ActionID])
}

// hidden gives all hidden details, the action id among them, or nil when there are none.
func (r Request) hidden() map[string]string {
	if r.ActionID == "" {
		return r.Hidden
	}
	all := maps.Clone(r.Hidden)
	if all == nil {
		all = map[string]string{}
	}
	all[verify.ActionID] = r.ActionID
	return all
}

// newChallenge gives what is sent to Twilio to ask this of one factor. A request with Twilio's own default life carries no
// expiration date, so that a wrong clock on this machine cannot shorten it.
func (r Request) newChallenge(factor verify.FactorSID, now time.Time) verify.NewChallenge {
	n := verify.NewChallenge{FactorSID: factor, Message: r.Message, Fields: r.Fields, HiddenDetails: r.hidden()}
	if r.Expires != verify.DefaultChallengeTTL {
		n.ExpirationDate = now.Add(r.Expires).UTC().Truncate(time.Second)
	}
	return n
}

// ParseFields reads "Label=Value" arguments. The first equals sign divides; a value may hold more of them.
func ParseFields(args []string) ([]verify.Field, error) {
	var fields []verify.Field
	var p problems
	for _, arg := range args {
		label, value, ok := strings.Cut(arg, "=")
		if !ok {
			p.add("%q has no equals sign", arg)
			continue
		}
		fields = append(fields, verify.Field{Label: label, Value: value})
	}
	return fields, p.err("--field is written Label=Value")
}

// ParseDetails reads the "key=value" arguments of a flag, as hidden details and as values for a text. No key may come
// twice.
func ParseDetails(flag string, args []string) (map[string]string, error) {
	details := map[string]string{}
	var p problems
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		switch _, twice := details[key]; {
		case !ok:
			p.add("%q has no equals sign", arg)
		case key == "":
			p.add("%q has nothing before the equals sign", arg)
		case twice:
			p.add("%q is given twice", key)
		}
		details[key] = value
	}
	return details, p.err(flag + " is written key=value")
}

// NewActionID makes an action id that no other run makes: "verifyctl-" and 32 hexadecimal digits from random.
func NewActionID(random io.Reader) (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("no randomness for an action id: %w", err)
	}
	return "verifyctl-" + hex.EncodeToString(raw[:]), nil
}

// hiddenLength counts the characters of the hidden details as the JSON text that is sent.
func hiddenLength(details map[string]string) int {
	if len(details) == 0 {
		return 0
	}
	text, err := json.Marshal(details)
	if err != nil { // strings alone always marshal
		return verify.MaxHiddenDetails + 1
	}
	return utf8.RuneCount(text)
}

// problems collects everything wrong with an input, so that all of it is said at once.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// details holds what the phone shows against limits.
func (p *problems) details(message string, fields []verify.Field, most limits) {
	p.text("the message", message, most.message)
	if n := len(fields); n > most.fields {
		p.add("there are %d fields, at most %d are allowed", n, most.fields)
	}
	for i, f := range fields {
		p.text(fmt.Sprintf("the label of field %d", i+1), f.Label, most.label)
		p.text(fmt.Sprintf("the value of field %d, %q,", i+1, f.Label), f.Value, most.value)
	}
}

// text reports a text that is empty, too long in characters, or holds what no phone should show.
func (p *problems) text(what, s string, limit int) {
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		p.add("%s is empty", what)
	case n > limit:
		p.add("%s has %d characters, at most %d are allowed", what, n, limit)
	}
	p.characters(what, s)
}

// characters reports invalid UTF-8 and control characters other than a line break and a tab.
func (p *problems) characters(what, s string) {
	if !utf8.ValidString(s) {
		p.add("%s is not valid UTF-8", what)
		return
	}
	bad := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
	if bad >= 0 {
		r, _ := utf8.DecodeRuneInString(s[bad:])
		p.add("%s holds the control character %q", what, r)
	}
}

// err gives nil when there are no problems, and one usage error that lists them otherwise.
func (p problems) err(what string) error {
	if len(p) == 0 {
		return nil
	}
	return verify.Usagef("%s: %s", what, strings.Join(p, "; "))
}
