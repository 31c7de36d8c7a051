package plan

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// change is a kind of plan: settings of a Service that are to be changed.
type change struct {
	Setting string `json:"setting"`
	To      string `json:"to"`
}

type changeHeader struct {
	Header
	Ticket string `json:"ticket,omitempty"`
}

var (
	made    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	staging = verify.Environment{Name: "staging", AccountSID: "AC00000000000000000000000000000001", ServiceSID: "VA00000000000000000000000000000001"}
)

func written(t *testing.T, items ...change) (Plan[changeHeader, change], []byte) {
	t.Helper()
	p := Plan[changeHeader, change]{Header: changeHeader{NewHeader(staging, "environment", made, time.Hour), "OPS-1"}, Items: items}
	var text bytes.Buffer
	if _, err := p.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return p, text.Bytes()
}

func anything(Plan[changeHeader, change]) error { return nil }

func TestPlansOfAnyKindReadBackAsWritten(t *testing.T) {
	for _, items := range [][]change{nil, {{"code_length", "<8>"}, {"push.ttl", "300"}}} {
		want, text := written(t, items...)
		got, err := Read(bytes.NewReader(text), anything)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s\n%s", err, diff, text)
		}
	}
}

// An environment of TWILIO_* variables has no name: its plans are bound to the account and the Service.
func TestPlanForVariablesReadsBack(t *testing.T) {
	variables := staging
	variables.Name = ""
	p := Plan[changeHeader, change]{Header: changeHeader{Header: NewHeader(variables, "environment", made, time.Hour)}}
	var text bytes.Buffer
	if _, err := p.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&text, anything)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckTarget(variables, made); err != nil {
		t.Error(err)
	}
	if err := got.CheckTarget(staging, made); verify.KindOf(err) != verify.KindRefused || err == nil {
		t.Errorf("for a named environment: %v", err)
	}
}

func TestChangedPlansAreRefused(t *testing.T) {
	_, text := written(t, change{"code_length", "8"}, change{"push.ttl", "300"})
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		for _, bad := range [][]byte{changed, text[:i], append(bytes.Clone(text[:i]), text[i+1:]...)} {
			if p, err := Read(bytes.NewReader(bad), anything); verify.KindOf(err) != verify.KindRefused || err == nil || p.ID != "" {
				t.Fatalf("changed at byte %d: %v", i, err)
			}
		}
	}
	if _, err := Read(bytes.NewReader(text), func(Plan[changeHeader, change]) error { return errors.New("unknown setting") }); verify.KindOf(err) != verify.KindRefused {
		t.Errorf("what its kind refuses is read: %v", err)
	}
}

func TestPlanIsForOneEnvironmentAndATime(t *testing.T) {
	p, _ := written(t)
	for name, tc := range map[string]struct {
		change func(*verify.Environment)
		after  time.Duration
		want   bool
	}{
		"in time":             {func(*verify.Environment) {}, time.Hour - time.Second, true},
		"expired":             {func(*verify.Environment) {}, time.Hour, false},
		"from the future":     {func(*verify.Environment) {}, -time.Hour - time.Second, false},
		"another environment": {func(e *verify.Environment) { e.Name = "live" }, 0, false},
		"another account":     {func(e *verify.Environment) { e.AccountSID = "AC00000000000000000000000000000002" }, 0, false},
		"another Service":     {func(e *verify.Environment) { e.ServiceSID = "VA00000000000000000000000000000002" }, 0, false},
	} {
		env := staging
		tc.change(&env)
		if err := p.CheckTarget(env, made.Add(tc.after)); (err == nil) != tc.want || err != nil && verify.KindOf(err) != verify.KindRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
