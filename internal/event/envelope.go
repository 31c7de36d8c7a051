package event

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// The limits of looking into what other systems put around an event. Real envelopes are far below them.
const (
	maxNesting = 12       // objects and lists inside each other
	maxLooked  = 16 << 20 // bytes of texts that are read for one record, a text inside a text each time, unpacked
	maxPath    = 128      // of [Event.Envelope]
	minInside  = 20       // shorter texts hold no event
)

// readEnvelope looks for events in the members of an object that is none itself: EventBridge's detail, SQS's body, SNS's
// Message, Segment's properties, the data of Pub/Sub, the message of a log, and whatever else wraps one.
func (r *recorder) readEnvelope(object *fastjson.Object, depth int) bool {
	found := false
	object.Visit(func(key []byte, v *fastjson.Value) {
		switch v.Type() {
		case fastjson.TypeObject, fastjson.TypeArray, fastjson.TypeString:
			found = r.within(string(key), func() bool { return r.readMember(v, depth) }) || found
		}
	})
	return found
}

func (r *recorder) readMember(v *fastjson.Value, depth int) bool {
	switch v.Type() {
	case fastjson.TypeObject:
		return r.readObject(v.GetObject(), depth)
	case fastjson.TypeString:
		return r.readInside(v.GetStringBytes(), depth+1)
	case fastjson.TypeArray:
		return r.within("[]", func() bool {
			found := false
			for _, element := range v.GetArray() {
				found = r.readMember(element, depth) || found
			}
			return found
		})
	}
	return false
}

// within reads something whose name in the envelope is given, and remembers where it was.
func (r *recorder) within(name string, read func() bool) bool {
	if r.nesting >= maxNesting {
		return false
	}
	path := r.envelope
	switch {
	case path == "" || name == "[]":
		r.envelope += name
	default:
		r.envelope += "." + name
	}
	if len(r.envelope) > maxPath {
		r.envelope = path
	}
	r.nesting++
	defer func() { r.envelope, r.nesting = path, r.nesting-1 }()
	return read()
}

// readInside reads a text of an envelope: JSON, a form, base64 of one, or a line of a log with one in it. Ids in plain
// words are not picked out of it, because any resource of Twilio has some.
func (r *recorder) readInside(text []byte, depth int) bool {
	text = bytes.TrimSpace(text)
	if r.looked += len(text); depth > maxUnwrap || len(text) < minInside || r.looked > maxLooked {
		return false
	}
	if unpacked := r.unpack(text); unpacked != nil {
		return r.readInside(unpacked, depth+1)
	}
	if !bytes.ContainsAny(text, "{=|") && !bytes.Contains(text, []byte("%3D")) {
		return false
	}
	record, strict, inside := r.record, r.strict, r.inside
	r.around = append(r.around, record)
	r.record, r.strict, r.inside = text, notAsked, true
	defer func() {
		r.record, r.strict, r.inside = record, strict, inside
		r.around = r.around[:len(r.around)-1]
	}()
	return r.readText(text, depth)
}

// unpack undoes base64, and compression inside it. Nil when the text is none, or what is in it is no text.
func (r *recorder) unpack(text []byte) []byte {
	if !isBase64(text) {
		return nil
	}
	plain, err := base64.RawStdEncoding.AppendDecode(nil, bytes.TrimRight(toStdBase64(text), "="))
	if err != nil {
		return nil
	}
	if bytes.HasPrefix(plain, []byte{0x1f, 0x8b}) {
		if plain = r.inflate(plain); plain == nil {
			return nil
		}
	}
	if !utf8.Valid(plain) {
		return nil
	}
	return plain
}

func isBase64(text []byte) bool {
	for _, c := range text {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && !strings.ContainsRune("+/-_=\r\n", rune(c)) {
			return false
		}
	}
	return len(text) >= minInside
}

// toStdBase64 takes away line breaks, and the alphabet of URLs.
func toStdBase64(text []byte) []byte {
	return bytes.Map(func(c rune) rune {
		switch c {
		case '-':
			return '+'
		case '_':
			return '/'
		case '\r', '\n':
			return -1
		}
		return c
	}, text)
}

// inflate undoes gzip; nil when that gives more than may still be read.
func (r *recorder) inflate(packed []byte) []byte {
	in, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(io.LimitReader(in, int64(max(maxLooked-r.looked, 0))+1))
	if err != nil || r.looked+len(plain) > maxLooked {
		return nil
	}
	return plain
}
