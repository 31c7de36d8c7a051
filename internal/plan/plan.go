// Package plan writes plans to files and reads them back to the byte: what is to be changed in one environment, for a
// person to review before it is applied. What the changes are is the business of its callers.
package plan

import (
	"errors"
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const format = 1

// Purpose says what a plan is for, and so what is looked at again before each change.
type Purpose string

// SetUp is the purpose of a plan about how a Service is set up: the one whose Service may not exist yet.
const SetUp Purpose = "set_up"

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

func (h Header) check() error {
	if h.Format != format {
		return fmt.Errorf("it has format %d, and this verifyctl reads format %d", h.Format, format)
	}
	if _, err := verify.ParseAccountSID(string(h.AccountSID)); err != nil {
		return err
	}
	if _, err := verify.ParseServiceSID(string(h.ServiceSID)); err != nil && (h.Purpose != SetUp || h.ServiceSID != "") {
		return err
	}
	if !h.Expires.After(h.Created) {
		return errors.New("the plan expires before it was made")
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
	case h.ServiceSID == "" && env.ServiceSID != "":
		return verify.Refusedf("the plan makes the Service of %s, which has one by now: %s", name, env.ServiceSID).WithHint("%s", again)
	case !verify.SameSID(h.ServiceSID, env.ServiceSID):
		return verify.Refusedf("the plan is for Service %s, and %s has Service %s", h.ServiceSID, name, env.ServiceSID).WithHint("%s", again)
	case !now.Before(h.Expires):
		return verify.Refusedf("the plan expired at %s", verify.Stamp(h.Expires)).WithHint("make it again: things may have changed since")
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
