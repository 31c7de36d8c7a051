package ledger

import (
	"context"
	"fmt"
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
type memory struct {
	t    testing.TB
	told []string
}

func (m *memory) RecordDeletions(ctx context.Context, factors []verify.Factor, by, reason string, _ time.Time, before ...verify.DeletionEnd) ([]int64, error) {
	check(m.t, m.FinishDeletions(ctx, before...))
	var ids []int64
	for _, f := range factors {
		m.told = append(m.told, "keep "+string(f.SID)+" "+by+" "+reason)
		ids = append(ids, int64(len(m.told)))
	}
	return ids, nil
}

func (m *memory) FinishDeletions(_ context.Context, ends ...verify.DeletionEnd) error {
	for _, end := range ends {
		m.told = append(m.told, fmt.Sprintf("%s of %d, gone %v", end.Outcome, end.ID, end.Gone))
	}
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
	m := &memory{t: t}
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
		{answerWith(204, ""), "deleted", "done", []string{kept, "deleted of 1, gone true"}},
		{answerWith(404, `{"code":20404,"message":"gone"}`), "already gone", "not found", []string{kept, "already gone of 1, gone true"}},
		{answerWith(401, `{"code":20003,"message":"no"}`), "failed", "failed", []string{kept, "failed of 1, gone false"}},
	} {
		w, m := writing(t, t.TempDir(), c.answer)
		outcome, err := w.DeleteFactor(t.Context(), f)
		check(t, w.Flush(t.Context()))
		if outcome != c.outcome || (err != nil) != (outcome == "failed") || !slices.Equal(m.told, c.told) {
			t.Errorf("%s: got %q, %v, memory was told %q", c.outcome, outcome, err, m.told)
		}
		lines := entries(t, w.ledger, Filter{})
		if len(lines) != 2 || lines[1].Outcome != c.audited || lines[1].RequestID != "RQ1" || lines[0].Reason != "lost phone" || lines[0].Identity != string(f.Identity) {
			t.Errorf("%s: recorded as %+v", c.outcome, lines)
		}
	}
}

// What became of a delete goes on disk with what comes before the next, of the last one when it is asked for or at the end.
func TestDeletesThatFollowEachOtherWaitForTheDiskTogether(t *testing.T) {
	dir := t.TempDir()
	w, m := writing(t, dir, answerWith(204, ""))
	phases := func() (all string) {
		for _, line := range entries(t, openLedger(t, dir), Filter{}) {
			all += line.Phase + " " + line.SIDs[0][30:] + line.Outcome + "; "
		}
		return all
	}
	remove := func(n int) (string, error) {
		return w.DeleteFactor(t.Context(), verify.Factor{SID: factorSID(n), Identity: identityOf(n)})
	}
	must[string](t)(remove(1))
	if got := phases(); got != "before 0001; " {
		t.Errorf("after the first delete the file has %s", got)
	}
	must[string](t)(remove(2))
	want := "before 0001; after 0001done; before 0002; "
	if got := phases(); got != want {
		t.Errorf("after the second delete the file has %s", got)
	}

	chain := filepath.Join(dir, chainFile)
	check(t, os.Rename(chain, chain+".away"))
	if outcome, err := remove(3); outcome != "failed" || err == nil {
		t.Errorf("where no line can be written, a delete ends as %q, %v", outcome, err)
	}
	check(t, os.Rename(chain+".away", chain))
	check(t, w.ledger.Close())
	if got := phases(); got != want+"after 0002done; " {
		t.Errorf("at the end the file has %s", got)
	}
	check(t, w.Flush(t.Context()))
	told := []string{"keep " + string(factorSID(1)) + " operator lost phone", "deleted of 1, gone true", "keep " + string(factorSID(2)) + " operator lost phone",
		"deleted of 3, gone true", "keep " + string(factorSID(3)) + " operator lost phone", "failed of 5, gone false"}
	if !slices.Equal(m.told, told) {
		t.Errorf("memory was told %q", m.told)
	}
	if report := must[Report](t)(w.ledger.Verify(t.Context())); report.Verdict != Intact || len(report.Unfinished) > 0 {
		t.Errorf("%+v", report)
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
