package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

var memoryFindingResource = render.Resource[store.Finding]{Columns: []render.Column[store.Finding]{
	{Name: "check", Text: func(f store.Finding) string { return f.Check }},
	{Name: "ok", Text: func(f store.Finding) string { return fmt.Sprint(f.OK) }, Tone: func(f store.Finding) render.Tone {
		if f.OK {
			return render.Good
		}
		return render.Bad
	}},
	{Name: "found", Text: func(f store.Finding) string { return f.Found }, Flex: true},
	{Name: "fix", Text: func(f store.Finding) string {
		if f.OK {
			return ""
		}
		return f.Fix
	}, Flex: true},
}}

func newStateCheckCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check what an environment's memory stands on",
		Long: `Check the memory of an environment. Of a file: its version and integrity. Of a team's store: the server's version,
encryption, the schema, the key, what the role may do, whether a commit is on disk, how long an answer takes, and how far this
machine's clock is off. It fails when something is not as it should be.

` + exitHelp(0, 1, 6),
		Example: "  verifyctl -e demo state check",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return checkState(cmd.Context(), s)
		},
	}
}

func checkState(ctx context.Context, s *shell) error {
	target, err := s.chosen()
	if err != nil {
		return err
	}
	memory, err := s.openMemory(ctx, target)
	if err != nil {
		return err
	}
	defer memory.Close()
	findings, err := memory.Check(ctx)
	if err != nil {
		return err
	}
	if err := listAll(s.printer(time.Now), memoryFindingResource, findings); err != nil {
		return err
	}
	failed := 0
	for _, f := range findings {
		if !f.OK {
			failed++
		}
	}
	if failed > 0 {
		return &verify.Error{Kind: verify.KindFailed, Message: verify.Count(failed, "check") + " failed"}
	}
	return nil
}

func newStateRolesCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "roles",
		Short: "Print the SQL of a reader's and a writer's role for a team's store",
		Long: `Print the SQL by which the owner of a team's store makes two roles: one that reads what is kept of the environment, and
one that reads and writes it. Nothing is connected to or changed. Only the owner can bring the tables to a new version. It is
refused for an environment without a store: a file of this machine has no roles.

` + exitHelp(0, 6),
		Example: "  verifyctl -e prod state roles",
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := s.chosen()
			if err != nil {
				return err
			}
			if target.Store == "" {
				return verify.Refusedf("the memory of %s is a file of this machine, which has no roles", memoryName(target.Environment)).
					WithHint("roles are those of a team's store in PostgreSQL, which an environment declares: store: postgres://…")
			}
			_, err = io.WriteString(cmd.OutOrStdout(), store.RolesSQL(asRemembered(target.Environment)))
			return err
		},
	}
}
