package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// The limits of one event. Real ones have a few kilobytes and are nested three deep.
const (
	maxUnwrap = 4        // how many times a text inside a text is read: form → JSON → JSON, and a queue record around it
	bigRecord = 64 << 10 // beyond it only the members we know are parsed, so that a bomb of brackets stays small
	maxText   = 1 << 20  // beyond it a text is not mended, only searched for SIDs
)

// recorder reads records: texts that hold one event, or a list of them. It is not safe for concurrent use.
type recorder struct {
	emit         func(*facts) // is given every event that was recognised; valid until it returns
	parsers      [maxUnwrap + 1]fastjson.Parser
	facts        facts
	record       []byte // the text now read, to be checked strictly when it matters
	strict       answer // whether record is strict JSON
	visitors     [maxUnwrap + 1]objectVisitor
	descriptions descriptions
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
	r.record, r.strict = record, notAsked
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
	if list := listIn(object); list != nil {
		return r.readList(list, depth)
	}
	if data := queueData(object); data != nil {
		r.record, r.strict = bytes.TrimSpace(data), notAsked
		return r.readText(r.record, depth+1)
	}
	r.facts.reset()
	top := r.visit(object, depth)
	r.facts.source = sourceOf(top, r.facts.seen)
	return r.finish()
}

// finish hands over the facts if there is an event in them.
func (r *recorder) finish() bool {
	if r.facts.source == "" {
		return false
	}
	r.emit(&r.facts)
	return true
}

// listIn gives the events of an object that is a page of alerts, a batch of queue records, or an array whose indexes
// were turned into keys ("0", "1", …), as Twilio Functions log it.
func listIn(object *fastjson.Object) []*fastjson.Value {
	var list []*fastjson.Value
	numbered := 0
	object.Visit(func(key []byte, v *fastjson.Value) {
		switch {
		case isListKey(key) && v.Type() == fastjson.TypeArray && list == nil:
			list = v.GetArray()
		case isIndex(key) && v.Type() == fastjson.TypeObject:
			numbered++
		}
	})
	if list != nil || numbered == 0 || numbered != object.Len() {
		return list
	}
	object.Visit(func(_ []byte, v *fastjson.Value) { list = append(list, v) })
	return list
}

func isListKey(key []byte) bool {
	switch string(key) {
	case "alerts", "Records", "records", "events", "logs":
		return true
	}
	return false
}

func isIndex(key []byte) bool {
	for _, c := range key {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(key) > 0
}

// queueData gives what a Kinesis or Firehose record carries, nil when the object is none.
func queueData(object *fastjson.Object) []byte {
	data := object.Get("kinesis").GetStringBytes("data")
	if data == nil && object.Get("recordId") != nil {
		data = object.Get("data").GetStringBytes()
	}
	if len(data) == 0 {
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return nil
	}
	return decoded
}

// objectVisitor carries what visiting one object needs, so that the hot path allocates nothing.
type objectVisitor struct {
	r     *recorder
	depth int
	seen  fields // in this object alone
	visit func(key []byte, v *fastjson.Value)
}

// visit takes in an object's members and gives which it had.
func (r *recorder) visit(object *fastjson.Object, depth int) fields {
	o := &r.visitors[min(depth, maxUnwrap)]
	outer := *o
	if o.visit == nil {
		o.r = r
		o.visit = o.member
	}
	o.depth, o.seen = depth, 0
	object.Visit(o.visit)
	seen := o.seen
	o.depth, o.seen = outer.depth, outer.seen
	return seen
}

func (o *objectVisitor) member(key []byte, v *fastjson.Value) {
	name := fieldOf(string(key))
	if name == fieldNone {
		return
	}
	f := &o.r.facts
	if o.seen.has(name) && name != fieldTime && name != fieldMsg {
		f.mend("the JSON has a key twice")
	}
	o.seen |= 1 << name
	switch v.Type() {
	case fastjson.TypeNull:
	case fastjson.TypeObject:
		o.r.nestedObject(name, v.GetObject(), o.depth)
	case fastjson.TypeArray:
		if name == fieldCorrelation {
			f.seen |= 1 << name
			f.correlationList = append(f.correlationList, texts(v.GetArray())...)
		}
	default:
		o.r.scalar(name, scalarText(v), o.depth)
	}
}

func texts(list []*fastjson.Value) []string {
	all := []string{}
	for _, v := range list[:min(len(list), maxIDs)] {
		if v.Type() == fastjson.TypeString {
			all = append(all, string(v.GetStringBytes()))
		}
	}
	return all
}

func scalarText(v *fastjson.Value) string {
	if v.Type() == fastjson.TypeString {
		return string(v.GetStringBytes())
	}
	return v.String()
}

func (r *recorder) nestedObject(name field, object *fastjson.Object, depth int) {
	switch name {
	case fieldPayload, fieldData, fieldMoreInfo, fieldAlertText:
		r.facts.seen |= 1 << name
		if depth < maxUnwrap {
			r.visit(object, depth+1)
		}
	}
}

// scalar takes a text or number, and reads on where the text holds another.
func (r *recorder) scalar(name field, text string, depth int) {
	switch name {
	case fieldPayload, fieldData:
		r.facts.seen |= 1 << name
		r.nested(text, depth+1)
	case fieldAlertText:
		r.facts.seen |= 1 << name
		r.alertText(text, depth+1)
	case fieldMoreInfo: // an object as text, or the URL of the code's page
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			r.facts.seen |= 1 << name
			r.nested(text, depth+1)
		}
	default:
		r.facts.set(name, text)
	}
}

