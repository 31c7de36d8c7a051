package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/verifyctl/verifyctl/internal/event"
)

// AddCoverage records that all events of a span are stored, as far as a source such as "alerts" or "webhook" gives them.
// Spans that touch become one. An empty span is nothing.
func (s *Store) AddCoverage(ctx context.Context, source string, span event.Span) error {
	if !span.From.Before(span.Until) {
		return nil
	}
	from, until := micros(span.From), micros(span.Until)
	return s.update(ctx, "cannot record the coverage", func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT min(?1, coalesce(min(from_time), ?1)), max(?2, coalesce(max(until_time), ?2))
			FROM coverage WHERE source = ?3 AND from_time <= ?2 AND until_time >= ?1`, from, until, source).Scan(&from, &until)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM coverage WHERE source = ? AND from_time >= ? AND until_time <= ?`, source, from, until)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO coverage (source, from_time, until_time) VALUES (?, ?, ?)`, source, from, until)
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
		`SELECT source, max(from_time, ?1), min(until_time, ?2) FROM coverage WHERE from_time < ?2 AND until_time > ?1 ORDER BY from_time`,
		[]any{micros(within.From), micros(within.Until)}, func(row scanner) (p part, err error) {
			err = row.Scan(&p.source, timeInto(&p.From), timeInto(&p.Until))
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
