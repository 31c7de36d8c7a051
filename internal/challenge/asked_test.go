package challenge

import (
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestAsked: no device is said to get a push that gets none.
func TestAsked(t *testing.T) {
	phone, desktop := verify.Factor{FriendlyName: "Pixel 9"}, verify.Factor{FriendlyName: "Desktop"}
	phone.Config.Platform, desktop.Config.Platform = verify.PlatformFCM, verify.PlatformNone
	want := `asked "Log in?" on "Pixel 9" (push) and "Desktop" (platform none, which never gets a push: its app has to look for challenges)`
	if got := Asked("Log in?", phone, desktop); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
