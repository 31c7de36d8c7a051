package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// otherCase gives a SID with its hexadecimal digits in the other letter case.
func otherCase[T ~string](sid T) T { return sid[:2] + T(strings.ToUpper(string(sid[2:]))) }

// errorsOf runs what may fail, by what it does.
func errorsOf(t *testing.T, what map[string]func() error, want func(error) bool) {
	t.Helper()
	for name, do := range what {
		if err := do(); !want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func whatWasSentIsRecordedAfterAnInterrupt(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	resend, _, err := s.ReserveResend(ctx, challengeSID(1), noon, 3)
	check(t, err)
	creation := must[int64](t)(s.BeginCreation(ctx, verify.Creation{AccountSID: account, Begun: noon}))
	claim := must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey))
	uncertain := must[verify.Claim](t)(s.ClaimChallenge(ctx, verify.ClaimKey{ActionID: "another"}))
	crawlAll(t, s, 3)
	deletion := record(t, s, verify.Factor{SID: truth(1)[identityOf(1)][0], Identity: identityOf(1)}, noon)
	interrupted, cancel := context.WithCancel(ctx)
	cancel()
	errorsOf(t, map[string]func() error{
		"a resend":    func() error { return s.FinishResend(interrupted, resend, verify.SendDone, "") },
		"a creation":  func() error { return s.FinishCreation(interrupted, creation, verify.CreationDone, "VA1") },
		"an outcome":  func() error { return s.RecordOutcome(interrupted, verify.ItemOutcome{Plan: "p", Item: 1, At: noon}) },
		"a challenge": func() error { return s.FulfilClaim(interrupted, claim, created(1)) },
		"a doubt":     func() error { return s.AbandonClaim(interrupted, uncertain, true) },
		"a factor": func() error {
			return s.FinishDeletions(interrupted, verify.DeletionEnd{ID: deletion, Gone: true, At: noon})
		},
		"an entity": func() error { return s.ForgetEntity(interrupted, identityOf(2)) },
	}, func(err error) bool { return err == nil })
	if left := indexed(t, s); len(left) != 0 {
		t.Errorf("the index still has %v", left)
	}
	if resends := must[[]verify.Resend](t)(s.Resends(ctx, challengeSID(1))); resends[0].Outcome != verify.SendDone {
		t.Errorf("the resend is %+v", resends)
	}
}

func anInterruptedRunRecordsNothingNew(t *testing.T, w *world) {
	s := w.open(t)
	must[verify.Claim](t)(s.ClaimChallenge(t.Context(), verify.ClaimKey{})) // it has a name from now on
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errorsOf(t, map[string]func() error{
		"a receipt":   func() error { return s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: challengeSID(1), At: noon}) },
		"who was met": func() error { return s.Saw(ctx, noon, map[verify.Identity][]string{"somebody": nil}) },
		"a deletion":  func() error { return second(s.RecordDeletions(ctx, []verify.Factor{factorOf(1)}, "", "", noon)) },
		"a creation":  func() error { return second(s.BeginCreation(ctx, verify.Creation{AccountSID: account})) },
		"a claim":     func() error { return second(s.ClaimChallenge(ctx, theKey)) },
		"coverage":    func() error { return s.AddCoverage(ctx, "alerts", event.Span{From: noon, Until: noon.Add(1)}) },
		"a rotation":  func() error { return s.SaveRotation(ctx, verify.Rotation{ServiceSID: service}) },
		"a purge":     func() error { return second(s.Purge(ctx)) },
	}, func(err error) bool { return errors.Is(err, context.Canceled) })
	for _, kept := range must[EnvironmentState](t)(s.State(t.Context())).Kept {
		if kept.Rows > 0 {
			t.Errorf("%+v", kept)
		}
	}
}

func whatWasNotBegunCannotBeFinished(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	errorsOf(t, map[string]func() error{
		"a resend":   func() error { return s.FinishResend(ctx, 99, verify.SendDone, "") },
		"a deletion": func() error { return s.FinishDeletions(ctx, verify.DeletionEnd{ID: 99, Outcome: "deleted", At: noon}) },
		"a creation": func() error { return s.FinishCreation(ctx, 99, verify.CreationDone, "") },
	}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "99") })
}

