package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
	"github.com/verifyctl/verifyctl/internal/where"
)

// FindFactors gives the factors of the index that have one of the SIDs.
func (s *Store) FindFactors(ctx context.Context, sids ...verify.FactorSID) ([]verify.IndexedFactor, error) {
	found := []verify.IndexedFactor{}
	for _, sid := range sids {
		for f, err := range s.factorQuery(ctx, " WHERE fold(sid) = fold(?)", sid) {
			if err != nil {
				return nil, err
			}
			found = append(found, f)
		}
	}
	return found, nil
}

// factorQuery streams the factors that the rest of a query, from its WHERE on, lets through.
func (s *Store) factorQuery(ctx context.Context, rest string, args ...any) iter.Seq2[verify.IndexedFactor, error] {
	return func(yield func(verify.IndexedFactor, error) bool) {
		account, service, err := s.indexedService(ctx)
		if err != nil {
			yield(verify.IndexedFactor{}, err)
			return
		}
		scan := func(row scanner) (verify.IndexedFactor, error) {
			f, err := scanFactor(row)
			f.AccountSID, f.ServiceSID = account, service
			return f, err
		}
		query := `SELECT sid, identity, entity_sid, status, factor_type, platform, app_id, sdk_version, friendly_name,
			credential_sid, token_hash, date_created, date_updated, read_at, metadata FROM factors` + rest
		for f, err := range rows(ctx, s, "cannot read the index", query, args, scan) {
			if !yield(f, err) {
				return
			}
		}
	}
}

func scanFactor(row scanner) (f verify.IndexedFactor, err error) {
	err = row.Scan(&f.SID, &f.Identity, &f.EntitySID, &f.Status, &f.Type, &f.Config.Platform, &f.Config.AppID,
		&f.Config.SDKVersion, &f.FriendlyName, &f.Config.CredentialSID, &f.TokenHash, timeInto(&f.DateCreated), timeInto(&f.DateUpdated), timeInto(&f.ReadAt), (*metadata)(&f.Metadata))
	return f, err
}

// indexedService gives the Service that the index is of; "" when there is no index.
func (s *Store) indexedService(ctx context.Context) (account verify.AccountSID, service verify.ServiceSID, err error) {
	err = s.read.queryRow(ctx, `SELECT coalesce((SELECT value FROM meta WHERE name = 'index_account'), ''),
		coalesce((SELECT value FROM meta WHERE name = 'index_service'), '')`).Scan(&account, &service)
	return account, service, s.engine.failure("cannot read the index", err)
}

// factorColumn gives the SQL expression for a field of factors that is not computed. Declared metadata keys have a column
// of their own; others are read out of the JSON, which is slower.
func (s *Store) factorColumn(ctx context.Context, field where.Field) (string, error) {
	key, isMetadata := field.MetadataKey()
	if !isMetadata {
		column, ok := factorColumns[field.Name]
		if !ok {
			return "", verify.Usagef("the index has no %s", field.Name)
		}
		return column, nil
	}
	number, found, err := one(ctx, s, "cannot read the index", `SELECT number FROM metadata_keys WHERE key = ? AND ready`,
		[]any{key}, func(row scanner) (n int, err error) {
			err = row.Scan(&n)
			return n, err
		})
	if err != nil {
		return "", err
	}
	if found {
		return metadataColumn(number), nil
	}
	if strings.ContainsRune(key, 0) {
		return "", verify.Usagef("%q is not a metadata key", key)
	}
	return s.engine.metadata(quoted(key)), nil
}

// factorColumns gives the columns of the fields that [where.Fields] names.
var factorColumns = map[string]string{
	"sid": "sid", "identity": "identity", "entity_sid": "entity_sid", "friendly_name": "friendly_name", "status": "status",
	"factor_type": "factor_type", "platform": "platform", "app_id": "app_id", "sdk_version": "sdk_version",
	"created": "date_created", "updated": "date_updated",
}

