package challenge

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/verifyctl/verifyctl/internal/verify"
	"pgregory.net/rapid"
)

// ok is a request within every limit.
func ok() Request {
	return Request{Message: "Log in to Example Bank?", Expires: verify.DefaultChallengeTTL}
}

func TestRequestLimitsAreCountedInCharacters(t *testing.T) {
	const wide = "日" // three bytes, one character
	fields := func(n int) []verify.Field {
		all := make([]verify.Field, n)
		for i := range all {
			all[i] = verify.Field{Label: "City", Value: "Lyon"}
		}
		return all
	}
	for name, tc := range map[string]struct {
		change func(*Request)
		want   string // "" when it is allowed
	}{
		"the usual":              {func(*Request) {}, ""},
		"message of 256":         {func(r *Request) { r.Message = strings.Repeat(wide, 256) }, ""},
		"message of 257":         {func(r *Request) { r.Message = strings.Repeat(wide, 257) }, "the message has 257 characters, at most 256"},
		"no message":             {func(r *Request) { r.Message = "" }, "the message is empty"},
		"blank message":          {func(r *Request) { r.Message = " \n" }, "the message is empty"},
		"message with a break":   {func(r *Request) { r.Message = "Log in?\nLyon" }, ""},
		"message with an escape": {func(r *Request) { r.Message = "Log in?\x1b[31m" }, `the control character '\x1b'`},
		"message of bad bytes":   {func(r *Request) { r.Message = "Log in?\xff" }, "the message is not valid UTF-8"},
		"20 fields":              {func(r *Request) { r.Fields = fields(20) }, ""},
		"21 fields":              {func(r *Request) { r.Fields = fields(21) }, "there are 21 fields, at most 20"},
		"label of 36":            {func(r *Request) { r.Fields = []verify.Field{{Label: strings.Repeat(wide, 36), Value: "x"}} }, ""},
		"label of 37":            {func(r *Request) { r.Fields = []verify.Field{{Label: strings.Repeat(wide, 37), Value: "x"}} }, "label of field 1 has 37"},
		"value of 128":           {func(r *Request) { r.Fields = []verify.Field{{Label: "x", Value: strings.Repeat(wide, 128)}} }, ""},
		"value of 129":           {func(r *Request) { r.Fields = []verify.Field{{Label: "x", Value: strings.Repeat(wide, 129)}} }, `value of field 1, "x", has 129`},
		"empty value":            {func(r *Request) { r.Fields = []verify.Field{{Label: "City"}} }, `value of field 1, "City", is empty`},
		"hidden of 1024":         {func(r *Request) { r.Hidden = map[string]string{"k": strings.Repeat(wide, 1024-8)} }, ""},
		"hidden of 1025":         {func(r *Request) { r.Hidden = map[string]string{"k": strings.Repeat(wide, 1025-8)} }, "1025 characters as JSON, at most 1024"},
		"action id counts": {func(r *Request) {
			r.Hidden, r.ActionID = map[string]string{"k": strings.Repeat(wide, 1024-8)}, "a"
		}, "characters as JSON, at most 1024"},
		"two action ids": {func(r *Request) {
			r.Hidden, r.ActionID = map[string]string{"action_id": "a"}, "b"
		}, "the action id is given twice"},
		"life of an hour":     {func(r *Request) { r.Expires = time.Hour }, ""},
		"life over an hour":   {func(r *Request) { r.Expires = time.Hour + time.Second }, "at most 1h0m0s"},
		"no life":             {func(r *Request) { r.Expires = 0 }, "more than zero"},
		"negative life":       {func(r *Request) { r.Expires = -time.Minute }, "more than zero"},
		"life under a second": {func(r *Request) { r.Expires = 10 * time.Millisecond }, "whole seconds"},
	} {
		r := ok()
		tc.change(&r)
		err := r.Check()
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || verify.KindOf(err) != verify.KindUsage || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want a usage error that says %q", name, err, tc.want)
		}
	}
}

