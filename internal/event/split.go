package event

import (
	"bytes"
	"encoding/json"
	"io"
)

// maxRecord is the size in bytes beyond which one event is skipped and counted.
const maxRecord = 8 << 20

const (
	firstBuffer = 512 << 10
	maxBuffer   = maxRecord + firstBuffer
)

// splitter cuts a stream into records: JSON values, the elements of lists, lines of text, or a whole pasted text. It
// holds at most one record, however long the stream is.
type splitter struct {
	r          io.Reader
	buf        []byte // buf[start:end] is not yet handed out
	start, end int
	readErr    error  // io.EOF at the end
	beforeRead func() // may be nil

	begun     bool
	inList    bool    // between the brackets of a list of events
	outer     scanner // what stands around that list
	pieces    int     // up to here the values are broken: every line that begins an object begins a record
	oversized int     // records that were skipped
	tookLines bool    // takeLines has seen what is in the buffer
}

func newSplitter(r io.Reader) *splitter {
	return &splitter{r: PlainText(r), buf: make([]byte, firstBuffer)}
}

// splitBytes cuts a text that is whole in memory.
func splitBytes(text []byte) *splitter {
	return &splitter{buf: text, end: len(text), readErr: io.EOF}
}

// Read gives what is left, as it stands.
func (s *splitter) Read(p []byte) (int, error) {
	if s.start == s.end && !s.fill() {
		return 0, s.readErr
	}
	n := copy(p, s.buf[s.start:s.end])
	s.start += n
	return n, nil
}

// next gives the next record, valid until the following call. The error is io.EOF at the end, or the reader's.
func (s *splitter) next() ([]byte, error) {
	first := !s.begun
	s.begun = true
	for {
		c, err := s.peek()
		if err != nil {
			return nil, err
		}
		if first && s.isPaste(c) {
			return s.take(s.end), nil
		}
		first = false
		if record, ok := s.step(c); ok && len(record) > 0 {
			return record, nil
		}
	}
}

// step makes one step at the first character of what is left. ok tells that a record came of it.
func (s *splitter) step(c byte) (record []byte, ok bool) {
	switch {
	case s.start < s.pieces:
		return s.piece(), true
	case c == ',' || c == 0:
		s.start++
	case c == ']' && s.inList:
		s.start++
		s.leaveList()
	case c == '[' && !s.inList && s.opensList():
		s.start++
		s.inList, s.outer = true, scanner{}
	case c == '{' && !s.inList:
		return s.object()
	case c == '{' || c == '[':
		return s.element()
	case s.inList && s.skipScalar():
	default:
		s.inList = false
		return s.line(), true
	}
	return nil, false
}

// peek gives the first character that is no white space.
func (s *splitter) peek() (byte, error) {
	for {
		s.start = min(skipSpace(s.buf[:s.end], s.start), s.end)
		if s.start < s.end {
			return s.buf[s.start], nil
		}
		if !s.fill() {
			return 0, s.readErr
		}
	}
}

// take hands out the bytes up to end.
func (s *splitter) take(end int) []byte {
	record := s.buf[s.start:end]
	s.start = end
	return record
}

// fill reads more behind what is there. False at the end of the stream, or when the buffer may not grow any more.
func (s *splitter) fill() bool {
	if s.readErr != nil {
		return false
	}
	if s.start > 0 {
		copy(s.buf, s.buf[s.start:s.end])
		s.end -= s.start
		s.pieces = max(s.pieces-s.start, 0)
		s.start = 0
	}
	if s.end == len(s.buf) {
		if len(s.buf) >= maxBuffer {
			return false
		}
		s.buf = append(s.buf, make([]byte, min(len(s.buf), maxBuffer-len(s.buf)))...)
	}
	if s.beforeRead != nil {
		s.beforeRead()
	}
	var n int
	for range 100 {
		if n, s.readErr = s.r.Read(s.buf[s.end:]); n > 0 || s.readErr != nil {
			break
		}
	}
	if n == 0 && s.readErr == nil {
		s.readErr = io.ErrNoProgress
	}
	s.end += n
	s.tookLines = false
	return n > 0
}

func (s *splitter) atEOF() bool { return s.readErr != nil }

