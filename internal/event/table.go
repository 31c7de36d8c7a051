package event

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// table reads events from the rows of a CSV file, as the Console, Twilio's CLI, a spreadsheet or verifyctl write it.
type table struct {
	header    []string // the names of its columns, as they stand there
	separator rune
	fields    []field // what each is; fieldNone is left out
	own       bool    // verifyctl wrote it
	in        *rowLimit
	rows      *csv.Reader
}

// table gives the table that the stream is, nil when it is none. It is asked for once, before next.
func (s *splitter) table() (*table, error) {
	if c, err := s.peek(); err != nil || c == '{' || c == '[' {
		return nil, nil
	}
	line, ok := s.headLine(0)
	start := len(line)
	if said := bytes.TrimSpace(line); ok && len(said) == 5 && bytes.EqualFold(said[:4], []byte("sep=")) { // as Excel has it
		line, ok = s.headLine(start)
		start += len(line)
	}
	if !ok || !bytes.ContainsAny(line, ",;\t|") {
		return nil, nil
	}
	header := string(bytes.TrimSpace(line))
	candidates := headers(header)
	if len(candidates) == 0 {
		return nil, nil
	}
	next, _ := s.headLine(start)
	t, err := newTable(candidates, string(next))
	if t != nil {
		s.start += start
		t.readFrom(s)
	}
	return t, err
}

// headLine gives the line at an offset from the start, with its line break. False when it has none, or is too long for a
// header.
func (s *splitter) headLine(offset int) (line []byte, ok bool) {
	for {
		text := s.buf[s.start+offset : s.end]
		if nl := bytes.IndexByte(text, '\n'); nl >= 0 {
			return text[:nl+1], true
		}
		if len(text) > lookAhead || !s.fill() {
			return s.buf[s.start+offset : s.end], false
		}
	}
}

// columnName is how the name of a column looks. A line of a text has other words too.
var columnName = verify.Lazily(`^[A-Za-z][A-Za-z0-9]*(?:[ _.-]\(?[A-Za-z0-9]+\)?){0,3}$`)

// headers gives what the line may be as the header of a table, by each separator that fits.
func headers(line string) []*table {
	var all []*table
	for _, separator := range ",;\t|" {
		header := splitRow(line, separator)
		if len(header) < 2 || slices.ContainsFunc(header, func(name string) bool { return !columnName().MatchString(name) }) {
			continue
		}
		t := &table{header: header, separator: separator, own: slices.Contains(header, "prune_evidence") && slices.Contains(header, "verdict")}
		for _, name := range header {
			t.fields = append(t.fields, columnField(name))
		}
		all = append(all, t)
	}
	return all
}

// newTable chooses the header of which most is known. Nil when it is none; an error when it is one of which no column
// helps. next is the line after it, by which such a table is told from a text.
func newTable(candidates []*table, next string) (*table, error) {
	best := slices.MaxFunc(candidates, func(a, b *table) int { return a.known() - b.known() })
	switch {
	case best.own, best.tellsAnEvent() && best.known() > 1:
		return best, nil
	case strings.TrimSpace(next) == "" || len(splitRow(next, best.separator)) != len(best.header):
		return nil, nil
	}
	return nil, verify.Usagef("the columns of this table are %s: none of them says what went wrong", strings.Join(best.header, ", ")).
		WithHint("it needs an error code or an alert text, and one more column, such as error_code, alert_text, sid or date_created")
}

func (t *table) known() int {
	n := 0
	for _, f := range t.fields {
		if f != fieldNone {
			n++
		}
	}
	return n
}

func (t *table) readFrom(in io.Reader) {
	t.in = &rowLimit{in: in}
	t.rows = csv.NewReader(t.in)
	t.rows.Comma, t.rows.FieldsPerRecord, t.rows.LazyQuotes, t.rows.ReuseRecord = t.separator, -1, true, true
}

// rowLimit bounds how much is read for one row: a quote without its end would hold the rest of the stream.
type rowLimit struct {
	in   io.Reader
	read int
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.read > maxRecord {
		return 0, verify.Usagef("a row of this table is larger than 8 MiB").WithHint("a quote in it may have no end")
	}
	n, err := l.in.Read(p)
	l.read += n
	return n, err
}

