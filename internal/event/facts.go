package event

import (
	"strconv"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// facts is what was read from one event before anything is concluded.
type facts struct {
	source string
	seen   fields // everywhere in the event

	eventSID, accountSID string
	time                 time.Time
	timeText             string // that was last parsed
	level, product       string
	code                 int
	codeField            field
	codesDiffer          bool // two places of the event name different codes
	resource, service    string
	correlation          string
	correlationList      []string // when correlationIds was a JSON list
	primary              string
	binding              string
	bindingSID           string
	notification         string
	request              string
	delivery             string
	from                 string
	description          string
	descriptionField     field
	streamType           string
	identity             string
	factor, challenge    string
	entity               string
	aside                bool // the correlation ids stand beside the alert's text, where none are documented

	own *Event // as verifyctl wrote it before; then nothing else counts

	// Why the text is not what Twilio sent; "" when nothing points to it. Such an event is never evidence.
	repaired string
	// The JSON texts inside the event, to be checked strictly before it counts as evidence.
	inner [][]byte
}

func (f *facts) reset() { *f = facts{inner: f.inner[:0]} }

// markRepaired notes the first reason why the event cannot be trusted to be as Twilio sent it.
func (f *facts) markRepaired(reason string) {
	if f.repaired == "" {
		f.repaired = reason
	}
}

// set keeps a value. Where several places of an event carry the same field the first one counts, but for codes, times
// and descriptions, which have their own rules.
func (f *facts) set(name field, value string) {
	f.seen |= 1 << name
	if value == "" {
		return
	}
	switch name {
	case fieldSID:
		f.setSID(value)
	case fieldAccount:
		first(&f.accountSID, value)
	case fieldTime:
		f.setTime(value)
	case fieldLevel:
		if f.level == "" {
			f.level = lowerLevel(value)
		}
	case fieldProduct:
		first(&f.product, value)
	case fieldCode, fieldInfoCode, fieldRESTCode:
		f.setCode(name, value)
	case fieldResource:
		first(&f.resource, f.word(value))
	case fieldService:
		first(&f.service, f.word(value))
	case fieldCorrelation:
		f.setCorrelation(value)
	case fieldPrimary:
		first(&f.primary, f.word(value))
	case fieldBinding:
		first(&f.binding, value)
	case fieldBindingSID:
		first(&f.bindingSID, f.word(value))
	case fieldNotification:
		first(&f.notification, f.word(value))
	case fieldRequest:
		first(&f.request, f.word(value))
	case fieldDelivery:
		first(&f.delivery, f.word(value))
	case fieldFrom:
		first(&f.from, f.word(value))
	case fieldDescription, fieldMsg, fieldMessage:
		f.setDescription(name, value)
	case fieldType:
		first(&f.streamType, value)
	case fieldIdentity:
		first(&f.identity, value)
	case fieldFactor:
		first(&f.factor, f.word(value))
	case fieldChallenge:
		first(&f.challenge, f.word(value))
	case fieldEntity:
		first(&f.entity, f.word(value))
	}
}

func first(at *string, value string) {
	if *at == "" {
		*at = value
	}
}

// word undoes line breaks, and what a chat did to the characters, inside a value that has none of both by nature.
func (f *facts) word(value string) string {
	if isPlain(value, '!') {
		return value
	}
	value = f.plain(value)
	joined := strings.Join(strings.Fields(value), "")
	if joined != strings.TrimSpace(value) {
		f.markRepaired("a SID was broken over lines")
	}
	return joined
}

// isPlain tells whether a text is ASCII without characters that come before the first.
func isPlain(value string, first byte) bool {
	for i := range len(value) {
		if value[i] < first || value[i] >= 0x80 {
			return false
		}
	}
	return true
}

func lowerLevel(level string) string {
	switch level {
	case "ERROR":
		return "error"
	case "WARNING":
		return "warning"
	}
	return strings.ToLower(level)
}

func (f *facts) setSID(value string) {
	if value == f.eventSID {
		return
	}
	value = f.word(value)
	if f.eventSID == "" || !hasPrefix(f.eventSID, "NO") && hasPrefix(value, "NO") {
		f.eventSID = value
	}
}

// plain replaces characters that a chat put into a SID or a list of them.
func (f *facts) plain(value string) string {
	plain := strings.Map(plainRune, value)
	if plain != value {
		f.markRepaired("characters inside the ids were changed on their way here")
	}
	return plain
}

func (f *facts) setCorrelation(value string) {
	if !isPlain(value, ' ') {
		value = f.plain(value)
		if strings.ContainsAny(value, "\r\n") {
			f.markRepaired("the correlation ids were broken over lines")
		}
	}
	if f.correlation != "" && f.correlation != value {
		f.markRepaired("the event has two different lists of correlation ids")
	}
	first(&f.correlation, value)
}

// setCode takes "52103", 52103 and "52103,text". error_code goes before the others.
func (f *facts) setCode(name field, value string) {
	digits := strings.TrimSpace(value)
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	code, err := strconv.Atoi(digits)
	if err != nil || code == 0 || len(digits) > 6 {
		return
	}
	if f.code != 0 && f.code != code {
		f.codesDiffer = true
	}
	if f.code == 0 || name < f.codeField {
		f.code, f.codeField = code, name
	}
}

// setDescription prefers the provider's words to Twilio's message, and that to an API's.
func (f *facts) setDescription(name field, value string) {
	if f.description == "" || name < f.descriptionField {
		f.description, f.descriptionField = value, name
	}
}

// setTime keeps the earliest of an event's times: alerts may be recorded after they happened, and a factor that was
// refreshed in between must not look untouched.
func (f *facts) setTime(value string) {
	if value == f.timeText {
		return
	}
	f.timeText = value
	t, ok := parseTime(value)
	if ok && (f.time.IsZero() || t.Before(f.time)) {
		f.time = t
	}
}

// timeForms are those of Twilio: ISO 8601 today, RFC 2822 in older alerts, and what consoles print.
var timeForms = []string{time.RFC1123Z, time.RFC1123, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly}

func parseTime(value string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t.UTC(), true
	}
	value = strings.TrimSpace(value)
	if len(value) < len(time.DateOnly) || len(value) > 40 {
		return time.Time{}, false
	}
	for _, form := range append([]string{time.RFC3339}, timeForms...) {
		if t, err := time.Parse(form, value); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// ofAlert takes an alert as the Monitor API client gives it.
func (f *facts) ofAlert(a verify.Alert) {
	f.source = SourceAlert
	f.eventSID, f.accountSID = string(a.SID), string(a.AccountSID)
	f.level = lowerLevel(a.LogLevel)
	f.resource, f.service = a.ResourceSID, a.ServiceSID
	f.time = a.DateCreated
	if g := a.DateGenerated; !g.IsZero() && (f.time.IsZero() || g.Before(f.time)) {
		f.time = g
	}
	f.set(fieldCode, a.ErrorCode)
}