// isPaste tells whether the stream is a text of at most 1 MiB that is not JSON: then its lines belong together. Longer
// texts are logs, read line by line, and so are texts whose first line is an event by itself.
func (s *splitter) isPaste(c byte) bool {
	if c == '{' || c == '[' && s.opensList() {
		return false
	}
	checked := false
	for {
		if nl := bytes.IndexByte(s.buf[s.start:s.end], '\n'); nl >= 0 && !checked {
			checked = true
			line := bytes.TrimSpace(s.buf[s.start : s.start+nl])
			if bytes.Contains(line, []byte("&Payload=")) || len(line) > 0 && balanced(line) {
				return false
			}
		}
		if s.end-s.start > maxText {
			return false
		}
		if !s.fill() {
			return s.readErr == io.EOF
		}
	}
}

// opensList tells whether the bracket at the start opens a list of JSON values, not a printed list of ids.
func (s *splitter) opensList() bool {
	for {
		i := skipSpace(s.buf[:s.end], s.start+1)
		if i < s.end {
			c := s.buf[i]
			return c == '{' || c == '[' || c == ']' || c == '"' || c == '-' || '0' <= c && c <= '9' ||
				bytes.HasPrefix(s.buf[i:s.end], []byte("null"))
		}
		if !s.fill() {
			return true
		}
	}
}

// leaveList goes on behind a list, and behind the object that holds it.
func (s *splitter) leaveList() {
	s.inList = false
	if s.outer.depth > 0 {
		s.skipValue(&s.outer)
		s.outer = scanner{}
	}
}

// skipScalar drops a number, text or word that is an element of a list.
func (s *splitter) skipScalar() bool {
	for s.end-s.start < 64 && s.fill() {
	}
	if s.buf[s.start] == '"' {
		var scan scanner
		s.skipValue(&scan)
		return true
	}
	end, ok := valueEnd(s.buf[:s.end], s.start)
	if ok {
		s.start = end
	}
	return ok
}

// line gives the rest of the line. A line of over 1 MiB is skipped: a part of it could be taken for the whole.
func (s *splitter) line() []byte {
	for from := 0; ; {
		if nl := bytes.IndexByte(s.buf[s.start+from:s.end], '\n'); nl >= 0 {
			return s.take(s.start + from + nl + 1)
		}
		if from = s.end - s.start; from > maxText {
			s.oversized++
			s.skipLine()
			return nil
		}
		if !s.fill() {
			return s.take(s.end)
		}
	}
}

func (s *splitter) skipLine() {
	for {
		if nl := bytes.IndexByte(s.buf[s.start:s.end], '\n'); nl >= 0 {
			s.start += nl + 1
			return
		}
		if s.start = s.end; !s.fill() {
			return
		}
	}
}

// object gives the object that begins here. Exports have one on each line, which is found at once; anything else is
// walked through. What is found does not depend on where reads end.
func (s *splitter) object() ([]byte, bool) {
	if line := s.lineAhead(0); line != nil {
		length := len(line)
		if line = bytes.TrimRight(line, " \t\r\n"); balanced(line) || s.isCut(line, length) {
			return s.takeObject(length)
		}
	}
	var scan scanner
	for scanned := 0; ; {
		from := s.start + max(scanned-2, 0)
		end, ok := scan.run(s.buf[:s.end], s.start+scanned)
		if next := bytes.Index(s.buf[from:end], []byte("}\n{")); next >= 0 {
			return s.takeObject(from + next + 2 - s.start) // no value goes across this
		}
		if ok {
			return s.takeObject(end - s.start)
		}
		scanned = s.end - s.start
		if scanned > maxRecord || !s.fill() {
			return s.unended()
		}
	}
}

// lookAhead is how far a line may go on for its end to decide.
const lookAhead = 64 << 10

// lineAhead gives the line that begins at an offset from the start, with its line break if it has one; nil when it is
// longer than lookAhead.
func (s *splitter) lineAhead(offset int) []byte {
	for {
		at := s.start + offset
		ahead := s.buf[at:min(at+lookAhead, s.end)]
		if nl := bytes.IndexByte(ahead, '\n'); nl >= 0 {
			return ahead[:nl+1]
		}
		if len(ahead) == lookAhead {
			return nil
		}
		if !s.fill() {
			return s.buf[s.start+offset : s.end]
		}
	}
}

