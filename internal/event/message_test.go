package event

import (
	"strings"
	"testing"
)

func TestACodeIsReadWithItsMessage(t *testing.T) {
	bare, ok := Lookup(20001)
	if !ok {
		t.Fatal("20001 is not in the catalogue")
	}
	for message, want := range map[string]string{
		"":                            "spelled",
		"Could not parse certificate": "credentials lint",
		"HTTP 400 error: Unable to create record: Could not parse certificate": "credentials lint",
		"Cannot create credentials record. 'Secret' must be present":           "Send the whole JSON",
		"Missing required parameter FriendlyName in the post body":             "Send it.",
		"Invalid Sandbox: 'x'":     "Correct what the message names.",
		"Unknown parameters: Froo": "spelled",
	} {
		if got := bare.Beside(message); !strings.Contains(got.Fix, want) || got.Number != 20001 || got.Verdict != bare.Verdict {
			t.Errorf("%q: %+v, want a fix that says %q", message, got, want)
		}
	}
	other, _ := Lookup(52134)
	if got := other.Beside("Could not parse certificate"); got != other {
		t.Errorf("52134 became %+v", got)
	}
	if _, ok := LookupMessage("it must be present"); ok {
		t.Error("a sentence that many codes have tells one")
	}
}

func TestTheMessagesAreWritten(t *testing.T) {
	for _, m := range messages {
		if _, ok := Lookup(m.number); !ok || m.has != strings.ToLower(m.has) || m.name == "" || !strings.HasSuffix(m.cause, ".") || !strings.HasSuffix(m.fix, ".") {
			t.Errorf("%+v", m)
		}
	}
}
