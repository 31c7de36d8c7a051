package doctor

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// plistDepth is how deep a property list may nest. Provisioning profiles nest four deep.
const plistDepth = 32

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

// parsePlist reads an XML property list (Apple's PropertyList-1.0 DTD) whose top is a dictionary: strings, integers,
// booleans, dates, arrays and dictionaries become Go's; reals and data become strings.
func parsePlist(text []byte) (map[string]any, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return nil, plistError(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local == "plist" {
			continue
		}
		value, err := plistValue(d, start, plistDepth)
		if err != nil {
			return nil, plistError(err)
		}
		if dict, ok := value.(map[string]any); ok {
			return dict, nil
		}
		return nil, errors.New("its property list is no dictionary")
	}
}

func plistError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("its property list is cut off")
	}
	return fmt.Errorf("its property list cannot be read: %w", err)
}

func plistValue(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth == 0 {
		return nil, errors.New("it is nested too deep")
	}
	switch name := start.Name.Local; name {
	case "dict":
		return plistDict(d, depth)
	case "array":
		list := []any{}
		err := plistChildren(d, func(child xml.StartElement) error {
			value, err := plistValue(d, child, depth-1)
			list = append(list, value)
			return err
		})
		return list, err
	case "true", "false":
		return name == "true", d.Skip()
	case "string", "integer", "real", "date", "data", "key":
		var text string
		if err := d.DecodeElement(&text, &start); err != nil {
			return nil, err
		}
		return plistScalar(name, strings.TrimSpace(text))
	}
	return nil, fmt.Errorf("%q is not an element of property lists", start.Name.Local)
}

func plistScalar(name, text string) (any, error) {
	switch name {
	case "integer":
		return strconv.ParseInt(text, 10, 64)
	case "date":
		return time.Parse(time.RFC3339, text)
	}
	return text, nil
}

func plistDict(d *xml.Decoder, depth int) (map[string]any, error) {
	dict := map[string]any{}
	key, haveKey := "", false
	err := plistChildren(d, func(child xml.StartElement) error {
		value, err := plistValue(d, child, depth-1)
		switch {
		case err != nil:
			return err
		case child.Name.Local == "key" && !haveKey:
			key, haveKey = value.(string), true
			return nil
		case !haveKey:
			return errors.New("a value has no key")
		}
		dict[key], haveKey = value, false
		return nil
	})
	return dict, err
}

// plistChildren calls read for each child element, up to the end of their parent.
func plistChildren(d *xml.Decoder, read func(xml.StartElement) error) error {
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if err := read(token); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}
