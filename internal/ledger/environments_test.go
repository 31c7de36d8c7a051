package ledger

import (
	"net/http"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestWhatAnEnvironmentIsMadeOfIsRecorded: each write has both its lines, the one after with the SID of what was made.
func TestWhatAnEnvironmentIsMadeOfIsRecorded(t *testing.T) {
	const va, cr, yw = "VA00000000000000000000000000000001", "CR00000000000000000000000000000001", "YW00000000000000000000000000000001"
	for name, c := range map[string]struct {
		body  string
		write func(*Writer) error
		sid   string
	}{
		"create a credential": {`{"sid":"` + cr + `"}`, func(w *Writer) error {
			_, err := w.CreateCredential(t.Context(), verify.CredentialWrite{Type: verify.CredentialFCM, FriendlyName: "a", Secret: "{}"})
			return err
		}, cr},
		"change a credential": {`{"sid":"` + cr + `"}`, func(w *Writer) error {
			_, err := w.UpdateCredential(t.Context(), cr, verify.CredentialWrite{FriendlyName: "a"})
			return err
		}, cr},
		"delete a credential": {"", func(w *Writer) error { return w.DeleteCredential(t.Context(), verify.Credential{SID: cr}) }, cr},
		"create a Service": {`{"sid":"` + va + `"}`, func(w *Writer) error {
			_, err := w.CreateService(t.Context(), verify.ServiceSettings{"friendly_name": "a"})
			return err
		}, va},
		"change a Service": {`{"sid":"` + va + `"}`, func(w *Writer) error {
			return w.UpdateService(t.Context(), va, verify.ServiceSettings{"code_length": "6"})
		}, va},
		"create a webhook": {`{"sid":"` + yw + `"}`, func(w *Writer) error {
			_, err := w.CreateWebhook(t.Context(), va, verify.Webhook{FriendlyName: "a"})
			return err
		}, yw},
		"delete a webhook": {"", func(w *Writer) error { return w.DeleteWebhook(t.Context(), va, yw) }, yw},
	} {
		dir := t.TempDir()
		status := http.StatusOK
		if c.body == "" {
			status = http.StatusNoContent
		}
		w, _ := writing(t, dir, answerWith(status, c.body))
		if err := c.write(w); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		entries := entries(t, openLedger(t, dir), Filter{})
		if len(entries) != 2 || entries[1].Outcome != "done" || len(entries[1].SIDs) != 1 || entries[1].SIDs[0] != c.sid {
			t.Errorf("%s: %+v", name, entries)
		}
	}
}