// nested reads a text that should hold JSON, as far as it can.
func (r *recorder) nested(text string, depth int) {
	text = strings.TrimSpace(text)
	if depth > maxUnwrap || text == "" {
		return
	}
	switch {
	case len(text) > bigRecord:
		r.nestedBig(text, depth)
	case r.nestedJSON(text, depth):
	case strings.Contains(text, "%22"):
		r.facts.mend("the payload was encoded once more than it should be")
		r.nested(unescapeAgain(text), depth+1)
	case looksLikePairs(text):
		r.pairs(text, depth)
	default:
		r.mendJSON(text, depth)
	}
}

func (r *recorder) nestedBig(text string, depth int) {
	slim, err := slimObject([]byte(text))
	if err != nil {
		r.facts.mend("the payload is too large and not JSON")
		return
	}
	r.nestedJSON(string(slim), depth)
}

// nestedJSON reads a JSON object, or one that was made text once more. False when it is neither.
func (r *recorder) nestedJSON(text string, depth int) bool {
	if c := text[0]; c != '{' && c != '[' && c != '"' {
		return false
	}
	v, err := r.parsers[depth].Parse(text)
	if err != nil {
		return false
	}
	r.facts.inner = append(r.facts.inner, text)
	switch v.Type() {
	case fastjson.TypeObject:
		r.visit(v.GetObject(), depth)
	case fastjson.TypeString:
		r.nested(string(v.GetStringBytes()), depth+1)
	case fastjson.TypeArray:
		list := v.GetArray()
		if len(list) > 1 {
			r.facts.mend("the payload is a list")
		}
		if len(list) > 0 && list[0].Type() == fastjson.TypeObject {
			r.visit(list[0].GetObject(), depth)
		}
	}
	return true
}

// mendJSON reads what is left of JSON that was cut or bent on its way.
func (r *recorder) mendJSON(text string, depth int) {
	if !strings.ContainsAny(text, "{[") || len(text) > maxText {
		return
	}
	r.facts.mend("the payload is not JSON as it stands")
	values := mendJSON(text)
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
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	plain, _ := unescape(text)
	return plain
}

// alertText reads an alert's text: JSON, pairs, or prose (twilio_monitor_v1.json, alert_text).
func (r *recorder) alertText(text string, depth int) {
	trimmed := strings.TrimSpace(text)
	switch {
	case depth > maxUnwrap || trimmed == "":
	case trimmed[0] == '{' || strings.HasPrefix(trimmed, `"{`):
		r.nested(trimmed, depth)
	case looksLikePairs(trimmed):
		r.pairs(trimmed, depth)
	default:
		r.facts.set(fieldMessage, text)
	}
}

// pairs reads key=value pairs joined by "&", as forms and alert texts have them.
func (r *recorder) pairs(text string, depth int) {
	eachPair(text, func(key, value string, mended bool) {
		name := fieldOf(key)
		if name == fieldNone {
			return
		}
		f := &r.facts
		if mended {
			f.mend("the text is not encoded as it should be")
		}
		if f.seen.has(name) && name != fieldTime && name != fieldMsg && name != fieldMessage && !f.carriedByAlert(name) {
			f.mend("the text has a key twice")
		}
		r.scalar(name, value, depth)
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
		if fastjson.Validate(text) != nil {
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
