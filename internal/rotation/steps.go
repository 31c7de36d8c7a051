package rotation

import (
	"context"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// skew is how far this machine's clock may be ahead of Twilio's when a credential is told to be younger than a rotation.
const skew = time.Minute

// create makes the new credential, unless an earlier run has. What it makes is remembered with what its file told.
func (r *Rotator) create(ctx context.Context, p *Plan) error {
	if p.State.New != "" {
		return nil
	}
	if err := r.Memory.SaveRotation(ctx, p.State); err != nil {
		return err
	}
	made, err := r.made(ctx, p)
	if err != nil {
		return err
	}
	p.State.New = made.SID
	file := p.File
	file.CredentialSID, file.At, file.Updated = made.SID, r.Clock.Now(), made.DateUpdated
	if err := r.Memory.RememberCredentialFile(ctx, file); err != nil {
		return err
	}
	return r.Memory.SaveRotation(ctx, p.State)
}

// made gives the new credential: one that an earlier run made without learning its SID, or a new one.
func (r *Rotator) made(ctx context.Context, p *Plan) (verify.Credential, error) {
	if p.InPlace {
		return r.replaceContents(ctx, p)
	}
	if p.Found != nil {
		return *p.Found, nil
	}
	r.Notice("making the push credential %q", p.Write.FriendlyName)
	made, err := r.Writer.CreateCredential(verify.WithIntent(ctx, p.State.Intent()), p.Write)
	if verify.KindOf(err) != verify.KindPartial || err == nil {
		return made, err
	}
	found, isThere, lookUpErr := r.lookUp(ctx, p) // its reply was lost
	if lookUpErr != nil || !isThere {
		return made, err
	}
	return found, nil
}

// lookUp gives the credential that this rotation has made: of its name and type, and younger. Two are a refusal.
func (r *Rotator) lookUp(ctx context.Context, p *Plan) (found verify.Credential, isThere bool, err error) {
	for c, err := range r.Twilio.Credentials(ctx) {
		if err != nil {
			return found, false, err
		}
		if c.Type != p.Write.Type || c.FriendlyName != p.Write.FriendlyName || c.SID == p.State.Old || c.DateCreated.Before(p.State.Began.Add(-skew)) {
			continue
		}
		if isThere {
			return found, false, verify.Refusedf("%s and %s are both called %q and were made since this rotation began, so which one is its own cannot be told", found.SID, c.SID, c.FriendlyName).
				WithHint("delete the one that is not needed: %s", p.Environment.Command("credentials", "retire", string(c.SID)))
		}
		found, isThere = c, true
	}
	return found, isThere, nil
}

// replaceContents is the way without a second credential. It is repeated freely: the same contents again change nothing.
func (r *Rotator) replaceContents(ctx context.Context, p *Plan) (verify.Credential, error) {
	now, err := r.Twilio.Credential(ctx, p.Old.SID)
	if err != nil {
		return now, err
	}
	if err := p.fits(now); err != nil {
		return now, err
	}
	p.State.Attached = r.Clock.Now()
	r.Notice("replacing the contents of push credential %s", now.SID)
	write := p.Write
	write.FriendlyName, write.Sandbox, write.ReadFrom = "", "", now.ReadFrom // they stay as they are
	return r.Writer.UpdateCredential(ctx, now.SID, write)
}

// attach puts the new credential behind the Service's pushes, unless it is there. That it fits is read once more, just before.
func (r *Rotator) attach(ctx context.Context, p *Plan) error {
	if p.InPlace {
		return nil
	}
	service, err := r.Twilio.Service(ctx, p.Service.SID)
	if err != nil {
		return err
	}
	switch current := service.CredentialSID(p.Platform); {
	case current == p.State.New && !p.State.Attached.IsZero():
		return nil
	case current == p.State.New:
		p.State.Attached = r.Clock.Now()
		return r.Memory.SaveRotation(ctx, p.State)
	case current != p.State.Old:
		return verify.Refusedf("the Service %s has push credential %s now: somebody has changed it since the rotation began", service.SID, current)
	}
	made, err := r.Twilio.Credential(ctx, p.State.New)
	if err != nil {
		return err
	}
	if err := p.fits(made); err != nil {
		return err
	}
	p.State.Attached = r.Clock.Now()
	if err := r.Memory.SaveRotation(ctx, p.State); err != nil {
		return err
	}
	r.Notice("attaching %s to the Service %s", made.SID, service.SID)
	return r.set(ctx, p, p.State.New, p.State.Old)
}

// set attaches a credential. When the reply is lost, the Service is read: it tells.
func (r *Rotator) set(ctx context.Context, p *Plan, credential, was verify.CredentialSID) error {
	err := r.Writer.SetServiceCredential(ctx, p.Service.SID, p.Platform, credential, was)
	if err == nil || verify.KindOf(err) != verify.KindPartial {
		return err
	}
	if service, readErr := r.Twilio.Service(ctx, p.Service.SID); readErr == nil && service.CredentialSID(p.Platform) == credential {
		return nil
	}
	return err
}
