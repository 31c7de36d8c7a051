package fleet

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
	"strings"
	"time"
	"unicode/utf8"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	planFormat  = 1
	maxPlanLine = 1 << 20 // bytes; a line that verifyctl writes is far below
)

// Purpose says what a plan's factors were selected by, and so what is looked at again before each delete.
type Purpose string

// The purposes.
const (
	Prune      Purpose = "prune"       // they are dead: nothing may have changed since, and the rules must still hold
	DeleteFit  Purpose = "delete"      // they fit a condition: they must still fit it
	DeleteList Purpose = "delete_list" // they were listed one by one: they must be there
)

// Plan is a list of factors to delete, for a person to review before it is applied.
type Plan struct {
	Header PlanHeader
	Items  []PlanItem // those to delete first
	ID     string     // SHA-256 of all that stands before the last line, in hexadecimal; set by reading and writing
}

// PlanHeader is the first line of a plan.
type PlanHeader struct {
	Format      int               `json:"verifyctl_plan"` // 1
	Purpose     Purpose           `json:"purpose"`
	Environment string            `json:"environment"`
	AccountSID  verify.AccountSID `json:"account_sid"`
	ServiceSID  verify.ServiceSID `json:"service_sid"`
	Created     time.Time         `json:"created"`
	Expires     time.Time         `json:"expires"`
	Delete      int               `json:"delete"` // how many items have this decision
	Defer       int               `json:"defer"`
	Keep        int               `json:"keep"`
	Where       string            `json:"where,omitempty"` // the condition of [DeleteFit]
	Rules       *Rules            `json:"rules,omitempty"` // of [Prune]
	Evidence    *Coverage         `json:"evidence,omitempty"`
	Storms      []Storm           `json:"storms,omitempty"`
	IndexRead   time.Time         `json:"index_read,omitzero"` // the oldest reading in the index that the plan rests on
}

// Coverage is the time that the events behind a plan cover. Silence in a gap says nothing.
type Coverage struct {
	From   time.Time    `json:"from"`
	Until  time.Time    `json:"until"`
	Gaps   []event.Span `json:"gaps,omitempty"`
	Events int          `json:"events"` // failed pushes of this Service
	Others int          `json:"others"` // events of other Services and products, which were passed over
}

// PlanItem is one candidate and what is to be done with it.
type PlanItem struct {
	Decision     Decision         `json:"decision"`
	Reason       Reason           `json:"reason"`
	Detail       string           `json:"detail,omitempty"`
	Identity     verify.Identity  `json:"identity"`
	FactorSID    verify.FactorSID `json:"factor_sid"`
	FriendlyName string           `json:"friendly_name,omitempty"`
	Platform     verify.Platform  `json:"platform,omitempty"`
	AppID        string           `json:"app_id,omitempty"`
	DateUpdated  time.Time        `json:"date_updated,omitzero"`
	Evidence     *Evidence        `json:"evidence,omitempty"`
}

type planTrailer struct {
	SHA256 string `json:"sha256"`
}

// itemOf starts a plan's line about a factor.
func itemOf(f verify.Factor, decision Decision, reason Reason, detail string) PlanItem {
	return PlanItem{
		Decision: decision, Reason: reason, Detail: strings.ToValidUTF8(detail, "?"), Identity: f.Identity, FactorSID: f.SID,
		FriendlyName: strings.ToValidUTF8(f.FriendlyName, "?"), Platform: f.Config.Platform, AppID: strings.ToValidUTF8(f.Config.AppID, "?"),
		DateUpdated: f.DateUpdated.UTC(),
	}
}

// Deletes gives the items to delete; an item's place among them is its number in the outcomes.
func (p Plan) Deletes() []PlanItem { return p.Items[:p.Header.Delete] }

// WriteTo writes the plan as NDJSON: the header, one line for each item, and a last line that holds the SHA-256 of all
// bytes before it. It sets ID.
func (p *Plan) WriteTo(w io.Writer) (int64, error) {
	out := bufio.NewWriter(w)
	lines := &planWriter{out: out, sum: sha256.New()}
	lines.add(p.Header)
	for _, item := range p.Items {
		lines.add(item)
	}
	p.ID = hex.EncodeToString(lines.sum.Sum(nil))
	lines.add(planTrailer{p.ID})
	return lines.written, errors.Join(lines.err, out.Flush())
}

type planWriter struct {
	out     io.Writer
	sum     hash.Hash
	written int64
	err     error
}

func (w *planWriter) add(line any) {
	text, err := encodeLine(line)
	if err == nil {
		w.sum.Write(text)
		w.written += int64(len(text))
		_, err = w.out.Write(text)
	}
	w.err = errors.Join(w.err, err)
}

// encodeLine writes a value as one line of JSON that people can read: < and & stay what they are.
func encodeLine(line any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(line)
	return text.Bytes(), err
}

