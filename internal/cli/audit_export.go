package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/ledger"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newAuditExportCmd(s *shell) *cobra.Command {
	out := ""
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print how long the audit file is and its hash, to be kept elsewhere",
		Long: `Print the number of lines and bytes of the audit file and the SHA-256 of those bytes. Kept where who can write the file
cannot, such as a ticket or a log server, it proves later that no line was changed since: "audit verify --against FILE".
--out copies the file as well. It names no identity, only keyed hashes.

` + exitHelp(0, 1),
		Example: "  verifyctl audit export -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			audit, err := s.ledger(cmd.Context())
			if err != nil {
				return err
			}
			export, err := exportAudit(cmd.Context(), audit, out)
			if err != nil {
				return err
			}
			return render.One(s.printer(time.Now), auditExportResource, export)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "also copy the audit file into this new `file`")
	return cmd
}

// exportAudit counts and hashes the audit file, and copies it into a new file where one is named.
func exportAudit(ctx context.Context, audit *ledger.Ledger, out string) (ledger.Export, error) {
	if out == "" {
		return audit.Export(ctx, io.Discard, time.Now())
	}
	if info, err := os.Lstat(out); err == nil && info.Mode().Type()&fs.ModeDevice == 0 {
		return ledger.Export{}, verify.Usagef("--out: %s exists already", out).WithHint("name a new file")
	}
	var file bytes.Buffer
	export, err := audit.Export(ctx, &file, time.Now())
	if err != nil {
		return ledger.Export{}, err
	}
	return export, statedir.WriteFile(out, file.Bytes(), 0o600)
}

var auditExportResource = render.Resource[ledger.Export]{Columns: []render.Column[ledger.Export]{
	{Name: "lines", Text: func(e ledger.Export) string { return fmt.Sprint(e.Lines) }},
	{Name: "bytes", Text: func(e ledger.Export) string { return fmt.Sprint(e.Bytes) }},
	{Name: "sha256", Text: func(e ledger.Export) string { return e.SHA256 }},
	{Name: "time", Time: func(e ledger.Export) time.Time { return e.Time }},
}}
