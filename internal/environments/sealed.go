package environments

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/plan"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// lifetime is how long a sealed plan is good for.
const lifetime = 24 * time.Hour

// Sealed is a plan of one environment in a file, for a person to review before it is applied.
type Sealed struct {
	plan.Plan[sealedHeader, Change]
}

// sealedHeader is the first line of a sealed plan.
type sealedHeader struct {
	plan.Header
	Tally
}

// Seal makes a plan of what differs.
func Seal(env verify.Environment, diff *Diff, now time.Time) Sealed {
	env.ServiceSID = diff.ServiceSID
	header := sealedHeader{plan.NewHeader(env, plan.SetUp, now, lifetime), Count([]*Diff{diff})}
	return Sealed{plan.Plan[sealedHeader, Change]{Header: header, Items: diff.Changes}}
}

// ReadSealed reads a sealed plan, to the byte; see [plan.Read].
func ReadSealed(r io.Reader) (Sealed, error) {
	p, err := plan.Read(r, func(p plan.Plan[sealedHeader, Change]) error {
		if p.Header.Purpose != plan.SetUp {
			return fmt.Errorf("%q is not the purpose of a plan about a Service's set-up", p.Header.Purpose)
		}
		return nil
	})
	return Sealed{p}, err
}

// Moved refuses a plan when what would be changed now is not what was reviewed. It names what moved, and since when.
func (p Sealed) Moved(now *Diff) error {
	reviewed, current := lines(p.Items), lines(now.Changes)
	var moved []string
	for line := range current {
		if _, was := reviewed[line]; !was {
			moved = append(moved, "now: "+line+current[line])
		}
	}
	for line := range reviewed {
		if _, is := current[line]; !is {
			moved = append(moved, "no more: "+line)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	slices.Sort(moved)
	return verify.Refusedf("things have changed since the plan was made: %s", strings.Join(moved, "; ")).
		WithHint("make the plan again and review it")
}

// lines are what a plan changes, property by property, each with what else is told of it.
func lines(changes []Change) map[string]string {
	all := map[string]string{}
	for _, c := range changes {
		since := ""
		if !c.Updated.IsZero() {
			since = ", changed at " + verify.Stamp(c.Updated)
		}
		what := fmt.Sprintf("%s %s %s", c.Action, c, c.SID)
		if len(c.Fields) == 0 {
			all[what] = since
		}
		for _, f := range c.Fields {
			all[strings.TrimSpace(what)+" "+f.String()] = since
		}
	}
	return all
}
