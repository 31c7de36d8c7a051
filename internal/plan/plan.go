// Package plan writes plans to files and reads them back to the byte: what is to be changed in one environment, for a
// person to review before it is applied. What the changes are is the business of its callers.
package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	format  = 1
	maxLine = 1 << 20 // bytes; a line that verifyctl writes is far below
)

// Purpose says what a plan is for, and so what is looked at again before each change.
type Purpose string

// Header binds a plan to one environment and to a time. A kind of plan embeds it, first, in a header with more fields.
type Header struct {
	Format      int               `json:"verifyctl_plan"` // 1
	Purpose     Purpose           `json:"purpose"`
	Environment string            `json:"environment"` // "" for TWILIO_* variables
	AccountSID  verify.AccountSID `json:"account_sid"`
	ServiceSID  verify.ServiceSID `json:"service_sid"`
	Created     time.Time         `json:"created"`
	Expires     time.Time         `json:"expires"`
}

// NewHeader gives the header of a plan for an environment that is made now and good for so long.
func NewHeader(env verify.Environment, purpose Purpose, now time.Time, lifetime time.Duration) Header {
	now = now.UTC().Truncate(time.Second)
	return Header{
		Format: format, Purpose: purpose, Environment: env.Name, AccountSID: env.AccountSID, ServiceSID: env.ServiceSID,
		Created: now, Expires: now.Add(lifetime),
	}
}

func (h Header) binding() Header { return h }

// Plan is a header and items, in the order in which they are to be done. H embeds [Header].
type Plan[H interface{ binding() Header }, I any] struct {
	Header H
	Items  []I
	ID     string // SHA-256 of all that stands before the last line, in hexadecimal; set by reading and writing
}

type trailer struct {
	SHA256 string `json:"sha256"`
}

// WriteTo writes the plan as NDJSON: the header, one line for each item, and a last line that holds the SHA-256 of all
// bytes before it. It sets ID.
func (p *Plan[H, I]) WriteTo(w io.Writer) (int64, error) {
	var text bytes.Buffer
	err := encode(&text, p.Header)
	for _, item := range p.Items {
		err = errors.Join(err, encode(&text, item))
	}
	sum := sha256.Sum256(text.Bytes())
	p.ID = hex.EncodeToString(sum[:])
	if err = errors.Join(err, encode(&text, trailer{p.ID})); err != nil {
		return 0, err
	}
	return text.WriteTo(w)
}

// encode writes a value as one line of JSON that people can read: < and & stay what they are.
func encode(w io.Writer, line any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

// Read reads a plan exactly as [Plan.WriteTo] wrote it, and has its kind checked by check. Anything else, if only by one
// byte, is a refusal: a plan that was edited has not been reviewed.
func Read[H interface{ binding() Header }, I any](r io.Reader, check func(Plan[H, I]) error) (Plan[H, I], error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	in.Split(wholeLines)
	var p Plan[H, I]
	line, err := p.read(in)
	if err != nil {
		err = fmt.Errorf("line %d of the plan: %w", max(line, 1), err)
	} else if err = check(p); err != nil {
		err = fmt.Errorf("the plan: %w", err)
	}
	if err != nil {
		return Plan[H, I]{}, &verify.Error{Kind: verify.KindRefused, Message: err.Error(), Cause: err,
			Hint: "nothing was sent; make the plan again, and change what it holds by the flags that make it"}
	}
	return p, nil
}

// read gives the number of the last line that it read.
func (p *Plan[H, I]) read(in *bufio.Scanner) (line int, err error) {
	var text []byte // of the line before; that of the last one is the SHA-256
	sum := sha256.New()
	for in.Scan() {
		switch line {
		case 0:
		case 1:
			err = p.readHeader(text)
		default:
			err = p.readItem(text)
		}
		if err != nil {
			return line, err
		}
		sum.Write(text)
		text, line = bytes.Clone(in.Bytes()), line+1
	}
	if in.Err() != nil {
		return line + 1, in.Err()
	}
	var last trailer
	if err := decodeExactly(text, &last); err != nil || line == 1 {
		return line, errors.New("its SHA-256 is missing: the file was cut off, or is not a plan")
	}
	if p.ID = hex.EncodeToString(sum.Sum(nil)); last.SHA256 != p.ID {
		return line, errors.New("the SHA-256 differs: the plan was changed after it was made")
	}
	return line, nil
}

func (p *Plan[H, I]) readHeader(text []byte) error {
	if err := decodeExactly(text, &p.Header); err != nil {
		return err
	}
	return p.Header.binding().check()
}

func (p *Plan[H, I]) readItem(text []byte) error {
	var item I
	err := decodeExactly(text, &item)
	p.Items = append(p.Items, item)
	return err
}

// wholeLines splits into lines with their line feeds.
func wholeLines(data []byte, atEnd bool) (int, []byte, error) {
	end := bytes.IndexByte(data, '\n') + 1
	switch {
	case end > 0:
		return end, data[:end], nil
	case atEnd && len(data) > 0:
		return 0, nil, errors.New("it is cut off")
	}
	return 0, nil, nil
}

// decodeExactly decodes a line and makes sure that encoding the value gives the same bytes again, so that no line has a
// second reading.
func decodeExactly[T any](line []byte, into *T) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8")
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("it is not a line of a plan: %w", err)
	}
	var again bytes.Buffer
	if err := encode(&again, into); err != nil {
		return err
	}
	if !bytes.Equal(again.Bytes(), line) {
		return errors.New("it is not as verifyctl wrote it")
	}
	return nil
}

func (h Header) check() error {
	if h.Format != format {
		return fmt.Errorf("it has format %d, and this verifyctl reads format %d", h.Format, format)
	}
	if _, err := verify.ParseAccountSID(string(h.AccountSID)); err != nil {
		return err
	}
	if _, err := verify.ParseServiceSID(string(h.ServiceSID)); err != nil {
		return err
	}
	if !h.Expires.After(h.Created) {
		return errors.New("the plan was never good for anything")
	}
	return nil
}

// CheckTarget refuses a plan that was made for another environment, account or Service, or that has expired.
func (p Plan[H, I]) CheckTarget(env verify.Environment, now time.Time) error {
	h := p.Header.binding()
	again, name := "make a new plan for the environment you mean", nameOf(env.Name)
	switch {
	case h.Environment != env.Name:
		return verify.Refusedf("the plan is for %s, not for %s", nameOf(h.Environment), name).WithHint("%s", again)
	case !verify.SameSID(h.AccountSID, env.AccountSID):
		return verify.Refusedf("the plan is for account %s, and %s is of account %s", h.AccountSID, name, env.AccountSID).WithHint("%s", again)
	case !verify.SameSID(h.ServiceSID, env.ServiceSID):
		return verify.Refusedf("the plan is for Service %s, and %s has Service %s", h.ServiceSID, name, env.ServiceSID).WithHint("%s", again)
	case !now.Before(h.Expires):
		return verify.Refusedf("the plan expired at %s", verify.Stamp(h.Expires)).WithHint("make it again: what it rests on may have changed since")
	case h.Created.After(now.Add(time.Hour)):
		return verify.Refusedf("the plan was made at %s, which lies in the future", verify.Stamp(h.Created)).WithHint("check the clocks of the two machines")
	}
	return nil
}

func nameOf(environment string) string {
	if environment == "" {
		return "the TWILIO_* variables"
	}
	return "environment " + environment
}
