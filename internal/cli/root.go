// Package cli holds the commands of verifyctl: flags in, one call, the result rendered out. Each group of commands has a
// file; connect.go turns an environment into a client.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Main runs verifyctl with this process's arguments and streams and gives its exit status.
func Main(build Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan struct{})
	defer close(ended)
	go explainWait(ctx, stop, ended)
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away must not end a batch half way: the write's error does
	return run(ctx, &shell{terminal: systemTerminal(), build: build}, os.Args[1:])
}

// explainWait lets a second Ctrl-C end the process at once, and says so when the command does not end soon after the
// first.
func explainWait(ctx context.Context, stop func(), ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
		stop()
	}
	select {
	case <-ended:
	case <-time.After(hurry):
		fmt.Fprintln(os.Stderr, "verifyctl: interrupted, waiting for the end of what is under way; Ctrl-C again does not wait")
	}
}

// hurry is how long a command may take to end after Ctrl-C before a person is told what it waits for.
const hurry = 300 * time.Millisecond

func run(ctx context.Context, s *shell, args []string) int {
	s.args = args
	results := &resultWriter{to: s.out}
	s.out = results
	root := newRootCmd(s)
	root.SetArgs(guardNegative(args))
	err := root.ExecuteContext(ctx)
	if closeErr := s.close(); err == nil {
		err = closeErr
	}
	err = results.outcome(err)
	if ctx.Err() != nil && err != nil {
		err = interrupted(err)
	}
	report(s.err, s.flags.format(args), err)
	return exitCode(err)
}

// interrupted is how a command ends after Ctrl-C: with what it says was done, and without the noise of the requests that
// were cancelled.
func interrupted(err error) error {
	var told *verify.Error
	if errors.As(err, &told) && told.Kind == verify.KindInterrupted && told.Hint != "" {
		return err // it says how to go on
	}
	if slices.Contains(kindsOf(err), verify.KindPartial) {
		return errors.Join(err, status{verify.KindInterrupted}) // it says what was done
	}
	return &verify.Error{Kind: verify.KindInterrupted, Message: "interrupted"}
}

// Root gives the command tree without anything behind it, for generating documentation and completions.
func Root() *cobra.Command {
	return newRootCmd(&shell{terminal: terminal{getenv: func(string) string { return "" }}})
}

// shell is what every command starts from: the streams, the global flags, and what was opened for this run.
type shell struct {
	terminal
	build     Build
	args      []string // of the command line
	flags     globalFlags
	globalSet *pflag.FlagSet // the flags behind flags, for what was given and what was not
	command   string         // what runs, such as "factors delete"
	live      bool           // what runs goes on and prints as things happen

	// loaded or opened on first use; opening guards what may be opened by several goroutines
	opening sync.Mutex
	opened  connections
}

// globalFlags are the flags every command takes.
type globalFlags struct {
	env      string
	service  string
	config   string
	output   string
	jq       string
	template string
	columns  []string
	noHeader bool
	quiet    bool
	mask     bool
	debug    bool
	timeout  time.Duration
}

const defaultTimeout = 30 * time.Second

func (f *globalFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.env, "env", "e", "", "environment to work on, such as demo (default: VERIFYCTL_ENV, then the current one)")
	flags.StringVar(&f.service, "service", "", "Verify Service VA…, with TWILIO_* variables when no environment is chosen")
	flags.StringVar(&f.config, "config", "", "environment file (default: VERIFYCTL_CONFIG, then the user's own)")
	flags.StringVarP(&f.output, "output", "o", "", "output format: table, json, ndjson, csv or markdown")
	flags.StringVar(&f.jq, "jq", "", "filter the JSON with a jq `expression`")
	flags.StringVar(&f.template, "template", "", "format the JSON with a Go `template`")
	flags.StringSliceVar(&f.columns, "columns", nil, "columns to show, in this order")
	flags.BoolVar(&f.noHeader, "no-header", false, "leave out the header line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print SIDs only")
	flags.BoolVar(&f.mask, "mask", false, "shorten identities and names, for screenshots")
	flags.BoolVar(&f.debug, "debug", false, "log requests and answers to standard error, without secrets")
	flags.DurationVar(&f.timeout, "timeout", defaultTimeout, "time limit of one request, its retries aside")
}

// format gives the output format for errors, even when the flags did not parse.
func (f *globalFlags) format(args []string) render.Format {
	for i, arg := range args {
		value, isOutput := strings.CutPrefix(arg, "--output=")
		if !isOutput {
			value, isOutput = strings.CutPrefix(arg, "-o")
			if isOutput {
				value = strings.TrimPrefix(value, "=")
			}
		}
		if isOutput && value == "" || arg == "--output" {
			if i+1 < len(args) {
				value, isOutput = args[i+1], true
			}
		}
		if isOutput && (value == string(render.JSON) || value == string(render.NDJSON)) {
			return render.Format(value)
		}
	}
	return render.Format(f.output)
}

// printer makes the printer that the global flags ask for; now is the environment's clock.
func (s *shell) printer(now func() time.Time) (*render.Printer, error) {
	format := render.Table
	if s.flags.output != "" {
		parsed, err := render.ParseFormat(s.flags.output)
		if err != nil {
			return nil, err
		}
		format = parsed
	}
	return render.New(s.out, render.Options{
		Format: format, JQ: s.flags.jq, Template: s.flags.template, Columns: s.flags.columns,
		NoHeader: s.flags.noHeader, Quiet: s.flags.quiet, Mask: s.flags.mask,
		Terminal: s.outTerminal, Width: s.width, Color: s.color, Now: now, Live: s.live,
	})
}

// note says something to the person at the terminal or to the log, never on standard output.
func (s *shell) note(format string, args ...any) {
	fmt.Fprintf(s.err, "verifyctl: %s\n", render.Sanitize(fmt.Sprintf(format, args...)))
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
	s.globalSet = root.PersistentFlags()
	s.flags.register(s.globalSet)
	complete(root, "env", s.completeEnvironment)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		s.command = strings.TrimPrefix(cmd.CommandPath(), "verifyctl ")
		return s.checkFlags(cmd)
	}
	root.SetFlagErrorFunc(s.flagError)
	root.SetHelpCommand(newHelpCmd())
	root.AddGroup(commandGroups...)
	addCommands(root, s)
	refuseUnknown(root)
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

// refuseUnknown makes every group refuse subcommands it does not have, and every leaf that declares no arguments refuse
// any: cobra alone runs a group's help and exits 0.
func refuseUnknown(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		refuseUnknown(child)
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = unknownCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		return
	}
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := verify.Usagef("%q is not a command of %s", args[0], cmd.CommandPath())
	if near := verify.Nearest(args[0], subcommandNames(cmd)); near != "" {
		return err.WithHint("did you mean %s %s?", cmd.CommandPath(), near)
	}
	return err.WithHint("see what there is: %s --help", cmd.CommandPath())
}

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
	return verify.Usagef("%s takes no argument, it got %q", cmd.CommandPath(), args[0]).
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

// flagError words a flag that does not parse. Where it follows a command that does not exist, that is what is wrong.
func (s *shell) flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() {
		if unknown := unknownCommand(cmd, positional(cmd, s.args)); unknown != nil {
			return unknown
		}
	}
	usage := verify.Usagef("%s", strings.TrimSuffix(err.Error(), "\n"))
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if near := verify.Nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" {
			return usage.WithHint("did you mean --%s?", near)
		}
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		usage.Message = fmt.Sprintf("--%s %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), valueForm(invalid.GetFlag()))
	}
	return usage.WithHint("see %s --help", cmd.CommandPath())
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

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
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
