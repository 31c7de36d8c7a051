package store

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// HashCredential gives the keyed hash by which this machine tells credential files apart.
func (s *Store) HashCredential(contents []byte) string { return s.key.HashCredential(contents) }

// RememberCredentialFile keeps what a credential file told, in the place of what was known of the same file.
func (s *Store) RememberCredentialFile(ctx context.Context, f verify.CredentialFile) error {
	topics, err := json.Marshal(f.Topics)
	if err != nil {
		return err
	}
	return s.exec(ctx, "cannot remember the credential file",
		`INSERT INTO credential_files (fingerprint, credential_sid, platform, not_after, topics, project, key_id, at, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (fingerprint) DO UPDATE SET credential_sid = excluded.credential_sid, platform = excluded.platform, not_after = excluded.not_after,
			topics = excluded.topics, project = excluded.project, key_id = excluded.key_id, at = excluded.at, updated = excluded.updated`,
		f.Fingerprint, f.CredentialSID, f.Platform, f.NotAfter, string(topics), f.Project, f.KeyID, f.At, f.Updated)
}

// CredentialFiles gives every credential file that is remembered, the newest first.
func (s *Store) CredentialFiles(ctx context.Context) iter.Seq2[verify.CredentialFile, error] {
	return rows(ctx, s, "cannot read the credential files",
		`SELECT fingerprint, credential_sid, platform, not_after, topics, project, key_id, at, updated FROM credential_files ORDER BY at DESC`, nil,
		func(row scanner) (f verify.CredentialFile, err error) {
			var topics []byte
			err = row.Scan(&f.Fingerprint, &f.CredentialSID, &f.Platform, timeInto(&f.NotAfter), &topics, &f.Project, &f.KeyID, timeInto(&f.At), timeInto(&f.Updated))
			if err == nil {
				err = json.Unmarshal(topics, &f.Topics)
			}
			return f, err
		})
}
