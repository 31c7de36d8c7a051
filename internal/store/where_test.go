package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

const filterService = verify.ServiceSID("VA00000000000000000000000000000001")

// What the index answers is what the Go code says of each of its factors, for any factors and any condition.
func theIndexAnswersAsConditionsMean(t *testing.T, w *world) {
	conditions := 5 // of each of the hundred memories that are drawn
	if testing.Short() {
		conditions = 2 // one thing after the other: there is no data race to be found
	}
	for _, declared := range [][]string{nil, {"os"}} {
		t.Run(fmt.Sprint("declared ", declared), func(t *testing.T) {
			t.Parallel()
			s := w.fresh(t).open(t)
			if err := s.DeclareMetadata(t.Context(), declared); err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
			rapid.Check(t, func(t *rapid.T) {
				for _, table := range []string{"factors", "entities"} {
					if err := s.exec(t.Context(), "", `DELETE FROM `+table); err != nil {
						t.Fatal(err)
					}
				}
				factors := drawFactors(t)
				fill(t, s, now, factors)
				for range conditions {
					checkAnswer(t, s, drawCondition(t, now), factors)
				}
			})
		})
	}
}

func checkAnswer(t *rapid.T, s *Store, c where.Condition, factors []verify.Factor) {
	var want, got []string
	for _, f := range factors {
		if c.Match(f) {
			want = append(want, string(f.SID))
		}
	}
	for f, err := range s.FactorsWhere(t.Context(), c) {
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		got = append(got, string(f.SID))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		sql, args, _ := s.compile(t.Context(), c)
		t.Fatalf("%s\n as %s %q\ngives %v\nwant  %v", c, sql, args, got, want)
	}
	checkGroups(t, s, c, len(want))
}

func checkGroups(t *rapid.T, s *Store, c where.Condition, want int) {
	field, _ := where.FieldOf("metadata.os")
	groups, err := s.FactorGroupsWhere(t.Context(), []where.Field{field}, c)
	total := 0
	for _, g := range groups {
		total += g.Count
	}
	if err != nil || total != want {
		t.Fatalf("%s: %d in groups, want %d (%v)", c, total, want, err)
	}
}

func conditionsNeverBecomeSQL(t *testing.T, w *world) {
	s := w.open(t)
	for _, text := range []string{"'", "x' OR 1=1 --", `"; DROP TABLE factors; --`} {
		for _, name := range []string{"identity", "friendly_name", "metadata.app", "metadata.it's", "metadata.x') OR 1=1 --"} {
			c, err := where.Parse(name+" = "+strconv.Quote(text), time.Time{})
			if err != nil {
				continue // no name of a field, so it gets no further
			}
			sql, _, err := s.compile(t.Context(), c)
			if err != nil || len(text) > 1 && strings.Contains(sql, text) {
				t.Errorf("%s became %s (%v)", c, sql, err)
			}
			for f, err := range s.FactorsWhere(t.Context(), c) {
				t.Errorf("%s gave %v, %v", c, f, err)
			}
		}
	}
}

