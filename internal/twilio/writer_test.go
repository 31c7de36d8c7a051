package twilio

import (
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestOnlyAWriterWrites(t *testing.T) {
	w := newWorld(t, says(204, ""))
	call := w.Client.begin(t.Context(), "delete factor %s", factor)
	err := call.end(call.verify().DeleteFactor(segment(call, service), segment(call, user), segment(call, factor)))
	wantError(t, err, verify.KindRefused)
	w.wantRequests(t, 0)
}