func splitRow(line string, separator rune) []string {
	row := csv.NewReader(strings.NewReader(line))
	row.Comma = separator
	cells, err := row.Read()
	if err != nil {
		return nil
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func (t *table) tellsAnEvent() bool {
	return slices.ContainsFunc(t.fields, func(f field) bool {
		switch f {
		case fieldCode, fieldInfoCode, fieldAlertText, fieldPayload, fieldMoreInfo, fieldCorrelation:
			return true
		}
		return false
	})
}

// columnFields are the words that the Console and spreadsheets have for columns.
var columnFields = map[string]field{
	"code": fieldCode, "message": fieldMessage, "errormessage": fieldMessage,
	"text": fieldAlertText, "alert": fieldAlertText, "messagetext": fieldAlertText,
	"time": fieldTime, "dateutc": fieldTime, "timestamputc": fieldTime, "created": fieldTime, "createdat": fieldTime,
	"identity": fieldIdentity, "factor": fieldFactor, "challenge": fieldChallenge, "service": fieldService,
	"account": fieldAccount, "credentialsid": fieldFrom, "platform": fieldBinding,
}

// columnField knows a column's name in any case.
func columnField(name string) field {
	if f, ok := columnFields[squash(name)]; ok {
		return f
	}
	return consoleField(name)
}

// read gives the events of all rows to the decoder, one at a time, until yield wants no more. The error is the reader's.
func (t *table) read(d *decoder, yield func() bool) error {
	for {
		t.in.read = 0
		row, err := t.rows.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			d.batch.stats.Unreadable++
		case err != nil:
			return err
		case !slices.ContainsFunc(row, func(cell string) bool { return strings.TrimSpace(cell) != "" }):
			continue // what a spreadsheet saves of an empty row
		case !d.recorder.row(t, row):
			d.batch.stats.Unreadable++
		}
		if !yield() {
			return nil
		}
	}
}

// row reads one row of a table.
func (r *recorder) row(t *table, row []string) bool {
	r.record, r.strict, r.looked = nil, notAsked, 0
	if t.own {
		return r.ownRow(t.header, row)
	}
	r.facts.reset()
	for i, cell := range row[:min(len(row), len(t.fields))] {
		if cell = verify.UnguardCell(strings.TrimSpace(cell)); t.fields[i] != fieldNone && cell != "" && len(cell) <= maxText {
			r.scalar(t.fields[i], []byte(cell), 0)
		}
	}
	f := &r.facts
	if f.correlation == "" && f.factor != "" {
		for _, id := range []string{f.service, f.identity, f.factor, f.challenge} {
			if id != "" {
				f.correlationList = append(f.correlationList, id)
			}
		}
		f.markRepaired("its ids are from columns of a table")
	}
	if f.code == 0 && !f.seen.hasPush() && f.description == "" {
		return false
	}
	f.source = SourceAlert
	return r.finish()
}

// ownRow takes in a row that verifyctl wrote. Columns that were left out are empty.
func (r *recorder) ownRow(header, row []string) bool {
	var e Event
	texts, flags := e.texts(), e.flags()
	e.Source, e.PruneEvidence = SourceAlert, EvidenceNone
	withService := false
	for i, cell := range row[:min(len(row), len(header))] {
		name := header[i]
		cell = verify.UnguardCell(cell)
		switch {
		case texts[name] != nil:
			*texts[name] = cell
		case flags[name] != nil:
			*flags[name] = cell == "yes"
		case name == "environment" && cell != "":
			e.Environment = &cell
		case name == "timestamp":
			e.Timestamp, _ = parseTime(cell)
		case name == "reasons" && cell != "":
			e.Reasons = strings.Split(cell, "; ")
		case name == "error_code":
			if code, err := strconv.Atoi(cell); err == nil {
				e.ErrorCode = &code
			}
		case name == "candidates":
			e.Candidates = candidatesIn(cell)
		}
		withService = withService || name == "service_sid"
	}
	if e.Action == "" {
		e.Action = actionFor(e.Verdict)
	}
	if e.Product == "" {
		e.Product = ProductUnknown
		if e.isVerify() {
			e.Product = ProductVerifyPush
		}
	}
	r.noService = !withService
	defer func() { r.noService = false }()
	return r.takeOwn(&e)
}

// candidatesIn reads the candidates as a cell has them: "identity factor, identity factor".
func candidatesIn(cell string) []Candidate {
	var all []Candidate
	for reading := range strings.SplitSeq(cell, ", ") {
		if at := strings.LastIndexByte(reading, ' '); at >= 0 {
			all = append(all, Candidate{Identity: reading[:at], FactorSID: reading[at+1:]})
		}
	}
	return all
}
