// Package cli holds the commands of verifyctl: flags in, one call, the result rendered out. A command has a file of its
// name, such as factors_list.go; shell.go is what every command starts from, connect.go how it reaches an environment.
package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
)

// Root gives the command tree without anything behind it, for generating documentation and completions.
func Root() *cobra.Command {
	return newRootCmd(&shell{terminal: terminal{getenv: func(string) string { return "" }}}, nil)
}

func newRootCmd(s *shell, args []string) *cobra.Command {
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
	root.SetHelpCommand(newHelpCmd(s))
	root.AddGroup(commandGroups...)
	addCommands(root, s, args)
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

// topCommand is a command below the root that is made only when it is asked for, because making all of them takes as long as
// some of them run.
type topCommand struct {
	group string
	names []string // its name and its aliases
	make  func(*shell) *cobra.Command
}

func topCommands() []topCommand {
	return []topCommand{
		{groupDaily, []string{"factors", "factor"}, newFactorsCmd},
		{groupDaily, []string{"challenge", "challenges"}, newChallengeCmd},
		{groupDaily, []string{"entities", "entity"}, newEntitiesCmd},
		{groupDaily, []string{"fleet"}, newFleetCmd},
		{groupFind, []string{"why"}, newWhyCmd},
		{groupFind, []string{"doctor"}, newDoctorCmd},
		{groupFind, []string{"latency"}, newLatencyCmd},
		{groupFind, []string{"debugger", "debug"}, newDebuggerCmd},
		{groupSetUp, []string{"env", "envs", "environment", "environments"}, newEnvCmd},
		{groupSetUp, []string{"services", "service"}, newServicesCmd},
		{groupSetUp, []string{"credentials", "credential"}, newCredentialsCmd},
		{groupSetUp, []string{"simulator"}, newSimulatorCmd},
		{groupSetUp, []string{"demo"}, newDemoCmd},
		{groupHere, []string{"audit"}, newAuditCmd},
		{groupHere, []string{"state"}, newStateCmd},
		{groupHere, []string{"completion"}, newCompletionCmd},
		{groupHere, []string{"version"}, newVersionCmd},
	}
}

// addCommands hangs into the tree the command that args ask for, or every command where they ask for none: for the help of
// the root, its completion, and a word that was mistyped.
func addCommands(root *cobra.Command, s *shell, args []string) {
	var others []topCommand
	for _, top := range topCommands() {
		if slices.ContainsFunc(args, func(arg string) bool { return slices.Contains(top.names, arg) }) {
			top.addTo(root, s)
		} else {
			others = append(others, top)
		}
	}
	if asked, _, err := root.Find(args); err == nil && asked != root {
		return
	}
	for _, top := range others {
		top.addTo(root, s)
	}
}

func (t topCommand) addTo(root *cobra.Command, s *shell) {
	cmd := t.make(s)
	cmd.GroupID = t.group
	root.AddCommand(cmd)
}

// newHelpCmd is cobra's help command, but for an unknown topic it fails.
func newHelpCmd(s *shell) *cobra.Command {
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
				return s.unknownCommand(target, rest)
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}