func sidsAreKnownInEitherLetterCase(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	challenge, factor := verify.ChallengeSID("YC"+strings.Repeat("ab", 16)), factorOf(0xabcdef)
	created := verify.CreatedChallenge{SID: challenge, ServiceSID: service, Identity: "somebody", FactorSID: factor.SID, Created: noon}
	claim := must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey))
	check(t, s.FulfilClaim(ctx, claim, created))
	second, _, err := s.ReserveResend(ctx, challenge, noon, 3)
	check(t, err)
	_, used, err := s.ReserveResend(ctx, otherCase(challenge), noon, 3)
	check(t, err)
	check(t, s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: challenge, Source: "app", At: noon}))
	check(t, s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: otherCase(challenge), Source: "app", At: noon}))
	check(t, s.SaveFactors(ctx, begin(t, s, verify.CrawlFull), []verify.EntityFactors{{Entity: entityOf(1), Factors: []verify.Factor{factor}, ReadAt: noon}}))
	_, found, err := s.CreatedChallenge(ctx, otherCase(challenge))
	check(t, err)
	owner, _, err := s.IdentityOf(ctx, string(otherCase(challenge)))
	check(t, err)
	receipts := must[[]verify.Receipt](t)(s.Receipts(ctx, otherCase(challenge)))
	factors := must[[]verify.IndexedFactor](t)(s.FindFactors(ctx, otherCase(factor.SID)))
	if second == 0 || used != 1 || !found || owner != "somebody" || len(receipts) != 1 || len(factors) != 1 {
		t.Errorf("%d used, found %v, of %q, %d receipts, %d factors", used, found, owner, len(receipts), len(factors))
	}
	gone := factor
	gone.SID = otherCase(factor.SID)
	check(t, s.FinishDeletions(ctx, verify.DeletionEnd{ID: record(t, s, gone, noon), Gone: true, At: noon}))
	if left := indexed(t, s); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

func aSpanHasItsBeginningAndNotItsEnd(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	for n := range 3 {
		putEventOf(t, s, n) // at noon and the seconds after
		record(t, s, factorOf(n), noon.Add(time.Duration(n)*time.Second))
		check(t, s.FulfilClaim(ctx, verify.Claim{Key: verify.ClaimKey{ActionID: fmt.Sprint(n)}}, created(n)))
	}
	from, until := noon.Add(time.Second), noon.Add(2*time.Second)
	if keys := storedKeys(t, s, event.StoredFilter{Since: from, Until: until}); !slices.Equal(keys, []string{strings.ToUpper(eventSID(1))}) {
		t.Errorf("events %v", keys)
	}
	deletions := 0
	for d, err := range s.Deletions(ctx, verify.DeletionFilter{Since: from, Until: until}) {
		check(t, err)
		if deletions++; !d.At.Equal(from) {
			t.Errorf("a deletion at %v", d.At)
		}
	}
	challenges := must[[]verify.CreatedChallenge](t)(s.ChallengesSince(ctx, from, 9))
	if deletions != 1 || len(challenges) != 2 || challenges[0].SID != challengeSID(2) {
		t.Errorf("%d deletions; challenges %+v", deletions, challenges)
	}
	if most := must[[]verify.CreatedChallenge](t)(s.ChallengesSince(ctx, noon, 1)); len(most) != 1 || most[0].SID != challengeSID(2) {
		t.Errorf("the newest one is %+v", most)
	}
}

func eventsOfOneInstantAreAllWalked(t *testing.T, w *world) {
	s := w.open(t)
	var all []putEvent
	for n := range 2*eventPage + 1 {
		stored, decoded := delivery(n)
		decoded.Timestamp = noon
		all = append(all, putEvent{stored, decoded})
	}
	must[[]bool](t)(s.commitEvents(t.Context(), all))
	keys := storedKeys(t, s, event.StoredFilter{})
	slices.Sort(keys)
	if unique := slices.Compact(slices.Clone(keys)); len(keys) != len(all) || len(unique) != len(all) {
		t.Errorf("%d events are walked, %d different ones, of %d", len(keys), len(unique), len(all))
	}
}

