package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// mend plans the changes, shows each, and makes those that are approved. It tells whether anything was changed.
func (o *doctorOptions) mend(ctx context.Context, report doctor.Report) (changed bool, err error) {
	changes, err := o.changes(ctx, report)
	if err != nil {
		return false, err
	}
	if len(changes) == 0 {
		o.shell.note("there is nothing that --fix can mend by itself; a credential is attached with --credential CR…")
	}
	var errs []error
	for _, change := range changes {
		o.shell.note("%s: %s", change.Environment, change.Describe())
		if o.write.dryRun {
			continue
		}
		if err := o.make(ctx, change); err != nil {
			errs = append(errs, err)
			continue
		}
		changed = true
	}
	if o.write.dryRun {
		o.shell.note("dry run: nothing was changed")
	}
	return changed, errors.Join(errs...)
}

func (o *doctorOptions) changes(ctx context.Context, report doctor.Report) ([]doctor.Change, error) {
	var change doctor.Change
	var err error
	switch {
	case o.undo != "":
		change, err = report.Resolve(o.takeBack, o.narrowed())
	case o.attach != "":
		c := o.shell.opened.byName[o.narrowed()]
		if c == nil {
			return nil, &verify.Error{Kind: verify.KindAuth, Message: fmt.Sprintf("%s cannot be reached", o.narrowed())}
		}
		var credential verify.Credential
		if credential, err = c.client.Credential(ctx, o.attach); err == nil {
			change, err = report.Attach(credential, o.narrowed())
		}
	default:
		return report.Changes(), nil
	}
	if err != nil {
		return nil, err
	}
	return []doctor.Change{change}, nil
}

// make asks, records, writes, and says what takes the change back.
func (o *doctorOptions) make(ctx context.Context, change doctor.Change) error {
	c := o.shell.opened.byName[change.Environment]
	w, err := c.writer(ctx, o.write, fmt.Sprintf("Change %s in %s?", change.Describe(), c.label()), harmless)
	if err != nil {
		return err
	}
	if err := change.Apply(ctx, w); err != nil {
		return err
	}
	if undo := change.UndoCommand(); undo != "" {
		o.shell.note("changed; to take it back: %s", undo)
	} else {
		o.shell.note("changed; there is no request that takes it back")
	}
	return nil
}
