package event

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// other gives a SID that differs from the constants.
func other(prefix string) string { return prefix + strings.Repeat("fe", 16) }

// orders gives every order of the tokens.
func orders(tokens []string) [][]string {
	if len(tokens) < 2 {
		return [][]string{tokens}
	}
	var all [][]string
	for i := range tokens {
		for _, rest := range orders(without(tokens, i)) {
			all = append(all, append([]string{tokens[i]}, rest...))
		}
	}
	return all
}

func printList(tokens []string) string { return "[" + strings.Join(tokens, ", ") + "]" }

// eventOf gives the event of a list of correlation ids, with the code that counts most.
func eventOf(t testing.TB, ids any) Event {
	info := moreInfo()
	info["correlationIds"] = ids
	delete(info, "primaryCorrelationId")
	events := Parse([]byte(text(map[string]any{"error_code": "52103", "more_info": info})))
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return events[0]
}

// TestAllOrdersGiveOneAnswer: Twilio prints the ids in no fixed order.
func TestAllOrdersGiveOneAnswer(t *testing.T) {
	all := orders([]string{va, person, yf, yc})
	if len(all) != 24 {
		t.Fatalf("%d orders", len(all))
	}
	for _, tokens := range all {
		for _, ids := range []any{printList(tokens), strings.Join(tokens, ","), tokens, text(tokens)} {
			e := eventOf(t, ids)
			if e.ServiceSID != va || e.Identity != person || e.FactorSID != yf || e.ChallengeSID != yc || e.Ambiguous ||
				e.PruneEvidence != EvidenceStrong {
				t.Fatalf("%v: %+v", ids, e)
			}
		}
	}
}

// TestIdentities: an identity may look like anything. Whatever can be read in two ways is ambiguous.
func TestIdentities(t *testing.T) {
	for _, identity := range []string{
		person, hex32, other("US"), other("DD"), "DD6840aec40ad01ebc2001c0330000aa33", other("CA"), other("RU"),
		"crm-" + yf, strings.Repeat("a", 64), "12345678", "--------", strings.ToUpper(hex32), "CRM-1001", "VA-office",
		"jane@bank.example", "jane doe 1001", "naïve-user", "[x]-users", "a=b&c%d+e", "null-user",
	} {
		for _, tokens := range orders([]string{va, identity, yf, yc}) {
			e := eventOf(t, printList(tokens))
			if e.Identity != identity || e.FactorSID != yf || e.ServiceSID != va || e.Ambiguous {
				t.Errorf("identity %q in %v: %q %q ambiguous=%v %q", identity, tokens, e.Identity, e.FactorSID, e.Ambiguous, e.Reasons)
			}
		}
	}
}

func TestAmbiguity(t *testing.T) {
	for _, tc := range []struct {
		name             string
		tokens           []string
		factor, identity string
		candidates       []Candidate
		inEveryOrder     bool
	}{
		{"identity is a factor SID", []string{va, other("YF"), yf, yc}, "", "", []Candidate{
			{Identity: yf, FactorSID: other("YF"), ServiceSID: va, ChallengeSID: yc},
			{Identity: other("YF"), FactorSID: yf, ServiceSID: va, ChallengeSID: yc}}, true},
		{"identity is a Service SID", []string{va, other("VA"), yf, yc}, yf, "", []Candidate{
			{Identity: va, FactorSID: yf, ServiceSID: other("VA"), ChallengeSID: yc},
			{Identity: other("VA"), FactorSID: yf, ServiceSID: va, ChallengeSID: yc}}, true},
		{"identity is a challenge SID", []string{va, other("YC"), yf, yc}, yf, "", []Candidate{
			{Identity: yc, FactorSID: yf, ServiceSID: va, ChallengeSID: other("YC")},
			{Identity: other("YC"), FactorSID: yf, ServiceSID: va, ChallengeSID: yc}}, true},
		{"two factors", []string{va, person, yf, other("YF")}, "", person, []Candidate{
			{Identity: person, FactorSID: yf, ServiceSID: va}, {Identity: person, FactorSID: other("YF"), ServiceSID: va}}, true},
		{"identity is a credential SID, or missing", []string{va, other("CR"), yf, yc}, yf, "", []Candidate{
			{Identity: other("CR"), FactorSID: yf, ServiceSID: va, ChallengeSID: yc}}, true},
		{"identity looks like a cut SID", []string{va, "YF" + hex32[:30], yf, yc}, yf, "YF" + hex32[:30], []Candidate{
			{Identity: "YF" + hex32[:30], FactorSID: yf, ServiceSID: va, ChallengeSID: yc}}, true},
		{"two identities apart", []string{"first-user", va, "second-user", yf}, yf, "", []Candidate{
			{Identity: "first-user", FactorSID: yf, ServiceSID: va}, {Identity: "second-user", FactorSID: yf, ServiceSID: va}}, false},
		{"identity with a comma", []string{va, "doe", "jane", yf}, yf, "doe, jane", []Candidate{
			{Identity: "doe", FactorSID: yf, ServiceSID: va}, {Identity: "doe, jane", FactorSID: yf, ServiceSID: va},
			{Identity: "jane", FactorSID: yf, ServiceSID: va}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lists := [][]string{tc.tokens}
			if tc.inEveryOrder {
				lists = orders(tc.tokens)
			}
			for _, tokens := range lists {
				e := eventOf(t, printList(tokens))
				if !e.Ambiguous || e.PruneEvidence != EvidenceNone || e.FactorSID != tc.factor || e.Identity != tc.identity {
					t.Fatalf("%v: ambiguous=%v factor=%q identity=%q", tokens, e.Ambiguous, e.FactorSID, e.Identity)
				}
				if diff := cmp.Diff(tc.candidates, e.Candidates); diff != "" {
					t.Fatalf("%v: -want +got\n%s", tokens, diff)
				}
			}
		})
	}
}

