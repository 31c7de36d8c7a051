// Package rotation exchanges the push credential of a Service while its phones are pushed: it makes the new one beside the
// old, attaches it, watches what Apple and Google then say, and keeps it, puts the old one back, or says that nothing
// proves either. Each step is remembered before it is sent, so that an interrupted rotation goes on where it was.
package rotation

import (
	"context"
	"iter"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type reader interface {
	Service(ctx context.Context, sid verify.ServiceSID) (verify.Service, error)
	Credential(ctx context.Context, sid verify.CredentialSID) (verify.Credential, error)
	Credentials(ctx context.Context) iter.Seq2[verify.Credential, error]
}

type writer interface {
	CreateCredential(ctx context.Context, n verify.CredentialWrite) (verify.Credential, error)
	UpdateCredential(ctx context.Context, sid verify.CredentialSID, n verify.CredentialWrite) (verify.Credential, error)
	SetServiceCredential(ctx context.Context, service verify.ServiceSID, platform verify.Platform, credential, was verify.CredentialSID) error
}

type memory interface {
	UnfinishedRotation(ctx context.Context, service verify.ServiceSID, platform verify.Platform) (r verify.Rotation, found bool, err error)
	SaveRotation(ctx context.Context, r verify.Rotation) error
	CredentialFiles(ctx context.Context) iter.Seq2[verify.CredentialFile, error]
	RememberCredentialFile(ctx context.Context, f verify.CredentialFile) error
}

type feed interface {
	Events(ctx context.Context, within event.Span) iter.Seq2[event.Event, error]
}

type clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Rotator does the steps of a rotation.
type Rotator struct {
	Twilio reader
	Writer writer // nil while nothing is sent
	Memory memory
	Feed   feed
	Clock  clock
	// Canary asks one person, once for each new credential, and gives what tells how that challenge stands. Nil: nobody is asked.
	Canary func(ctx context.Context, credential verify.CredentialSID) (status func(context.Context) (verify.ChallengeStatus, error), err error)
	// Answered tells how many challenges created since a time were answered. Nil: not known.
	Answered func(ctx context.Context, since time.Time) (int, error)
	Notice   func(format string, args ...any) // what a person at the terminal is told meanwhile
}

// Job is one rotation as it was asked for.
type Job struct {
	Environment verify.Environment
	Platform    verify.Platform
	Write       verify.CredentialWrite // what the new credential is made of
	File        verify.CredentialFile  // what its file told, with its fingerprint
	InPlace     bool                   // the contents of the old credential are replaced, for which there is no way back
	Watch       time.Duration          // how long the pushes are watched after the exchange
	RollbackOn  int                    // so many refused pushes put the old one back; 0: never
}

// Plan is a rotation before anything is sent.
type Plan struct {
	Job
	Service    verify.Service
	Old        *verify.Credential // nil when the Service had none
	State      verify.Rotation
	Resumed    bool               // an earlier run has begun it
	Looked     bool               // it was cut off where it made the new credential, which was looked for
	Found      *verify.Credential // what it had made, nil for nothing
	Superseded *verify.Rotation   // one to another file, which has not ended and will not
	Done       bool               // the Service has a credential of this very file
}

// Report is how a rotation ended, as far as it is known.
type Report struct {
	Platform verify.Platform      `json:"platform"`
	Service  verify.ServiceSID    `json:"service_sid"`
	Old      verify.CredentialSID `json:"old_credential_sid"`
	New      verify.CredentialSID `json:"new_credential_sid"`
	Attached time.Time            `json:"attached"`
	Watched  verify.Period        `json:"watched"`
	Tally
	Outcome verify.RotationOutcome `json:"outcome"` // unknown when no push was seen
}

// unknown is the outcome of a watch in which no push was seen. It ends nothing.
const unknown verify.RotationOutcome = "unknown"

// Run does a plan that was approved. Its error is nil only when pushes are known to go through the new credential; a report
// is given with an error, too, as far as the rotation came.
func (r *Rotator) Run(ctx context.Context, p Plan) (Report, error) {
	if p.Superseded != nil {
		ended := *p.Superseded
		ended.Outcome = verify.RotationSuperseded
		if err := r.Memory.SaveRotation(ctx, ended); err != nil {
			return Report{}, err
		}
	}
	if p.State.Outcome == verify.RotationReturning {
		return r.goOnReturning(ctx, &p)
	}
	for _, step := range []func(context.Context, *Plan) error{r.create, r.attach} {
		if err := step(ctx, &p); err != nil {
			return p.report(Tally{}, 0), err
		}
	}
	return r.judge(ctx, p)
}

func (p Plan) report(t Tally, watched time.Duration) Report {
	return Report{Platform: p.Platform, Service: p.Service.SID, Old: p.State.Old, New: p.State.New, Attached: p.State.Attached,
		Watched: verify.Period(watched.Truncate(time.Second)), Tally: t, Outcome: p.State.Outcome}
}
