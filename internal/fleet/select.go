package fleet

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// PlanWhere makes a plan to delete every factor of the index that fits a condition. The index may be old; each factor has
// to fit the condition again when it is read before its delete.
func PlanWhere(ctx context.Context, index Index, env verify.Environment, condition where.Condition, now time.Time, lifetime verify.Period) (Plan, error) {
	fresh, err := index.Freshness(ctx)
	if err != nil {
		return Plan{}, err
	}
	if fresh.LastFull.ID == 0 || !verify.SameSID(fresh.ServiceSID, env.ServiceSID) {
		return Plan{}, verify.Refusedf("there is no index of %s to query", env.Name).
			WithHint("%s", env.Command("fleet", "sync"))
	}
	var items []PlanItem
	for f, err := range index.FactorsWhere(ctx, condition) {
		if err != nil {
			return Plan{}, err
		}
		items = append(items, itemOf(f.Factor, Delete, reasonSelected, ""))
	}
	plan := newPlan(env, purposeFit, now, lifetime, items)
	plan.Header.Where, plan.Header.IndexRead = condition.String(), fresh.OldestRead.UTC()
	return plan, plan.judgeByIndex(ctx, index)
}

// FactorRef names one factor.
type FactorRef struct {
	Identity verify.Identity
	SID      verify.FactorSID
}

// PlanList makes a plan to delete the factors of a list. What the index knows of them is shown with it; it tells whose they
// are where the list does not, or the list is refused.
func PlanList(ctx context.Context, index Index, env verify.Environment, refs []FactorRef, now time.Time, lifetime verify.Period) (Plan, error) {
	var items []PlanItem
	for _, ref := range refs {
		known, err := index.FindFactors(ctx, ref.SID)
		if err != nil {
			return Plan{}, err
		}
		if ref.Identity == "" && len(known) != 1 {
			return Plan{}, verify.Refusedf("the list does not say whose factor %s is, and the index has %s of that SID", ref.SID, verify.Count(len(known), "factor")).
				WithHint("give a list with identity and factor_sid, such as that of \"factors list -o csv\", or read the index again: %s; nothing was planned", env.Command("fleet", "sync"))
		}
		if ref.Identity == "" {
			ref.Identity = known[0].Identity
		}
		f := verify.Factor{SID: ref.SID, Identity: ref.Identity}
		for _, k := range known {
			if k.Identity != ref.Identity {
				return Plan{}, verify.Refusedf("the list says that %s is a factor of %s, and the index that it is one of %s", ref.SID, ref.Identity, k.Identity).
					WithHint("correct the list; nothing was planned")
			}
			f = k.Factor
		}
		items = append(items, itemOf(f, Delete, reasonSelected, ""))
	}
	plan := newPlan(env, purposeList, now, lifetime, items)
	return plan, plan.judgeByIndex(ctx, index)
}

// FactorList is a list of factors that somebody hands in.
type FactorList struct {
	Refs    []FactorRef
	Columns string // which columns were taken, in words
}

// ParseList reads a list of factors: CSV with a header line or JSON objects, as "factors list" prints them or a
// spreadsheet saves them, with identity and factor_sid (or sid); other columns are ignored. A factor named twice is there
// once. SIDs alone, one a line, are a list without identities. Any row that cannot be read is a usage error that names its line.
func ParseList(r io.Reader) (FactorList, error) {
	var list FactorList
	in := bufio.NewReaderSize(plainText(r), headerBytes)
	if _, err := verify.ParseFactorSID(strings.TrimSpace(firstLine(in))); err == nil {
		return parseSIDs(in)
	}
	seen := map[string]verify.Identity{}
	columns, err := readTable(in, "the list", []string{"identity", "factor_sid|sid"}, func(line int, row []string) error {
		identity, err := verify.ParseIdentity(row[0])
		if err != nil {
			return verify.Usagef("line %d of the list: %w", line, err)
		}
		sid, err := verify.ParseFactorSID(row[1])
		if err != nil {
			return verify.Usagef("line %d of the list: %w", line, err)
		}
		key := fold(sid)
		switch before, ok := seen[key]; {
		case ok && before != identity:
			return verify.Usagef("line %d of the list: %s was a factor of %s before", line, sid, before)
		case !ok:
			seen[key] = identity
			list.Refs = append(list.Refs, FactorRef{identity, sid})
		}
		return nil
	})
	if err != nil {
		return FactorList{}, err
	}
	list.Columns = columns
	return list, nil
}

// parseSIDs reads factor SIDs, one a line, as -q prints them.
func parseSIDs(in io.Reader) (FactorList, error) {
	list := FactorList{Columns: "SIDs alone, whose identities the index tells"}
	seen := map[string]bool{}
	lines := bufio.NewScanner(in)
	for line := 1; lines.Scan(); line++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		sid, err := verify.ParseFactorSID(text)
		if err != nil {
			return FactorList{}, verify.Usagef("line %d of the list: %w", line, err)
		}
		if key := strings.ToUpper(text); !seen[key] {
			seen[key] = true
			list.Refs = append(list.Refs, FactorRef{SID: sid})
		}
	}
	if err := lines.Err(); err != nil {
		return FactorList{}, verify.Usagef("the list cannot be read: %w", err)
	}
	return list, nil
}
