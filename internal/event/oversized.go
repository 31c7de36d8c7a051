package event

import (
	"encoding/json"
	"strings"
)

// readBig reads a text of JSON that is too large to be parsed whole: lists element by element, and of an object only
// the members that can matter.
func (r *recorder) readBig(text []byte, depth int) bool {
	if text[0] == '[' {
		return r.readElements(text, depth)
	}
	list, err := listMember(text)
	switch {
	case err != nil:
		return r.readDocument(string(text), depth)
	case list != nil:
		return r.readElements(list, depth)
	}
	slim, err := slimObject(text)
	if err != nil {
		return r.readDocument(string(text), depth)
	}
	v, err := r.parsers[depth].ParseBytes(slim)
	if err != nil {
		return r.readDocument(string(text), depth)
	}
	return r.readValue(v, depth) || r.readBigMembers(text, depth)
}

// readBigMembers looks for events in the members of a large object that is none itself.
func (r *recorder) readBigMembers(object []byte, depth int) bool {
	found := false
	for m, err := range members(object) {
		if err != nil {
			break
		}
		if len(m.value) < minInside {
			continue
		}
		found = r.within(string(m.key), func() bool {
			switch m.value[0] {
			case '{', '[':
				return r.readText(m.value, depth+1)
			case '"':
				var text string
				return json.Unmarshal(m.value, &text) == nil && r.readInside([]byte(text), depth+1)
			}
			return false
		}) || found
	}
	return found
}

func (r *recorder) readElements(list []byte, depth int) bool {
	found := false
	for element, err := range elements(list) {
		if err != nil {
			break
		}
		if element[0] == '{' || element[0] == '[' {
			r.record, r.strict = element, notAsked
			found = r.readText(element, depth+1) || found
		}
	}
	return found
}

// listMember gives the list of events in an object, nil when it has none.
func listMember(object []byte) ([]byte, error) {
	for m, err := range members(object) {
		if err != nil {
			return nil, err
		}
		if isListKey(m.key) && m.value[0] == '[' {
			return m.value, nil
		}
	}
	return nil, nil
}

// slimObject gives the object with the members that [fieldOf] knows and no value larger than 32 KiB, but texts that may
// hold an event of their own. It is JSON when the object was.
func slimObject(object []byte) ([]byte, error) { return slimLevel(object, 0) }

const maxValue = 32 << 10

func slimLevel(object []byte, level int) ([]byte, error) {
	slim := []byte{'{'}
	for m, err := range members(object) {
		if err != nil {
			return nil, err
		}
		value, err := slimValue(m, level)
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		if len(slim) > 1 {
			slim = append(slim, ',')
		}
		slim = append(slim, '"')
		slim = append(slim, m.key...)
		slim = append(slim, '"', ':')
		slim = append(slim, value...)
		if len(slim) > 4*bigRecord {
			return nil, errNotJSON
		}
	}
	return append(slim, '}'), nil
}

// slimValue gives what to keep of a member's value, nil when that is nothing.
func slimValue(m member, level int) ([]byte, error) {
	name := fieldOf(string(m.key))
	if name == fieldNone {
		return nil, nil
	}
	switch {
	case m.value[0] == '{' && level < maxUnwrap:
		return slimLevel(m.value, level+1)
	case len(m.value) <= maxValue:
		return m.value, nil
	case m.value[0] == '"' && holdsEvent(name):
		return slimString(m.value, level)
	}
	return nil, nil
}

func holdsEvent(name field) bool {
	return name == fieldPayload || name == fieldData || name == fieldMoreInfo || name == fieldAlertText
}

// slimString makes a large text of JSON smaller in the same way.
func slimString(quoted []byte, level int) ([]byte, error) {
	if level >= maxUnwrap {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		return nil, nil
	}
	slim, err := slimLevel([]byte(text), level+1)
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(slim))
}
