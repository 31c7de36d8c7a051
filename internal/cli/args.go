package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// refuseUnknown makes every group refuse subcommands it does not have, every leaf that declares no arguments refuse any,
// and all of them empty ones: cobra alone runs a group's help and exits 0.
func (s *shell) refuseUnknown(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		s.refuseUnknown(child)
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = s.unknownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	cmd.Args = cobra.MatchAll(s.learnArguments, noEmptyArgs, cmd.Args)
}

// group makes cmd a group of commands.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	return cmd
}

// noEmptyArgs refuses an empty argument: it is nearly always a variable of the shell that is not set, and without its
// IDENTITY a command would take everybody.
func noEmptyArgs(cmd *cobra.Command, args []string) error {
	if i := slices.Index(args, ""); i >= 0 {
		return verify.Usagef("argument %d of %s is empty", i+1, cmd.CommandPath()).
			WithHint("leave it out or give it a value; a shell variable may be unset")
	}
	return nil
}

func (s *shell) unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := verify.Usagef("%q is not a command of %s", args[0], cmd.CommandPath())
	if near := verify.Nearest(args[0], subcommandNames(cmd)); near != "" && !slices.Contains(destroying, near) {
		words := append(strings.Fields(cmd.CommandPath())[1:], near)
		return err.WithHint("did you mean %s?", s.typed(words...))
	}
	return err.WithHint("see the commands: %s --help", cmd.CommandPath())
}

// destroying are the names of commands that delete or overwrite. No hint suggests one for a word that was mistyped: it may be
// pasted unread.
var destroying = []string{"apply", "clear", "copy", "delete", "erase", "promote", "prune", "purge", "remove", "reset", "retire", "rm", "rotate", "uninstall"}

// widening are the flags that let a command destroy, send or trust more, or that answer its question. No hint suggests one for a
// flag that was mistyped.
var widening = []string{"all", "all-envs", "all-factors", "allow-base-url", "canary", "confirm", "confirm-delete", "fix", "idle", "in-place", "max-lockouts", "max-resends",
	"max-share", "new", "no-check", "or-recreate", "other-key", "resend-after", "take-over", "through", "to", "webhooks-anywhere", "yes"}

func subcommandNames(cmd *cobra.Command) []string {
	var names []string
	for _, child := range cmd.Commands() {
		if !child.Hidden {
			names = append(names, child.Name())
			names = append(names, child.Aliases...)
		}
	}
	return names
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return verify.Usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0]).
		WithHint("see %s --help", cmd.CommandPath())
}

// argsBetween accepts min to max arguments and says by the command's usage line what is missing or too much. A negative
// max is no limit.
func argsBetween(minimum, maximum int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < minimum:
			return verify.Usagef("%s needs %s", cmd.CommandPath(), argumentNames(cmd)).
				WithHint("usage: %s", cmd.UseLine())
		case maximum >= 0 && len(args) > maximum:
			return verify.Usagef("%s does not take the argument %q", cmd.CommandPath(), args[maximum]).
				WithHint("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

func argumentNames(cmd *cobra.Command) string {
	_, names, _ := strings.Cut(cmd.Use, " ")
	return names
}

// parseThenRun is how a command runs that has something to check: what was typed becomes values, or is wrong usage, before
// anything is read or sent.
func parseThenRun(parse func(args []string) error, run func(context.Context) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := parse(args); err != nil {
			return err
		}
		return run(cmd.Context())
	}
}

// positional gives the words of a command line behind a group's own name that are no flags it knows.
func positional(cmd *cobra.Command, args []string) []string {
	depth := len(strings.Fields(cmd.CommandPath())) - 1
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.AddFlagSet(cmd.Flags())
	flags.AddFlagSet(cmd.InheritedFlags())
	flags.SetInterspersed(true)
	if flags.Parse(args) != nil || flags.NArg() <= depth {
		return nil
	}
	return flags.Args()[depth:]
}
