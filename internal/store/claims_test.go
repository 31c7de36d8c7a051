package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/verifyctl/verifyctl/internal/verify"
)

var theKey = verify.ClaimKey{ServiceSID: service, ActionID: "payment-1", FactorSID: factorSID(1)}

func created(n int) verify.CreatedChallenge {
	return verify.CreatedChallenge{SID: challengeSID(n), ServiceSID: service, Identity: identityOf(1), FactorSID: factorSID(1),
		ActionID: "payment-1", Created: noon.Add(time.Duration(n) * time.Second), Expires: noon.Add(time.Hour)}
}

// claimers is how many runs one process stands for, each with a store of its own: starting a process is what takes long.
const claimers = 5

// claimAtOnce creates the challenge from several places at once.
func claimAtOnce(dir string) error {
	if os.Getenv("STORE_TEST_DIE") != "" {
		return claimOnce(dir)
	}
	var group errgroup.Group
	for range claimers {
		group.Go(func() error { return claimOnce(dir) })
	}
	return group.Wait()
}

// claimOnce does what creating a challenge does, with a file of a line for each challenge in the place of Twilio.
func claimOnce(dir string) error {
	ctx := context.Background()
	s, err := openAsChild(ctx, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		claim, err := s.ClaimChallenge(ctx, theKey)
		switch {
		case err != nil:
			return err
		case claim.State == verify.ClaimMade:
			return nil
		case claim.State == verify.ClaimElsewhere:
			time.Sleep(time.Millisecond)
			continue
		}
		n := os.Getpid()
		if claim.LookFirst {
			if sent, err := os.ReadFile(dir + "/twilio"); err == nil {
				fmt.Sscan(string(sent), &n)
				return s.FulfilClaim(ctx, claim, created(n))
			}
		}
		twilio, err := os.OpenFile(dir+"/twilio", os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		fmt.Fprintln(twilio, n)
		twilio.Close()
		if os.Getenv("STORE_TEST_DIE") != "" {
			p, _ := os.FindProcess(os.Getpid())
			p.Kill()
			select {}
		}
		return s.FulfilClaim(ctx, claim, created(n))
	}
}

func fiftyRunsInTenProcessesMakeOneChallenge(t *testing.T, w *world) {
	if testing.Short() {
		t.Skip("run without -short: it starts many programs")
	}
	for _, dies := range []bool{false, true} {
		t.Run(fmt.Sprintf("the first one dies %v", dies), func(t *testing.T) {
			w := w.fresh(t)
			if dies {
				first := w.child(t, "claim")
				first.Env = append(first.Env, "STORE_TEST_DIE=1")
				if err := first.Run(); err == nil {
					t.Fatal("the first process did not die")
				}
			}
			var running []*exec.Cmd
			for range 50 / claimers {
				cmd := w.child(t, "claim")
				check(t, cmd.Start())
				running = append(running, cmd)
			}
			for _, cmd := range running {
				check(t, cmd.Wait())
			}
			sent := strings.Fields(string(must[[]byte](t)(os.ReadFile(w.dir + "/twilio"))))
			if len(sent) != 1 {
				t.Fatalf("%d challenges were made: %v", len(sent), sent)
			}
			var n int
			fmt.Sscan(sent[0], &n)
			claim := must[verify.Claim](t)(w.open(t).ClaimChallenge(t.Context(), theKey))
			if claim.State != verify.ClaimMade || claim.ChallengeSID != challengeSID(n) {
				t.Errorf("afterwards the claim is %+v, and %s was made", claim, challengeSID(n))
			}
		})
	}
}

func fiftyCallersInOneProcessMakeOneChallenge(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	var mine sync.Map
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if claim := must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey)); claim.State == verify.ClaimMine {
				mine.Store(i, claim)
			}
		})
	}
	all.Wait()
	n := 0
	for range mine.Range {
		n++
	}
	if n != 1 {
		t.Errorf("%d callers may create the challenge", n)
	}
}