func purgingByAgeKeepsTheInstantItself(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	fillEverything(t, s) // all at noon, but events
	for _, kind := range Kinds() {
		if kind == kindIndex {
			if _, err := s.PurgeBefore(ctx, kind, noon); verify.KindOf(err) != verify.KindUsage {
				t.Errorf("the index is purged by age: %v", err)
			}
			continue
		}
		if gone := must[int](t)(s.PurgeBefore(ctx, kind, noon)); gone != 0 {
			t.Errorf("%d %s of the instant are purged", gone, kind)
		}
		if gone := must[int](t)(s.PurgeBefore(ctx, kind, noon.Add(2*time.Hour))); gone == 0 {
			t.Errorf("no %s is purged", kind)
		}
	}
	if c := must[verify.Claim](t)(s.ClaimChallenge(ctx, verify.ClaimKey{ServiceSID: service, ActionID: "a", FactorSID: factorSID(1)})); c.State != verify.ClaimMine {
		t.Errorf("the action of a purged challenge is %+v", c)
	}
	if resends, receipts := must[[]verify.Resend](t)(s.Resends(ctx, challengeSID(1))), must[[]verify.Receipt](t)(s.Receipts(ctx, challengeSID(1))); len(resends)+len(receipts) != 0 {
		t.Errorf("of a purged challenge there are %v and %v", resends, receipts)
	}
}

func purgingOneKindLeavesTheOthers(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	fillEverything(t, s)
	rows := func() map[Kind]int {
		all := map[Kind]int{}
		for _, kept := range must[EnvironmentState](t)(s.State(ctx)).Kept {
			all[kept.Kind] = kept.Rows
		}
		return all
	}
	want := rows()
	for _, kind := range Kinds() {
		if gone := must[map[Kind]int](t)(s.Purge(ctx, kind)); len(gone) != 1 || gone[kind] != want[kind] || gone[kind] == 0 {
			t.Errorf("of %s %v are purged, of %d", kind, gone, want[kind])
		}
		want[kind] = 0
		if diff := cmp.Diff(want, rows()); diff != "" {
			t.Errorf("after %s:\n%s", kind, diff)
		}
	}
	crawlAll(t, s, 3) // it can be filled again
}

func oneFactorOrOneEntityIsForgotten(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	crawlAll(t, s, 6)
	want := truth(upTo(6)...)
	there, gone := record(t, s, factorOf(1), noon), record(t, s, verify.Factor{SID: want[identityOf(5)][0], Identity: identityOf(5)}, noon)
	check(t, s.FinishDeletions(ctx, verify.DeletionEnd{ID: there, Outcome: "failed", At: noon}, verify.DeletionEnd{ID: gone, Gone: true, At: noon}))
	want[identityOf(5)] = want[identityOf(5)][1:]
	check(t, s.ForgetEntity(ctx, identityOf(2)))
	delete(want, identityOf(2))
	unknown := record(t, s, factorOf(999), noon)
	check(t, s.FinishDeletions(ctx, verify.DeletionEnd{ID: unknown, Gone: true, At: noon}))
	check(t, s.ForgetEntity(ctx, "nobody"))
	if diff := cmp.Diff(want, indexed(t, s)); diff != "" {
		t.Error(diff)
	}
}

func timesAreKeptToTheMicrosecond(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	at := noon.Add(123456 * time.Microsecond)
	r := verify.Rotation{ServiceSID: service, Platform: verify.PlatformAPN, Began: at.In(time.FixedZone("there", 3600))}
	check(t, s.SaveRotation(ctx, r))
	again, found, err := s.UnfinishedRotation(ctx, service, verify.PlatformAPN)
	check(t, err)
	if !found || !again.Began.Equal(at) || again.Began.Location() != time.UTC || !again.Attached.IsZero() {
		t.Errorf("it comes back as %+v", again)
	}
	for _, year := range []int{1, 1969, 9999} {
		early := verify.ItemOutcome{Plan: fmt.Sprint(year), Item: 1, At: time.Date(year, 12, 31, 23, 59, 59, 1000, time.UTC)}
		check(t, s.RecordOutcome(ctx, early))
		for o, err := range s.Outcomes(ctx, early.Plan) {
			check(t, err)
			if !o.At.Equal(early.At) {
				t.Errorf("%v comes back as %v", early.At, o.At)
			}
		}
	}
}