// FactorGroupsWhere counts the factors of the index that fit a condition by the values they have in some fields, most
// first; nil is every factor.
func (s *Store) FactorGroupsWhere(ctx context.Context, by []where.Field, condition where.Condition) ([]verify.FactorGroup, error) {
	if len(by) == 0 {
		return nil, errors.New("no field to group by")
	}
	where, args, err := s.compile(ctx, condition)
	if err != nil {
		return nil, err
	}
	var columns []string
	for _, field := range by {
		column, err := s.factorColumn(ctx, field)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	numbers := make([]string, len(by)) // GROUP BY 1, 2, …
	for i := range numbers {
		numbers[i] = fmt.Sprint(i + 1)
	}
	list, counted, places := strings.Join(columns, ", "), "count(*)", strings.Join(numbers, ", ")
	from := "factors" + where
	if ordered, ok := groupPrefix(columns); ok {
		// Count first by all columns that the index is ordered by, which needs no sorting, and then add up the few
		// groups that come out.
		prefix := strings.Join(ordered, ", ")
		from, counted = "(SELECT "+prefix+", count(*) AS part FROM "+from+" GROUP BY "+prefix+") AS parts", "CAST(sum(part) AS BIGINT)"
	}
	query := `SELECT ` + list + `, ` + counted + ` AS n FROM ` + from + ` GROUP BY ` + places + ` ORDER BY n DESC, ` + places
	return all(ctx, s, "cannot read the index", query, args, func(row scanner) (verify.FactorGroup, error) {
		group := verify.FactorGroup{Values: make([]string, len(by))}
		into := make([]any, 0, len(by)+1)
		for i := range group.Values {
			into = append(into, &group.Values[i])
		}
		err := row.Scan(append(into, &group.Count)...)
		return group, err
	})
}

// groupPrefix gives the columns that the index for counting begins with, as far as they are needed to have all of the
// given ones; ok is false when it lacks one of them.
func groupPrefix(columns []string) (prefix []string, ok bool) {
	last := 0
	for _, column := range columns {
		place := slices.Index(groupColumns, column)
		if place < 0 {
			var number int
			if _, err := fmt.Sscanf(column, "metadata_%d", &number); err != nil || column != metadataColumn(number) {
				return nil, false
			}
			place = len(groupColumns) + number - 1
		}
		last = max(last, place)
	}
	prefix = slices.Clone(groupColumns[:min(last+1, len(groupColumns))])
	for number := 1; number <= last+1-len(groupColumns); number++ {
		prefix = append(prefix, metadataColumn(number))
	}
	return prefix, true
}

// SameToken gives the factors of the index that share a push token with another, one group for each token. It means one
// app on one phone was enrolled more than once.
func (s *Store) SameToken(ctx context.Context) iter.Seq2[[]verify.IndexedFactor, error] {
	sharing := s.factorQuery(ctx, ` WHERE token_hash IN (SELECT token_hash FROM factors WHERE token_hash <> '' GROUP BY token_hash HAVING count(*) > 1)
		ORDER BY token_hash, date_created, fold(sid)`)
	return grouped(sharing, func(a, b verify.IndexedFactor) bool { return a.TokenHash == b.TokenHash })
}

// SameName gives the push factors of the index that have the friendly name of another one of the same identity, oldest
// first, one group for each name.
func (s *Store) SameName(ctx context.Context) iter.Seq2[[]verify.IndexedFactor, error] {
	named := s.factorQuery(ctx, ` WHERE factor_type = 'push' AND friendly_name <> '' AND (identity, friendly_name) IN (
			SELECT identity, friendly_name FROM factors WHERE factor_type = 'push' GROUP BY identity, friendly_name HAVING count(*) > 1)
		ORDER BY identity, friendly_name, date_created, fold(sid)`)
	return grouped(named, func(a, b verify.IndexedFactor) bool {
		return a.Identity == b.Identity && a.FriendlyName == b.FriendlyName
	})
}

// grouped gathers neighbours that belong together.
func grouped(factors iter.Seq2[verify.IndexedFactor, error], same func(a, b verify.IndexedFactor) bool) iter.Seq2[[]verify.IndexedFactor, error] {
	return func(yield func([]verify.IndexedFactor, error) bool) {
		var group []verify.IndexedFactor
		for f, err := range factors {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(group) > 0 && !same(group[0], f) {
				if !yield(group, nil) {
					return
				}
				group = nil
			}
			group = append(group, f)
		}
		if len(group) > 0 {
			yield(group, nil)
		}
	}
}

// Freshness says how old the answers of the index are.
func (s *Store) Freshness(ctx context.Context) (f verify.Freshness, err error) {
	if f.AccountSID, f.ServiceSID, err = s.indexedService(ctx); err != nil {
		return f, err
	}
	err = s.read.queryRow(ctx, `SELECT coalesce((SELECT min(read_at) FROM entities WHERE read_at > ?1), ?1),
		(SELECT count(*) FROM entities WHERE todo_for IS NOT NULL)`, time.Time{}).Scan(timeInto(&f.OldestRead), &f.Waiting)
	if err != nil {
		return f, s.engine.failure("cannot read the index", err)
	}
	if f.LastFull, _, err = one(ctx, s, "cannot read the index", selectCrawls+`WHERE kind = 'full' AND finished > ? ORDER BY id DESC LIMIT 1`,
		[]any{time.Time{}}, scanCrawl); err != nil {
		return f, err
	}
	f.Unfinished, _, err = one(ctx, s, "cannot read the crawl", unfinishedCrawl, []any{time.Time{}}, scanCrawl)
	return f, err
}
