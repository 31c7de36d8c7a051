package challenge

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const service = verify.ServiceSID("VA" + hex31 + "0")

func order(action string) Order {
	r := ok()
	r.ActionID = action
	return Order{Service: service, Factor: pushFactor("1", verify.FactorVerified), Request: r,
		Repeat: "verifyctl -e staging challenge create user-1001 --action-id " + action,
		AskNew: "verifyctl -e staging challenge create user-1001 --new --action-id " + action}
}

func newOnce() (Once, *fakeTwilio, *memory, *virtualClock) {
	clock := &virtualClock{now: noon}
	twilio, mem := newFakeTwilio(clock), newMemory()
	return Once{Creator: twilio, Claims: mem, Clock: clock}, twilio, mem, clock
}

func TestCreateReturnsThePendingChallengeOfTheAction(t *testing.T) {
	once, twilio, _, _ := newOnce()
	first, err := once.Create(t.Context(), order("login-1"))
	if err != nil || first.Existing || first.ActionID != "login-1" {
		t.Fatalf("first: %+v, %v", first, err)
	}
	again, err := once.Create(t.Context(), order("login-1"))
	if err != nil || !again.Existing || again.Challenge.SID != first.Challenge.SID {
		t.Errorf("again: %+v, %v; want the same challenge", again, err)
	}
	elsewhere := once
	elsewhere.Claims = newMemory() // another machine
	if got, err := elsewhere.Create(t.Context(), order("login-1")); err != nil || got.Challenge.SID != first.Challenge.SID {
		t.Errorf("from another machine: %+v, %v; want the same challenge", got, err)
	}
	otherFactor := order("login-1")
	otherFactor.Factor = pushFactor("2", verify.FactorVerified)
	if got, err := once.Create(t.Context(), otherFactor); err != nil || got.Existing {
		t.Errorf("the same action on another factor: %+v, %v; want a challenge of its own", got, err)
	}
	if got, err := once.Create(t.Context(), order("login-2")); err != nil || got.Existing {
		t.Errorf("another action: %+v, %v; want a challenge of its own", got, err)
	}
	if twilio.creates != 3 {
		t.Errorf("%d requests to create, want 3", twilio.creates)
	}
}

func TestCreateFindsThePendingChallengeBeforeTheListShowsIt(t *testing.T) {
	once, twilio, _, _ := newOnce()
	twilio.listLag = time.Minute
	first, _ := once.Create(t.Context(), order("login-1"))
	again, err := once.Create(t.Context(), order("login-1"))
	if err != nil || again.Challenge.SID != first.Challenge.SID || twilio.creates != 1 {
		t.Errorf("%+v, %v after %d requests; want the first challenge", again, err, twilio.creates)
	}
}

func TestCreateAfterAnAnswerNeedsNew(t *testing.T) {
	for _, status := range []verify.ChallengeStatus{verify.ChallengeApproved, verify.ChallengeDenied} {
		once, twilio, _, clock := newOnce()
		first, _ := once.Create(t.Context(), order("login-1"))
		twilio.answer(first.Challenge.SID, status)
		clock.now = clock.now.Add(48 * time.Hour) // far beyond the listing: the machine remembers
		_, err := once.Create(t.Context(), order("login-1"))
		var e *verify.Error
		if !errors.As(err, &e) || e.Kind != verify.KindRefused || !strings.Contains(e.Message, string(status)) || !strings.Contains(e.Hint, "--new") {
			t.Errorf("after %s: %v; want a refusal that names --new", status, err)
		}
		fresh := order("login-1")
		fresh.New = true
		if got, err := once.Create(t.Context(), fresh); err != nil || got.Existing || got.Challenge.SID == first.Challenge.SID {
			t.Errorf("with --new after %s: %+v, %v; want a new challenge", status, got, err)
		}
	}
}

func TestCreateAfterExpiryNeedsNothing(t *testing.T) {
	once, _, _, clock := newOnce()
	first, _ := once.Create(t.Context(), order("login-1"))
	clock.now = clock.now.Add(verify.DefaultChallengeTTL)
	if got, err := once.Create(t.Context(), order("login-1")); err != nil || got.Existing || got.Challenge.SID == first.Challenge.SID {
		t.Errorf("got %+v, %v; want a new challenge", got, err)
	}
}

func TestCreateLooksUpALostAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		fate    fate
		listLag time.Duration
		prepare func(*fakeTwilio)
		found   bool
	}{
		"processed":                     {fate{lost: true}, 0, nil, true},
		"processed, listed 10 s later":  {fate{lost: true}, 10 * time.Second, nil, true},
		"processed 5 s later":           {fate{late: 5 * time.Second}, 0, nil, true},
		"never processed":               {fate{never: true}, 0, nil, false},
		"processed after the look-up":   {fate{late: 40 * time.Second}, 0, nil, false},
		"processed, and all reads fail": {fate{lost: true}, 0, func(f *fakeTwilio) { f.readErr = errors.New("no route") }, false},
	} {
		once, twilio, _, clock := newOnce()
		twilio.fates, twilio.listLag = []fate{tc.fate}, tc.listLag
		fresh := order("login-1")
		fresh.Fresh = true
		if tc.prepare != nil {
			tc.prepare(twilio)
		}
		got, err := once.Create(t.Context(), fresh)
		if tc.found && (err != nil || !got.LookedUp || got.Existing || twilio.creates != 1) {
			t.Errorf("%s: %+v, %v after %d requests; want it found", name, got, err, twilio.creates)
		}
		if tc.found {
			continue
		}
		var e *verify.Error
		if !errors.As(err, &e) || e.Kind != verify.KindPartial || !strings.Contains(e.Message, "may have been created") ||
			!strings.Contains(e.Hint, "--action-id login-1") || twilio.creates != 1 {
			t.Errorf("%s: %v after %d requests; want a report that it may exist, and nothing sent again", name, err, twilio.creates)
		}
		twilio.readErr = nil
		again, err := once.Create(t.Context(), order("login-1"))
		if made := twilio.made("login-1"); err != nil || len(made) != 1 || made[0].SID != again.Challenge.SID {
			t.Errorf("%s: the same command again gave %+v, %v, and there are %d challenges; want one", name, again, err, len(made))
		}
		if clock.Now().Before(noon.Add(time.Minute)) && tc.fate.never {
			t.Errorf("%s: it was sent again while the first request could still be on its way", name)
		}
	}
}

// A user may approve within the seconds in which the answer of the creation is looked up.
func TestCreateFindsALostChallengeThatIsAnsweredAlready(t *testing.T) {
	for _, anew := range []bool{false, true} {
		once, twilio, _, _ := newOnce()
		twilio.fates = []fate{{lost: true}}
		twilio.readErr = errors.New("no route")
		o := order("login-1")
		o.Fresh, o.New = true, anew
		if _, err := once.Create(t.Context(), o); verify.KindOf(err) != verify.KindPartial {
			t.Fatalf("got %v, want an unknown outcome", err)
		}
		twilio.readErr = nil
		twilio.answer(twilio.challenges[0].SID, verify.ChallengeApproved)
		o.Fresh = false
		got, err := once.Create(t.Context(), o)
		if err != nil || got.Challenge.Status != verify.ChallengeApproved || twilio.creates != 1 {
			t.Errorf("new=%v: %+v, %v after %d requests; want the approved challenge", anew, got, err, twilio.creates)
		}
	}
}

func TestCreateReportsARefusalAsItIs(t *testing.T) {
	once, twilio, mem, _ := newOnce()
	twilio.fates = []fate{{err: &verify.Error{Kind: verify.KindFailed, TwilioCode: 60318, Message: "not verified"}}}
	_, err := once.Create(t.Context(), order("login-1"))
	if verify.CodeOf(err) != 60318 || twilio.reads != 1 {
		t.Errorf("got %v after %d reads; want Twilio's own refusal and no look-up", err, twilio.reads)
	}
	if claim, err := mem.ClaimChallenge(t.Context(), verify.ClaimKey{ServiceSID: service, ActionID: "login-1",
		FactorSID: order("login-1").Factor.SID}); err != nil || claim.LookFirst {
		t.Errorf("it is remembered as of unknown outcome: %+v, %v", claim, err)
	}
}

// A refused second try for an answered action does not make the machine forget the answer.
func TestCreateRefusedKeepsWhatTheActionHas(t *testing.T) {
	once, twilio, _, clock := newOnce()
	first, _ := once.Create(t.Context(), order("login-1"))
	twilio.answer(first.Challenge.SID, verify.ChallengeApproved)
	clock.now = clock.now.Add(48 * time.Hour)
	twilio.fates = []fate{{err: &verify.Error{Kind: verify.KindLimit, TwilioCode: 20429}}}
	anew := order("login-1")
	anew.New = true
	if _, err := once.Create(t.Context(), anew); verify.CodeOf(err) != 20429 {
		t.Fatalf("got %v", err)
	}
	if _, err := once.Create(t.Context(), order("login-1")); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("got %v; want a refusal because the action was approved", err)
	}
}

