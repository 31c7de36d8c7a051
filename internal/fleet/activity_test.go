package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	factorA = "YF0000000000000000000000000000000a"
	factorB = "YF0000000000000000000000000000000b"
)

func TestActivityIsReadInBothForms(t *testing.T) {
	csv := "\ufefflast_seen,app,identity,factor_sid\n2026-02-01T10:00:00+01:00,\"a,b\",user-0001," + factorA + "\n2026-01-01,x,user-0001," + factorA +
		"\n2026-01-05,x,user-0002,\n"
	ndjson := "\n" + `{"identity":"user-0001","factor_sid":"` + factorA + `","last_seen":"2026-02-01T09:00:00Z","app":"x"}
{"identity":"user-0002","last_seen":"2026-01-05"}`
	for name, text := range map[string]string{"csv": csv, "ndjson": ndjson} {
		a, err := ParseActivity(strings.NewReader(text))
		if err != nil || a.Len() != 2 {
			t.Fatalf("%s: %v, %d", name, err, a.Len())
		}
		upper := verify.FactorSID("YF" + strings.ToUpper(factorA[2:]))
		if got := a.LastSeen("user-0001", upper); !got.Equal(time.Date(2026, 2, 1, 9, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: the factor was last seen %v", name, got)
		}
		// A day counts to its end, and a row without a factor for all of the identity's.
		if got := a.LastSeen("user-0002", factorB); !got.Equal(time.Date(2026, 1, 5, 23, 59, 59, 0, time.UTC)) {
			t.Errorf("%s: the identity was last seen %v", name, got)
		}
		if got := a.LastSeen("user-0001", factorB); !got.IsZero() {
			t.Errorf("%s: a factor that is not in the file was seen %v", name, got)
		}
	}
}

func TestActivityIsReadWholeOrNotAtAll(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "empty"},
		{" \n", "empty"},
		{"identity,factor_sid\n", "columns identity, factor_sid, last_seen"},
		{"identity,factor_sid,last_seen\nuser-0001," + factorA + ",soon\n", `line 2 of the activity file: last_seen "soon"`},
		{"identity,factor_sid,last_seen\nuser-0001,YC1,2026-01-01\n", "line 2"},
		{"identity,factor_sid,last_seen\n\n\nx/../y," + factorA + ",2026-01-01\n", "line 4"},
		{"identity,factor_sid,last_seen\nuser-0001," + factorA + "\n", "wrong number of fields"},
		{`{"identity":"user-0001","last_seen":"2026-01-01"} {"identity":1}`, "object 2"},
		{`{"identity":"user-0001"`, "object 1"},
	} {
		a, err := ParseActivity(strings.NewReader(tc.text))
		e, ok := err.(*verify.Error)
		if !ok || e.Kind != verify.KindUsage || !strings.Contains(e.Message+e.Hint, tc.want) || a.Len() != 0 {
			t.Errorf("%q: %v with %d, want it to say %q", tc.text, err, a.Len(), tc.want)
		}
	}
}

func FuzzParseActivity(f *testing.F) {
	f.Add("identity,factor_sid,last_seen\nuser-0001," + factorA + ",2026-01-01\n")
	f.Add(`{"identity":"user-0001","factor_sid":"` + factorA + `","last_seen":"2026-02-01T09:00:00Z"}`)
	f.Add("\"")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseActivity(strings.NewReader(text))
		if err != nil && (a.Len() != 0 || verify.KindOf(err) != verify.KindUsage) {
			t.Fatalf("%v with %d", err, a.Len())
		}
		for identity := range a.identities {
			if _, err := verify.ParseIdentity(string(identity)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
