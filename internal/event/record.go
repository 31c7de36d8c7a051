package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// The limits of one event. Real ones have a few kilobytes and are nested three deep.
const (
	maxUnwrap = 7        // how many times a text inside a text is read: form → JSON → JSON, and queues around it
	bigRecord = 64 << 10 // beyond it only the members we know are parsed, so that a bomb of brackets stays small
	maxText   = 1 << 20  // beyond it a text is not repaired, only searched for SIDs
)

// recorder reads records: texts that hold one event, or a list of them. It is not safe for concurrent use.
type recorder struct {
	emit         func(*facts) // is given every event that was recognised; valid until it returns
	parsers      [maxUnwrap + 1]fastjson.Parser
	facts        facts
	record       []byte   // the text now read, to be checked strictly when it matters
	strict       answer   // whether record is strict JSON
	around       [][]byte // the texts that record was taken out of, to be checked as well
	envelope     string   // where in another system's envelope we are; "" outside of any
	nesting      int      // how deep in it
	inside       bool     // the text now read is one of an envelope
	noService    bool     // the event now read was written without its Service
	looked       int      // bytes of texts of envelopes that were read for this record
	visitors     [maxUnwrap + 1]objectVisitor
	descriptions descriptions
	names        fieldCache
	ids          idGroups
	kept         strings.Builder
}

// answer remembers an outcome that is costly to find.
type answer uint8

const (
	notAsked answer = iota
	isStrict
	notStrict
)

// read gives every event in a record to emit. False means that nothing in it looks like one.
func (r *recorder) read(record []byte) bool {
	record = bytes.TrimSpace(record)
	r.record, r.strict, r.looked = record, notAsked, 0
	return r.readText(record, 0)
}

func (r *recorder) readText(text []byte, depth int) bool {
	if depth > maxUnwrap || len(text) == 0 {
		return false
	}
	if text[0] == '{' || text[0] == '[' {
		if len(text) > bigRecord {
			return r.readBig(text, depth)
		}
		if v, err := r.parsers[depth].ParseBytes(text); err == nil {
			return r.readValue(v, depth)
		}
		if first, rest := splitFirst(text); rest != nil {
			return r.readRow(first, rest, depth)
		}
	}
	return r.readDocument(string(text), depth)
}

// splitFirst takes the first of several values that stand one behind the other. rest is nil when there is only one.
func splitFirst(text []byte) (first, rest []byte) {
	var s scanner
	end, ok := s.run(text, 0)
	if !ok {
		return text, nil
	}
	rest = text[skipSpaceAnd(text, end, ','):]
	if len(rest) == 0 || rest[0] != '{' && rest[0] != '[' {
		return text, nil
	}
	return text[:end], rest
}

func (r *recorder) readRow(first, rest []byte, depth int) bool {
	found := false
	for rest != nil {
		r.record, r.strict = first, notAsked
		found = r.readText(first, depth+1) || found
		first, rest = splitFirst(rest)
	}
	r.record, r.strict = first, notAsked
	return r.readText(first, depth+1) || found
}

// readValue reads a JSON value that may hold events.
func (r *recorder) readValue(v *fastjson.Value, depth int) bool {
	switch v.Type() {
	case fastjson.TypeObject:
		return r.readObject(v.GetObject(), depth)
	case fastjson.TypeArray:
		return r.readList(v.GetArray(), depth)
	}
	return false
}

func (r *recorder) readList(list []*fastjson.Value, depth int) bool {
	found := false
	for _, v := range list {
		if t := v.Type(); t == fastjson.TypeObject || t == fastjson.TypeArray {
			found = r.readValue(v, depth) || found
		}
	}
	return found
}

// readObject reads an object that is an event or a list of them.
func (r *recorder) readObject(object *fastjson.Object, depth int) bool {
	r.facts.reset()
	top := r.visit(object, depth)
	switch {
	case top.seen.has(fieldOwn) && r.readOwn(object):
		return true
	case top.list != nil && top.seen.has(fieldRecords):
		return r.within(top.listName+"[]", func() bool { return r.readList(top.list, depth) })
	case top.list != nil:
		return r.readList(top.list, depth)
	case top.queued != nil:
		r.record, r.strict = top.queued, notAsked
		return r.within(top.queuedIn, func() bool { return r.readText(r.record, depth+1) })
	case top.numbered > 0 && top.numbered == object.Len():
		return r.readNumbered(object, depth)
	}
	if r.facts.source = sourceOf(top.seen, r.facts.seen); r.facts.source == "" {
		return r.readEnvelope(object, depth)
	}
	return r.finish()
}

// readNumbered reads an array whose indexes were turned into keys ("0", "1", …), as Twilio Functions log it.
func (r *recorder) readNumbered(object *fastjson.Object, depth int) bool {
	var list []*fastjson.Value
	object.Visit(func(_ []byte, v *fastjson.Value) { list = append(list, v) })
	return r.readList(list, depth)
}

// finish hands over the facts if there is an event in them.
func (r *recorder) finish() bool {
	if r.facts.source == "" {
		return false
	}
	r.emit(&r.facts)
	return true
}

// keep copies a text out of a parser's memory. Texts of several events share one piece of memory, which saves most of
// the work of the garbage collector.
func (r *recorder) keep(text []byte) string {
	if r.kept.Cap()-r.kept.Len() < len(text) {
		r.kept = strings.Builder{}
		r.kept.Grow(max(keptSize, len(text)))
	}
	start := r.kept.Len()
	r.kept.Write(text)
	return r.kept.String()[start:]
}

const keptSize = 4 << 10

