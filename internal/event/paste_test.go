package event

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// page is an error of Twilio's Console, copied with what stands around its table.
func page(code, description string) string {
	return "Error - " + code + "\nCreate alarm\nLearn more about this error\nProperties\nDate  2026-11-27 18:00:00 UTC\n" +
		"Product  Programmable Verify\nService SID  " + va + "\nResource SID  " + nt + "\nDebug Event SID  " + no + "\nMessage Text\n" +
		"bindingType | \"fcm\"\ncorrelationIds | \"" + printed + "\"\nmodule | \"FCMV1OABA\"\ndescription | \"" + description + "\"\n" +
		"Possible Causes\nThe device token is for another environment (sandbox/production)\nPossible Solutions\n"
}

// TestPagesOfTheConsoleKeepWhatStandsAroundTheTable: code, event and date are not in the table.
func TestPagesOfTheConsoleKeepWhatStandsAroundTheTable(t *testing.T) {
	for _, tc := range []struct {
		code, description string
		want              Verdict
	}{
		{"52103", "FCM failure='NotRegistered'", TokenDead},
		{"52143", "The device token does not match the specified topic.", AppMismatch},
		{"52134", "The specified device token is either malformed or not valid for the given environment.", EnvironmentMismatch},
	} {
		events := Parse([]byte(page(tc.code, tc.description)))
		if len(events) != 1 {
			t.Fatalf("%s: %d events", tc.code, len(events))
		}
		e := events[0]
		if e.ErrorCode == nil || text(*e.ErrorCode) != tc.code || e.EventSID != no || e.FactorSID != yf || e.Description != tc.description || e.Verdict != tc.want ||
			!e.Timestamp.Equal(time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC)) {
			t.Errorf("%s", text(e))
		}
	}
}

// TestApplesWordsAboutTopicsMeanTheApp: the code is often left out of what people paste.
func TestApplesWordsAboutTopicsMeanTheApp(t *testing.T) {
	for _, words := range []string{"The device token does not match the specified topic.", "Pushing to this topic is not allowed", "Pushing to this topic is not allowed."} {
		info := moreInfo()
		info["bindingType"], info["description"] = "apn", words
		if e := Parse([]byte(text(info)))[0]; e.Verdict != AppMismatch || e.Action != checkApp {
			t.Errorf("%q: %s, %s", words, e.Verdict, e.Action)
		}
	}
}

// TestEncodedOnceMore: a form or JSON whose percent signs were encoded again is read, and is no evidence.
func TestEncodedOnceMore(t *testing.T) {
	payloadAlone := url.Values{"Payload": {text(payload())}}.Encode()
	for _, in := range []string{form().Encode(), payloadAlone, text(payload())} {
		events := Parse([]byte(url.QueryEscape(in)))
		if len(events) != 1 || events[0].FactorSID != yf || !events[0].Repaired || events[0].PruneEvidence != EvidenceNone {
			t.Errorf("%s\ngives %s", url.QueryEscape(in), text(events))
		}
	}
}

// TestSIDsHaveTheirForm: what was misread as a SID is left out.
func TestSIDsHaveTheirForm(t *testing.T) {
	info := moreInfo()
	info["fromReference"], info["notificationSid"] = ">", "=>"
	for _, e := range append(Parse([]byte(text(map[string]any{"Sid": ">", "AccountSid": "> \"", "Payload": text(map[string]any{"error_code": "52103", "more_info": info})}))),
		Parse([]byte("type=challenge.denied&uuid=1&entity_identity=a&factor_sid=%3E&challenge_sid=x&service_sid=%3D%3E"))...) {
		if got := e.EventSID + e.AccountSID + e.CredentialSID + e.NotificationSID + e.ChallengeSID; strings.ContainsAny(got, ">=x") || e.FactorSID == ">" || e.ServiceSID == "=>" {
			t.Errorf("%s", text(e))
		}
	}
}

// TestNextIsOfHelp: explain is offered for codes of the catalogue only.
func TestNextIsOfHelp(t *testing.T) {
	for code, want := range map[string]string{"52134": "verifyctl debugger explain 52134", "52999": ""} {
		p := payload()
		p["error_code"] = code
		if e := Parse([]byte(text(p)))[0]; e.Next != want {
			t.Errorf("%s: %q", code, e.Next)
		}
	}
}
