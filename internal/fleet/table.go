package fleet

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// readTable reads CSV with a header line, or NDJSON, and gives the wanted columns of each row. A column may have several
// names, separated by |; in NDJSON a missing one is "".
func readTable(r io.Reader, what string, columns []string, row func(line int, values []string) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	first, err := firstByte(in)
	switch {
	case errors.Is(err, io.EOF):
		return verify.Usagef("%s is empty", what)
	case err != nil:
		return err
	case first == '{':
		return readNDJSON(in, what, columns, row)
	}
	return readCSV(in, what, columns, row)
}

// firstByte gives the first byte that is neither white space nor a byte order mark, without consuming it.
func firstByte(in *bufio.Reader) (byte, error) {
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		in.Discard(3) //nolint:errcheck // just peeked
	}
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			return b[0], nil
		}
		in.Discard(1) //nolint:errcheck // just peeked
	}
}

func readCSV(in io.Reader, what string, columns []string, row func(line int, values []string) error) error {
	records := csv.NewReader(in)
	records.ReuseRecord = true
	header, err := records.Read()
	if err != nil {
		return verify.Usagef("%s cannot be read: %w", what, err)
	}
	places := make([]int, len(columns))
	for i, names := range columns {
		places[i] = -1
		for _, name := range strings.Split(names, "|") {
			if places[i] < 0 {
				places[i] = slices.Index(header, name)
			}
		}
	}
	if slices.Contains(places, -1) {
		return verify.Usagef("the header of %s is %q", what, strings.Join(header, ",")).
			WithHint("it needs the columns %s", strings.ReplaceAll(strings.Join(columns, ", "), "|", " or "))
	}
	values := make([]string, len(columns))
	for {
		record, err := records.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return verify.Usagef("%s cannot be read: %w", what, err)
		}
		for i, place := range places {
			values[i] = record[place]
		}
		line, _ := records.FieldPos(0)
		if err := row(line, values); err != nil {
			return err
		}
	}
}

func readNDJSON(in io.Reader, what string, columns []string, row func(line int, values []string) error) error {
	objects := json.NewDecoder(in)
	values := make([]string, len(columns))
	for n := 1; ; n++ {
		var object map[string]any
		switch err := objects.Decode(&object); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return verify.Usagef("object %d of %s cannot be read: %w", n, what, err)
		}
		for i, names := range columns {
			text, err := textOf(object, strings.Split(names, "|"))
			if err != nil {
				return verify.Usagef("object %d of %s: %w", n, what, err)
			}
			values[i] = text
		}
		if err := row(n, values); err != nil {
			return err
		}
	}
}

// textOf gives the first of the named values that is not empty.
func textOf(object map[string]any, names []string) (string, error) {
	for _, name := range names {
		text, ok := object[name].(string)
		if value := object[name]; value != nil && !ok {
			return "", fmt.Errorf("%s is not text but %v", name, value)
		}
		if text != "" {
			return text, nil
		}
	}
	return "", nil
}
