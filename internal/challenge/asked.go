package challenge

import (
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// noPush is why a factor of the platform none is asked without a push.
const noPush = "platform none, which never gets a push: its app has to look for challenges"

// Asked says what a factor's user will be asked, on which devices and how: the one sentence for a preview, a confirmation
// and a result. It follows "will be" or "was".
func Asked(message string, factors ...verify.Factor) string {
	devices := make([]string, len(factors))
	for i, f := range factors {
		devices[i] = onDevice(f)
	}
	return fmt.Sprintf("asked %q on %s", message, strings.Join(devices, " and "))
}

// onDevice names a factor's device and how a question gets to it: `"Pixel 9" (push)`.
func onDevice(f verify.Factor) string {
	if !GetsPush(f) {
		return fmt.Sprintf("%q (%s)", f.FriendlyName, noPush)
	}
	return fmt.Sprintf("%q (push)", f.FriendlyName)
}

// GetsPush tells whether Twilio sends pushes to a factor. Of a factor that was not read it is not known that it gets none.
func GetsPush(f verify.Factor) bool { return f.Config.Platform != verify.PlatformNone }
