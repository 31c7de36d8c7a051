// Package cli holds the commands of verifyctl: flags in, one call, the result rendered out. A command has a file of its
// name, such as factors_list.go; shell.go is what every command starts from, connect.go how it reaches an environment.
package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// Root gives the command tree without anything behind it, for generating documentation and completions.
func Root() *cobra.Command {
	return newRootCmd(&shell{terminal: terminal{getenv: func(string) string { return "" }}})
}

func newRootCmd(s *shell) *cobra.Command {
	root := &cobra.Command{
		Use:   "verifyctl",
		Short: "Operate Twilio Verify Push: factors, challenges, push credentials, debugger events",
		Long: `verifyctl works on the factors, challenges, push credentials and debugger events of Twilio Verify Push.

Without an account, try any command with -e demo: it runs on a simulator inside this program.
Start with: verifyctl demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetIn(s.in)
	root.CompletionOptions.DisableDefaultCmd = true
	root.Version = s.build.complete().line()
	root.SetVersionTemplate("verifyctl {{.Version}}\n")
	s.globalSet = root.PersistentFlags()
	s.flags.register(s.globalSet)
	complete(root, "env", s.completeEnvironment)
	complete(root, "output", completeOutput)
	complete(root, "columns", completeColumns)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		s.command = commandOf(cmd)
		return errors.Join(s.checkFlags(cmd), s.checkEnvironment(), s.checkOutput(cmd))
	}
	root.SetFlagErrorFunc(s.flagError)
	root.SetHelpCommand(newHelpCmd())
	root.AddGroup(commandGroups...)
	addCommands(root, s)
	s.refuseUnknown(root)
	return root
}

var commandGroups = []*cobra.Group{
	{ID: groupDaily, Title: "Daily work:"},
	{ID: groupFind, Title: "Find out why:"},
	{ID: groupSetUp, Title: "Set up:"},
	{ID: groupHere, Title: "On this machine:"},
}

const (
	groupDaily = "daily"
	groupFind  = "find"
	groupSetUp = "setup"
	groupHere  = "here"
)

// addCommands hangs every group of commands into the tree.
func addCommands(root *cobra.Command, s *shell) {
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(groupDaily, newFactorsCmd(s), newChallengeCmd(s), newEntitiesCmd(s), newFleetCmd(s))
	add(groupFind, newWhyCmd(s), newDoctorCmd(s), newLatencyCmd(s))
	add(groupFind, newDebuggerCmd(s))
	add(groupSetUp, newEnvCmd(s), newServicesCmd(s), newCredentialsCmd(s), newSimulatorCmd(s), newDemoCmd(s))
	add(groupHere, newAuditCmd(s), newStateCmd(s), newCompletionCmd(), newVersionCmd(s))
}

// newHelpCmd is cobra's help command, but for an unknown topic it fails.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND…]",
		Short: "Show the help of a command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				if target == nil {
					target = cmd.Root()
				}
				if len(rest) == 0 {
					rest = args
				}
				return unknownCommand(target, rest)
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}