// takeObject hands out an object. One that holds a list of events is gone into when it is large, and of another large
// one only what can matter is kept, so that few of them never fill the memory.
func (s *splitter) takeObject(length int) ([]byte, bool) {
	if length <= maxText {
		return s.take(s.start + length), true
	}
	if open := openList(s.buf[s.start:s.end]); open > 0 && !s.inList {
		s.start += open
		s.inList, s.outer = true, scanner{depth: 1}
		return nil, false
	}
	if length > maxRecord {
		s.oversized++
		s.skipValue(&scanner{})
		return nil, false
	}
	object := s.take(s.start + length)
	if slim, err := slimObject(object); err == nil && json.Valid(object) {
		return slim, true
	}
	return object, true
}

// isCut tells whether a line that does not end its object was cut there: the next line is an object by itself. Lines
// that end in a mark of JSON go on. length is that of the line with its break.
func (s *splitter) isCut(line []byte, length int) bool {
	if bytes.IndexByte([]byte("{[,:"), line[len(line)-1]) >= 0 {
		return false
	}
	next := bytes.TrimRight(s.lineAhead(length), " \t\r\n")
	return len(next) > 0 && next[0] == '{' && balanced(next)
}

// unended deals with an object that has no end within the limit, or within the stream.
func (s *splitter) unended() ([]byte, bool) {
	text := s.buf[s.start:s.end]
	if last := bytes.LastIndex(text, []byte("\n{")); last >= 0 {
		s.pieces = s.start + last + 1 // what begins there may be whole
		return s.piece(), true
	}
	if s.atEOF() && len(text) <= maxRecord {
		return s.take(s.end), true
	}
	return s.takeObject(maxRecord + 1)
}

// openList gives the index after the bracket that opens an object's list of events, or -1. The object need not be whole.
func openList(object []byte) int {
	i := skipSpace(object, 0) + 1
	for {
		i = skipSpaceAnd(object, i, ',')
		if i >= len(object) || object[i] != '"' {
			return -1
		}
		end, ok := valueEnd(object, i)
		if !ok {
			return -1
		}
		key := object[i+1 : end-1]
		if i = skipSpaceAnd(object, end, ':'); i < len(object) && object[i] == '[' && isListKey(key) {
			return i + 1
		}
		if i, ok = valueEnd(object, i); !ok {
			return -1
		}
	}
}

// piece gives what stands before the next line that begins an object.
func (s *splitter) piece() []byte {
	text := s.buf[s.start:s.end]
	if next := bytes.Index(text[1:], []byte("\n{")); next >= 0 {
		return s.take(s.start + next + 2)
	}
	return s.take(s.end)
}

// element gives the element of a list that begins here.
func (s *splitter) element() ([]byte, bool) {
	var scan scanner
	scanned := 0
	for {
		end, ok := scan.run(s.buf[:s.end], s.start+scanned)
		scanned = end - s.start
		if ok || scanned > maxRecord {
			return s.takeObject(scanned)
		}
		if !s.fill() {
			return s.take(s.start + scanned), true
		}
	}
}

// skipValue drops bytes up to the end of a value, or to a line that begins an object, which no JSON value goes across.
func (s *splitter) skipValue(scan *scanner) {
	for {
		end, ok := scan.run(s.buf[:s.end], s.start)
		if next := bytes.Index(s.buf[s.start:end], []byte("\n{")); next >= 0 && !s.inList {
			s.start += next + 1
			return
		}
		s.start = end
		if ok || !s.fill() {
			return
		}
	}
}

// takeLines gives as many whole lines as are there, when each of them begins an object and follows the end of one: a
// block that can be split elsewhere. Nil when the stream is not like that here.
func (s *splitter) takeLines() []byte {
	if s.tookLines || !s.begun || s.inList || s.start < s.pieces {
		return nil
	}
	s.tookLines = true
	s.start = skipSpace(s.buf[:s.end], s.start)
	last := bytes.LastIndex(s.buf[s.start:s.end], []byte("}\n{"))
	if last < 0 || s.buf[s.start] != '{' {
		return nil
	}
	return s.take(s.start + last + 2)
}