func anEmptyMemoryAnswers(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	within := event.Span{From: noon, Until: noon.Add(time.Hour)}
	n, first, last, err := s.EventSpan(ctx)
	check(t, err)
	_, rotation, err := s.UnfinishedRotation(ctx, service, verify.PlatformAPN)
	check(t, err)
	_, challenge, err := s.CreatedChallenge(ctx, challengeSID(1))
	check(t, err)
	_, identity, err := s.IdentityOf(ctx, string(factorSID(1)))
	check(t, err)
	if n != 0 || !first.IsZero() || !last.IsZero() || rotation || challenge || identity {
		t.Errorf("%d from %v to %v, %v, %v, %v", n, first, last, rotation, challenge, identity)
	}
	for what, list := range map[string]any{
		"resends":    must[[]verify.Resend](t)(s.Resends(ctx, challengeSID(1))),
		"receipts":   must[[]verify.Receipt](t)(s.Receipts(ctx, challengeSID(1))),
		"creations":  must[[]verify.Creation](t)(s.Creations(ctx, account)),
		"coverage":   must[[]event.Span](t)(s.Coverage(ctx, within)),
		"factors":    must[[]verify.IndexedFactor](t)(s.FindFactors(ctx, factorSID(1))),
		"identities": must[[]verify.Identity](t)(s.RecentIdentities(ctx, "", 0)),
		"challenges": must[[]verify.CreatedChallenge](t)(s.ChallengesSince(ctx, noon, 9)),
	} {
		if text := fmt.Sprintf("%#v", list); !strings.HasSuffix(text, "{}") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if gaps := must[[]event.Span](t)(s.Gaps(ctx, within)); !slices.Equal(gaps, []event.Span{within}) {
		t.Errorf("the gaps are %v", gaps)
	}
	if gone := must[map[Kind]int](t)(s.PurgeIdentity(ctx, "nobody")); gone[kindEvents] != 0 {
		t.Errorf("purged %v", gone)
	}
}

func everyIdentityThatIsReadIsTold(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	told := map[verify.Identity]int{}
	s.Met = func(identity verify.Identity) { told[identity]++ }
	crawlAll(t, s, 3)
	indexed(t, s)
	must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey))
	check(t, s.FulfilClaim(ctx, verify.Claim{Key: theKey}, created(1)))
	for _, read := range []func() error{
		func() error { return second(s.ChallengesSince(ctx, noon, 9)) },
		func() error { return second(s.RecentIdentities(ctx, "", 9)) },
	} {
		before := told[identityOf(1)]
		check(t, read())
		if told[identityOf(1)] <= before {
			t.Errorf("told of %v", told)
		}
	}
}

func aWalkThatIsLeftHoldsNothing(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	fillEverything(t, s)
	for range 2 * connections {
		for range s.FactorsWhere(ctx, nil) {
			break
		}
		for range s.Deletions(ctx, verify.DeletionFilter{}) {
			break
		}
		for range s.Outcomes(ctx, "p") {
			break
		}
		for range s.Events(ctx, event.StoredFilter{}) {
			break
		}
		for range s.SameToken(ctx) {
			break
		}
	}
	check(t, s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: challengeSID(1), At: noon}))
}

func workThatFailsGivesItsPlaceBack(t *testing.T, w *world) {
	s, other := w.open(t), w.another(t).open(t)
	broken := errors.New("it breaks")
	alone, err := s.Alone(t.Context(), "backfill", func(context.Context) error { return broken })
	if !alone || !errors.Is(err, broken) {
		t.Errorf("alone %v, %v", alone, err)
	}
	if !must[bool](t)(other.Alone(t.Context(), "backfill", func(context.Context) error { return nil })) {
		t.Error("the next one is not let in")
	}
}

func whatOneRecordsAnotherReads(t *testing.T, w *world) {
	a, b := w.open(t), w.another(t).open(t)
	ctx := t.Context()
	fillEverything(t, a)
	if len(storedKeys(t, b, event.StoredFilter{})) != 7 || len(indexed(t, b)) != 3 {
		t.Error("the other one does not see all of it")
	}
	if c := must[verify.Claim](t)(b.ClaimChallenge(ctx, verify.ClaimKey{ServiceSID: service, ActionID: "a", FactorSID: factorSID(1)})); c.State != verify.ClaimMade {
		t.Errorf("the challenge that one created is to the other %+v", c)
	}
	must[map[Kind]int](t)(b.Purge(ctx))
	if len(storedKeys(t, a, event.StoredFilter{})) != 0 {
		t.Error("what one purged the other still sees")
	}
}

func resendsCountForTheirChallenge(t *testing.T, w *world) {
	s := w.open(t)
	for n := range 3 {
		for want := range 2 {
			if id, used, err := s.ReserveResend(t.Context(), challengeSID(n), noon, 2); err != nil || id == 0 || used != want {
				t.Errorf("challenge %d: %d used, want %d (%v)", n, used, want, err)
			}
		}
		if id, used, err := s.ReserveResend(t.Context(), challengeSID(n), noon, 2); err != nil || id != 0 || used != 2 {
			t.Errorf("challenge %d: one too many is given out as %d after %d (%v)", n, id, used, err)
		}
	}
}

