package event

import (
	"errors"
	"iter"
)

// scanner finds where a JSON value ends without parsing it. It can stop in the middle and go on when more bytes came.
type scanner struct {
	depth    int
	inString bool
	escaped  bool
}

// run goes on at b[i] and gives the index after the value, or len(b) and false when the value does not end in b. The
// value must be an object, a list or a string.
func (s *scanner) run(b []byte, i int) (end int, ok bool) {
	for i < len(b) {
		if s.inString {
			i = s.skipString(b, i)
			if s.inString {
				return len(b), false
			}
		} else {
			switch b[i] {
			case '"':
				s.inString = true
			case '{', '[':
				s.depth++
			case '}', ']':
				s.depth--
			}
			i++
		}
		if s.depth <= 0 && !s.inString {
			return i, true
		}
	}
	return i, false
}

// skipString goes to just after the closing quote, or to the end of b.
func (s *scanner) skipString(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch {
		case s.escaped:
			s.escaped = false
		case b[i] == '\\':
			s.escaped = true
		case b[i] == '"':
			s.inString = false
			return i + 1
		}
	}
	return i
}

var errNotJSON = errors.New("not a JSON object")

// member is one key of an object and the text of its value.
type member struct {
	key   []byte // without quotes, escapes as they stand
	value []byte
}

// members walks an object's own members without parsing their values.
func members(object []byte) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		i := skipSpace(object, 0)
		if i >= len(object) || object[i] != '{' {
			yield(member{}, errNotJSON)
			return
		}
		for i++; ; {
			i = skipSpaceAnd(object, i, ',')
			if i < len(object) && object[i] == '}' {
				return
			}
			m, next, ok := readMember(object, i)
			if !ok {
				yield(member{}, errNotJSON)
				return
			}
			if !yield(m, nil) {
				return
			}
			i = next
		}
	}
}

func readMember(object []byte, i int) (m member, next int, ok bool) {
	if i >= len(object) || object[i] != '"' {
		return m, i, false
	}
	var s scanner
	end, ok := s.run(object, i)
	if !ok {
		return m, i, false
	}
	m.key = object[i+1 : end-1]
	if i = skipSpace(object, end); i >= len(object) || object[i] != ':' {
		return m, i, false
	}
	i = skipSpace(object, i+1)
	end, ok = valueEnd(object, i)
	m.value = object[i:end]
	return m, end, ok
}

// valueEnd gives the index after the value of any kind that begins at b[i].
func valueEnd(b []byte, i int) (int, bool) {
	if i >= len(b) {
		return i, false
	}
	switch b[i] {
	case '{', '[', '"':
		var s scanner
		return s.run(b, i)
	}
	for end, c := range b[i:min(i+64, len(b))] {
		if c == ',' || c == ']' || c == '}' || isSpace(c) {
			return i + end, end > 0
		}
	}
	return i, false
}

// elements walks a list's elements without parsing them.
func elements(list []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		i := skipSpace(list, 0)
		if i >= len(list) || list[i] != '[' {
			yield(nil, errNotJSON)
			return
		}
		for i++; ; {
			i = skipSpaceAnd(list, i, ',')
			if i < len(list) && list[i] == ']' {
				return
			}
			end, ok := valueEnd(list, i)
			if !ok {
				yield(nil, errNotJSON)
				return
			}
			if !yield(list[i:end], nil) {
				return
			}
			i = end
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func skipSpaceAnd(b []byte, i int, also byte) int {
	for i < len(b) && (isSpace(b[i]) || b[i] == also) {
		i++
	}
	return i
}
