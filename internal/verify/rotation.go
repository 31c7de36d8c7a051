package verify

import (
	"fmt"
	"time"
)

// RotationOutcome is how the exchange of a push credential ended.
type RotationOutcome string

// The outcomes of a rotation. One without an outcome has not ended, and the same command goes on with it.
const (
	RotationKept       RotationOutcome = "kept"        // pushes are known to have gone through the new credential
	RotationReturning  RotationOutcome = "returning"   // the old one is about to be attached again: this has not ended either
	RotationRolledBack RotationOutcome = "rolled_back" // the old one is attached again
	RotationFailing    RotationOutcome = "failing"     // pushes are refused, and nobody asked for the old one back
	RotationSuperseded RotationOutcome = "superseded"  // another file was taken before it ended
)

// Rotation is the exchange of the push credential that a Service has for one platform, as far as it has come. Times are
// the environment's.
type Rotation struct {
	ServiceSID  ServiceSID
	Platform    Platform
	Fingerprint string    // keyed hash of the file that the new credential is made of
	Began       time.Time // with Service and platform it is the key
	Old         CredentialSID
	New         CredentialSID   // "" until it is known; Old itself where the contents are replaced in place
	Attached    time.Time       // just before the request that attached it; zero until then
	Outcome     RotationOutcome // "" until it ended
}

// Ended tells whether nothing of a rotation is left to do.
func (r Rotation) Ended() bool { return r.Outcome != "" && r.Outcome != RotationReturning }

// Intent names a rotation in the audit file.
func (r Rotation) Intent() string {
	return fmt.Sprintf("rotation-%s-%s-%d", r.ServiceSID, r.Platform, r.Began.UnixMicro())
}