func TestCreateAfterAKilledRunLooksFirst(t *testing.T) {
	once, twilio, mem, _ := newOnce()
	o := order("login-1")
	if _, err := mem.ClaimChallenge(t.Context(), verify.ClaimKey{ServiceSID: service, ActionID: "login-1", FactorSID: o.Factor.SID}); err != nil {
		t.Fatal(err)
	}
	twilio.CreateChallenge(t.Context(), service, "user-1001", o.Request.newChallenge(o.Factor.SID, noon))
	mem.kill()
	twilio.listLag = 30 * time.Second
	o.Fresh = true
	got, err := once.Create(t.Context(), o)
	if err != nil || !got.LookedUp || twilio.creates != 1 {
		t.Errorf("%+v, %v after %d requests; want the challenge of the killed run", got, err, twilio.creates)
	}
}

func TestCreateSendsNothingThatCannotBeWrittenDown(t *testing.T) {
	once, twilio, mem, _ := newOnce()
	mem.err = errors.New("disk full")
	if _, err := once.Create(t.Context(), order("login-1")); err == nil || twilio.creates != 0 {
		t.Errorf("got %v after %d requests; want an error and none", err, twilio.creates)
	}
}

func TestCreateInterruptedSaysWhatMayHaveHappened(t *testing.T) {
	once, twilio, _, _ := newOnce()
	ctx, cancel := context.WithCancel(t.Context())
	once.Creator = interrupting{twilio, cancel}
	_, err := once.Create(ctx, order("login-1"))
	var e *verify.Error
	if !errors.As(err, &e) || e.Kind != verify.KindInterrupted || !strings.Contains(e.Message, "may have been created") || e.Hint == "" {
		t.Errorf("got %v; want an interruption that names what may exist", err)
	}
	once.Creator = twilio
	got, err := once.Create(t.Context(), order("login-1"))
	if err != nil || twilio.creates != 1 || !got.Existing {
		t.Errorf("continued with %+v, %v after %d requests; want the challenge of the interrupted run", got, err, twilio.creates)
	}
}

// interrupting cancels the run while its request is under way.
type interrupting struct {
	*fakeTwilio
	cancel func()
}

func (i interrupting) CreateChallenge(ctx context.Context, svc verify.ServiceSID, id verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
	_, err := i.fakeTwilio.CreateChallenge(ctx, svc, id, n)
	i.cancel()
	return verify.Challenge{}, errors.Join(err, ctx.Err())
}

func TestFiftyParallelRunsMakeOneChallenge(t *testing.T) {
	for _, first := range []fate{{}, {lost: true}, {never: true}, {late: 20 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			twilio, mem := newFakeTwilio(bubbleClock{}), newMemory()
			twilio.fates = []fate{first}
			var wg sync.WaitGroup
			results := make([]Created, 50)
			errs := make([]error, 50)
			for i := range results {
				wg.Go(func() {
					once := Once{Creator: slow{twilio}, Claims: mem, Clock: bubbleClock{}}
					results[i], errs[i] = once.Create(t.Context(), order("login-1"))
				})
			}
			wg.Wait()
			made := twilio.made("login-1")
			if len(made) != 1 {
				t.Fatalf("first request %+v: %d challenges, want 1", first, len(made))
			}
			for i, err := range errs {
				if err == nil && results[i].Challenge.SID != made[0].SID || err != nil && verify.KindOf(err) != verify.KindPartial {
					t.Errorf("first request %+v: run %d got %+v, %v", first, i, results[i], err)
				}
			}
		})
	}
}

// slow takes a while for each request, so that runs overlap.
type slow struct{ *fakeTwilio }

func (s slow) CreateChallenge(ctx context.Context, svc verify.ServiceSID, id verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
	bubbleClock{}.Sleep(ctx, 2*time.Second)
	return s.fakeTwilio.CreateChallenge(ctx, svc, id, n)
}

// In any order of lost, late and refused requests, with users that answer and operators that repeat the command: one
// challenge, and an outcome that is never reported as a plain failure when the challenge may exist.
func TestNeverTwoChallengesForOneAction(t *testing.T) {
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 1))
		once, twilio, _, clock := newOnce()
		twilio.listLag = time.Duration(random.IntN(5)) * time.Second
		for range random.IntN(4) {
			twilio.fates = append(twilio.fates, []fate{{lost: true}, {never: true},
				{late: time.Duration(random.IntN(50)) * time.Second}, {err: errors.New("refused")}}[random.IntN(4)])
		}
		var last Created
		var err error
		for run := range 6 {
			before := len(twilio.made("login-1"))
			o := order("login-1")
			o.Fresh = run == 0
			last, err = once.Create(t.Context(), o)
			after := len(twilio.made("login-1"))
			if after > 1 {
				t.Fatalf("seed %d, run %d: %d challenges", seed, run, after)
			}
			if after > before && err != nil && verify.KindOf(err) != verify.KindPartial {
				t.Fatalf("seed %d, run %d: a challenge was made and reported as %v", seed, run, err)
			}
			if err == nil {
				break
			}
			clock.Sleep(t.Context(), time.Duration(random.IntN(20))*time.Second)
		}
		if err != nil || last.Challenge.SID != twilio.made("login-1")[0].SID {
			t.Fatalf("seed %d: ended with %+v, %v", seed, last, err)
		}
	}
}

