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
	"hash"
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
	Environment string            `json:"environment"`
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
	out := bufio.NewWriter(w)
	lines := &writer{out: out, sum: sha256.New()}
	lines.add(p.Header)
	for _, item := range p.Items {
		lines.add(item)
	}
	p.ID = hex.EncodeToString(lines.sum.Sum(nil))
	lines.add(trailer{p.ID})
	return lines.written, errors.Join(lines.err, out.Flush())
}

type writer struct {
	out     io.Writer
	sum     hash.Hash
	written int64
	err     error
}

func (w *writer) add(line any) {
	text, err := encode(line)
	if err == nil {
		w.sum.Write(text)
		w.written += int64(len(text))
		_, err = w.out.Write(text)
	}
	w.err = errors.Join(w.err, err)
}

// encode writes a value as one line of JSON that people can read: < and & stay what they are.
func encode(line any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(line)
	return text.Bytes(), err
}

// Read reads a plan exactly as [Plan.WriteTo] wrote it, and has its kind checked by check. Anything else, if only by one
// byte, is a refusal: a plan that was edited has not been reviewed.
func Read[H interface{ binding() Header }, I any](r io.Reader, check func(Plan[H, I]) error) (Plan[H, I], error) {
	in := &reader{in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	var p Plan[H, I]
	err := p.read(in)
	if err != nil {
		err = fmt.Errorf("line %d of the plan: %w", in.line, err)
	} else if err = check(p); err != nil {
		err = fmt.Errorf("the plan: %w", err)
	}
	if err != nil {
		return Plan[H, I]{}, &verify.Error{Kind: verify.KindRefused, Message: err.Error(), Cause: err,
			Hint: "nothing was sent; make the plan again, and change what it holds by the flags that make it"}
	}
	return p, nil
}

func (p *Plan[H, I]) read(in *reader) error {
	text, err := in.next()
	if err != nil {
		return err
	}
	if err := decodeExactly(text, &p.Header); err != nil {
		return err
	}
	if err := p.Header.binding().check(); err != nil {
		return err
	}
	for {
		in.sum.Write(text)
		if text, err = in.next(); err != nil {
			return err
		}
		if in.atEnd() {
			break
		}
		var item I
		if err := decodeExactly(text, &item); err != nil {
			return err
		}
		p.Items = append(p.Items, item)
	}
	var last trailer
	if err := decodeExactly(text, &last); err != nil {
		return fmt.Errorf("the last line is not the SHA-256 of the plan: %w", err)
	}
	if p.ID = hex.EncodeToString(in.sum.Sum(nil)); last.SHA256 != p.ID {
		return errors.New("the SHA-256 differs: the plan was changed after it was made")
	}
	return nil
}

type reader struct {
	in   *bufio.Reader
	sum  hash.Hash // of the lines before the one that next gave
	line int
}

// next gives the next line with its line feed.
func (r *reader) next() ([]byte, error) {
	r.line++
	var text []byte
	for {
		part, err := r.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > maxLine:
			return nil, fmt.Errorf("it has more than %d bytes", maxLine)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(text) == 0:
			return nil, errors.New("the plan ends without its SHA-256")
		case err == io.EOF:
			return nil, errors.New("it is cut off")
		}
		return text, err
	}
}

func (r *reader) atEnd() bool {
	_, err := r.in.Peek(1)
	return err == io.EOF
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
	again, err := encode(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, line) {
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
	if h.Environment == "" || !h.Expires.After(h.Created) {
		return errors.New("the header is incomplete")
	}
	return nil
}

// CheckTarget refuses a plan that was made for another environment, account or Service, or that has expired.
func (p Plan[H, I]) CheckTarget(env verify.Environment, now time.Time) error {
	h := p.Header.binding()
	again := "make a new plan for the environment you mean"
	switch {
	case h.Environment != env.Name:
		return verify.Refusedf("the plan is for environment %s, not for %s", h.Environment, env.Name).WithHint("%s", again)
	case !verify.SameSID(h.AccountSID, env.AccountSID):
		return verify.Refusedf("the plan is for account %s, and environment %s is of account %s", h.AccountSID, env.Name, env.AccountSID).WithHint("%s", again)
	case !verify.SameSID(h.ServiceSID, env.ServiceSID):
		return verify.Refusedf("the plan is for Service %s, and environment %s has Service %s", h.ServiceSID, env.Name, env.ServiceSID).WithHint("%s", again)
	case !now.Before(h.Expires):
		return verify.Refusedf("the plan expired at %s", stamp(h.Expires)).WithHint("make it again: what it rests on may have changed since")
	case h.Created.After(now.Add(time.Hour)):
		return verify.Refusedf("the plan was made at %s, which lies in the future", stamp(h.Created)).WithHint("check the clocks of the two machines")
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
