package fleet

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// home is one environment's Service with at most one entity.
type home struct {
	there    bool
	undead   bool  // the delete has no effect
	readErr  error // of every read
	writeErr error // of the delete, which takes effect nevertheless
	forgot   bool
	deleted  []verify.Factor
}

func (h *home) Entity(_ context.Context, _ verify.ServiceSID, identity verify.Identity) (verify.Entity, error) {
	switch {
	case h.readErr != nil:
		return verify.Entity{}, h.readErr
	case !h.there:
		return verify.Entity{}, &verify.Error{Kind: verify.KindNotFound, Message: "not found"}
	}
	return verify.Entity{SID: "YE1", Identity: identity}, nil
}

func (h *home) Factors(context.Context, verify.ServiceSID, verify.Identity) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) { yield(verify.Factor{SID: factorA}, h.readErr) }
}

func (h *home) DeleteEntity(_ context.Context, _ verify.Entity, factors []verify.Factor) (string, error) {
	h.there, h.deleted = h.undead, factors
	return "", h.writeErr
}

func (h *home) place(name string) Place {
	return Place{Environment: verify.Environment{Name: name}, Identity: "user-0001", Twilio: h, Deleter: h,
		Forget: func(context.Context) error { h.forgot = true; return nil }}
}

func TestEraseIsProvedByReadingAgain(t *testing.T) {
	down := &verify.Error{Kind: verify.KindUnreachable, Message: "no answer"}
	auth := &verify.Error{Kind: verify.KindAuth, Message: "wrong keys"}
	homes := []*home{{there: true}, {}, {there: true, readErr: auth}, {there: true, undead: true}, {there: true, writeErr: down}}
	var places []Place
	for _, h := range homes {
		places = append(places, h.place("env"))
	}
	var outcomes []Outcome
	err := Erase(t.Context(), places, func(r Result) { outcomes = append(outcomes, r.Outcome) })
	want := []Outcome{Deleted, Gone, Failed, Failed, Deleted}
	for i, h := range homes {
		if outcomes[i] != want[i] || h.forgot != (want[i] == Deleted || want[i] == Gone) {
			t.Errorf("home %d: %s, forgotten here: %v; want %s", i, outcomes[i], h.forgot, want[i])
		}
	}
	if !errors.Is(err, auth) || errors.Is(err, down) || len(homes[0].deleted) != 1 {
		t.Errorf("%v, deleted %v", err, homes[0].deleted)
	}
}

func TestTracesTellUnknownFromAbsent(t *testing.T) {
	down := &verify.Error{Kind: verify.KindUnreachable, Message: "no answer"}
	homes := []*home{{there: true}, {}, {readErr: down}}
	var places []Place
	for _, h := range homes {
		places = append(places, h.place("env"))
	}
	traces := FindTraces(t.Context(), places)
	if !traces[0].Here || len(traces[0].Factors) != 1 || traces[1].Here || traces[1].Err != nil || traces[2].Here || !errors.Is(traces[2].Err, down) {
		t.Errorf("%+v", traces)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, trace := range FindTraces(ctx, places) {
		if trace.Here && trace.Err != nil {
			t.Errorf("%+v", trace)
		}
	}
	if traces := FindTraces(ctx, places); len(traces) != 3 {
		t.Errorf("%d traces of 3 places", len(traces))
	}
}
