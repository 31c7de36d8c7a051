package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// applyFixes plans the changes and makes those that are approved. It tells whether anything was changed.
func (o *doctorOptions) applyFixes(ctx context.Context, report doctor.Report) (changed bool, err error) {
	changes := report.Changes()
	if o.attach != "" {
		if changes, err = o.attachment(ctx, report); err != nil {
			return false, err
		}
	}
	if len(changes) == 0 {
		o.shell.note("--fix has nothing to change by itself; attach a credential with --credential CR…")
	}
	return o.applyChanges(ctx, o.write, changes)
}

// attachment plans to attach the credential of --credential.
func (o *doctorOptions) attachment(ctx context.Context, report doctor.Report) ([]doctor.Change, error) {
	c := o.shell.opened.byName[o.narrowed()]
	if c == nil {
		return nil, &verify.Error{Kind: verify.KindAuth, Message: fmt.Sprintf("%s cannot be reached", o.narrowed())}
	}
	credential, err := c.client.Credential(ctx, o.attach)
	if err != nil {
		return nil, err
	}
	change, err := report.Attach(credential, o.narrowed())
	return []doctor.Change{change}, err
}

// applyChanges shows each change and makes those that are approved. It tells whether anything was changed.
func (e *examination) applyChanges(ctx context.Context, write writeFlags, changes []doctor.Change) (changed bool, err error) {
	var errs []error
	for _, change := range changes {
		if change.Done() {
			e.shell.note("nothing to do: %s already has %s", change.Environment, change)
			continue
		}
		e.shell.note("%s: %s", change.Environment, change.Describe())
		if write.dryRun {
			continue
		}
		if err := e.applyChange(ctx, write, change); err != nil {
			errs = append(errs, err)
			continue
		}
		changed = true
	}
	if write.dryRun {
		e.shell.note("dry run: nothing was changed")
	}
	return changed, errors.Join(errs...)
}

// applyChange asks, records, writes, and says what takes the change back.
func (e *examination) applyChange(ctx context.Context, write writeFlags, change doctor.Change) error {
	c := e.shell.opened.byName[change.Environment]
	w, err := c.writer(ctx, write, fmt.Sprintf("Change %s in %s?", change.Describe(), c.label()), destructive)
	if err != nil {
		return err
	}
	if err := change.Apply(ctx, w); err != nil {
		return err
	}
	if undo := change.UndoCommand(c.env); undo != "" {
		e.shell.note("changed; to undo it: %s", undo)
	} else {
		e.shell.note("changed; no request can undo it")
	}
	return nil
}