func aMemoryThatAnswersSaysSo(t *testing.T, w *world) {
	s := w.open(t)
	check(t, s.Reachable(t.Context()))
	check(t, s.Close())
	if s.Reachable(t.Context()) == nil {
		t.Error("a closed one answers")
	}
	check(t, w.open(t).Reachable(t.Context()))
}

// TestAReaderIsRefusedEachWrite says that no method writes for a role that reads, and that each is refused by name.
func TestAReaderIsRefusedEachWrite(t *testing.T) {
	w := sharedWorld(t)
	owner := w.open(t)
	fillEverything(t, owner)
	role := w.role(t)
	w.sql(t, `GRANT USAGE ON SCHEMA `+w.schema()+` TO `+role+`; GRANT SELECT ON ALL TABLES IN SCHEMA `+w.schema()+` TO `+role)
	at := w.shared()
	at.URL = w.as(role)
	s := must[*Store](t)(OpenShared(t.Context(), t.TempDir(), w.env(), at))
	defer s.Close()
	ctx := t.Context()
	before := w.everyRow(t)
	stored, decoded := delivery(99)
	errorsOf(t, map[string]func() error{
		"PutEvent":               func() error { return second(s.PutEvent(ctx, stored, decoded)) },
		"AddCoverage":            func() error { return s.AddCoverage(ctx, "alerts", event.Span{From: noon, Until: noon.Add(time.Hour)}) },
		"ClaimChallenge":         func() error { return second(s.ClaimChallenge(ctx, theKey)) },
		"FulfilClaim":            func() error { return s.FulfilClaim(ctx, verify.Claim{Key: theKey}, created(1)) },
		"AbandonClaim":           func() error { return s.AbandonClaim(ctx, verify.Claim{Key: theKey}, false) },
		"ReserveResend":          func() error { _, _, err := s.ReserveResend(ctx, challengeSID(9), noon, 3); return err },
		"FinishResend":           func() error { return s.FinishResend(ctx, 1, verify.SendDone, "") },
		"RecordReceipt":          func() error { return s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: challengeSID(9), At: noon}) },
		"Saw":                    func() error { return s.Saw(ctx, noon, map[verify.Identity][]string{"somebody": nil}) },
		"BeginCrawl":             func() error { return second(s.BeginCrawl(ctx, account, service, verify.CrawlFull, noon)) },
		"ForgetEntity":           func() error { return s.ForgetEntity(ctx, identityOf(1)) },
		"DeclareMetadata":        func() error { return s.DeclareMetadata(ctx, []string{"os"}) },
		"RecordDeletions":        func() error { return second(s.RecordDeletions(ctx, []verify.Factor{factorOf(9)}, "", "", noon)) },
		"FinishDeletions":        func() error { return s.FinishDeletions(ctx, verify.DeletionEnd{ID: 1, Outcome: "deleted", At: noon}) },
		"RecordOutcome":          func() error { return s.RecordOutcome(ctx, verify.ItemOutcome{Plan: "q", At: noon}) },
		"RememberCredentialFile": func() error { return s.RememberCredentialFile(ctx, credentialFile(s)) },
		"SaveRotation":           func() error { return s.SaveRotation(ctx, verify.Rotation{ServiceSID: service}) },
		"BeginCreation":          func() error { return second(s.BeginCreation(ctx, verify.Creation{})) },
		"FinishCreation":         func() error { return s.FinishCreation(ctx, 1, verify.CreationDone, "") },
		"Alone":                  func() error { return second(s.Alone(ctx, "backfill", func(context.Context) error { return nil })) },
		"Purge":                  func() error { return second(s.Purge(ctx)) },
		"PurgeBefore":            func() error { return second(s.PurgeBefore(ctx, kindSeen, noon)) },
		"PurgeIdentity":          func() error { return second(s.PurgeIdentity(ctx, identityOf(1))) },
	}, func(err error) bool {
		return verify.KindOf(err) == verify.KindRefused && strings.Contains(err.Error(), "the role "+role+" may only read")
	})
	if !slices.Equal(before, w.everyRow(t)) {
		t.Error("something was written")
	}
}