func aClaimFromItsBeginningToItsEnd(t *testing.T, w *world) {
	ctx := t.Context()
	claim := func(s *Store) verify.Claim { return must[verify.Claim](t)(s.ClaimChallenge(ctx, theKey)) }
	state := func(c verify.Claim) string { return fmt.Sprintf("%s look=%v %s", c.State, c.LookFirst, c.ChallengeSID) }
	expect := func(t *testing.T, c verify.Claim, want string) {
		t.Helper()
		if got := state(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	stores := func(t *testing.T) (*Store, *Store) {
		w := w.fresh(t)
		return w.open(t), w.open(t)
	}
	t.Run("fulfilled", func(t *testing.T) {
		a, b := stores(t)
		mine := claim(a)
		expect(t, mine, "mine look=false ")
		expect(t, claim(b), "elsewhere look=false ")
		expect(t, claim(a), "elsewhere look=false ")
		check(t, a.FulfilClaim(ctx, mine, created(1)))
		expect(t, claim(b), "made look=false "+string(challengeSID(1)))
		got, found, err := b.CreatedChallenge(ctx, challengeSID(1))
		if diff := cmp.Diff(created(1), got); err != nil || !found || diff != "" {
			t.Errorf("the challenge is remembered as %+v (%v, %v)", got, found, err)
		}
	})
	t.Run("another action, factor or Service is another claim", func(t *testing.T) {
		a, _ := stores(t)
		claim(a)
		for _, key := range []verify.ClaimKey{{ServiceSID: service, ActionID: "payment-2", FactorSID: factorSID(1)}, {ServiceSID: service, ActionID: "payment-1", FactorSID: factorSID(2)}, {ServiceSID: other, ActionID: "payment-1", FactorSID: factorSID(1)}} {
			expect(t, must[verify.Claim](t)(a.ClaimChallenge(ctx, key)), "mine look=false ")
		}
	})
	t.Run("refused by Twilio", func(t *testing.T) {
		a, b := stores(t)
		check(t, a.AbandonClaim(ctx, claim(a), false))
		expect(t, claim(b), "mine look=false ")
	})
	t.Run("outcome unknown", func(t *testing.T) {
		a, b := stores(t)
		check(t, a.AbandonClaim(ctx, claim(a), true))
		expect(t, claim(b), "mine look=true ")
	})
	t.Run("the claimer ends", func(t *testing.T) {
		a, b := stores(t)
		claim(a)
		check(t, a.Close())
		expect(t, claim(b), "mine look=true ")
	})
	t.Run("a late answer does not take the claim of another", func(t *testing.T) {
		a, b := stores(t)
		late := claim(a)
		check(t, a.AbandonClaim(ctx, late, true))
		now := claim(b)
		check(t, a.FulfilClaim(ctx, late, created(1)))
		expect(t, claim(a), "elsewhere look=false ")
		check(t, b.FulfilClaim(ctx, now, created(2)))
		check(t, a.FulfilClaim(ctx, late, created(1)))
		check(t, a.AbandonClaim(ctx, late, false))
		expect(t, claim(a), "made look=false "+string(challengeSID(2)))
	})
	t.Run("replaced once", func(t *testing.T) {
		a, b := stores(t)
		check(t, a.FulfilClaim(ctx, claim(a), created(1)))
		replace := func(s *Store, old int) verify.Claim {
			return must[verify.Claim](t)(s.ReplaceClaim(ctx, theKey, challengeSID(old)))
		}
		next := replace(a, 1)
		expect(t, next, "mine look=false ")
		expect(t, replace(b, 1), "elsewhere look=false ")
		check(t, a.FulfilClaim(ctx, next, created(2)))
		expect(t, replace(b, 1), "made look=false "+string(challengeSID(2)))
	})
}

func resendsAreCountedBeforeTheyAreSent(t *testing.T, w *world) {
	ctx := t.Context()
	s := w.open(t)
	reserve := func(s *Store) (int64, int) {
		t.Helper()
		id, used, err := s.ReserveResend(ctx, challengeSID(1), noon, 3)
		check(t, err)
		return id, used
	}
	first, _ := reserve(s)
	check(t, s.FinishResend(ctx, first, verify.SendDone, "NT00000000000000000000000000000001"))
	refused, _ := reserve(s)
	check(t, s.FinishResend(ctx, refused, verify.SendRefused, ""))
	again := w.open(t) // another process; nobody finishes the second
	if _, used := reserve(again); used != 1 {
		t.Errorf("%d count as used, want 1", used)
	}
	reserve(s)
	if id, used := reserve(again); id != 0 || used != 3 {
		t.Errorf("a fourth resend was given out: id %d after %d", id, used)
	}
	var outcomes []verify.SendOutcome
	for _, r := range must[[]verify.Resend](t)(s.Resends(ctx, challengeSID(1))) {
		outcomes = append(outcomes, r.Outcome)
	}
	if diff := cmp.Diff([]verify.SendOutcome{verify.SendDone, verify.SendRefused, verify.SendUnknown, verify.SendUnknown}, outcomes); diff != "" {
		t.Error(diff)
	}
}

func theFirstReceiptOfASourceCounts(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	for i, source := range []string{"app", "backend", "app"} {
		check(t, s.RecordReceipt(ctx, verify.Receipt{ChallengeSID: challengeSID(1), Source: source, At: noon.Add(time.Duration(i) * time.Second)}))
	}
	want := []verify.Receipt{{ChallengeSID: challengeSID(1), Source: "app", At: noon}, {ChallengeSID: challengeSID(1), Source: "backend", At: noon.Add(time.Second)}}
	if diff := cmp.Diff(want, must[[]verify.Receipt](t)(s.Receipts(ctx, challengeSID(1)))); diff != "" {
		t.Error(diff)
	}
}

func whatWasMetIsOfferedAgain(t *testing.T, w *world) {
	s := w.open(t)
	ctx := t.Context()
	check(t, s.Saw(ctx, noon, map[verify.Identity][]string{"alice-001": {string(factorSID(1))}}))
	check(t, s.Saw(ctx, noon.Add(time.Hour), map[verify.Identity][]string{"bernd-001": {}}))
	check(t, s.Saw(ctx, noon.Add(2*time.Hour), map[verify.Identity][]string{"alice-002": {}}))
	check(t, s.Saw(ctx, noon.Add(3*time.Hour), map[verify.Identity][]string{"alice-001": {}}))
	check(t, s.FulfilClaim(ctx, must[verify.Claim](t)(s.ClaimChallenge(ctx, verify.ClaimKey{})), created(5)))
	identities := func(prefix string, limit int) []verify.Identity {
		return must[[]verify.Identity](t)(s.RecentIdentities(ctx, prefix, limit))
	}
	if diff := cmp.Diff([]verify.Identity{"alice-001", "alice-002", "bernd-001", identityOf(1)}, identities("", 0)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]verify.Identity{"alice-001"}, identities("alice", 1)); diff != "" {
		t.Error(diff)
	}
	if got := must[[]string](t)(s.RecentSIDs(ctx, identityOf(1), "YC", 5)); len(got) != 1 || got[0] != string(challengeSID(5)) {
		t.Errorf("challenges of an identity: %v", got)
	}
	for sid, want := range map[string]verify.Identity{string(factorSID(1)): "alice-001", strings.ToLower(string(challengeSID(5))): identityOf(1), string(factorSID(9)): ""} {
		got, found, err := s.IdentityOf(ctx, sid)
		if err != nil || got != want || found != (want != "") {
			t.Errorf("%s belongs to %q (%v, %v), want %q", sid, got, found, err, want)
		}
	}
}
