package store

import (
	"context"
	"slices"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
)

// AddCoverage records that all events of a span are stored, as far as a source such as "alerts" or "webhook" gives them.
// Spans that touch become one. An empty span is nothing.
func (s *Store) AddCoverage(ctx context.Context, source string, span event.Span) error {
	if !span.From.Before(span.Until) {
		return nil
	}
	return s.change(ctx, onRecords, "cannot record the coverage", func(tx session) error {
		touching, err := gather(ctx, tx, scanSpan, `SELECT from_time, until_time FROM coverage
			WHERE source = ? AND from_time <= ? AND until_time >= ?`, source, span.Until, span.From)
		if err != nil {
			return err
		}
		whole := span
		for _, other := range touching {
			whole = event.Span{From: earlier(whole.From, other.From), Until: later(whole.Until, other.Until)}
		}
		_, err = tx.exec(ctx, `DELETE FROM coverage WHERE source = ? AND from_time >= ? AND until_time <= ?`, source, whole.From, whole.Until)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO coverage (source, from_time, until_time) VALUES (?, ?, ?)`, source, whole.From, whole.Until)
		return err
	})
}

// Coverage gives the parts of a span of which all events are stored, oldest first, by what the named sources gave; none
// named means all of them. Spans that touch, whatever their sources, are given as one.
func (s *Store) Coverage(ctx context.Context, within event.Span, sources ...string) ([]event.Span, error) {
	type part struct {
		event.Span
		source string
	}
	parts, err := all(ctx, s, "cannot read the coverage",
		`SELECT source, from_time, until_time FROM coverage WHERE from_time < ? AND until_time > ? ORDER BY from_time`,
		[]any{within.Until, within.From}, func(row scanner) (p part, err error) {
			err = row.Scan(&p.source, timeInto(&p.From), timeInto(&p.Until))
			p.From, p.Until = later(p.From, within.From), earlier(p.Until, within.Until)
			return p, err
		})
	if err != nil {
		return nil, err
	}
	covered := []event.Span{}
	for _, p := range parts {
		if len(sources) > 0 && !slices.Contains(sources, p.source) {
			continue
		}
		if last := len(covered) - 1; last >= 0 && !p.From.After(covered[last].Until) {
			if p.Until.After(covered[last].Until) {
				covered[last].Until = p.Until
			}
			continue
		}
		covered = append(covered, p.Span)
	}
	return covered, nil
}

func scanSpan(row scanner) (span event.Span, err error) {
	err = row.Scan(timeInto(&span.From), timeInto(&span.Until))
	return span, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Gaps gives the parts of a span of which events may be missing, oldest first; sources as in [Store.Coverage].
func (s *Store) Gaps(ctx context.Context, within event.Span, sources ...string) ([]event.Span, error) {
	covered, err := s.Coverage(ctx, within, sources...)
	if err != nil {
		return nil, err
	}
	gaps, from := []event.Span{}, within.From
	for _, span := range covered {
		if from.Before(span.From) {
			gaps = append(gaps, event.Span{From: from, Until: span.From})
		}
		from = span.Until
	}
	if from.Before(within.Until) {
		gaps = append(gaps, event.Span{From: from, Until: within.Until})
	}
	return gaps, nil
}
