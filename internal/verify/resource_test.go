package verify

import (
	"fmt"
	"testing"
)

func TestParseSandbox(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, tc := range []struct {
		raw  *string
		want Sandbox
	}{
		{text("True"), SandboxTrue}, {text("true"), SandboxTrue}, {text("TRUE"), SandboxTrue},
		{text("False"), SandboxFalse}, {text("false"), SandboxFalse},
		{text(""), SandboxUnknown}, {text("yes"), SandboxUnknown}, {text(" True"), SandboxUnknown}, {nil, SandboxUnknown},
	} {
		if got := ParseSandbox(tc.raw); got != tc.want {
			t.Errorf("ParseSandbox(%v) = %s, want %s", tc.raw, got, tc.want)
		}
	}
}

func TestProductionIsTheDefault(t *testing.T) {
	for _, tc := range []struct {
		env  Environment
		want bool
	}{
		{Environment{}, true},
		{Environment{Kind: "prod"}, true},
		{Environment{Kind: Production}, true},
		{Environment{Kind: Staging}, false},
		{Environment{Kind: Development}, false},
		{Environment{Kind: Production, Demo: true}, false},
	} {
		if got := tc.env.IsProduction(); got != tc.want {
			t.Errorf("%+v is production: %v, want %v", tc.env, got, tc.want)
		}
	}
}

func TestErrorTellsCodeAndRequest(t *testing.T) {
	err := fmt.Errorf("listing: %w", &Error{Kind: KindLimit, Message: "too many notifications", TwilioCode: 60309, RequestID: "RQ1"})
	if want := "listing: too many notifications (Twilio error 60309) [request RQ1]"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if KindOf(err) != KindLimit || CodeOf(err) != 60309 {
		t.Errorf("kind %v, code %d", KindOf(err), CodeOf(err))
	}
	if KindOf(fmt.Errorf("plain")) != KindFailed {
		t.Error("a plain error is not KindFailed")
	}
}
