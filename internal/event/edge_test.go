package event

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOddEvents: what was seen in real exports, or can be expected of them.
func TestOddEvents(t *testing.T) {
	pushText := func(ids string) string { return "bindingType=fcm&description=FCM+failure='NotRegistered'&" + ids }
	for _, tc := range []struct {
		name, in         string
		identity, factor string
		code             int
		want             func(e Event) bool
	}{
		{"code with text behind it", `{"resource_sid":"CA1","error_code":null,"more_info":{"ErrorCode":"32009,Your TwiML tried to dial","Msg":"x"}}`,
			"", "", 32009, func(e Event) bool { return e.Product == ProductOther }},
		{"both msg and Msg, no url", `{"resource_sid":"CA1","error_code":"11200","more_info":{"msg":"a","Msg":"b"}}`, "", "", 11200, nil},
		{"raw & and = inside the ids", text(map[string]string{"sid": no, "error_code": "52103", "alert_text": pushText("correlationIds=[" + va + ", a=b&c=dddd, " + yf + "]&isPassthrough=true")}),
			"a=b&c=dddd", yf, 52103, func(e Event) bool { return e.Repaired }},
		{"encoded % and + inside the ids", text(map[string]string{"sid": no, "error_code": "52103", "alert_text": pushText("correlationIds=" + url.QueryEscape("["+va+", 50%+x-user, "+yf+"]"))}),
			"50%+x-user", yf, 52103, func(e Event) bool { return !e.Repaired }},
		{"raw ; and a wrong escape beside the ids", text(map[string]string{"sid": no, "error_code": "52103", "alert_text": pushText("correlationIds=" + url.QueryEscape(printed) + "&note=a;b%zz")}),
			person, yf, 52103, nil},
		{"non-ASCII identity", text(map[string]any{"error_code": "52103", "more_info": map[string]string{"correlationIds": "[" + va + ", müller-1001, " + yf + "]"}}),
			"müller-1001", yf, 52103, nil},
		{"subaccount", url.Values{"Sid": {no}, "AccountSid": {ac}, "ParentAccountSid": {other("AC")}, "Payload": {text(payload())}}.Encode(),
			person, yf, 52103, func(e Event) bool { return e.AccountSID == ac }},
		{"the beta page's TimeStamp", url.Values{"Sid": {no}, "TimeStamp": {"2026-01-02T03:04:05Z"}, "Payload": {text(payload())}}.Encode(),
			person, yf, 52103, func(e Event) bool { return e.Timestamp.Format("2006-01-02") == "2026-01-02" }},
		{"date of RFC 2822", `{"sid":"` + no + `","error_code":"52103","alert_text":"","date_created":"Tue, 09 Feb 2010 01:23:53 +0000"}`,
			"", "", 52103, func(e Event) bool { return e.Timestamp.Year() == 2010 }},
		{"recorded later than it happened", `{"sid":"` + no + `","error_code":"52103","alert_text":"","date_created":"2026-01-02T05:00:00Z","date_generated":"2026-01-02T04:00:00Z"}`,
			"", "", 52103, func(e Event) bool { return e.Timestamp.Hour() == 4 }},
		{"level in capitals", `{"sid":"` + no + `","error_code":"52103","alert_text":"","log_level":"WARNING"}`, "", "", 52103, func(e Event) bool { return e.Level == "warning" }},
		{"stream's SIDs of the wrong length", `{"specversion":"1.0","type":"com.twilio.error-logs.error.logged","source":"AB0000000000000000000000000000001","id":"NO00000000000000000000000001","data":{"sid":"NO00000000000000000000000001","level":"INFO","error_code":"93101","payload":"{\"error_code\":93101}"}}`,
			"", "", 93101, func(e Event) bool { return e.EventSID == "NO00000000000000000000000001" }},
		{"stream with the push fields at the top of its payload", `{"specversion":"1.0","type":"com.twilio.error-logs.error.logged","id":"` + no + `","data":{"error_code":"52141","payload":` + text(text(moreInfo())) + `}}`,
			person, yf, 52141, func(e Event) bool { return e.Source == SourceCloudEvent }},
		{"log line cut in the ids", "INFO " + text(payload())[:150] + "…", "", "", 52103, func(e Event) bool { return e.Repaired && e.PruneEvidence == EvidenceNone }},
		{"CLI's tabs", "NO" + hex32 + "\terror\t52103\t" + printed, person, yf, 52103, func(e Event) bool { return e.Source == SourceSalvaged && e.EventSID == no }},
		{"a list of ids alone", printed, person, yf, 0, func(e Event) bool { return e.Repaired }},
		{"a SID in a longer word", "52103 for crm-" + yf + " today", "", "", 52103, nil},
		{"entity's SID for the identity", strings.Replace(text(payload()), person, "YE"+hex32, 1), "", yf, 52103, func(e Event) bool { return e.EntitySID == "YE"+hex32 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			events := Parse([]byte(tc.in))
			if len(events) != 1 {
				t.Fatalf("%d events of %s", len(events), tc.in)
			}
			e := events[0]
			code := 0
			if e.ErrorCode != nil {
				code = *e.ErrorCode
			}
			if e.Identity != tc.identity || e.FactorSID != tc.factor || code != tc.code {
				t.Errorf("identity %q factor %q code %d", e.Identity, e.FactorSID, code)
			}
			if tc.want != nil && !tc.want(e) {
				t.Errorf("%s", indented(e))
			}
			checkEvent(t, e, tc.in)
		})
	}
}

// TestTextIsKeptAsItCame: what an event says is cleaned where it is shown, not here.
func TestTextIsKeptAsItCame(t *testing.T) {
	info := moreInfo()
	info["description"] = "\x1b[2JNotRegistered\u202e\x07"
	info["correlationIds"] = "[" + va + ", user-\x1b[2J, " + yf + "]"
	e := Parse([]byte(text(map[string]any{"error_code": "52103", "more_info": info})))[0]
	if e.Description != info["description"] || e.Identity != "user-\x1b[2J" {
		t.Errorf("%q %q", e.Description, e.Identity)
	}
}

// TestManyEventsInOnePaste: several events with words between them are all found.
func TestManyEventsInOnePaste(t *testing.T) {
	second := strings.ReplaceAll(text(payload()), yf, other("YF"))
	in := "the first one:\n" + indented(payload()) + "\nand then\n" + second + "\nwhat now?"
	var got []string
	for _, e := range Parse([]byte(in)) {
		got = append(got, e.FactorSID)
		if e.PruneEvidence != EvidenceNone {
			t.Errorf("an event picked out of a text counts: %+v", e)
		}
	}
	if diff := cmp.Diff([]string{yf, other("YF")}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
