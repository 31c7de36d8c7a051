package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// seenAt makes a look at one environment in which everything passes but the checks given.
func seenAt(at time.Time, results ...Result) Look {
	snap := &snapshot{Env: verify.Environment{Name: "live", ServiceSID: serviceSID(1)}, Now: at,
		Events: got(alerts{}), Capture: got(Capture{Covered: []event.Span{{From: at.Add(-day1), Until: at}}})}
	r := Report{At: at, Environments: []header{{Name: "live"}}, snapshots: []*snapshot{snap},
		Evidence: evidence{LookedAt: true, Since: at.Add(-time.Hour), Until: at}}
	r.Results = append(results, Result{Environment: "live", Check: "SVC-02", Severity: severityFail, answer: answer{Status: Pass}})
	return Look{At: at, Report: r, Requests: 14}
}

const day1 = 24 * time.Hour

func result(check string, status Status, reason string) Result {
	return Result{Environment: "live", Check: check, Severity: severityFail, answer: answer{Status: status, Reason: reason}}
}

// unread is a check of which Twilio told nothing.
func unreadCheck(check string) Result {
	r := result(check, Unknown, "the Verify Service could not be read: no answer in time")
	r.ReadFailed = true
	return r
}

func pushErrorAt(l Look, sid string, at time.Time) Look {
	code := 52134
	events := &l.Report.snapshots[0].Events.Value.Events
	*events = append(*events, event.Event{EventSID: sid, Timestamp: at, ErrorCode: &code, ErrorName: "Invalid\x1b[2J token", ServiceSID: string(serviceSID(1)),
		Verdict: event.TokenInvalid, Product: event.ProductVerifyPush})
	return l
}

func TestAWatchTellsWhatChanges(t *testing.T) {
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	broken := func(minute int) Look { return seenAt(at(minute), result("PUSH-APN-01", Fail, "the wrong sandbox")) }
	withChallenges := broken(5)
	withChallenges.Challenges = map[string]ChallengeCounts{"live": {Approved: 2, Expired: 1, Unread: 1}}
	stale := broken(6)
	stale.Report.snapshots[0].Capture = got(Capture{Events: 3, Covered: []event.Span{{From: noon.Add(-day1), Until: noon.Add(-3 * time.Hour)}}})
	unevidenced := broken(8)
	unevidenced.Report.Evidence = evidence{Why: "HTTP 403, denied"}
	watch := NewWatch(time.Minute)
	for _, step := range []struct {
		look Look
		want []string // behind the time
	}{
		{seenAt(at(0)), []string{"live ok: 0 failed, 0 warnings, 0 unknown, 1 passed", "live events captured here: up to date; 0 events, complete until 12:00 UTC"}},
		{seenAt(at(1)), nil},
		{broken(2), []string{"live FAIL: 1 failed, 0 warnings, 0 unknown, 1 passed", "live PUSH-APN-01 FAIL: the wrong sandbox"}},
		{pushErrorAt(broken(3), "NO1", at(2)), []string{"push errors 52134 Invalid?[2J token: 1 in the last 30 minutes, 1 since 11:03 UTC"}},
		{pushErrorAt(broken(4), "NO1", at(2)), nil}, // the same one
		{pushErrorAt(pushErrorAt(broken(4), "NO1", at(2)), "NO2", at(1)), []string{"push errors 52134 Invalid?[2J token: 2 in the last 30 minutes, 2 since 11:04 UTC"}},
		{withChallenges, []string{"live challenges created here: 2 approved, 0 denied, 1 expired, 0 pending, 1 not read"}},
		{stale, []string{"live events captured here: no backfill since 09:00 UTC; 3 events, complete until 09:00 UTC"}},
		{broken(7), []string{"live events captured here: up to date; 0 events, complete until 12:07 UTC"}},
		{unevidenced, []string{"push errors not known: HTTP 403, denied"}},
		// What cannot be read is unknown, and never in order again.
		{seenAt(at(9), unreadCheck("PUSH-APN-01")), []string{"live UNKNOWN: 0 failed, 0 warnings, 1 unknown, 1 passed; not everything could be read: the Verify Service could not be read: no answer in time",
			"live PUSH-APN-01 UNKNOWN: the Verify Service could not be read: no answer in time"}},
		{Look{At: at(10), Err: errors.New("the file is\x1b gone")}, nil},
		{seenAt(at(11), result("PUSH-APN-01", Pass, "they match")), []string{"live ok: 0 failed, 0 warnings, 0 unknown, 2 passed", "live events captured here: up to date; 0 events, complete until 12:11 UTC"}},
	} {
		if watch = watch.See(step.look); step.want == nil {
			step.want = []string{}
		}
		for i := range step.want {
			step.want[i] = step.look.At.UTC().Format(time.RFC3339) + " " + step.want[i]
		}
		if news := watch.News(); !slices.Equal(news, step.want) {
			t.Errorf("at %s:\n%q\nwant\n%q", step.look.At.Format("15:04"), news, step.want)
		}
	}
}