func TestOddLists(t *testing.T) {
	cutYC := yc[:20]
	for _, tc := range []struct {
		name                               string
		ids                                any
		service, identity, factor, entity  string
		ambiguous, repaired, masked, prune bool
	}{
		{name: "empty", ids: "[]"},
		{name: "empty text", ids: ""},
		{name: "null", ids: nil},
		{name: "null inside", ids: "[null]"},
		{name: "list of null", ids: []any{nil}},
		{name: "commas", ids: "[, , ]"},
		{name: "a number", ids: 12, identity: "12"},
		{name: "a factor twice", ids: printList([]string{va, person, yf, yf, yc}), service: va, identity: person, factor: yf, prune: true},
		{name: "a factor in two cases", ids: printList([]string{va, person, yf, "YF" + strings.ToUpper(hex32)}), service: va, identity: person, factor: yf, prune: true},
		{name: "upper-case digits", ids: printList([]string{va, person, "YF" + strings.ToUpper(hex32), yc}), service: va, identity: person, factor: "YF" + strings.ToUpper(hex32), prune: true},
		{name: "lower-case prefix is no SID", ids: printList([]string{va, "yf" + hex32}), service: va, identity: "yf" + hex32},
		{name: "entity instead of identity", ids: printList([]string{va, "YE" + hex32, yf, yc}), service: va, entity: "YE" + hex32, factor: yf, prune: true},
		{name: "the event's own credential", ids: printList([]string{va, cr, yf, yc}), service: va, factor: yf, prune: true},
		{name: "cut inside the last SID", ids: strings.TrimSuffix(printList([]string{va, person, yf, cutYC}), "]"), service: va, identity: person, factor: yf, repaired: true},
		{name: "cut inside the factor", ids: "[" + va + ", " + person + ", " + yf[:33], service: va, identity: person, repaired: true},
		{name: "cut inside the identity", ids: "[" + va + ", " + yf + ", 7f9c2ba4-e8", service: va, factor: yf, repaired: true},
		{name: "a factor of 33 characters", ids: printList([]string{va, yf[:33]}), service: va, identity: yf[:33], ambiguous: true},
		{name: "no brackets", ids: strings.Join([]string{va, person, yf}, ", "), service: va, identity: person, factor: yf, prune: true},
		{name: "masked with x", ids: "[VAf510xxxxxxxxxxxxxxxxxxb8ae2e7251, test-identity, YF0314fxxxxxxxxxxxxxxxxxx1349180db]", service: "VAf510xxxxxxxxxxxxxxxxxxb8ae2e7251", identity: "test-identity", factor: "YF0314fxxxxxxxxxxxxxxxxxx1349180db", masked: true},
		{name: "masked with stars", ids: "[VAf510****7251, test-identity, YF0314f*******9180db]", service: "VAf510****7251", identity: "test-identity", factor: "YF0314f*******9180db", masked: true},
		{name: "masked with an ellipsis", ids: "[VA…7251, test-identity, YF03…db]", service: "VA…7251", identity: "test-identity", factor: "YF03…db", masked: true},
		{name: "masked identity", ids: printList([]string{va, "jane***", yf}), service: va, identity: "jane***", factor: yf, masked: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := eventOf(t, tc.ids)
			got := fmt.Sprintln(e.ServiceSID, e.Identity, e.FactorSID, e.EntitySID, e.Ambiguous, e.Repaired, e.Masked, e.PruneEvidence == EvidenceStrong)
			want := fmt.Sprintln(tc.service, tc.identity, tc.factor, tc.entity, tc.ambiguous, tc.repaired, tc.masked, tc.prune)
			if got != want {
				t.Errorf("got  %swant %sreasons %q", got, want, e.Reasons)
			}
		})
	}
}

// TestOrderNeverMatters: whatever four or five ids an event has, their order changes nothing that can lead to an action.
func TestOrderNeverMatters(t *testing.T) {
	token := rapid.OneOf(
		rapid.StringMatching(`(VA|YF|YC|YE|CR|NT|US|DD|AC)[0-9a-fA-F]{32}`),
		rapid.StringMatching(`(VA|YF|YC)[0-9a-f]{4}x{10,20}[0-9a-f]{4}`),
		rapid.StringMatching(`(YF|YC)[0-9a-f]{20,31}`),
		rapid.StringMatching(`[0-9a-z-]{8,20}`),
		rapid.SampledFrom([]string{va, yf, yc, person}),
	)
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(token, 0, 5).Draw(t, "tokens")
		mixed := rapid.Permutation(tokens).Draw(t, "mixed")
		a, b := new(idGroups).correlate(printList(tokens), nil), new(idGroups).correlate(printList(mixed), nil)
		if a.service != b.service || a.factor != b.factor || a.challenge != b.challenge || a.ambiguous != b.ambiguous {
			t.Fatalf("%q gives %+v, %q gives %+v", tokens, a, mixed, b)
		}
		if !a.ambiguous && a.identity != b.identity {
			t.Fatalf("%q gives identity %q, %q gives %q", tokens, a.identity, mixed, b.identity)
		}
		if _, g := gradeSID(a.factor); a.factor != "" && g != wholeSID && g != maskSID {
			t.Fatalf("%q gives factor %q", tokens, a.factor)
		}
	})
}
