package event

import (
	"encoding/base64"

	"github.com/valyala/fastjson"
)

func isListKey(key []byte) bool {
	name := fieldOf(string(key))
	return name == fieldAlerts || name == fieldRecords
}

func isIndex(key []byte) bool {
	for _, c := range key {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(key) > 0
}

// members of one object that say what it is.
type seenObject struct {
	seen     fields            // in this object alone
	list     []*fastjson.Value // a page of alerts, or a batch of queue records
	listName string
	queued   []byte // what a record of a queue carries
	queuedIn string // the name of that
	numbered int    // keys that are indexes
}

// objectVisitor carries what visiting one object needs, so that the hot path allocates nothing.
type objectVisitor struct {
	r     *recorder
	depth int
	visit func(key []byte, v *fastjson.Value)
	seenObject
}

// visit takes in an object's members and gives what it is.
func (r *recorder) visit(object *fastjson.Object, depth int) seenObject {
	o := &r.visitors[depth]
	if o.visit == nil {
		o.r, o.depth, o.visit = r, depth, o.member
	}
	o.seenObject = seenObject{}
	object.Visit(o.visit)
	return o.seenObject
}

func (o *objectVisitor) member(key []byte, v *fastjson.Value) {
	name := fieldNamed(&o.r.names, key)
	if name == fieldNone {
		if v.Type() == fastjson.TypeObject && isIndex(key) {
			o.numbered++
		}
		return
	}
	f := &o.r.facts
	if o.seen.has(name) && name != fieldTime && name != fieldMsg {
		f.markRepaired("the JSON has a key twice")
	}
	o.seen |= 1 << name
	switch v.Type() {
	case fastjson.TypeNull:
	case fastjson.TypeObject:
		o.object(name, v.GetObject())
	case fastjson.TypeArray:
		o.array(name, key, v.GetArray())
	case fastjson.TypeString:
		o.text(name, v.GetStringBytes())
	default:
		f.set(name, v.String())
	}
}

func (o *objectVisitor) array(name field, key []byte, list []*fastjson.Value) {
	switch name {
	case fieldAlerts, fieldRecords:
		o.list, o.listName = list, string(key)
	case fieldCorrelation:
		o.r.facts.seen |= 1 << name
		o.r.facts.correlationList = append(o.r.facts.correlationList, texts(list)...)
	default: // a form as Go and Python keep it
		if len(list) == 1 && list[0].Type() == fastjson.TypeString {
			o.r.facts.markRepaired("its values are in lists")
			o.text(name, list[0].GetStringBytes())
		}
	}
}

func (o *objectVisitor) object(name field, object *fastjson.Object) {
	switch name {
	case fieldKinesis:
		o.queued, o.queuedIn = queued(object.Get("data").GetStringBytes()), "kinesis.data"
	case fieldPayload, fieldData, fieldMoreInfo, fieldAlertText:
		o.r.facts.seen |= 1 << name
		if o.depth < maxUnwrap {
			o.r.visit(object, o.depth+1)
		}
	}
}

func (o *objectVisitor) text(name field, text []byte) {
	if name == fieldData { // a record of Firehose
		if data := queued(text); data != nil {
			o.queued, o.queuedIn = data, "data"
			return
		}
	}
	o.r.scalar(name, text, o.depth)
}

// queued gives what a record of Kinesis or Firehose carries, nil when it is none.
func queued(data []byte) []byte {
	decoded, err := base64.StdEncoding.AppendDecode(nil, data)
	if err != nil || len(decoded) == 0 || decoded[0] != '{' && decoded[0] != '[' {
		return nil
	}
	return decoded
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
