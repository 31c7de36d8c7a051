package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type doctorUndoOptions struct {
	examination
	write writeFlags

	change doctor.Change
}

func newDoctorUndoCmd(s *shell) *cobra.Command {
	o := doctorUndoOptions{examination: examination{shell: s, noEvidence: true}}
	cmd := &cobra.Command{
		Use:   "undo CHANGE",
		Short: "Undo a change made by doctor --fix",
		Long: `Undo a change that "doctor --fix" made. It prints the command to paste: CHANGE is apn=CR…, fcm=CR…, YW….status=enabled,
YW….status=disabled or YW….event_types=a,b. It shows the change and asks for confirmation, like every write.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo doctor undo apn=CR09b0e064645fdbe631d10397cc221d8d --dry-run`,
		Args:    argsBetween(1, 1),
		RunE:    parseThenRun(o.parse, o.run),
	}
	o.write.register(cmd.Flags())
	return cmd
}

func (o *doctorUndoOptions) parse(args []string) (err error) {
	if o.change, err = doctor.ParseChange(args[0]); err != nil {
		return err
	}
	if o.narrowed() == "" {
		return verify.Usagef("doctor undo changes one environment: name it with -e")
	}
	return nil
}

func (o *doctorUndoOptions) run(ctx context.Context) error {
	chosen, declared, err := o.environments(true)
	if err != nil {
		return err
	}
	// These two checks read what a change is about: the Service and its webhooks.
	report, err := o.examine(ctx, chosen, doctor.Options{Declared: declared, Only: []string{"SVC-01", "HOOK-01"}})
	if err != nil {
		return err
	}
	change, err := report.Resolve(o.change, o.narrowed())
	if err != nil {
		return err
	}
	_, err = o.applyChanges(ctx, o.write, []doctor.Change{change})
	return err
}
