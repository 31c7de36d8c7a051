package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// indexedView is the JSON form of a factor out of the index: Twilio's names, and when it was read.
type indexedView struct {
	verify.Factor
	TokenHash string    `json:"notification_token_hash,omitempty"`
	ReadAt    time.Time `json:"read_at"`
}

// indexedResource shows factors as "factors list" does, with the time of their reading.
func indexedResource() render.Resource[verify.IndexedFactor] {
	r := render.Resource[verify.IndexedFactor]{
		SID: func(f verify.IndexedFactor) string { return string(f.SID) },
		View: func(f verify.IndexedFactor) any {
			return indexedView{Factor: f.Factor, TokenHash: f.TokenHash, ReadAt: f.ReadAt}
		},
	}
	for _, c := range factorResource(nil).Columns { // the index has the hash already
		column := columnOf(c, func(f verify.IndexedFactor) verify.Factor { return f.Factor })
		if c.Name == "token_hash" {
			column.Text = func(f verify.IndexedFactor) string { return f.TokenHash }
		}
		r.Columns = append(r.Columns, column)
	}
	r.Columns = append(r.Columns, render.Column[verify.IndexedFactor]{Name: "read_at", Time: func(f verify.IndexedFactor) time.Time { return f.ReadAt }, Wide: true})
	return r
}

// columnOf is the column of a value that holds another one, of which it shows what that one's column shows.
func columnOf[T, Part any](c render.Column[Part], part func(T) Part) render.Column[T] {
	column := render.Column[T]{Name: c.Name, Flex: c.Flex, Wide: c.Wide, Named: c.Named, Keep: c.Keep}
	if c.Text != nil {
		column.Text = func(v T) string { return c.Text(part(v)) }
	}
	if c.Time != nil {
		column.Time = func(v T) time.Time { return c.Time(part(v)) }
	}
	if c.Tone != nil {
		column.Tone = func(v T) render.Tone { return c.Tone(part(v)) }
	}
	return column
}

// index opens the environment's index, which must have been filled once, and says how old its answers are.
func (c *connection) index(ctx context.Context) (*store.Store, error) {
	memory, err := c.memory(ctx)
	if err != nil {
		return nil, err
	}
	fresh, err := memory.Freshness(ctx)
	if err != nil {
		return nil, err
	}
	if fresh.LastFull.ID == 0 || !verify.SameSID(fresh.ServiceSID, c.service()) {
		err := &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("this machine has no index of %s", c.label()),
			Hint: "make it: " + c.env.Command("fleet", "sync")}
		if fresh.Unfinished.ID != 0 {
			err.Message += ": its first crawl was not finished"
			err.Hint = "go on: " + c.env.Command("fleet", "sync")
		}
		return nil, err
	}
	c.sayFreshness(fresh)
	return memory, nil
}

// listIndexed lists the factors of the index that fit a condition.
func (s *shell) listIndexed(ctx context.Context, r render.Resource[verify.IndexedFactor], limit int, condition func(now time.Time) (where.Condition, error)) error {
	c, p, err := s.begin(ctx, needsMemory)
	if err != nil {
		return err
	}
	fits, err := condition(c.now())
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	n, err := render.List(p, r, limited(limit, index.FactorsWhere(ctx, fits)))
	if err == nil && n == 0 {
		s.note("no factor matches")
	}
	if limit > 0 && n == limit {
		s.note("stopped at --limit %d; there may be more", limit)
	}
	return err
}

// sayFreshness goes with every answer of the index.
func (c *connection) sayFreshness(fresh verify.Freshness) {
	text := fmt.Sprintf("index of %s: crawled %s", c.label(), render.Age(fresh.LastFull.Finished, c.now()))
	if fresh.OldestRead.Before(fresh.LastFull.Started) {
		text += fmt.Sprintf(", its oldest reading %s", render.Age(fresh.OldestRead, c.now()))
	}
	if fresh.Unfinished.ID != 0 {
		text += fmt.Sprintf("; a crawl begun %s is not finished, %s to read", render.Age(fresh.Unfinished.Started, c.now()), verify.Count(fresh.Waiting, "entity"))
	}
	c.shell.note("%s; what changed since is not in it", text)
}

// parseWhere reads --where; the condition is nil when the flag was not given.
func parseWhere(expression string, now time.Time) (where.Condition, error) {
	if expression == "" {
		return nil, nil
	}
	condition, err := where.Parse(expression, now)
	if e, ok := err.(*verify.Error); ok {
		e.Message = "--where: " + e.Message
	}
	return condition, err
}

const whereHelp = "only factors that fit this `expression`, such as 'platform = apn and updated < now-60d'; asks the index"

// countedFields are the names of the fields to count by.
func countedFields() []string {
	var names []string
	for _, f := range where.Fields() {
		if !f.IsDate() {
			names = append(names, f.Name)
		}
	}
	return names
}

// fieldsOf reads a list of field names, such as that of --by.
func fieldsOf(flag string, names []string) ([]where.Field, error) {
	var fields []where.Field
	for _, name := range names {
		field, ok := where.FieldOf(name)
		if !ok || field.IsDate() {
			known := countedFields()
			err := verify.Usagef("%s: unknown field %q to count by", flag, name).WithHint("the fields are %v and metadata.KEY", known)
			if near := verify.Nearest(name, known); near != "" {
				err = err.WithHint("did you mean %s?", near)
			}
			return nil, err
		}
		fields = append(fields, field)
	}
	return fields, nil
}
