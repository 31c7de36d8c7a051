package store

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// hostile is text that nobody should send: U+0000, bytes that are no UTF-8, quotes, a letter of four bytes.
const hostile = "a\x00b\x01c\xff\xfe'\";--\u202e\U0001F600"

func hostileBytesComeBackAsTheyCame(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	stored := event.Stored{Source: hostile, Received: noon, Body: all}
	decoded := event.Event{EventSID: hostile, Identity: hostile, FactorSID: hostile, ServiceSID: hostile, ChallengeSID: hostile, CredentialSID: hostile}
	must[bool](t)(s.PutEvent(ctx, stored, decoded))
	found := 0
	for e, err := range s.Events(ctx, event.StoredFilter{Identity: hostile, FactorSID: hostile, ChallengeSID: hostile}) {
		check(t, err)
		found++
		if string(e.Body) != string(all) || e.Source != hostile {
			t.Errorf("the event comes back as %q of %q", e.Body, e.Source)
		}
	}
	if identities := must[[]verify.Identity](t)(s.ChangedIdentities(ctx, noon)); found != 1 || !slices.Equal(identities, []verify.Identity{hostile}) {
		t.Errorf("%d found, of %q", found, identities)
	}
	// JSON, which Twilio's replies are, has no bytes that are no UTF-8.
	const name = "a\x00b\x01c'\"?"
	f := factorOf(1)
	f.FriendlyName, f.Metadata = name, map[string]string{name: name, "plain": "\x00"}
	crawl := begin(t, s, verify.CrawlFull)
	check(t, s.SaveFactors(ctx, crawl, []verify.EntityFactors{{Entity: entityOf(1), Factors: []verify.Factor{f}, ReadAt: noon}}))
	for _, pattern := range []string{"friendly_name ~ 'A?B?c*'", "friendly_name = " + strconv.Quote(name), "metadata.plain ~ '?'"} {
		condition, err := where.Parse(pattern, noon)
		check(t, err)
		n := 0
		for got, err := range s.FactorsWhere(ctx, condition) {
			check(t, err)
			n++
			if diff := cmp.Diff(f.Metadata, got.Metadata); diff != "" || got.FriendlyName != name {
				t.Errorf("the factor comes back as %q, %s", got.FriendlyName, diff)
			}
		}
		if n != 1 {
			t.Errorf("%d fit %s", n, pattern)
		}
	}
	if gone := must[map[Kind]int](t)(s.PurgeIdentity(ctx, hostile)); gone[kindEvents] != 1 {
		t.Errorf("purged %v", gone)
	}
}

func identitiesAreOrderedByTheirBytes(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	crawl := begin(t, s, verify.CrawlFull)
	names := []verify.Identity{"a", "B", "b", "A", "_", "-", "10", "9", "é", "e", "z", "\U0001F600", "\uffee", "ß", "Z", "a b", "a-b", "ab"}
	var page []verify.Entity
	var read []verify.EntityFactors
	for i, name := range names {
		e := verify.Entity{Identity: name, SID: entityOf(i).SID}
		f := factorOf(i)
		page, read = append(page, e), append(read, verify.EntityFactors{Entity: e, Factors: []verify.Factor{f}, ReadAt: noon})
	}
	check(t, s.SaveEntityPage(ctx, crawl, page, ""))
	var paged []verify.Identity
	for after := verify.Identity(""); ; after = paged[len(paged)-1] {
		next := must[[]verify.Entity](t)(s.NextEntities(ctx, crawl, after, 4))
		for _, e := range next {
			paged = append(paged, e.Identity)
		}
		if len(next) < 4 {
			break
		}
	}
	check(t, s.SaveFactors(ctx, crawl, read))
	var listed []verify.Identity
	for f, err := range s.FactorsWhere(ctx, nil) {
		check(t, err)
		listed = append(listed, f.Identity)
	}
	want := slices.Sorted(slices.Values(names))
	for what, got := range map[string][]verify.Identity{"pages of a crawl": paged, "factors": listed} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	if got := must[[]verify.Identity](t)(s.RecentIdentities(ctx, "a", 9)); !slices.Equal(got, []verify.Identity{"a", "a b", "a-b", "ab"}) {
		t.Errorf("begin with a: %q", got)
	}
}
