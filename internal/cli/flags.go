package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

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
	flags.StringVarP(&f.output, "output", "o", "", "output format: table, json, ndjson, yaml, csv, csv-raw, csv-excel or markdown")
	flags.StringVar(&f.jq, "jq", "", "filter the JSON with a jq `expression`")
	flags.StringVar(&f.template, "template", "", "format the JSON with a Go `template`")
	flags.StringSliceVar(&f.columns, "columns", nil, "columns to show, in this order")
	flags.BoolVar(&f.noHeader, "no-header", false, "leave out the header line")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print SIDs only")
	flags.BoolVar(&f.mask, "mask", false, "shorten identities and names wherever they appear, for screenshots")
	flags.BoolVar(&f.debug, "debug", false, "log requests and answers to standard error, without secrets")
	f.timeout = defaultTimeout
	flags.Var((*verify.Period)(&f.timeout), "timeout", "time limit of one request, its retries aside")
}

// jsonOutput is the flag that asks for JSON, as it stands on a command line.
var jsonOutput = verify.Lazily(`^(?:-o=?|--output=)(json|ndjson)$`)

// format gives the output format for errors, even when the flags did not parse.
func (f *globalFlags) format(args []string) render.Format {
	for i, arg := range args {
		if (arg == "-o" || arg == "--output") && i+1 < len(args) {
			arg += "=" + args[i+1]
		}
		if match := jsonOutput().FindStringSubmatch(arg); match != nil {
			return render.Format(match[1])
		}
	}
	return render.Format(f.output)
}

// checkFlags refuses values that parse but cannot be meant, whichever command has the flag. An empty one is nearly always
// a variable of the shell that is not set; without its --identity or --where a command would take everybody. A flag for
// which it has a meaning says so in its help.
func (s *shell) checkFlags(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if (isEmptyValue(flag.Value) || s.givenEmpty(flag)) && !strings.Contains(flag.Usage, "empty") {
			errs = append(errs, verify.Usagef("--%s is empty", flag.Name).
				WithHint("leave it out or give it a value; a shell variable may be unset"))
		}
	})
	if limit := cmd.Flags().Lookup("limit"); limit != nil && limit.Value.Type() == "int" && limit.Value.String()[0] == '-' {
		errs = append(errs, verify.Usagef("--limit %s is negative", limit.Value))
	}
	if s.flags.timeout <= 0 {
		errs = append(errs, verify.Usagef("--timeout %v is not more than zero", s.flags.timeout))
	}
	return errors.Join(errs...)
}

// remembering are the commands to which -e may name an environment that was removed: this machine remembers it.
var remembering = []string{"audit show", "state list"}

// checkEnvironment refuses a name after -e that no environment has, also where a command needs none: it is mistyped.
func (s *shell) checkEnvironment() error {
	if slices.Contains(remembering, s.command) {
		return nil // it calls checkRemembered when it finds nothing
	}
	return s.checkRemembered()
}

// checkRemembered refuses a mistyped name after -e. What else is wrong with the environment file is said by what needs it.
func (s *shell) checkRemembered() error {
	if !s.globalSet.Changed("env") || s.flags.env == "" {
		return nil
	}
	if _, err := s.named(s.flags.env); err != nil && verify.KindOf(err) == verify.KindUsage {
		return err
	}
	return nil
}

// givenEmpty tells whether a flag of several values got an empty one beside others, which its value does not show.
func (s *shell) givenEmpty(flag *pflag.Flag) bool {
	for i, arg := range s.args {
		if arg == "--"+flag.Name+"=" || arg == "" && i > 0 && s.args[i-1] == "--"+flag.Name {
			return true
		}
	}
	return false
}

func isEmptyValue(value pflag.Value) bool {
	if list, ok := value.(pflag.SliceValue); ok {
		values := list.GetSlice()
		return len(values) == 0 || slices.Contains(values, "")
	}
	return value.Type() == "string" && value.String() == ""
}

// valueForm says what the value of a flag looks like.
func valueForm(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "int64", "uint", "uint64":
		return "a whole number that fits"
	case "float64":
		return "a number"
	}
	return "one of its values"
}

// flagError words a flag that does not parse. Where it follows a command that does not exist, that is what is wrong.
func (s *shell) flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() {
		if unknown := s.unknownCommand(cmd, positional(cmd, s.args)); unknown != nil {
			return unknown
		}
	}
	usage := verify.Usagef("%s", strings.TrimSuffix(err.Error(), "\n"))
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if near := verify.Nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" && !slices.Contains(widening, near) {
			return usage.WithHint("did you mean --%s?", near)
		}
	}
	var invalid *pflag.InvalidValueError
	var now movedFlag
	var worded *verify.Error
	switch {
	case errors.As(err, &invalid) && errors.As(err, &now):
		usage.Message = fmt.Sprintf("%s has no --%s any more", cmd.CommandPath(), invalid.GetFlag().Name)
		return usage.WithHint("it is now: %s", s.typed(strings.Fields(string(now))...))
	case invalid != nil && errors.As(err, &worded):
		flag := "--" + invalid.GetFlag().Name + " "
		usage.Message = flag + strings.TrimPrefix(worded.Message, flag)
		return usage.WithHint("%s", worded.Hint)
	case invalid != nil:
		usage.Message = fmt.Sprintf("--%s %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), valueForm(invalid.GetFlag()))
	}
	return usage.WithHint("see %s --help", cmd.CommandPath())
}

// movedFlag is the value of a flag that is gone, and the error of giving it: the command that does it now.
type movedFlag string

// moved has flags that cmd once had answer with the command that does it now.
func moved(cmd *cobra.Command, now string, names ...string) {
	for _, name := range names {
		flag := cmd.Flags().VarPF(movedFlag(now), name, "", "")
		flag.Hidden, flag.NoOptDefVal = true, "given"
	}
}

func (m movedFlag) Set(string) error { return m }
func (m movedFlag) Error() string    { return "now " + string(m) }
func (m movedFlag) String() string   { return "" }
func (m movedFlag) Type() string     { return "moved" }

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// choice is the value of a flag that takes one of a few words.
type choice[T ~string] struct {
	flag  string
	to    *T
	words []T
}

// choose gives cmd a flag that takes one of a few words, and completes them.
func choose[T ~string](cmd *cobra.Command, to *T, flag, usage string, words ...T) {
	cmd.Flags().Var(&choice[T]{flag, to, words}, flag, usage)
	completeValues(cmd, flag, wordsOf(words)...)
}

func (c *choice[T]) Set(text string) (err error) {
	*c.to, err = oneOf("--"+c.flag, text, c.words...)
	return err
}

func (c *choice[T]) String() string {
	if c.to == nil { // pflag asks a zero value
		return ""
	}
	return string(*c.to)
}

func (c *choice[T]) Type() string { return "string" }

// oneOf reads a word that is one of a few; empty is allowed and gives the zero value.
func oneOf[T ~string](flag, value string, words ...T) (T, error) {
	if value == "" || slices.Contains(words, T(value)) {
		return T(value), nil
	}
	names := wordsOf(words)
	err := verify.Usagef("%s %q is not one of %s", flag, value, strings.Join(names, ", "))
	if near := verify.Nearest(value, names); near != "" {
		return "", err.WithHint("did you mean %s %s?", flag, near)
	}
	return "", err
}
