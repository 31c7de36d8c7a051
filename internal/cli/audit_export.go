package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type auditExportOptions struct {
	shell *shell

	out string
}

func newAuditExportCmd(s *shell) *cobra.Command {
	o := auditExportOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print how long the audit file is and its hash, to be kept elsewhere",
		Long: `Print the number of lines and bytes of the audit file and the SHA-256 of those bytes. Kept where who can write the file
cannot, such as a ticket or a log server, it proves later that no line was changed since: "audit verify --against FILE".
--out copies the file as well. It names no identity, only keyed hashes.

` + exitHelp(0, 1),
		Example: "  verifyctl audit export -o json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&o.out, "out", "", "also copy the audit file into this new `file`")
	return cmd
}

func (o *auditExportOptions) run(ctx context.Context) error {
	audit, err := o.shell.ledger(ctx)
	if err != nil {
		return err
	}
	export, err := o.export(ctx, audit)
	if err != nil {
		return err
	}
	return render.One(o.shell.printer(time.Now), auditExportResource, export)
}

func (o *auditExportOptions) export(ctx context.Context, audit *ledger.Ledger) (ledger.Export, error) {
	if o.out == "" {
		return audit.Export(ctx, io.Discard, time.Now())
	}
	f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return ledger.Export{}, verify.Usagef("--out: %w", err)
	}
	export, err := audit.Export(ctx, f, time.Now())
	return export, errors.Join(err, f.Close())
}

var auditExportResource = render.Resource[ledger.Export]{Columns: []render.Column[ledger.Export]{
	{Name: "lines", Text: func(e ledger.Export) string { return fmt.Sprint(e.Lines) }},
	{Name: "bytes", Text: func(e ledger.Export) string { return fmt.Sprint(e.Bytes) }},
	{Name: "sha256", Text: func(e ledger.Export) string { return e.SHA256 }},
	{Name: "time", Time: func(e ledger.Export) time.Time { return e.Time }},
}}
