package event

import (
	"bufio"
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
)

// PlainText gives a text in UTF-8 or UTF-16 as UTF-8 without its byte order mark. It waits for the first bytes, and reads no
// further ahead than its buffer.
func PlainText(r io.Reader) *bufio.Reader {
	in := bufio.NewReader(r)
	head, _ := in.Peek(len(mark)) //nolint:errcheck // the next Read has the error
	switch {
	case string(head) == mark:
		in.Discard(len(mark)) //nolint:errcheck // they are there
	case isUTF16(head):
		order := unicode.BigEndian
		if head[0] != 0 && head[0] != 0xfe {
			order = unicode.LittleEndian
		}
		return bufio.NewReader(unicode.UTF16(order, unicode.UseBOM).NewDecoder().Reader(in))
	}
	return in
}

// mark is the byte order mark in UTF-8.
const mark = "\ufeff"

// plainBytes is [PlainText] of a text that is whole in memory.
func plainBytes(text []byte) []byte {
	if !isUTF16(text) {
		return bytes.TrimPrefix(text, []byte(mark))
	}
	plain, _ := io.ReadAll(PlainText(bytes.NewReader(text))) //nolint:errcheck // it is in memory, and what is no text becomes the mark for that
	return plain
}

// isUTF16 tells UTF-16 by its mark, or by the zero that a plain letter has for its other half.
func isUTF16(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	a, b := text[0], text[1]
	return a == 0xff && b == 0xfe || a == 0xfe && b == 0xff || a == 0 && b != 0 || a != 0 && b == 0
}
