package pushfile

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"howett.net/plist"
)

// These bound a property list before the library sees it: it recurses for each level, and trusts the lengths that a
// binary one states. Provisioning profiles nest four deep; an Info.plist has some hundred objects.
const (
	plistDepth    = 32
	binaryObjects = 1 << 14
	binaryMembers = 1 << 18
)

// readPlist reads an XML or a binary property list whose top is a dictionary into a struct. Its fields must be text,
// numbers, dates or structs: a list of lists in a binary one can be far larger than its bytes.
func readPlist(text []byte, into any) (err error) {
	if bytes.HasPrefix(text, []byte("bplist00")) {
		err = checkBinaryPlist(text)
	} else if text, err = findPlist(text); err == nil {
		err = checkXMLPlist(text)
	}
	if err != nil {
		return err
	}
	defer func() {
		if broken := recover(); broken != nil { // the library panics at some of what is malformed
			err = errors.New("its property list cannot be read")
		}
	}()
	if _, err := plist.Unmarshal(text, into); err != nil {
		return fmt.Errorf("its property list cannot be read: %w", err)
	}
	return nil
}

// findPlist gives the XML property list inside other bytes, such as the signed envelope of a provisioning profile. The
// signature around it is not verified: what is read is what the file says.
func findPlist(text []byte) ([]byte, error) {
	start := bytes.Index(text, []byte("<plist"))
	if start < 0 {
		return nil, errors.New("there is no property list in it")
	}
	const end = "</plist>"
	length := bytes.Index(text[start:], []byte(end))
	if length < 0 {
		return nil, errors.New("its property list is cut off")
	}
	return text[start : start+length+len(end)], nil
}

func checkXMLPlist(text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	depth := 0
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("its property list cannot be read: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth++; depth > plistDepth {
				return errors.New("its property list is nested too deep")
			}
			if depth == 2 && token.Name.Local != "dict" {
				return errors.New("its property list is no dictionary")
			}
		case xml.EndElement:
			depth--
		}
	}
}

// checkBinaryPlist holds the counts that a binary property list states against its size. Its last 32 bytes say where the
// table of its objects is; each object begins with its kind and its count.
func checkBinaryPlist(text []byte) error {
	broken := errors.New("its property list is damaged")
	if len(text) < 40 {
		return broken
	}
	trailer := text[len(text)-32:]
	offsetSize, refSize := uint64(trailer[6]), uint64(trailer[7])
	objects, table := binary.BigEndian.Uint64(trailer[8:]), binary.BigEndian.Uint64(trailer[24:])
	body := uint64(len(text) - 32)
	if offsetSize < 1 || offsetSize > 8 || refSize < 1 || refSize > 8 || objects > binaryObjects || table > body || objects*offsetSize > body-table {
		return broken
	}
	members := uint64(0)
	for i := range objects {
		at := bigEndian(text[table+i*offsetSize:][:offsetSize])
		if at >= table {
			return broken
		}
		count, ok := binaryCount(text[at:table])
		if !ok || count > table {
			return broken
		}
		if kind := text[at] >> 4; kind >= 0xA {
			members += count
		}
		if members > binaryMembers {
			return errors.New("its property list is larger than any that an app has")
		}
	}
	return nil
}

// binaryCount gives the count in an object's first byte, or, when that is 15, in the number behind it.
func binaryCount(object []byte) (uint64, bool) {
	count := uint64(object[0] & 0xF)
	if count != 0xF {
		return count, true
	}
	if len(object) < 2 || object[1]>>4 != 1 || object[1]&0xF > 3 {
		return 0, object[0]>>4 == 0 // a marker without a count may have any low bits
	}
	size := 1 << (object[1] & 0xF)
	if len(object) < 2+size {
		return 0, false
	}
	return bigEndian(object[2 : 2+size]), true
}

func bigEndian(digits []byte) (n uint64) {
	for _, digit := range digits {
		n = n<<8 | uint64(digit)
	}
	return n
}
