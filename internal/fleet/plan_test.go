package fleet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var planTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// samplePlan is a plan with everything that a plan can have.
func samplePlan(t testing.TB) (Plan, []byte) {
	t.Helper()
	f := verify.Factor{SID: "YF00000000000000000000000000000001", Identity: "user-0001", FriendlyName: "Jane's <phone> \xff\u2028", DateUpdated: planTime.Add(-30 * day)}
	f.Config.Platform = verify.PlatformFCM
	rules := Rules{MinUnanswered: 1, Quiet: verify.Period(14 * day), Idle: verify.Period(36 * time.Hour)}
	dead := itemOf(f, Delete, reasonDeadToken, "52103 and silence")
	dead.Evidence = &Evidence{
		Event:    &deadToken{EventSID: "NO00000000000000000000000000000001", Code: 52103, At: planTime.Add(-20 * day), Platform: "fcm", Grade: event.EvidenceStrong},
		LastSeen: planTime.Add(-40 * day), Unanswered: 2, LastUnanswered: planTime.Add(-15 * day),
	}
	other := f
	other.SID = "YF00000000000000000000000000000002"
	masked := verify.Factor{SID: "YF0314fxxxxxxxxxxxxxxxxxx1349180db", Identity: "test-identity"}
	plan := newPlan(worldEnv, purposePrune, planTime, verify.Period(day), []PlanItem{
		itemOf(masked, Keep, reasonMasked, "the SID is not whole"), itemOf(other, Defer, reasonStorm, "a storm"), dead,
	})
	plan.Header.Rules = &rules
	plan.Header.Evidence = &coverage{From: planTime.Add(-30 * day), Until: planTime, Events: 3, Others: 7, Gaps: []event.Span{{From: planTime.Add(-3 * day), Until: planTime.Add(-2 * day)}}}
	plan.Header.Storms = []Storm{{Platform: "fcm", Code: 52103, From: planTime.Add(-9 * day), Until: planTime.Add(-9 * day), Factors: 7, Of: 20}}
	var text bytes.Buffer
	if _, err := plan.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return plan, text.Bytes()
}

func TestPlanReadsBackAsWritten(t *testing.T) {
	plan, text := samplePlan(t)
	got, err := ReadPlan(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(plan, got); diff != "" {
		t.Error(diff)
	}
	if len(got.Deletes()) != 1 || got.Deletes()[0].FactorSID != "YF00000000000000000000000000000001" {
		t.Errorf("the factors to delete are %v", got.Deletes())
	}
	lines := strings.SplitAfter(string(text), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], `{"verifyctl_plan":1,"purpose":"prune","environment":"test"`) || lines[4] != `{"sha256":"`+plan.ID+`"}`+"\n" {
		t.Errorf("the plan is\n%s", text)
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	_, text := samplePlan(t)
	step := 1
	if testing.Short() {
		step = 10 // one thing after the other: there is no data race to be found
	}
	for i := 0; i < len(text); i += step {
		for _, b := range []byte{text[i] ^ 1, text[i] ^ 0x20, ' ', '\n', 0} {
			if b == text[i] {
				continue
			}
			changed := bytes.Clone(text)
			changed[i] = b
			mustRefuse(t, changed, i)
		}
		mustRefuse(t, append(bytes.Clone(text[:i]), text[i+1:]...), i)
		mustRefuse(t, text[:i], i)
	}
	mustRefuse(t, append(bytes.Clone(text), '\n'), len(text))
	mustRefuse(t, append(bytes.Clone(text), text...), len(text))
}

func mustRefuse(t *testing.T, text []byte, at int) {
	t.Helper()
	plan, err := ReadPlan(bytes.NewReader(text))
	if err == nil || verify.KindOf(err) != verify.KindRefused || len(plan.Items) > 0 {
		t.Fatalf("changed at byte %d: %v, %d items", at, err, len(plan.Items))
	}
}

// A plan that was edited by somebody who also wrote a new SHA-256 still has to be one that verifyctl could have written.
func TestPlansThatVerifyctlNeverWritesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"a factor twice":            func(p *Plan) { p.Items[1].FactorSID = p.Items[0].FactorSID },
		"a masked factor to delete": func(p *Plan) { p.Items[0].FactorSID = p.Items[2].FactorSID },
		"no identity":               func(p *Plan) { p.Items[0].Identity = "" },
		"another order":             func(p *Plan) { p.Items[0], p.Items[2] = p.Items[2], p.Items[0] },
		"a kept factor to delete":   func(p *Plan) { p.Items[2].Decision = Delete },
		"too few items":             func(p *Plan) { p.Items = p.Items[:2] },
		"another format":            func(p *Plan) { p.Header.Format = 2 },
		"another purpose":           func(p *Plan) { p.Header.Purpose = purposeFit },
		"an unknown purpose":        func(p *Plan) { p.Header.Purpose = "all" },
		"no rules":                  func(p *Plan) { p.Header.Rules = nil },
		"no evidence":               func(p *Plan) { p.Header.Evidence = nil },
		"no life":                   func(p *Plan) { p.Header.Expires = p.Header.Created },
		"negative counts":           func(p *Plan) { p.Header.Delete, p.Header.Keep = -1, 4 },
		"another account":           func(p *Plan) { p.Header.AccountSID = "AC1" },
	} {
		t.Run(name, func(t *testing.T) {
			plan, _ := samplePlan(t)
			change(&plan)
			var text bytes.Buffer
			if _, err := plan.WriteTo(&text); err != nil {
				t.Fatal(err)
			}
			mustRefuse(t, text.Bytes(), 0)
		})
	}
}

