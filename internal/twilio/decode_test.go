package twilio

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestDates(t *testing.T) {
	want := time.Date(2010, 2, 9, 1, 23, 53, 0, time.UTC)
	for _, s := range []string{
		"2010-02-09T01:23:53Z", "2010-02-09T01:23:53+00:00", "2010-02-09T03:23:53+0200", "2010-02-09T01:23:53", "2010-02-09 01:23:53",
		"Tue, 09 Feb 2010 01:23:53 +0000", "Tue, 9 Feb 2010 01:23:53 +0000", "9 Feb 2010 01:23:53 +0000", "Tue, 09 Feb 2010 01:23:53 GMT",
	} {
		if got, err := text(s).time(); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is read as %v, %v", s, got, err)
		}
	}
	if got, err := text("2023-06-12T18:44:24.368Z").time(); err != nil || got.Nanosecond() != 368e6 {
		t.Errorf("a fraction is read as %v, %v", got, err)
	}
	created := func(raw string) (time.Time, error) {
		e, err := decodeResource[verify.Entity]([]byte(`{"date_created":` + raw + `}`))
		return e.DateCreated, err
	}
	for _, s := range []string{`null`, `""`} {
		if got, err := created(s); err != nil || !got.IsZero() {
			t.Errorf("%s is read as %v, %v", s, got, err)
		}
	}
	for _, s := range []string{`"soon"`, `17`, `true`, `{}`, `"2010-13-45T00:00:00Z"`} {
		if got, err := created(s); err == nil {
			t.Errorf("%s is read as %v", s, got)
		}
	}
}

