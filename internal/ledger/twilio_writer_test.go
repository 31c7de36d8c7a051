package ledger

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// memory notes what it is told, in order.
type memory struct{ told []string }

func (m *memory) RecordDeletion(_ context.Context, f verify.Factor, by, reason string, _ time.Time) (int64, error) {
	m.told = append(m.told, "keep "+string(f.SID)+" "+by+" "+reason)
	return 7, nil
}

func (m *memory) FinishDeletion(_ context.Context, _ int64, outcome string, _ time.Time) error {
	m.told = append(m.told, outcome)
	return nil
}

func (m *memory) ForgetFactor(_ context.Context, f verify.FactorSID) error {
	m.told = append(m.told, "forget "+string(f))
	return nil
}

func (m *memory) ForgetEntity(_ context.Context, id verify.Identity) error {
	m.told = append(m.told, "forget "+string(id))
	return nil
}

// writing gives a writer whose requests are answered by the test.
func writing(t *testing.T, dir string, answer http.HandlerFunc) (*Writer, *memory) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client := must[*twilio.Client](t)(twilio.New(twilio.Options{Username: string(account), Password: "secret", BaseURL: server.URL}))
	t.Cleanup(func() { client.Close() })
	m := &memory{}
	origin := Entry{User: "operator", Reason: "lost phone", ServiceSID: service}
	return openLedger(t, dir).Writer(client, m, origin, func() time.Time { return noon }), m
}

func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Twilio-Request-Id", "RQ1")
		w.WriteHeader(status)
		w.Write([]byte(body)) //nolint:errcheck // the client sees it
	}
}

func TestADeleteIsKeptRecordedSentAndForgotten(t *testing.T) {
	f := verify.Factor{SID: factorSID(1), Identity: identityOf(1)}
	kept := "keep " + string(f.SID) + " operator lost phone"
	for _, c := range []struct {
		answer           http.HandlerFunc
		outcome, audited string
		told             []string
	}{
		{answerWith(204, ""), "deleted", "done", []string{kept, "deleted", "forget " + string(f.SID)}},
		{answerWith(404, `{"code":20404,"message":"gone"}`), "already gone", "not found", []string{kept, "already gone", "forget " + string(f.SID)}},
		{answerWith(401, `{"code":20003,"message":"no"}`), "failed", "failed", []string{kept, "failed"}},
	} {
		w, m := writing(t, t.TempDir(), c.answer)
		outcome, err := w.DeleteFactor(t.Context(), f)
		if outcome != c.outcome || (err != nil) != (outcome == "failed") || !slices.Equal(m.told, c.told) {
			t.Errorf("%s: got %q, %v, memory was told %q", c.outcome, outcome, err, m.told)
		}
		lines := entries(t, w.ledger, Filter{})
		if len(lines) != 2 || lines[1].Outcome != c.audited || lines[1].RequestID != "RQ1" || lines[0].Reason != "lost phone" || lines[0].Identity != string(f.Identity) {
			t.Errorf("%s: recorded as %+v", c.outcome, lines)
		}
	}
}

func TestNothingIsSentWithoutALineBefore(t *testing.T) {
	dir := t.TempDir()
	w, _ := writing(t, dir, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	check(t, os.Mkdir(filepath.Join(dir, chainFile), 0o700))
	if _, err := w.CreateNotification(t.Context(), service, identityOf(1), "YC00000000000000000000000000000001", 0); err == nil {
		t.Error("it is said to be sent")
	}
	if outcome, err := w.DeleteFactor(t.Context(), verify.Factor{SID: factorSID(1), Identity: identityOf(1)}); outcome != "failed" || err == nil {
		t.Errorf("a delete without a record ends as %q, %v", outcome, err)
	}
}

func TestWithoutALineAfterTheResultCounts(t *testing.T) {
	dir := t.TempDir()
	w, m := writing(t, dir, func(rw http.ResponseWriter, r *http.Request) {
		if err := os.Remove(filepath.Join(dir, chainFile)); err != nil {
			t.Error(err)
		}
		if err := os.Mkdir(filepath.Join(dir, chainFile), 0o700); err != nil {
			t.Error(err)
		}
		answerWith(204, "")(rw, r)
	})
	outcome, err := w.DeleteEntity(t.Context(), verify.Entity{SID: "YE1", Identity: identityOf(1)}, nil)
	if outcome != "deleted" || err != nil || !slices.Equal(m.told, []string{"forget " + string(identityOf(1))}) {
		t.Errorf("got %q, %v, memory was told %q", outcome, err, m.told)
	}
	if err := w.ledger.Close(); err == nil {
		t.Error("nobody is told that the record lacks a line")
	}
}

func TestNoFileOfTheLedgerIsOpenToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits")
	}
	dir := t.TempDir()
	writeOne(t, openLedger(t, dir), 1)
	for _, file := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		if info := must[os.FileInfo](t)(file.Info()); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", file.Name(), info.Mode().Perm())
		}
	}
}
