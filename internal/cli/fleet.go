package cli

import (
	"github.com/spf13/cobra"
)

func newFleetCmd(s *shell) *cobra.Command {
	return group(&cobra.Command{
		Use:   "fleet",
		Short: "Index every factor of a Service, and query the index",
		Long: `Twilio has no list of factors per Service and finds a factor only under its identity. "fleet sync" reads every entity once
and keeps an index on this machine; the other commands, "factors find" and every --where ask it without a request.`,
	}, newFleetSyncCmd(s), newFleetStatsCmd(s), newFleetStaleCmd(s), newFleetDuplicatesCmd(s))
}
