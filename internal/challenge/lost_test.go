package challenge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// advancing is the simulator's clock, which sleeping moves.
type advancing struct{ *simulated }

func (a advancing) Now() time.Time { return a.now() }

func (a advancing) Sleep(ctx context.Context, d time.Duration) error {
	if err := a.Advance(ctx, d); err != nil {
		return err
	}
	return ctx.Err()
}

// breakConnections gives a rule that breaks a share of the connections.
func (s *simulated) breakConnections(t *testing.T, kind simulator.FaultKind, operation string, rate float64) {
	t.Helper()
	if _, err := s.AddFault(t.Context(), simulator.Fault{Kind: kind, Operation: operation, Rate: rate}); err != nil {
		t.Fatal(err)
	}
}

// TestAThousandRunsOverABadLine creates and resends over connections that break before and after Twilio has done its
// work, answers with errors in between, and operators who repeat what failed. There is never a second challenge of an
// action on a factor, one that exists is never reported as a plain failure, and no push is sent more often than asked.
func TestAThousandRunsOverABadLine(t *testing.T) {
	const atATime = 8
	runs := 1000
	if testing.Short() {
		runs = 100 // the detector of data races needs no more
	}
	w := world(android)
	for i := range runs {
		w.Services[0].Entities = append(w.Services[0].Entities, simulator.WorldEntity{Identity: fmt.Sprintf("run-%08d", i),
			Factors: []simulator.WorldFactor{{SID: fmt.Sprintf("YF%032d", i), Platform: "fcm"}}})
	}
	s := newSimulated(t, simulator.Options{World: w, Clock: simulator.Clock{Mode: simulator.ClockFrozen,
		At: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)}})
	s.breakConnections(t, simulator.FaultResetAfter, "CreateChallenge", 0.3)
	s.breakConnections(t, simulator.FaultResetBefore, "CreateChallenge", 0.2)
	s.breakConnections(t, simulator.FaultErrorAfter, "CreateChallenge", 0.1)
	s.breakConnections(t, simulator.FaultResetAfter, "ListChallenge", 0.05)
	s.breakConnections(t, simulator.FaultResetAfter, "CreateNotification", 0.4)
	machine, err := store.Open(t.Context(), t.TempDir(), "lost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { machine.Close() })
	var group sync.WaitGroup
	for worker := range atATime {
		group.Go(func() {
			for i := worker; i < runs; i += atATime {
				s.runOnce(t, machine, i)
			}
		})
	}
	group.Wait()
}

func (s *simulated) runOnce(t *testing.T, machine *store.Store, i int) {
	ctx, random := t.Context(), rand.New(rand.NewPCG(uint64(i), 2))
	identity, factor := verify.Identity(fmt.Sprintf("run-%08d", i)), verify.FactorSID(fmt.Sprintf("YF%032d", i))
	creator := struct {
		*twilio.Client
		twilio.Writer
	}{s.client, s.client.Writer()}
	once := challenge.Once{Creator: creator, Claims: machine, Clock: advancing{s}}
	order := challenge.Order{Service: serviceSID, Factor: verify.Factor{SID: factor, Identity: identity}, Fresh: true,
		Request: challenge.Request{Message: "Log in?", ActionID: fmt.Sprint("action-", i), Expires: time.Hour}}
	var created challenge.Created
	var err error
	for range 20 {
		created, err = once.Create(ctx, order)
		exist := s.challengesOf(t, factor)
		switch {
		case len(exist) > 1:
			t.Errorf("run %d: %d challenges of one action", i, len(exist))
			return
		case err != nil && len(exist) == 1 && verify.KindOf(err) != verify.KindPartial && !order.Fresh:
			// Nothing was sent by this try, and it said so.
		case err != nil && len(exist) == 1 && verify.KindOf(err) != verify.KindPartial:
			t.Errorf("run %d: a challenge exists and is reported as %v", i, err)
			return
		case err == nil && (len(exist) != 1 || exist[0] != created.Challenge.SID):
			t.Errorf("run %d: %s is reported, %v exist", i, created.Challenge.SID, exist)
			return
		}
		if err == nil {
			break
		}
		order.Fresh = false
	}
	if err != nil {
		t.Errorf("run %d: still %v", i, err)
		return
	}
	s.resendSome(t, machine, created.Challenge, 1+random.IntN(4))
}

// resendSome asks for some resends and holds the pushes that were tried against them.
func (s *simulated) resendSome(t *testing.T, machine *store.Store, c verify.Challenge, asked int) {
	resender := challenge.Resender{Env: verify.Environment{Name: "prod"}, Notifier: s.client.Writer(), Log: machine, Clock: advancing{s}}
	maybe := 0
	for range asked {
		resent, err := resender.Resend(t.Context(), c, time.Minute)
		if verify.KindOf(err) == verify.KindPartial && err != nil {
			maybe++
		} else if err == nil && resent.Notification.SID == "" {
			t.Errorf("%s: an accepted resend has no SID", c.SID)
		}
	}
	pushes, err := s.Pushes(context.Background(), simulator.PushFilter{Factor: string(c.FactorSID), Challenge: string(c.SID)})
	if err != nil {
		t.Error(err)
	}
	if sent := len(pushes) - 1; sent > asked || sent > verify.MaxNotifications || sent < min(asked, verify.MaxNotifications)-maybe {
		t.Errorf("%s: %d resends went out, %d were asked for and %d may have been sent", c.SID, sent, asked, maybe)
	}
}

// challengesOf looks at the world itself, past the line that breaks.
func (s *simulated) challengesOf(t *testing.T, factor verify.FactorSID) []verify.ChallengeSID {
	pushes, err := s.Pushes(context.Background(), simulator.PushFilter{Factor: string(factor)})
	if err != nil {
		t.Error(err)
	}
	var sids []verify.ChallengeSID
	for _, p := range pushes {
		if sid := verify.ChallengeSID(p.Challenge); len(sids) == 0 || sids[len(sids)-1] != sid {
			sids = append(sids, sid)
		}
	}
	return sids
}

// Each run has opened the machine's memory by itself, as processes do.
func TestFiftyRunsOnOneMachineMakeOneChallenge(t *testing.T) {
	const runs = 50
	s := newSimulated(t, simulator.Options{World: world(android)})
	s.breakConnections(t, simulator.FaultResetAfter, "CreateChallenge", 0.5)
	dir := t.TempDir()
	var group sync.WaitGroup
	sids := make([]verify.ChallengeSID, runs)
	for i := range runs {
		group.Go(func() {
			machine, err := store.Open(t.Context(), dir, "prod")
			if err != nil {
				t.Error(err)
				return
			}
			defer machine.Close()
			creator := struct {
				*twilio.Client
				twilio.Writer
			}{s.client, s.client.Writer()}
			once := challenge.Once{Creator: creator, Claims: machine, Clock: advancing{s}}
			created, err := once.Create(t.Context(), challenge.Order{Service: serviceSID,
				Factor:  verify.Factor{SID: android, Identity: user},
				Request: challenge.Request{Message: "Log in?", ActionID: "login-1", Expires: time.Hour}})
			if err != nil && verify.KindOf(err) != verify.KindPartial {
				t.Error(err)
			}
			sids[i] = created.Challenge.SID
		})
	}
	group.Wait()
	exist := s.challengesOf(t, android)
	if len(exist) != 1 {
		t.Fatalf("%d challenges, want 1", len(exist))
	}
	for i, sid := range sids {
		if sid != "" && sid != exist[0] {
			t.Errorf("run %d was told of %s, there is %s", i, sid, exist[0])
		}
	}
}
