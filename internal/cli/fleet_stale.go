package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/where"
)

func newFleetStaleCmd(s *shell) *cobra.Command {
	age := days(60)
	limit := 0
	cmd := &cobra.Command{
		Use:   "stale",
		Short: "List push factors whose token may have gone stale",
		Long: `List verified push factors of the index that have not changed for long. A push token is renewed by updating the factor, so
no token is newer than its factor's last update. Google calls tokens stale after a month without contact and drops them
after 270 days. A stale token is no dead factor: the phone may still answer by polling.

` + exitHelp(0, 1, 6),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo fleet stale
  verifyctl -e demo fleet stale --token-age 270d -o csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			condition := func(now time.Time) (where.Condition, error) {
				return where.Parse(fmt.Sprintf("factor_type = push and status = verified and platform in (apn, fcm) and updated < %q",
					age.Before(now).UTC().Format(time.RFC3339)), now)
			}
			return s.listIndexed(cmd.Context(), indexedResource().With("updated"), limit, condition)
		},
	}
	cmd.Flags().Var(&age, "token-age", "how long ago the factor was updated at the latest")
	cmd.Flags().IntVar(&limit, "limit", 0, "stop after this many factors")
	return cmd
}
