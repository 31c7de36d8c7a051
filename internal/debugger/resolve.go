package debugger

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// factorReader reads factors of an account. Reads are all that settling an event may cost.
type factorReader interface {
	Factor(ctx context.Context, service verify.ServiceSID, identity verify.Identity, factor verify.FactorSID) (verify.Factor, error)
	Factors(ctx context.Context, service verify.ServiceSID, identity verify.Identity) iter.Seq2[verify.Factor, error]
}

// maxCandidates bounds the reads that one event may cost.
const maxCandidates = 8

// Settle finds out by reading which factor an ambiguous or masked event names. It never guesses: one candidate that
// exists settles it, several or none do not. What was settled stays no evidence for pruning, and the event says how it
// was settled. The error is that of a read that failed for another reason than "not found".
func Settle(ctx context.Context, r factorReader, e *event.Event) error {
	switch {
	case e.Ambiguous && len(e.Candidates) > 0:
		return settleCandidates(ctx, r, e)
	case e.Masked && e.FactorSID != "":
		return settleMasked(ctx, r, e)
	}
	return nil
}

func settleCandidates(ctx context.Context, r factorReader, e *event.Event) error {
	var real []event.Candidate
	for i, c := range e.Candidates {
		if i == maxCandidates {
			e.Reasons = append(e.Reasons, fmt.Sprintf("not settled: more than %d readings are possible", maxCandidates))
			return nil
		}
		exists, err := exists(ctx, r, c)
		if err != nil {
			return err
		}
		if exists {
			real = append(real, c)
		}
	}
	if len(real) != 1 {
		e.Reasons = append(e.Reasons, fmt.Sprintf("not settled: %d of %d possible factors exist", len(real), len(e.Candidates)))
		return nil
	}
	c := real[0]
	e.Identity, e.FactorSID, e.ServiceSID, e.ChallengeSID = c.Identity, c.FactorSID, c.ServiceSID, c.ChallengeSID
	e.Candidates = []event.Candidate{}
	settled(e, "settled by reading: only this factor exists")
	return nil
}

// exists tells whether a candidate's factor is there. What cannot be asked for is not.
func exists(ctx context.Context, r factorReader, c event.Candidate) (bool, error) {
	service, identity, ok := entityPath(c.ServiceSID, c.Identity)
	factor, err := verify.ParseFactorSID(c.FactorSID)
	if !ok || err != nil {
		return false, nil
	}
	_, err = r.Factor(ctx, service, identity, factor)
	if err != nil && verify.KindOf(err) != verify.KindNotFound {
		return false, err
	}
	return err == nil, nil
}

// entityPath gives what addresses an entity, if it can.
func entityPath(service, identity string) (verify.ServiceSID, verify.Identity, bool) {
	svc, serviceErr := verify.ParseServiceSID(service)
	id, identityErr := verify.ParseIdentity(identity)
	return svc, id, serviceErr == nil && identityErr == nil
}

// settleMasked looks among the factors of the identity for the one whose SID begins and ends as the masked one.
func settleMasked(ctx context.Context, r factorReader, e *event.Event) error {
	service, identity, ok := entityPath(e.ServiceSID, e.Identity)
	if !ok {
		return nil
	}
	var fitting []verify.FactorSID
	for f, err := range r.Factors(ctx, service, identity) {
		if verify.KindOf(err) == verify.KindNotFound && err != nil {
			break
		}
		if err != nil {
			return err
		}
		if fitsMask(string(f.SID), e.FactorSID) {
			fitting = append(fitting, f.SID)
		}
	}
	if len(fitting) != 1 {
		e.Reasons = append(e.Reasons, fmt.Sprintf("not settled: %d factors of the identity fit the masked SID", len(fitting)))
		return nil
	}
	e.FactorSID = string(fitting[0])
	settled(e, "settled by reading: one factor of the identity fits the masked SID")
	return nil
}

func settled(e *event.Event, how string) {
	e.Ambiguous = false
	e.Inferred = true
	e.PruneEvidence = event.EvidenceNone
	e.Reasons = append(e.Reasons, how)
}

// fitsMask tells whether a SID has the characters that a masked one shows at its beginning and end.
func fitsMask(sid, masked string) bool {
	head := strings.IndexFunc(masked, isMask)
	tail := strings.LastIndexFunc(masked, isMask)
	if head < 0 || len(sid) < head {
		return false
	}
	end := masked[tail:]
	_, rest, _ := strings.Cut(end, string([]rune(end)[:1]))
	return len(sid) >= head+len(rest) && strings.EqualFold(sid[:head], masked[:head]) &&
		strings.EqualFold(sid[len(sid)-len(rest):], rest) && head+len(rest) > len("YF")
}

func isMask(r rune) bool { return strings.ContainsRune("xX*•….#_█", r) }
