package fleet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// All lists that people hand in are read here: what scripts write (CSV, NDJSON, a JSON array) and what spreadsheets save
// (separated by ; or a tab, in UTF-16, with a byte order mark, "Factor SID" for factor_sid).

// separators are what stands between the cells of a list, the likeliest first.
const separators = ",;\t|"

// headerBytes is how much of a list its header line may fill.
const headerBytes = 64 << 10

// readTable reads a list with a header line, or JSON objects, and gives the wanted columns of each row. A column may have
// several names, separated by |; in JSON a missing one is "". It gives which columns it took, in words.
func readTable(r io.Reader, what string, columns []string, row func(line int, values []string) error) (taken string, err error) {
	in := bufio.NewReaderSize(plainText(r), headerBytes)
	first, err := firstByte(in)
	switch {
	case errors.Is(err, io.EOF):
		return "", verify.Usagef("%s is empty", what)
	case err != nil:
		return "", err
	case first == '{' || first == '[':
		return "the JSON keys " + strings.ReplaceAll(strings.Join(columns, ", "), "|", " or "), readJSON(in, first == '[', what, columns, row)
	}
	return readCSV(in, what, columns, row)
}

// plainText gives text as UTF-8, without its byte order mark and with its lines ended by \n.
func plainText(r io.Reader) io.Reader {
	text := bufio.NewReaderSize(event.PlainText(r), headerBytes)
	if head, _ := text.Peek(headerBytes); bytes.ContainsRune(head, '\r') && !bytes.ContainsRune(head, '\n') {
		return carriageReturns{text}
	}
	return text
}

// carriageReturns reads lines that end with \r alone, as spreadsheets on a Mac save them.
type carriageReturns struct{ in io.Reader }

func (c carriageReturns) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

// firstByte gives the first byte that is no white space, without consuming it.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \r\n", rune(b[0])) {
			return b[0], nil
		}
		in.Discard(1) //nolint:errcheck // just peeked
	}
}

func readCSV(in *bufio.Reader, what string, columns []string, row func(line int, values []string) error) (string, error) {
	separator, skipped := findSeparator(in, columns)
	records := csv.NewReader(in)
	records.ReuseRecord = true
	records.Comma = separator
	header, err := records.Read()
	if err != nil {
		return "", verify.Usagef("%s cannot be read: %w", what, err)
	}
	places, taken, err := findColumns(header, what, columns)
	if err != nil {
		return "", err
	}
	if separator != ',' {
		taken += fmt.Sprintf(", separated by %q", separator)
	}
	values := make([]string, len(columns))
	for {
		record, err := records.Read()
		switch {
		case errors.Is(err, io.EOF):
			return taken, nil
		case err != nil:
			return "", verify.Usagef("%s cannot be read: %w", what, err)
		case !slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" }):
			continue // what a spreadsheet saves of an empty row
		}
		for i, place := range places {
			values[i] = verify.UnguardCell(strings.TrimSpace(record[place]))
		}
		line, _ := records.FieldPos(0)
		if err := row(line+skipped, values); err != nil {
			return "", err
		}
	}
}

// findSeparator tells the separator by which most of the wanted columns are in the header. A line "sep=;" before it, as
// Excel has it, says it, and is skipped.
func findSeparator(in *bufio.Reader, columns []string) (separator rune, skipped int) {
	line := firstLine(in)
	if said, ok := strings.CutPrefix(strings.ToLower(line), "sep="); ok && utf8.RuneCountInString(said) == 1 && strings.Contains(separators, said) {
		in.ReadSlice('\n') //nolint:errcheck // a list that ends here has no header
		return []rune(said)[0], 1
	}
	most := -1
	for _, candidate := range separators {
		header := csv.NewReader(strings.NewReader(line))
		header.Comma = candidate
		cells, err := header.Read()
		if err != nil {
			continue
		}
		found := 0
		for _, names := range columns {
			if len(columnsNamed(cells, names)) > 0 {
				found++
			}
		}
		if found > most {
			separator, most = candidate, found
		}
	}
	if separator == 0 {
		separator = ','
	}
	return separator, 0
}

func firstLine(in *bufio.Reader) string {
	head, _ := in.Peek(headerBytes) //nolint:errcheck // a list may be shorter
	line, _, _ := strings.Cut(string(head), "\n")
	return strings.TrimSuffix(line, "\r")
}

// findColumns gives where in the header each wanted column is, and says which were taken.
func findColumns(header []string, what string, columns []string) (places []int, taken string, err error) {
	var words []string
	for _, names := range columns {
		found := columnsNamed(header, names)
		switch {
		case len(found) == 0:
			return nil, "", verify.Usagef("the header of %s is %q", what, strings.Join(header, ",")).
				WithHint("it needs the columns %s", strings.ReplaceAll(strings.Join(columns, ", "), "|", " or "))
		case len(found) > 1:
			return nil, "", verify.Usagef("the header of %s has both %q and %q, and either may be %s", what, header[found[0]], header[found[1]], strings.ReplaceAll(names, "|", " or ")).
				WithHint("leave one of them out")
		}
		name, _, _ := strings.Cut(names, "|")
		places = append(places, found[0])
		words = append(words, fmt.Sprintf("%s from the column %q", name, strings.TrimSpace(header[found[0]])))
	}
	return places, strings.Join(words, ", "), nil
}

// columnsNamed gives where the first of the names stands that is in the header, as a spreadsheet may write it.
func columnsNamed(header []string, names string) (places []int) {
	for _, name := range strings.Split(names, "|") {
		for i, cell := range header {
			if bareName(cell) == bareName(name) {
				places = append(places, i)
			}
		}
		if len(places) > 0 {
			break
		}
	}
	return places
}

// bareName is a column's name without what people and spreadsheets change about it.
func bareName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\u00a0_-.'\"\ufeff", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// readJSON reads objects one behind the other, or in one array.
func readJSON(in io.Reader, array bool, what string, columns []string, row func(line int, values []string) error) error {
	objects := json.NewDecoder(in)
	if array {
		objects.Token() //nolint:errcheck // it begins with [
	}
	values := make([]string, len(columns))
	for n := 1; !array || objects.More(); n++ {
		var object map[string]any
		switch err := objects.Decode(&object); {
		case errors.Is(err, io.EOF) && !array:
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
	if _, err := objects.Token(); err != nil || objects.More() {
		return verify.Usagef("%s does not end with the end of its array: it is cut off, or two in one", what)
	}
	return nil
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
