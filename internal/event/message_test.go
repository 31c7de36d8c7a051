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

// TestErrorsOfTheMobileSDKsAreExplainedAsPrinted: nobody retypes what Xcode or logcat shows.
func TestErrorsOfTheMobileSDKsAreExplainedAsPrinted(t *testing.T) {
	for text, want := range map[string]int{
		"▿ TwilioVerifyError\n  ▿ storageError : 1 element\n    ▿ error : KeychainError\n      ▿ invalidStatusCode : 1 element\n        - code : -128\n": -128,
		"Optional(TwilioVerifySDK.TwilioVerifyError.keyStorageError(error: TwilioVerifySDK.KeychainError.invalidStatusCode(code: -25300)))":              -25300,
		"▿ TwilioVerifyError\n  ▿ keyStorageError : 1 element\n":                                                                                         60405,
		"failure(TwilioVerifySDK.TwilioVerifyError.networkError(error: …))":                                                                              60401,
		"11-27 18:00:00.123  1234  1234 E AndroidRuntime: com.twilio.verify.TwilioVerifyException: {60403} Exception while storing":                      60403,
		"E/TwilioVerify: com.twilio.verify.TwilioVerifyException: Exception\n\tCaused by: com.twilio.security.storage.StorageException: no such key":     60403,
		"com.twilio.verify.TwilioVerifyException\nCaused by: com.twilio.verify.networking.NetworkException: timeout":                                     60401,
	} {
		if code, ok := LookupMessage(text); !ok || code.Number != want {
			t.Errorf("%q is explained as %d, %v", text, code.Number, ok)
		}
	}
	if code, ok := LookupMessage("the network error happened on 2026-11-27, status -128"); ok {
		t.Errorf("a text of something else is explained as %d", code.Number)
	}
}