// An expression of the greatest length that is read is not too deep for SQLite.
func deepConditionsAreAnswered(t *testing.T, w *world) {
	s := w.open(t)
	deep := "status = ''" + strings.Repeat(" and not (status = ''", 180) + strings.Repeat(")", 180)
	wide := "status = ''" + strings.Repeat(" or status = ''", 270)
	for _, expression := range []string{deep, wide, "not not (" + deep + ")"} {
		c, err := where.Parse(expression, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range s.FactorsWhere(t.Context(), c) {
			t.Error(err)
		}
	}
}

func fill(t *rapid.T, s *Store, now time.Time, factors []verify.Factor) {
	crawl, err := s.BeginCrawl(t.Context(), "AC00000000000000000000000000000001", filterService, verify.CrawlFull, now)
	if err != nil {
		t.Fatal(err)
	}
	read := map[verify.Identity]*verify.EntityFactors{}
	var all []verify.EntityFactors
	for _, f := range factors {
		if read[f.Identity] == nil {
			read[f.Identity] = &verify.EntityFactors{Entity: verify.Entity{Identity: f.Identity}, ReadAt: now}
		}
		read[f.Identity].Factors = append(read[f.Identity].Factors, f)
	}
	for _, e := range read {
		all = append(all, *e)
	}
	if err := s.SaveFactors(t.Context(), crawl, all); err != nil {
		t.Fatal(err)
	}
}

var filterValues = []string{"", "apn", "fcm", "verified", "push", "3.0", "3.0.0", "3.0.1-beta", "10", "v3", "2026-01-01",
	"2026-01-01T08:00:00Z", "now-30d", "now", "user-0001", "USER-0001", "*", "*e*", "?", "Jane's \"phone\"\n", "é", "É", "and", "%", "_",
	"ye0a", "YF00000000000000000000000000000a01", "YF00000000000000000000000000000A02"}

func drawFactors(t *rapid.T) []verify.Factor {
	text := func(label string) string { return rapid.SampledFrom(filterValues).Draw(t, label) }
	date := func(label string) time.Time {
		if rapid.Bool().Draw(t, label+" known") {
			hours := rapid.IntRange(-1, 60*24).Draw(t, label)
			micros := rapid.SampledFrom([]int{0, 1, 999999}).Draw(t, "µs")
			return time.Date(2026, 1, 1, hours, 0, 0, micros*1000, time.UTC)
		}
		return time.Time{}
	}
	factors := make([]verify.Factor, rapid.IntRange(0, 20).Draw(t, "factors"))
	for i := range factors {
		factors[i] = verify.Factor{
			SID: verify.FactorSID(fmt.Sprintf("YF%032x", i+0xa00)), ServiceSID: filterService, Identity: verify.Identity(text("identity")),
			EntitySID: verify.EntitySID(rapid.SampledFrom([]string{"", "YE0a", "ye0A", "*"}).Draw(t, "entity")), FriendlyName: text("friendly_name"),
			Status: verify.FactorStatus(text("status")), Type: verify.FactorType(text("type")),
			Config:      verify.FactorConfig{Platform: verify.Platform(text("platform")), AppID: text("app_id"), SDKVersion: text("sdk")},
			DateCreated: date("created"), DateUpdated: date("updated"),
		}
		if rapid.Bool().Draw(t, "has metadata") {
			factors[i].Metadata = map[string]string{"app.version": text("app version"), "os": text("os")}
		}
	}
	return factors
}

func drawCondition(t *rapid.T, now time.Time) where.Condition {
	c, err := where.Parse(drawExpression(t, now, 3), now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func drawExpression(t *rapid.T, now time.Time, depth int) string {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind = 0
	}
	inner := func() string { return "(" + drawExpression(t, now, depth-1) + ")" }
	switch kind {
	case 1:
		return inner() + " and " + inner()
	case 2:
		return inner() + " or " + inner() + " or " + inner()
	case 3:
		return "not " + inner()
	}
	for {
		name := rapid.SampledFrom([]string{"sid", "identity", "entity_sid", "friendly_name", "status", "factor_type", "platform", "app_id",
			"sdk_version", "created", "updated", "metadata.app.version", "metadata.os", "metadata.none"}).Draw(t, "field")
		op := rapid.SampledFrom([]string{"=", "!=", "<", "<=", ">", ">=", "~", "!~", "in", "not in"}).Draw(t, "op")
		values := rapid.SliceOfN(rapid.SampledFrom(filterValues), 1, 3).Draw(t, "values")
		for i, value := range values {
			values[i] = strconv.Quote(value)
		}
		expression := name + " " + op + " " + values[0]
		if strings.HasSuffix(op, "in") {
			expression = name + " " + op + " (" + strings.Join(values, ", ") + ")"
		}
		if _, err := where.Parse(expression, now); err == nil { // not every operator and value suits every field
			return expression
		}
	}
}