// scalar takes a text, and reads on where it holds another.
func (r *recorder) scalar(name field, text []byte, depth int) {
	switch name {
	case fieldPayload, fieldData:
		r.facts.seen |= 1 << name
		r.nested(text, depth+1)
	case fieldAlertText:
		r.facts.seen |= 1 << name
		r.alertText(text, depth+1)
	case fieldMoreInfo: // an object as text, or the URL of the code's page
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte{'{'}) {
			r.facts.seen |= 1 << name
			r.nested(text, depth+1)
		}
	case fieldModule, fieldProviderMessage, fieldSpecVersion, fieldUUID, fieldCorrelationSID:
		r.facts.seen |= 1 << name // that it is there says enough
	default:
		r.facts.set(name, r.keep(text))
	}
}

// nested reads a text that should hold JSON, as far as it can.
func (r *recorder) nested(text []byte, depth int) {
	text = bytes.TrimSpace(text)
	if depth > maxUnwrap || len(text) == 0 {
		return
	}
	switch {
	case len(text) > bigRecord:
		r.nestedBig(text, depth)
	case r.nestedJSON(text, depth):
	case bytes.Contains(text, []byte("%22")):
		r.facts.markRepaired("the payload was encoded once more than it should be")
		r.nested([]byte(unescapeAgain(string(text))), depth+1)
	case looksLikePairs(string(text)):
		r.pairs(string(text), depth)
	default:
		r.repairJSON(string(text), depth)
	}
}

func (r *recorder) nestedBig(text []byte, depth int) {
	slim, err := slimObject(text)
	if err != nil {
		r.facts.markRepaired("the payload is too large and not JSON")
		return
	}
	r.nestedJSON(slim, depth)
}

// nestedJSON reads a JSON object, or one that was made text once more. False when it is neither.
func (r *recorder) nestedJSON(text []byte, depth int) bool {
	if c := text[0]; c != '{' && c != '[' && c != '"' {
		return false
	}
	v, err := r.parsers[depth].ParseBytes(text)
	if err != nil {
		return false
	}
	r.facts.inner = append(r.facts.inner, text)
	switch v.Type() {
	case fastjson.TypeObject:
		r.visit(v.GetObject(), depth)
	case fastjson.TypeString:
		r.nested(v.GetStringBytes(), depth+1)
	case fastjson.TypeArray:
		list := v.GetArray()
		if len(list) > 1 {
			r.facts.markRepaired("the payload is a list")
		}
		if len(list) > 0 && list[0].Type() == fastjson.TypeObject {
			r.visit(list[0].GetObject(), depth)
		}
	}
	return true
}

// repairJSON reads what is left of JSON that was cut or bent on its way.
func (r *recorder) repairJSON(text string, depth int) {
	if !strings.ContainsAny(text, "{[") || len(text) > maxText {
		return
	}
	r.facts.markRepaired("the payload is not JSON as it stands")
	values := repairJSON(text)
	if len(values) == 0 {
		return
	}
	if v, err := r.parsers[depth].ParseBytes(values[0]); err == nil && v.Type() == fastjson.TypeObject {
		r.visit(v.GetObject(), depth)
	}
}

// unescapeAgain undoes a second percent-encoding, also where the first "%" was lost.
func unescapeAgain(text string) string {
	if strings.HasPrefix(text, "7B%22") {
		text = "%" + text
	}
	plain, _ := unescape(text)
	return plain
}

// alertText reads an alert's text: JSON, pairs, or prose (twilio_monitor_v1.json, alert_text).
func (r *recorder) alertText(text []byte, depth int) {
	trimmed := bytes.TrimSpace(text)
	switch {
	case depth > maxUnwrap || len(trimmed) == 0:
	case trimmed[0] == '{' || bytes.HasPrefix(trimmed, []byte(`"{`)):
		r.nested(trimmed, depth)
	default:
		if pairs := string(trimmed); looksLikePairs(pairs) {
			r.pairs(pairs, depth)
			return
		}
		r.facts.set(fieldMessage, r.keep(text))
	}
}

// pairs reads key=value pairs joined by "&", as forms and alert texts have them.
func (r *recorder) pairs(text string, depth int) {
	eachPair(text, func(key, value string, repaired bool) {
		name := fieldNamed(&r.names, key)
		if name == fieldNone {
			return
		}
		f := &r.facts
		if repaired {
			f.markRepaired("the text is not encoded as it should be")
		}
		if f.seen.has(name) && name != fieldTime && name != fieldMsg && name != fieldMessage && !f.carriedByAlert(name) {
			f.markRepaired("the text has a key twice")
		}
		r.scalar(name, []byte(value), depth)
	})
}

// carriedByAlert tells whether an alert has the field outside its text too.
func (f *facts) carriedByAlert(name field) bool {
	return name == fieldLevel || name == fieldSID || name == fieldAccount || name == fieldService
}

// isStrict tells whether all JSON of the event is as the standard has it: fastjson takes more, such as line breaks in
// strings, and whoever sends those may mean something else by them.
func (r *recorder) isStrict(f *facts) bool {
	if r.strict == notAsked {
		r.strict = notStrict
		if utf8.Valid(r.record) && (len(r.record) == 0 || r.record[0] != '{' && r.record[0] != '[' || isJSON(r.record)) {
			r.strict = isStrict
		}
	}
	if r.strict == notStrict {
		return false
	}
	for _, text := range f.inner {
		if !isJSON(text) {
			return false
		}
	}
	for _, text := range r.around {
		if !isJSON(text) {
			return false
		}
	}
	return true
}

// isJSON is for texts that were parsed, if they are small: then they are not nested deeply.
func isJSON(text []byte) bool {
	if len(text) > bigRecord {
		return json.Valid(text)
	}
	return fastjson.ValidateBytes(text) == nil
}