func TestRequestTellsAllProblemsAtOnce(t *testing.T) {
	r := Request{Fields: []verify.Field{{Label: "", Value: ""}}, Hidden: map[string]string{"": "x"}, Expires: 2 * time.Hour}
	err := r.Check()
	for _, want := range []string{"the message is empty", "label of field 1 is empty", "value of field 1", "has no name",
		"at most 1h0m0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Whatever passes the check is within Twilio's limits as the simulator and the API count them.
func TestCheckedRequestsAreWithinLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Request{
			Message:  rapid.StringN(0, 300, -1).Draw(t, "message"),
			Hidden:   rapid.MapOfN(rapid.String(), rapid.StringN(0, 300, -1), 0, 5).Draw(t, "hidden"),
			ActionID: rapid.StringN(0, 40, -1).Draw(t, "action"),
			Expires:  time.Duration(rapid.Int64Range(-10, 4000).Draw(t, "seconds")) * time.Second,
		}
		if r.Check() != nil {
			return
		}
		now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		n := r.newChallenge("YF", now)
		if len([]rune(n.Message)) > 256 || n.Message == "" || hiddenLength(n.HiddenDetails) > 1024 ||
			n.ExpirationDate.After(now.Add(time.Hour)) {
			t.Fatalf("accepted %+v", n)
		}
		if n.HiddenDetails[verify.ActionID] != r.Action() {
			t.Fatalf("action id %q is sent as %q", r.Action(), n.HiddenDetails[verify.ActionID])
		}
	})
}

func TestForKeepsTheDefaultLifeWithTwilio(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 5, time.FixedZone("", 3600))
	r := ok()
	if n := r.newChallenge("YF", now); !n.ExpirationDate.IsZero() {
		t.Errorf("the default life is sent as %v", n.ExpirationDate)
	}
	r.Expires = 10 * time.Minute
	if got, want := r.newChallenge("YF", now).ExpirationDate, time.Date(2026, 11, 23, 8, 10, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("expires %v, want %v", got, want)
	}
	r.Hidden, r.ActionID = map[string]string{"ip": "192.0.2.1"}, "login-1"
	n := r.newChallenge("YF", now)
	if diff := cmp.Diff(map[string]string{"ip": "192.0.2.1", "action_id": "login-1"}, n.HiddenDetails); diff != "" {
		t.Error(diff)
	}
	if len(r.Hidden) != 1 {
		t.Error("building the request changed what was asked")
	}
}

func TestParseFieldsAndDetails(t *testing.T) {
	fields, err := ParseFields([]string{"City=Lyon", "Sum=1=1"})
	if diff := cmp.Diff([]verify.Field{{Label: "City", Value: "Lyon"}, {Label: "Sum", Value: "1=1"}}, fields); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := ParseFields([]string{"City", "Lyon"}); err == nil || !strings.Contains(err.Error(), `"City"`) ||
		!strings.Contains(err.Error(), `"Lyon"`) {
		t.Errorf("got %v, want both arguments named", err)
	}
	details, err := ParseDetails("--hidden", []string{"ip=192.0.2.1", "empty="})
	if diff := cmp.Diff(map[string]string{"ip": "192.0.2.1", "empty": ""}, details); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, bad := range [][]string{{"a=1", "a=2"}, {"=1"}, {"a"}} {
		if _, err := ParseDetails("--hidden", bad); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("ParseDetails(%q) = %v, want a usage error", bad, err)
		}
	}
}

func TestNewActionID(t *testing.T) {
	id, err := NewActionID(bytes.NewReader(make([]byte, 16)))
	if want := "verifyctl-" + strings.Repeat("0", 32); err != nil || id != want {
		t.Errorf("got %q, %v; want %q", id, err, want)
	}
	if id, err := NewActionID(bytes.NewReader(nil)); err == nil || id != "" {
		t.Errorf("without randomness it made %q, %v", id, err)
	}
}
