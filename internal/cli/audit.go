package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newAuditCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:   "audit",
		Short: "What was written to Twilio from this machine",
		Long: `Every write leaves two lines in the audit file of the state directory: one before it is sent and one after. Each line
carries a keyed hash of the line before it. When the first line cannot be written, or lines were changed or cut off, nothing
is sent.`,
	}, newAuditShowCmd(s), newAuditVerifyCmd(s), newAuditExportCmd(s), newAuditAcknowledgeCmd(s))
}

// auditView is the JSON form of an audit entry: with the identity, where it was not erased.
type auditView struct {
	ledger.Entry
	Identity string `json:"identity,omitempty"`
}

var auditResource = render.Resource[ledger.Entry]{
	SID: func(e ledger.Entry) string {
		if len(e.SIDs) == 0 {
			return ""
		}
		return e.SIDs[0]
	},
	View: func(e ledger.Entry) any { return auditView{e, e.Identity} },
	Columns: []render.Column[ledger.Entry]{
		{Name: "time", Time: func(e ledger.Entry) time.Time { return e.Time }},
		{Name: "phase", Text: func(e ledger.Entry) string { return e.Phase }},
		{Name: "outcome", Text: func(e ledger.Entry) string { return e.Outcome }},
		{Name: "environment", Text: func(e ledger.Entry) string { return e.Environment }},
		{Name: "command", Text: func(e ledger.Entry) string { return e.Command }},
		{Name: "purpose", Text: func(e ledger.Entry) string { return e.Purpose }, Wide: true},
		{Name: "identity", Text: func(e ledger.Entry) string { return e.Identity }, Named: true},
		{Name: "sids", Text: func(e ledger.Entry) string { return strings.Join(e.SIDs, " ") }},
		{Name: "reason", Text: func(e ledger.Entry) string { return e.Reason }, Flex: true},
		{Name: "problem", Text: func(e ledger.Entry) string { return e.Problem }, Flex: true, Wide: true},
		{Name: "user", Text: func(e ledger.Entry) string { return e.User }},
		{Name: "host", Text: func(e ledger.Entry) string { return e.Host }, Wide: true},
		{Name: "key_sid", Text: func(e ledger.Entry) string { return string(e.KeySID) }, Wide: true},
		{Name: "request_id", Text: func(e ledger.Entry) string { return e.RequestID }, Wide: true},
		{Name: "id", Text: func(e ledger.Entry) string { return e.ID }, Wide: true},
	},
}

type auditShowOptions struct {
	shell *shell

	identity string
	sid      string
	command  string
	since    verify.Since
}

func newAuditShowCmd(s *shell) *cobra.Command {
	o := auditShowOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "show",
		Aliases: []string{"list", "ls"},
		Short:   "Show the audit file, of one environment with -e",
		Long: `Show what was written to Twilio from this machine, oldest first. With -e only that of one environment.

` + exitHelp(0, 1),
		Example: "  verifyctl audit show\n  verifyctl -e demo audit show --command 'factors delete'",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.identity, "identity", "", "only writes about this identity")
	flags.StringVar(&o.sid, "sid", "", "only writes that name this SID")
	flags.StringVar(&o.command, "command", "", "only writes of this command, such as 'factors delete'")
	flags.Var(&o.since, "since", "only those since, such as 24h, 7d or 2026-05-01")
	return cmd
}

func (o *auditShowOptions) run(ctx context.Context) error {
	audit, err := o.shell.ledger(ctx)
	if err != nil {
		return err
	}
	identity, err := o.whose(ctx)
	if err != nil {
		return err
	}
	filter := ledger.Filter{Environment: o.shell.flags.env, Identity: string(identity), SID: o.sid, Command: o.command}
	if filter.Since, err = o.since.Time(time.Now()); err != nil {
		return err
	}
	n, err := render.List(o.shell.printer(time.Now), auditResource, audit.Entries(filter))
	if err != nil {
		return err
	}
	unreadable, err := audit.UnreadableLines()
	switch {
	case err != nil:
		return err
	case unreadable > 0:
		o.shell.note("%s of the audit file cannot be read and may be missing here; see verifyctl audit verify", verify.Count(unreadable, "line"))
	case n == 0:
		if err := o.shell.checkRemembered(); err != nil {
			return err
		}
		o.shell.note("no write from this machine matches")
	}
	return nil
}

// whose gives the identity asked for. What is none by itself, such as user:NAME, becomes one as the environment says.
func (o *auditShowOptions) whose(ctx context.Context) (verify.Identity, error) {
	if o.identity == "" {
		return "", nil
	}
	if identity, err := verify.ParseIdentity(o.identity); err == nil {
		return identity, nil
	}
	target, err := o.shell.chosen()
	if err != nil {
		return "", err
	}
	return o.shell.identityIn(ctx, target, o.identity)
}
