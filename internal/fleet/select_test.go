package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

func TestIncidentDeletesWhatStillFits(t *testing.T) {
	w := deadWorld(0)
	for i := range 30 {
		p := w.newPhone("phone", verify.Identity("victim-"+strings.Repeat("x", i+1)), verify.PlatformAPN, worldBegin)
		p.factor.Metadata = map[string]string{"app_version": "4.2.0"}
	}
	condition, err := where.Parse("metadata.app_version = 4.2.0 and created < now-1d", w.now)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := PlanWhere(t.Context(), w, worldEnv, condition, w.now, verify.Period(day))
	if err != nil || plan.Header.Delete != 30 {
		t.Fatalf("%+v, %v", plan.Header, err)
	}
	plan.ID = "incident"
	for _, p := range w.phones[10:15] { // enrolled anew since, with the mended app: no metadata of the bad one
		p.factor.Metadata = map[string]string{"app_version": "4.2.1"}
	}
	for _, p := range w.phones[15:20] { // a token refresh is no reason to keep a compromised factor
		p.updates = append(p.updates, w.now)
	}
	w.now = w.now.Add(time.Hour)
	s, err := Apply(t.Context(), plan, Target{Environment: worldEnv, Twilio: w, Deleter: w, Outcomes: w, Now: func() time.Time { return w.now }}, ApplyOptions{})
	mustAdd(t, s)
	if err != nil || s.Deleted != 25 || s.Kept != 5 || s.Reasons[reasonUnmatched] != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestListIsReadAsFactorsListPrintsIt(t *testing.T) {
	want := []FactorRef{{"user-0001", factorA}, {"user-0002", factorB}}
	for name, text := range map[string]string{
		"csv":    "sid,identity,status\n" + factorA + ",user-0001,verified\n" + factorB + ",user-0002,verified\n" + factorA + ",user-0001,verified\n",
		"ours":   "identity,factor_sid\nuser-0001," + factorA + "\nuser-0002," + factorB + "\n",
		"ndjson": `{"sid":"` + factorA + `","identity":"user-0001","config":{}}` + "\n" + `{"factor_sid":"` + factorB + `","identity":"user-0002"}`,
	} {
		if got, err := ParseList(strings.NewReader(text)); err != nil || !cmp.Equal(got.Refs, want) || got.Columns == "" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, tc := range []struct{ text, want string }{
		{"", "the list is empty"},
		{factorA + "\nuser-0001\n", "line 2"},
		{"identity,sid\nuser-0001,YF1\n", "line 2"},
		{"identity,sid\n..,\n", "line 2"},
		{"identity,sid\nuser-0001," + factorA + "\nuser-0002," + strings.ToUpper(factorA) + "\n", "line 3"},
		{`{"identity":"user-0001","sid":7}`, "sid is not text"},
	} {
		list, err := ParseList(strings.NewReader(tc.text))
		e, ok := err.(*verify.Error)
		if !ok || e.Kind != verify.KindUsage || !strings.Contains(e.Message+e.Hint, tc.want) || list.Refs != nil {
			t.Errorf("%q: %v, %v", tc.text, list, err)
		}
	}
}

func TestSIDsAloneAreAList(t *testing.T) {
	list, err := ParseList(strings.NewReader("\ufeff" + factorA + "\r\n\n" + strings.ToUpper(factorA) + "\n"))
	if err != nil || !cmp.Equal(list.Refs, []FactorRef{{SID: factorA}}) {
		t.Errorf("%v, %v", list, err)
	}
}

func TestListThatContradictsTheIndexIsRefused(t *testing.T) {
	w := deadWorld(2)
	refs := []FactorRef{{w.phones[0].factor.Identity, w.phones[0].factor.SID}, {"somebody-else", w.phones[1].factor.SID}}
	if _, err := PlanList(t.Context(), w, worldEnv, refs, w.now, verify.Period(day)); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("%v", err)
	}
	plan, err := PlanList(t.Context(), w, worldEnv, append(refs[:1], FactorRef{"unknown-here", factorA}), w.now, verify.Period(day))
	if err != nil || plan.Header.Delete != 2 || plan.Items[0].Platform != verify.PlatformFCM {
		t.Errorf("%+v, %v", plan, err)
	}
}