// TestFactorsOfAnyShape: parts of a factor may be null, missing or of another type, and values may be new.
func TestFactorsOfAnyShape(t *testing.T) {
	read := func(t *testing.T, replace ...string) verify.Factor {
		t.Helper()
		w := newWorld(t, says(200, strings.NewReplacer(replace...).Replace(factorJSON)))
		f, err := w.Factor(t.Context(), service, user, factor)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := verify.Factor{
		SID: factor, AccountSID: account, ServiceSID: service, EntitySID: "YE" + hex32, Identity: user, FriendlyName: "Jane's phone",
		Status: verify.FactorVerified, Type: verify.FactorPush,
		Config:   verify.FactorConfig{SDKVersion: "3.0.2", AppID: "com.bank.example", Platform: verify.PlatformAPN, Token: "tokenOfThePhone"},
		Metadata: map[string]string{"app_version": "4.1", "build": "7"}, DateCreated: date, DateUpdated: date,
	}
	if diff := cmp.Diff(want, read(t)); diff != "" {
		t.Errorf("factor (-want +got):\n%s", diff)
	}
	config := `{"sdk_version":"3.0.2","app_id":"com.bank.example","notification_platform":"apn","notification_token":"tokenOfThePhone"}`
	for _, odd := range []string{"null", "{}", `"text"`, "[]", "7", `{"sdk_version":null}`} {
		if f := read(t, config, odd); f.Config != (verify.FactorConfig{}) {
			t.Errorf("config %s is read as %+v", odd, f.Config)
		}
	}
	if f := read(t, config, `{"sdk_version":3.1,"credential_sid":"CR1","alg":"sha1","skew":1}`); f.Config.SDKVersion != "3.1" || f.Config.CredentialSID != "CR1" {
		t.Errorf("config is read as %+v", f.Config)
	}
	metadata := `{"app_version":"4.1","build":7}`
	for _, odd := range []string{"null", `"text"`, "[]", "7"} {
		if f := read(t, metadata, odd); f.Metadata != nil {
			t.Errorf("metadata %s is read as %+v", odd, f.Metadata)
		}
	}
	if f := read(t, metadata, `{"a":null,"b":true,"c":{"d":1}}`); !cmp.Equal(f.Metadata, map[string]string{"a": "", "b": "true", "c": `{"d":1}`}) {
		t.Errorf("metadata is read as %+v", f.Metadata)
	}
	f := read(t, `"status":"verified"`, `"status":"suspended"`, `"apn"`, `"huawei"`, `"factor_type":"push"`, `"factor_type":"voiceprint"`)
	if f.Status != "suspended" || f.Config.Platform != "huawei" || f.Type != "voiceprint" {
		t.Errorf("new values are read as %+v", f)
	}
}

func TestChallengesOfAnyShape(t *testing.T) {
	read := func(t *testing.T, replace ...string) verify.Challenge {
		t.Helper()
		w := newWorld(t, says(200, strings.NewReplacer(replace...).Replace(challengeJSON)))
		c, err := w.Challenge(t.Context(), service, user, challenge)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := read(t)
	if c.Details.Message != "Log in?" || !cmp.Equal(c.Details.Fields, []verify.Field{{Label: "Place", Value: "Berlin"}}) ||
		c.HiddenDetails["ip"] != "192.0.2.1" || c.Metadata != nil || !c.DateResponded.IsZero() || c.ExpirationDate.Sub(c.DateCreated) != 5*time.Minute {
		t.Errorf("challenge is read as %+v", c)
	}
	details := `{"message":"Log in?","fields":[{"label":"Place","value":"Berlin"}],"date":"2026-01-02T03:04:05Z"}`
	for _, odd := range []string{"null", `"text"`, "[]", `{"message":null,"fields":null}`, `{"fields":"none"}`} {
		if c := read(t, details, odd); c.Details.Message != "" || c.Details.Fields != nil {
			t.Errorf("details %s are read as %+v", odd, c.Details)
		}
	}
	if c := read(t, details, `{"fields":[null,{"label":1}]}`); !cmp.Equal(c.Details.Fields, []verify.Field{{}, {Label: "1"}}) {
		t.Errorf("fields are read as %+v", c.Details.Fields)
	}
	c = read(t, `"metadata":null`, `"metadata":{"n":12345678901234567890,"o":{"p":[true]}}`, `"responded_reason":"none"`, `"responded_reason":null`)
	text, err := json.Marshal(c.Metadata)
	if err != nil || string(text) != `{"n":12345678901234567890,"o":{"p":[true]}}` || c.RespondedReason != "" {
		t.Errorf("metadata is read as %s, %v", text, err)
	}
}

func TestServicesOfAnyShape(t *testing.T) {
	read := func(t *testing.T, push string) verify.Service {
		t.Helper()
		whole := `"push":{"include_date":false,"apn_credential_sid":"` + string(cred) + `","fcm_credential_sid":null}`
		if !strings.Contains(serviceJSON, whole) {
			t.Fatal("the sample has changed")
		}
		w := newWorld(t, says(200, strings.Replace(serviceJSON, whole, push, 1)))
		s, err := w.Service(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := read(t, `"push":{"include_date":"True","apn_credential_sid":"`+string(cred)+`","fcm_credential_sid":null}`)
	if !s.Push.IncludeDate || s.Push.APNCredentialSID != cred || s.Push.FCMCredentialSID != "" || !s.TOTP || s.Passkeys {
		t.Errorf("Service is read as %+v with push %+v", s, s.Push)
	}
	if !s.DateUpdated.Equal(s.DateCreated) || s.DateCreated.IsZero() {
		t.Errorf("the two ways to write a date are read as %v and %v", s.DateCreated, s.DateUpdated)
	}
	for _, none := range []string{`"push":null`, `"push":"x"`, `"pull":1`} {
		if s := read(t, none); s.Push != nil {
			t.Errorf("%s is read as %+v", none, s.Push)
		}
	}
}

func TestSandboxIsKeptAsWritten(t *testing.T) {
	for _, tc := range []struct {
		raw  string
		want verify.Sandbox
		text string // "-" for null
	}{
		{`"True"`, verify.SandboxTrue, "True"}, {`"False"`, verify.SandboxFalse, "False"}, {`"false"`, verify.SandboxFalse, "false"},
		{`true`, verify.SandboxTrue, "true"}, {`false`, verify.SandboxFalse, "false"},
		{`null`, verify.SandboxUnknown, "-"}, {`""`, verify.SandboxUnknown, ""}, {`"maybe"`, verify.SandboxUnknown, "maybe"},
		{`1`, verify.SandboxUnknown, "1"}, {`{}`, verify.SandboxUnknown, "{}"},
	} {
		w := newWorld(t, says(200, strings.Replace(credentialJSON, `"True"`, tc.raw, 1)))
		c, err := w.Credential(t.Context(), cred)
		if err != nil {
			t.Fatal(err)
		}
		text := "-"
		if c.SandboxText != nil {
			text = *c.SandboxText
		}
		if c.Sandbox != tc.want || text != tc.text {
			t.Errorf("sandbox %s is read as %s, %q", tc.raw, c.Sandbox, text)
		}
	}
	w := newWorld(t, says(200, strings.Replace(credentialJSON, `"sandbox":"True",`, "", 1)))
	if c, err := w.Credential(t.Context(), cred); err != nil || c.Sandbox != verify.SandboxUnknown || c.SandboxText != nil {
		t.Errorf("a missing sandbox is read as %s, %v", c.Sandbox, err)
	}
}

func FuzzChallengeReply(f *testing.F) {
	const longest = 200 // Go's fuzzing needs a minute to shorten each long text that it keeps
	f.Add(`{"sid":"YC1","status":"pending","date_created":"2026-01-01T00:00:00Z","expiration_date":null}`)
	f.Add(`{"details":{"message":"m","date":"2026-01-01T00:00:00Z","fields":[{"label":"l","value":"v"}]},"hidden_details":{"a":"b"}}`)
	f.Add(`{"metadata":{"a":1},"responded_reason":"r","links":{"a":"b"},"date_responded":"2026-01-01T00:00:00Z"}`)
	f.Add(`{"sid":1,"details":{"fields":[[],{"label":{}}]},"metadata":{"a":1e999}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > longest {
			return
		}
		c, err := decodeResource[verify.Challenge]([]byte(body))
		if err != nil {
			return
		}
		if _, err := json.Marshal(c); err != nil && c.DateCreated.Year() < 9999 && c.DateUpdated.Year() < 9999 && c.ExpirationDate.Year() < 9999 && c.DateResponded.Year() < 9999 {
			t.Fatalf("%q cannot be shown: %v", body, err)
		}
	})
}