// Looking first cannot be skipped by a run that was not able to.
func TestCreateThatCouldNotLookLeavesTheDuty(t *testing.T) {
	once, twilio, _, _ := newOnce()
	twilio.fates, twilio.readErr = []fate{{never: true}}, errors.New("no route")
	for range 2 {
		if _, err := once.Create(t.Context(), order("login-1")); err == nil {
			t.Fatal("created without looking")
		}
		once.Create(t.Context(), order("login-1"))
	}
	if twilio.creates != 0 {
		t.Fatalf("%d requests without a look at what is there", twilio.creates)
	}
	twilio.readErr = nil
	once.Create(t.Context(), order("login-1")) // gets no answer
	twilio.readErr = errors.New("no route")
	once.Create(t.Context(), order("login-1")) // cannot look
	twilio.readErr = nil
	before := once.Clock.Now()
	if _, err := once.Create(t.Context(), order("login-1")); err != nil || once.Clock.Now().Sub(before) < inFlight || twilio.creates != 2 {
		t.Errorf("%v after %v and %d requests; want a look of a minute before the second", err, once.Clock.Now().Sub(before), twilio.creates)
	}
}

// The claim of a machine that is lost is gone on with by its word only, and after a look for what it may have sent.
func TestCreateInThePlaceOfALostMachine(t *testing.T) {
	for _, sent := range []bool{true, false} {
		once, twilio, mem, clock := newOnce()
		lost := order("login-1")
		key := verify.ClaimKey{ServiceSID: lost.Service, ActionID: "login-1", FactorSID: lost.Factor.SID}
		if _, err := mem.ClaimChallenge(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if sent {
			if _, err := twilio.CreateChallenge(t.Context(), lost.Service, lost.Factor.Identity, lost.Request.newChallenge(lost.Factor.SID, clock.Now())); err != nil {
				t.Fatal(err)
			}
		}
		began := clock.Now()
		here := lost
		here.TakeOver = true
		created, err := once.Create(t.Context(), here)
		if err != nil || twilio.creates != 1 || created.Existing != sent {
			t.Errorf("sent %v: %+v, %v, %d requests", sent, created, err, twilio.creates)
		}
		if !sent && clock.Now().Sub(began) < inFlight {
			t.Errorf("it was asked again after a look of %v only", clock.Now().Sub(began))
		}
	}
}

// A run on another machine is named, with what to do when that machine is lost.
func TestAWaitForAnotherMachineSaysWhichAndWhatElse(t *testing.T) {
	var said string
	run := creation{Once: Once{Notice: func(s string) { said = s }}, order: Order{AskOver: "verifyctl … --take-over"},
		key: verify.ClaimKey{ActionID: "login-1"}}
	run.waitsFor(verify.Claim{Machine: "ci-7", Since: noon})
	for _, word := range []string{"ci-7", "login-1", noon.UTC().Format(time.RFC3339), "verifyctl … --take-over"} {
		if !strings.Contains(said, word) {
			t.Errorf("%q does not say %q", said, word)
		}
	}
}

// A run that waited for another one has the same outcome, even when the user was faster than its next look.
func TestCreateThatWaitedSharesTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		twilio, mem := newFakeTwilio(bubbleClock{}), newMemory()
		once := Once{Creator: answering{twilio}, Claims: mem, Clock: bubbleClock{}}
		var wg sync.WaitGroup
		var results [2]Created
		var errs [2]error
		for i := range results {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				results[i], errs[i] = once.Create(t.Context(), order("login-1"))
			})
		}
		wg.Wait()
		if errors.Join(errs[:]...) != nil || results[0].Challenge.SID != results[1].Challenge.SID || twilio.creates != 1 {
			t.Errorf("got %+v, %v", results, errs)
		}
	})
}

// answering has a user who approves at once.
type answering struct{ *fakeTwilio }

func (a answering) CreateChallenge(ctx context.Context, svc verify.ServiceSID, id verify.Identity, n verify.NewChallenge) (verify.Challenge, error) {
	bubbleClock{}.Sleep(ctx, 2*time.Second)
	made, err := a.fakeTwilio.CreateChallenge(ctx, svc, id, n)
	a.answer(made.SID, verify.ChallengeApproved)
	return made, err
}
