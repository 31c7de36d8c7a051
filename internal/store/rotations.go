package store

import (
	"context"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// SaveRotation keeps how far a rotation has come, in the place of what was known of it.
func (s *Store) SaveRotation(ctx context.Context, r verify.Rotation) error {
	return s.exec(ctx, "cannot remember the rotation",
		`INSERT INTO rotations (service_sid, platform, began, fingerprint, old_sid, new_sid, attached, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (fold(service_sid), platform, began) DO UPDATE SET fingerprint = excluded.fingerprint, old_sid = excluded.old_sid,
			new_sid = excluded.new_sid, attached = excluded.attached, outcome = excluded.outcome`,
		r.ServiceSID, r.Platform, r.Began, r.Fingerprint, r.Old, r.New, r.Attached, r.Outcome)
}

// UnfinishedRotation gives the last rotation of a Service and platform, unless that has ended or there is none.
func (s *Store) UnfinishedRotation(ctx context.Context, service verify.ServiceSID, platform verify.Platform) (verify.Rotation, bool, error) {
	last, found, err := one(ctx, s, "cannot read the rotations",
		`SELECT service_sid, platform, began, fingerprint, old_sid, new_sid, attached, outcome FROM rotations
		WHERE fold(service_sid) = fold(?) AND platform = ? ORDER BY began DESC LIMIT 1`, []any{service, platform},
		func(row scanner) (r verify.Rotation, err error) {
			err = row.Scan(&r.ServiceSID, &r.Platform, timeInto(&r.Began), &r.Fingerprint, &r.Old, &r.New, timeInto(&r.Attached), &r.Outcome)
			return r, err
		})
	return last, found && !last.Ended(), err
}