// ReadPlan reads a plan exactly as [Plan.WriteTo] wrote it. Anything else, if only by one byte, is a refusal: a plan that
// was edited has not been reviewed.
func ReadPlan(r io.Reader) (Plan, error) {
	in := &planReader{in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	var p Plan
	if err := in.read(&p); err != nil {
		return Plan{}, &verify.Error{Kind: verify.KindRefused, Message: fmt.Sprintf("line %d of the plan: %v", in.line, err), Cause: err,
			Hint: "nothing was sent; make the plan again, and change what it holds by the flags that make it"}
	}
	return p, nil
}

type planReader struct {
	in   *bufio.Reader
	sum  hash.Hash
	line int
}

func (r *planReader) read(p *Plan) error {
	header, err := r.next()
	if err != nil {
		return err
	}
	if err := decodeExactly(header, &p.Header); err != nil {
		return err
	}
	if err := p.Header.check(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		text, err := r.next()
		if err != nil {
			return err
		}
		if _, err := r.in.Peek(1); err == io.EOF {
			p.ID = hex.EncodeToString(r.sum.Sum(nil))
			return p.finish(text)
		}
		var item PlanItem
		if err := decodeExactly(text, &item); err != nil {
			return err
		}
		if err := p.take(item, seen); err != nil {
			return err
		}
		r.sum.Write(text)
	}
}

// next gives the next line with its line feed; the first is counted into the sum here, the others once they have turned
// out not to be the last.
func (r *planReader) next() ([]byte, error) {
	r.line++
	var text []byte
	for {
		part, err := r.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > maxPlanLine:
			return nil, fmt.Errorf("it has more than %d bytes", maxPlanLine)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(text) == 0:
			return nil, errors.New("the plan ends without its SHA-256")
		case err == io.EOF:
			return nil, errors.New("it is cut off")
		case err != nil:
			return nil, err
		}
		if r.line == 1 {
			r.sum.Write(text)
		}
		return text, nil
	}
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
	again, err := encodeLine(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, line) {
		return errors.New("it is not as verifyctl wrote it")
	}
	return nil
}

func (h PlanHeader) check() error {
	if h.Format != planFormat {
		return fmt.Errorf("it has format %d, and this verifyctl reads format %d", h.Format, planFormat)
	}
	if h.Purpose != Prune && h.Purpose != DeleteFit && h.Purpose != DeleteList {
		return fmt.Errorf("%q is not the purpose of a plan", h.Purpose)
	}
	if (h.Purpose == Prune) != (h.Rules != nil) || (h.Purpose == DeleteFit) != (h.Where != "") {
		return fmt.Errorf("the purpose %s does not go with its rules and condition", h.Purpose)
	}
	if _, err := verify.ParseAccountSID(string(h.AccountSID)); err != nil {
		return err
	}
	if _, err := verify.ParseServiceSID(string(h.ServiceSID)); err != nil {
		return err
	}
	if h.Environment == "" || h.Delete < 0 || h.Defer < 0 || h.Keep < 0 || !h.Expires.After(h.Created) {
		return errors.New("the header is incomplete")
	}
	return nil
}

// take adds an item that was read; those to delete come first, then the deferred, then the kept.
func (p *Plan) take(item PlanItem, seen map[string]bool) error {
	if _, err := verify.ParseFactorSID(string(item.FactorSID)); err != nil && item.Decision != Keep {
		return err
	}
	if item.Identity == "" && item.Decision != Keep {
		return errors.New("the item has no identity")
	}
	key := strings.ToUpper(string(item.FactorSID))
	if seen[key] && item.Decision != Keep {
		return fmt.Errorf("%s is in the plan twice", item.FactorSID)
	}
	seen[key] = true
	if want := p.Header.decisionAt(len(p.Items)); item.Decision != want {
		return fmt.Errorf("the decision is %q, and the header says %q", item.Decision, want)
	}
	p.Items = append(p.Items, item)
	return nil
}

// decisionAt gives the decision that the item at a place must have; "" beyond the last.
func (h PlanHeader) decisionAt(place int) Decision {
	switch {
	case place < h.Delete:
		return Delete
	case place < h.Delete+h.Defer:
		return Defer
	case place < h.Delete+h.Defer+h.Keep:
		return Keep
	}
	return ""
}

func (p *Plan) finish(last []byte) error {
	var trailer planTrailer
	if err := decodeExactly(last, &trailer); err != nil {
		return fmt.Errorf("the last line is not the SHA-256 of the plan: %w", err)
	}
	if trailer.SHA256 != p.ID {
		return errors.New("the SHA-256 differs: the plan was changed after it was made")
	}
	if n := p.Header.Delete + p.Header.Defer + p.Header.Keep; len(p.Items) != n {
		return fmt.Errorf("the plan has %d items, and its header says %d", len(p.Items), n)
	}
	return nil
}

// CheckTarget refuses a plan that was made for another environment, account or Service, or that has expired.
func (p Plan) CheckTarget(env verify.Environment, now time.Time) error {
	h := p.Header
	again := "make a new plan for the environment you mean"
	switch {
	case h.Environment != env.Name:
		return verify.Refusedf("the plan is for environment %s, not for %s", h.Environment, env.Name).WithHint("%s", again)
	case !verify.SameSID(h.AccountSID, env.AccountSID):
		return verify.Refusedf("the plan is for account %s, and environment %s is of account %s", h.AccountSID, env.Name, env.AccountSID).WithHint("%s", again)
	case !verify.SameSID(h.ServiceSID, env.ServiceSID):
		return verify.Refusedf("the plan is for Service %s, and environment %s has Service %s", h.ServiceSID, env.Name, env.ServiceSID).WithHint("%s", again)
	case !now.Before(h.Expires):
		return verify.Refusedf("the plan expired at %s", stamp(h.Expires)).WithHint("make it again: what was dead then may live now")
	case h.Created.After(now.Add(time.Hour)):
		return verify.Refusedf("the plan was made at %s, which lies in the future", stamp(h.Created)).WithHint("check the clocks of the two machines")
	}
	return nil
}