func TestAWatchIsSlowedByA429AndStaysSo(t *testing.T) {
	slowed := seenAt(noon)
	slowed.Throttled = true
	watch := NewWatch(time.Minute).See(seenAt(noon))
	if got := watch.Cost(); got != "14 requests a look, one every 1m" {
		t.Errorf("cost: %s", got)
	}
	watch = watch.See(slowed).See(seenAt(noon))
	if watch.Pause() != 2*time.Minute || watch.Cost() != "14 requests a look, one every 2m, less often since Twilio answered 429" {
		t.Errorf("after a 429 it waits %s: %s", watch.Pause(), watch.Cost())
	}
	for range 9 {
		watch = watch.See(slowed)
	}
	if watch.Pause() != slowestWatch {
		t.Errorf("after ten it waits %s", watch.Pause())
	}
	if rare := NewWatch(time.Hour).See(slowed); rare.Pause() != time.Hour {
		t.Errorf("a rare look comes sooner after a 429: %s", rare.Pause())
	}
}

func TestAWatchEndsAsDoctorDoes(t *testing.T) {
	for _, c := range []struct {
		look Look
		want verify.Kind
	}{
		{seenAt(noon, result("PUSH-APN-01", Fail, "")), verify.KindFailed},
		{seenAt(noon, unreadCheck("PUSH-APN-01")), verify.KindPartial},
		{Look{Err: errors.New("nothing")}, verify.KindPartial},
	} {
		if err := NewWatch(time.Minute).See(c.look).Outcome(FailOnFail); verify.KindOf(err) != c.want {
			t.Errorf("%+v: %v, want %v", c.look.Report.Results, err, c.want)
		}
	}
	if err := NewWatch(time.Minute).See(seenAt(noon)).Outcome(FailOnFail); err != nil {
		t.Error(err)
	}
}

func TestTheScreenOfAWatch(t *testing.T) {
	look := seenAt(noon.Add(5*time.Minute), result("PUSH-APN-01", Fail, "the wrong sandbox"), result("SVC-01", Warn, "a name"), unreadCheck("PUSH-FCM-01"))
	look = pushErrorAt(pushErrorAt(look, "NO1", noon), "NO2", noon)
	look.Challenges = map[string]ChallengeCounts{"live": {Approved: 2}}
	first := seenAt(noon, result("PUSH-APN-01", Fail, "the wrong sandbox"))
	const want = `Looked at 12:05:00 UTC; 14 requests a look, one every 1m.

FAIL    live since 12:00 UTC: 1 failed, 1 warning, 1 unknown, 1 passed; not everything could be read: the Verify Service could not be read: no answer in time

PUSH ERRORS A MINUTE, the last 30 minutes
  000000000000000000000000200000  52134 Invalid?[2J token: 2 in the last 30 minutes, 2 since 11:05 UTC

CHALLENGES CREATED HERE since 11:05 UTC
  live: 2 approved, 0 denied, 0 expired, 0 pending

EVENTS CAPTURED HERE
  live: up to date; 0 events, complete until 12:05 UTC

CHECKS
FAIL    live PUSH-APN-01 since 12:00 UTC: the wrong sandbox
WARN    live SVC-01 since 12:05 UTC: a name
`
	digits := func(counts []int) string {
		var line strings.Builder
		for _, n := range counts {
			line.WriteByte(byte('0' + n))
		}
		return line.String()
	}
	if got := NewWatch(time.Minute).See(first).See(look).Text(unpainted, digits); got != want {
		t.Errorf("the screen is\n%s", got)
	}
}

// A place of which nothing could be read is never in order, however little its checks matter.
func TestAPlaceThatWasNotReadIsNotInOrder(t *testing.T) {
	minor := unreadCheck("AUTH-06")
	minor.Severity = severityInfo
	account := minor
	account.Environment, account.perAccount, account.AccountSID = "", true, "AC1"
	watch := NewWatch(time.Minute).See(seenAt(noon, minor, account))
	for _, want := range []string{"live UNKNOWN: ", "AC1 UNKNOWN: "} {
		if news := strings.Join(watch.News(), "\n"); !strings.Contains(news, want) {
			t.Errorf("%q is missing in\n%s", want, news)
		}
	}
}
