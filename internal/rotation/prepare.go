package rotation

import (
	"cmp"
	"context"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Prepare reads what a rotation rests on and makes its plan. It sends nothing. The error is a refusal where the rotation
// could end in a credential that does not fit the environment's build, or could not be taken back as asked.
func (r *Rotator) Prepare(ctx context.Context, job Job) (Plan, error) {
	p := Plan{Job: job}
	var err error
	if p.Service, err = r.Twilio.Service(ctx, job.Environment.ServiceSID); err != nil {
		return p, err
	}
	if err := r.begin(ctx, &p); err != nil {
		return p, err
	}
	if old := p.State.Old; old != "" {
		credential, err := r.Twilio.Credential(ctx, old)
		if err != nil {
			return p, err
		}
		p.Old = &credential
	}
	if p.Write.FriendlyName == "" && p.Old != nil {
		p.Write.FriendlyName = p.Old.FriendlyName
	}
	p.Write.FriendlyName = cmp.Or(p.Write.FriendlyName, map[verify.Platform]string{verify.PlatformAPN: "iOS", verify.PlatformFCM: "Android"}[p.Platform])
	if p.Done, err = r.isDone(ctx, p); err != nil || p.Done {
		return p, err
	}
	if err := p.check(); err != nil {
		return p, err
	}
	return p, r.findMade(ctx, &p)
}

// findMade looks for the credential of a rotation that was cut off before it knew whether one was made.
func (r *Rotator) findMade(ctx context.Context, p *Plan) error {
	if !p.Resumed || p.InPlace || p.State.New != "" {
		return nil
	}
	found, isThere, err := r.lookUp(ctx, p)
	if p.Looked = err == nil; isThere {
		p.Found = &found
	}
	return err
}

// begin takes up the rotation that an earlier run has left, or begins one.
func (r *Rotator) begin(ctx context.Context, p *Plan) error {
	current := p.Service.CredentialSID(p.Platform)
	fresh := verify.Rotation{ServiceSID: p.Service.SID, Platform: p.Platform, Fingerprint: p.File.Fingerprint, Began: r.Clock.Now(), Old: current}
	left, found, err := r.Memory.UnfinishedRotation(ctx, p.Service.SID, p.Platform)
	switch {
	case err != nil:
		return err
	case !found:
		p.State = fresh
	case left.Fingerprint != p.File.Fingerprint:
		p.State, p.Superseded = fresh, &left
	case current != left.Old && current != left.New:
		return verify.Refusedf("the Service %s has the push credential %s now, which is neither the old one of the unfinished rotation (%s) nor its new one (%s): somebody has changed it since",
			p.Service.SID, cmp.Or(string(current), "none"), cmp.Or(string(left.Old), "none"), cmp.Or(string(left.New), "not made")).
			WithHint("attach the one that is meant: %s", p.Environment.Command("doctor", "undo", string(p.Platform)+"="+string(cmp.Or(left.New, left.Old))))
	default:
		p.State, p.Resumed = left, true
	}
	return nil
}

// isDone tells whether the credential that the Service has was made of this file, and no rotation to it is unfinished.
func (r *Rotator) isDone(ctx context.Context, p Plan) (bool, error) {
	if p.Resumed || p.Old == nil {
		return false, nil
	}
	for file, err := range r.Memory.CredentialFiles(ctx) {
		if err != nil {
			return false, err
		}
		if file.Fingerprint == p.File.Fingerprint && verify.SameSID(file.CredentialSID, p.Old.SID) {
			return true, nil
		}
	}
	return false, nil
}

func (p Plan) check() error {
	if err := p.Environment.CheckSandbox(p.Write.Type, p.Write.Sandbox); err != nil {
		return err
	}
	switch {
	case p.Old == nil && (p.InPlace || p.RollbackOn > 0):
		return verify.Refusedf("the Service %s has no %s credential yet, so there is none to replace or to put back", p.Service.SID, p.Platform).
			WithHint("leave out --in-place and --rollback-on-errors")
	case p.InPlace && p.Old.Type != p.Write.Type:
		return verify.Refusedf("push credential %s is of type %q, and the file is for %s: it cannot be replaced in place", p.Old.SID, p.Old.Type, p.Platform)
	case p.InPlace:
		return p.fits(*p.Old)
	case p.RollbackOn > 0:
		if err := p.fits(*p.Old); err != nil {
			return verify.Refusedf("the old credential could not be put back: %w", err).WithHint("leave out --rollback-on-errors")
		}
	}
	return nil
}

// fits holds a credential against the environment's build: no step attaches or fills one that does not fit.
func (p Plan) fits(c verify.Credential) error {
	if err := p.Environment.CheckSandbox(c.Type, c.Sandbox); err != nil {
		return verify.Refusedf("push credential %s: %w", c.SID, err)
	}
	return nil
}