func TestPlanIsForOneTarget(t *testing.T) {
	plan, _ := samplePlan(t)
	if err := plan.CheckTarget(worldEnv, planTime); err != nil {
		t.Error(err)
	}
	for name, tc := range map[string]struct {
		change func(*verify.Environment)
		now    time.Time
	}{
		"another environment": {func(e *verify.Environment) { e.Name = "live" }, planTime},
		"another account":     {func(e *verify.Environment) { e.AccountSID = "AC00000000000000000000000000000002" }, planTime},
		"another Service":     {func(e *verify.Environment) { e.ServiceSID = "VA00000000000000000000000000000002" }, planTime},
		"expired":             {func(*verify.Environment) {}, planTime.Add(24 * time.Hour)},
		"from the future":     {func(*verify.Environment) {}, planTime.Add(-2 * time.Hour)},
	} {
		env := worldEnv
		tc.change(&env)
		if err := plan.CheckTarget(env, tc.now); verify.KindOf(err) != verify.KindRefused {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

// A plan that was edited at one place, and sealed again by whoever did it, is refused or writes back as it was read. Only
// the edit is the input: Go's fuzzing shortens all it keeps, and needs a minute for what is as long as a plan.
func FuzzReadPlan(f *testing.F) {
	_, text := samplePlan(f)
	body := text[:bytes.LastIndex(text, []byte(`{"sha256"`))]
	f.Add(uint16(0), uint16(0), "", true)
	f.Add(uint16(0), uint16(0), "\n\n", false)
	f.Add(uint16(0), uint16(len(text)), `{"verifyctl_plan":1}`+"\n", true)
	f.Add(uint16(bytes.Index(body, []byte("prune"))), uint16(5), "delete", true)
	f.Add(uint16(bytes.Index(body, []byte("user-0001"))), uint16(9), "user-0002", true)
	f.Add(uint16(bytes.Index(body, []byte("00002"))), uint16(5), "00001", true)
	f.Fuzz(func(t *testing.T, at, cut uint16, insert string, seal bool) {
		if len(insert) > 100 {
			return
		}
		text := edited(text, at, cut, insert)
		if seal {
			text = edited(body, at, cut, insert)
			text = fmt.Appendf(text, `{"sha256":"%x"}`+"\n", sha256.Sum256(text))
		}
		plan, err := ReadPlan(bytes.NewReader(text))
		if err != nil {
			if verify.KindOf(err) != verify.KindRefused || plan.ID != "" {
				t.Fatalf("%v with plan %q", err, plan.ID)
			}
			return
		}
		var again bytes.Buffer
		if _, err := plan.WriteTo(&again); err != nil || !bytes.Equal(again.Bytes(), text) {
			t.Fatalf("read\n%q\nbut it writes as\n%q (%v)", text, again.Bytes(), err)
		}
	})
}

// edited puts a text at a place, instead of so many bytes that stand there.
func edited(text []byte, at, cut uint16, insert string) []byte {
	begin := min(int(at), len(text))
	end := min(begin+int(cut), len(text))
	return slices.Concat(text[:begin], []byte(insert), text[end:])
}
