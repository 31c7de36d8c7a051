package event

import (
	"strings"
	"testing"
)

// prints give a webhook's parameters as languages print a map of them.
func prints() map[string]string {
	inner := text(payload())
	quoted := text(inner)
	single := "'" + strings.ReplaceAll(inner, "'", `\'`) + "'"
	return map[string]string{
		"Ruby":            `{"AccountSid"=>"` + ac + `", "Level"=>"ERROR", "Payload"=>` + quoted + `, "PayloadType"=>"application/json", "Sid"=>"` + no + `", "Timestamp"=>"2026-11-20T23:28:54Z"}`,
		"Ruby 3.4":        `{"AccountSid" => "` + ac + `", "Payload" => ` + quoted + `, "Sid" => "` + no + `", "Timestamp" => "2026-11-20T23:28:54Z"}`,
		"Rails":           `Parameters: {"AccountSid"=>"` + ac + `", "Payload"=>` + quoted + `, "Sid"=>"` + no + `", "Timestamp"=>"2026-11-20T23:28:54Z"}`,
		"Python":          `{'AccountSid': '` + ac + `', 'ParentAccountSid': '', 'Payload': ` + single + `, 'Sid': '` + no + `', 'Timestamp': '2026-11-20T23:28:54Z'}`,
		"Flask":           `ImmutableMultiDict([('AccountSid', '` + ac + `'), ('Payload', ` + single + `), ('Sid', '` + no + `'), ('Timestamp', '2026-11-20T23:28:54Z')])`,
		"Django":          `<QueryDict: {'AccountSid': ['` + ac + `'], 'Payload': [` + single + `], 'Sid': ['` + no + `'], 'Timestamp': ['2026-11-20T23:28:54Z']}>`,
		"PHP print_r":     "Array\n(\n    [AccountSid] => " + ac + "\n    [ParentAccountSid] => \n    [Payload] => " + inner + "\n    [Sid] => " + no + "\n    [Timestamp] => 2026-11-20T23:28:54Z\n)\n",
		"PHP var_export":  "array (\n  'AccountSid' => '" + ac + "',\n  'Payload' => " + single + ",\n  'Sid' => '" + no + "',\n  'Timestamp' => '2026-11-20T23:28:54Z',\n)",
		"PHP short":       "['AccountSid' => '" + ac + "', 'Payload' => " + single + ", 'Sid' => '" + no + "', 'Timestamp' => '2026-11-20T23:28:54Z']",
		"Go map":          "map[AccountSid:" + ac + " Level:ERROR Payload:" + inner + " Sid:" + no + " Timestamp:2026-11-20T23:28:54Z]",
		"Go form":         "map[AccountSid:[" + ac + "] Level:[ERROR] Payload:[" + inner + "] Sid:[" + no + "] Timestamp:[2026-11-20T23:28:54Z]]",
		"Go %#v":          `map[string]string{"AccountSid":"` + ac + `", "Payload":` + quoted + `, "Sid":"` + no + `", "Timestamp":"2026-11-20T23:28:54Z"}`,
		"Go form %#v":     `url.Values{"AccountSid":[]string{"` + ac + `"}, "Payload":[]string{` + quoted + `}, "Sid":[]string{"` + no + `"}, "Timestamp":[]string{"2026-11-20T23:28:54Z"}}`,
		"Node":            "[Object: null prototype] {\n  AccountSid: '" + ac + "',\n  Payload: " + single + ",\n  Sid: '" + no + "',\n  Timestamp: '2026-11-20T23:28:54Z'\n}",
		"Java":            "{AccountSid=" + ac + ", Level=ERROR, Payload=" + inner + ", Sid=" + no + ", Timestamp=2026-11-20T23:28:54Z}",
		"JSON of lists":   `{"AccountSid":["` + ac + `"],"Payload":[` + quoted + `],"Sid":["` + no + `"],"Timestamp":["2026-11-20T23:28:54Z"]}`,
		"words in lines":  "Twilio Debugger Event Received:\n  Level: ERROR\n  Timestamp: 2026-11-20T23:28:54Z\n  Account: " + ac + "\n  Event ID: " + no + "\n  Payload: " + inner + "\n=====",
		"a line of a log": "2026-11-20 INFO got map[AccountSid:" + ac + " Payload:" + inner + " Sid:" + no + " Timestamp:2026-11-20T23:28:54Z]",
	}
}

// TestWhatLanguagesPrintOfAMap: nobody wrote JSON into that log, and it is no evidence.
func TestWhatLanguagesPrintOfAMap(t *testing.T) {
	for language, in := range prints() {
		events := Parse([]byte(in))
		if len(events) != 1 {
			t.Errorf("%s: %d events of %s", language, len(events), in)
			continue
		}
		e := events[0]
		if e.FactorSID != yf || e.Identity != person || e.ErrorCode == nil || *e.ErrorCode != 52103 || e.EventSID != no || e.AccountSID != ac ||
			e.Timestamp.IsZero() || e.Description != "FCM failure='NotRegistered'" {
			t.Errorf("%s: %s", language, text(e))
		}
		if !e.Repaired || e.PruneEvidence != EvidenceNone {
			t.Errorf("%s is evidence: %s", language, text(e))
		}
	}
}
