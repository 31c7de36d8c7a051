package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newAuditAcknowledgeCmd(s *shell) *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "acknowledge --reason TEXT",
		Short: "Record that the audit file was changed, so that writing can go on",
		Long: `Record, as a line that stays, that lines of the audit file were changed, removed or put in, or that the key of the state
directory was lost. Until then nothing is written to Twilio from this machine. An intact file is left as it is.

` + exitHelp(0, 1),
		Example: "  verifyctl audit acknowledge --reason 'restored from the backup of Monday'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reason == "" {
				return verify.Usagef("--reason is needed: it stays in the audit file")
			}
			return acknowledge(cmd.Context(), s, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "what happened, for the audit file")
	return cmd
}

func acknowledge(ctx context.Context, s *shell, reason string) error {
	dir, err := s.stateDir()
	if err != nil {
		return err
	}
	audit, err := ledger.OpenWithoutKey(ctx, dir)
	if err != nil {
		return err
	}
	problem, err := audit.Acknowledge(ctx, ledger.Entry{Time: time.Now(), User: userName(), Host: hostName(), Command: s.command, Reason: reason})
	if err != nil {
		return err
	}
	if problem == "" {
		s.note("nothing to acknowledge: the audit file is intact")
		return nil
	}
	s.note("recorded: %s", problem)
	return nil
}
