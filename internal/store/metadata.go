package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxMetadataKeys bounds the declared keys: each is a column, and part of the index that answers how many factors have
// which value.
const maxMetadataKeys = 32

func metadataColumn(number int) string { return fmt.Sprintf("metadata_%d", number) }

// DeclareMetadata gives each metadata key a column of its own in the index, so that questions about it are as fast as
// those about the platform. Keys that were declared before keep theirs, whether they are named again or not. It is cheap
// when there is nothing to do, and what is cut off is completed the next time.
func (s *Store) DeclareMetadata(ctx context.Context, keys []string) error {
	declared, err := declaredKeys(ctx, s.read)
	if err != nil {
		return s.engine.failure("cannot read the index", err)
	}
	missing := slices.ContainsFunc(keys, func(key string) bool {
		return !slices.ContainsFunc(declared, func(d declaredKey) bool { return d.key == key })
	})
	unready := slices.ContainsFunc(declared, func(d declaredKey) bool { return !d.ready })
	if !missing && !unready {
		return nil
	}
	if err := s.addColumns(ctx, keys); err != nil {
		return err
	}
	if err := s.fillColumns(ctx); err != nil {
		return err
	}
	if err := s.rebuildGroups(ctx); err != nil {
		return err
	}
	return s.engine.settle(ctx)
}

type declaredKey struct {
	number int
	key    string
	ready  bool
}

func declaredKeys(ctx context.Context, from session) ([]declaredKey, error) {
	return gather(ctx, from, func(row scanner) (d declaredKey, err error) {
		err = row.Scan(&d.number, &d.key, &d.ready)
		return d, err
	}, `SELECT number, key, ready FROM metadata_keys ORDER BY number`)
}

// addColumns makes columns for the keys that have none. From then on new factors have them filled in.
func (s *Store) addColumns(ctx context.Context, keys []string) error {
	return s.change(ctx, onBoth, "cannot declare metadata keys", func(tx session) error {
		declared, err := declaredKeys(ctx, tx)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if slices.ContainsFunc(declared, func(d declaredKey) bool { return d.key == key }) {
				continue
			}
			if len(declared) == maxMetadataKeys {
				return verify.Usagef("the index can hold %d metadata keys, %q would be one more", maxMetadataKeys, key).
					WithHint("purge the index to start over: %s", s.Env.Command("state", "purge", "index"))
			}
			d := declaredKey{number: len(declared) + 1, key: key}
			declared = append(declared, d)
			if _, err := tx.exec(ctx, `INSERT INTO metadata_keys (number, key) VALUES (?, ?)`, d.number, d.key); err != nil {
				return err
			}
			if err := s.engine.addColumn(ctx, tx.on, d.number); err != nil {
				return err
			}
		}
		return nil
	})
}

// fillColumns copies the values of factors that were there before their column.
func (s *Store) fillColumns(ctx context.Context) error {
	declared, err := declaredKeys(ctx, s.read)
	if err != nil {
		return s.engine.failure("cannot read the index", err)
	}
	var set []string
	var args []any
	for _, d := range declared {
		if !d.ready {
			set = append(set, metadataColumn(d.number)+` = `+s.engine.metadata("?"))
			args = append(args, d.key)
		}
	}
	if len(set) == 0 {
		return nil
	}
	for from := int64(0); ; {
		var until sql.NullInt64
		err := s.change(ctx, onIndex, "cannot fill in declared metadata keys", func(tx session) error {
			err := tx.queryRow(ctx, `SELECT max(id) FROM (SELECT id FROM factors WHERE id > ? ORDER BY id LIMIT ?) AS batch`,
				from, batchRows).Scan(&until)
			if err != nil || !until.Valid {
				return err
			}
			_, err = tx.exec(ctx, `UPDATE factors SET `+strings.Join(set, ", ")+` WHERE id > ? AND id <= ?`,
				append(slices.Clone(args), from, until.Int64)...)
			return err
		})
		if err != nil {
			return err
		}
		if !until.Valid {
			return nil
		}
		from = until.Int64
	}
}

// groupColumns begins the index for counting; declared metadata keys follow by number, then what only narrows. Rows come
// out of it in this order, so counting by its first columns needs no sorting.
var groupColumns = []string{"platform", "app_id", "sdk_version", "status"}

func numbersOf(declared []declaredKey) (numbers []int) {
	for _, d := range declared {
		numbers = append(numbers, d.number)
	}
	return numbers
}

// rebuildGroups makes the index for counting cover every declared key, and marks the keys ready.
func (s *Store) rebuildGroups(ctx context.Context) error {
	return s.change(ctx, onIndex, "cannot index declared metadata keys", func(tx session) error {
		declared, err := declaredKeys(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.engine.countBy(ctx, tx.on, numbersOf(declared)); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE metadata_keys SET ready = ?`, true)
		return err
	})
}

// forgetMetadata drops the columns of declared keys, when the index is emptied.
func forgetMetadata(ctx context.Context, tx session) error {
	declared, err := declaredKeys(ctx, tx)
	if err != nil || len(declared) == 0 {
		return err
	}
	if err := tx.engine.countBy(ctx, tx.on, nil); err != nil {
		return err
	}
	for _, d := range declared {
		if err := tx.engine.dropColumn(ctx, tx.on, d.number); err != nil {
			return err
		}
	}
	_, err = tx.exec(ctx, `DELETE FROM metadata_keys`)
	return err
}
