package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type envCheckOptions struct {
	shell *shell
	files []string
}

// offlineChecks are the checks of doctor that the environment file alone answers.
var offlineChecks = []string{"INT-01", "SVC-04"}

func newEnvCheckCmd(s *shell) *cobra.Command {
	o := envCheckOptions{shell: s}
	return &cobra.Command{
		Use:     "check [FILE…]",
		Aliases: []string{"lint"},
		Short:   "Check environment files offline",
		Long: `Check every environment of a file, or the one of -e: keys and values, what belongs into a personal file, declarations that
contradict themselves, environments that share a Service, and that the messages files it names are there. Nothing is sent,
no secret is looked up, and the keys need not be there: it fits CI and a hook before a commit.

Without a FILE it is the file of --config, VERIFYCTL_CONFIG or your own. A FILE is read as one that a team commits, with the
personal file beside it where there is one. Of what cannot be read, the first mistake of a file is told. A warning does not
fail. "env drift" and "doctor" tell whether Twilio agrees.

` + exitHelp(0, 1),
		Example: `  # verifyctl.yaml is your team's file
  verifyctl env check verifyctl.yaml

  verifyctl -e demo env check`,
		Args: argsBetween(0, -1),
		RunE: parseThenRun(o.parse, o.run),
	}
}

func (o *envCheckOptions) parse(args []string) error {
	o.files = args
	switch flags := o.shell.globalSet; {
	case len(args) > 0 && flags.Changed("config"):
		return verify.Usagef("--config and a FILE both name a file to check").WithHint("give the files: %s", verify.ConfigFile("").Command(append([]string{"env", "check", o.shell.flags.config}, args...)...))
	case len(args) > 0 && flags.Changed("env"):
		return verify.Usagef("every environment of a FILE is checked, not one of -e").WithHint("for one alone: %s", verify.Environment{Name: o.shell.flags.env, Config: verify.ConfigFile(args[0])}.Command("env", "check"))
	}
	return nil
}

// envProblem is something wrong in an environment file.
type envProblem struct {
	File        string `json:"file"`
	Line        int    `json:"line"`        // 0 when no line is known
	Environment string `json:"environment"` // "" when it is about the file
	Level       string `json:"level"`       // error or warning
	Problem     string `json:"problem"`
	Fix         string `json:"fix"`
}

const (
	levelError   = "error"
	levelWarning = "warning"
)

func (p envProblem) place() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

func (p envProblem) tone() render.Tone {
	if p.Level == levelError {
		return render.Bad
	}
	return render.Warn
}

var envProblemResource = render.Resource[envProblem]{
	Columns: []render.Column[envProblem]{
		{Name: "file", Text: envProblem.place},
		{Name: "environment", Text: func(p envProblem) string { return p.Environment }},
		{Name: "level", Text: func(p envProblem) string { return p.Level }, Tone: envProblem.tone},
		{Name: "problem", Text: func(p envProblem) string { return p.Problem }, Flex: true},
		{Name: "fix", Text: func(p envProblem) string { return p.Fix }, Flex: true},
	},
}

func (o *envCheckOptions) run(ctx context.Context) error {
	configs, err := o.configs()
	if err != nil {
		return err
	}
	var problems []envProblem
	checked, wrong := 0, 0
	for _, cfg := range configs {
		targets, err := o.targets(cfg)
		if err != nil {
			if errors.Is(err, errNoEnvironment) && len(o.files) == 0 {
				return err
			}
			problems = append(problems, newEnvProblem(cfg.Path(), err))
			continue
		}
		found, err := o.check(ctx, targets)
		if err != nil {
			return err
		}
		checked += len(targets)
		problems = append(problems, found...)
	}
	if err := o.print(o.shell.printer(nil), problems); err != nil {
		return err
	}
	for _, p := range problems {
		if p.Level == levelError {
			wrong++
		}
	}
	if wrong > 0 {
		return &verify.Error{Kind: verify.KindFailed, Message: verify.Count(wrong, "mistake") + " in " + verify.Count(len(configs), "file")}
	}
	o.shell.note("%s in %s: no mistake", verify.Count(checked, "environment"), verify.Count(len(configs), "file"))
	return nil
}

// print lists the problems; on a terminal each is a sentence, which a table would cut off.
func (o *envCheckOptions) print(p *render.Printer, problems []envProblem) error {
	if !p.ForPeople() || o.shell.flags.columns != nil {
		return listAll(p, envProblemResource, problems)
	}
	for _, problem := range problems {
		said := problem.Problem
		if problem.Environment != "" {
			said = problem.Environment + ": " + said
		}
		fmt.Fprintf(o.shell.out, "%s: %s: %s\n", render.Sanitize(problem.place()), p.Paint(problem.Level, problem.tone()), render.Sanitize(said))
		if problem.Fix != "" {
			fmt.Fprintf(o.shell.out, "  fix: %s\n", render.Sanitize(problem.Fix))
		}
	}
	return nil
}

// configs gives each file to check as the configuration that --config would make it.
func (o *envCheckOptions) configs() ([]*config.Config, error) {
	if len(o.files) == 0 {
		cfg, err := o.shell.config()
		return []*config.Config{cfg}, err
	}
	var all []*config.Config
	for _, file := range o.files {
		f, err := openInput(o.shell, "the environment file", file)
		if err != nil {
			return nil, err
		}
		f.Close()
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.String("config", "", "")
		if err := flags.Set("config", file); err != nil {
			return nil, err
		}
		cfg, err := config.Open(config.Options{Flags: flags, BuiltIn: demoEnvironments(), Stderr: o.shell.err})
		if err != nil {
			return nil, err
		}
		all = append(all, cfg)
	}
	return all, nil
}

// targets gives the environments of a file, or the one of -e.
func (o *envCheckOptions) targets(cfg *config.Config) ([]*config.Target, error) {
	if o.shell.globalSet.Changed("env") {
		t, err := cfg.Lookup(o.shell.flags.env)
		return []*config.Target{t}, err
	}
	if _, err := cfg.Current(); err != nil {
		return nil, err
	}
	targets, err := ownEnvironments(cfg)
	if err == nil && len(targets) == 0 {
		err = verify.Usagef("%w", errNoEnvironment).WithHint("add one: %s", cfg.Command("env", "add", "NAME"))
	}
	return targets, err
}

var errNoEnvironment = errors.New("there is no environment to check")

// newEnvProblem is a mistake for which a file cannot be read. Its message begins with the place.
func newEnvProblem(file string, err error) envProblem {
	p := envProblem{File: file, Level: levelError, Problem: err.Error(), Fix: hintOf(err)}
	place, problem, _ := strings.Cut(p.Problem, ": ")
	stem := strings.TrimSuffix(file, filepath.Ext(file)) // the personal file begins with it too
	if name, line, ok := cutLine(place); ok && strings.HasPrefix(name, stem) {
		p.File, p.Line, p.Problem = name, line, problem
	}
	return p
}

func hintOf(err error) string {
	if known, ok := errors.AsType[*verify.Error](err); ok {
		return known.Hint
	}
	return ""
}

// cutLine parts file:line.
func cutLine(place string) (file string, line int, ok bool) {
	i := strings.LastIndexByte(place, ':')
	if i < 0 {
		return place, 0, false
	}
	line, err := strconv.Atoi(place[i+1:])
	return place[:i], line, err == nil
}

// check tells what is wrong in environments that could be read.
func (o *envCheckOptions) check(ctx context.Context, targets []*config.Target) (problems []envProblem, err error) {
	examined := make([]doctor.Target, len(targets))
	byName := map[string]envProblem{}
	for i, t := range targets {
		examined[i] = doctor.Target{Env: t.Environment, Now: time.Now()}
		place := envProblem{Environment: t.Environment.Name, Level: levelError}
		place.File, place.Line, _ = cutLine(t.Declared)
		byName[t.Environment.Name] = place
		if t.Texts == "" {
			continue
		}
		if _, err := readTexts(o.shell, t.Texts); err != nil {
			place.Problem, place.Fix = err.Error(), hintOf(err)
			problems = append(problems, place)
		}
	}
	report, err := doctor.Run(ctx, examined, doctor.Options{Only: offlineChecks, NoEvidence: true, Declared: environmentsOf(targets)})
	for _, result := range report.Problems() {
		p := byName[result.Environment]
		p.Problem, p.Fix = result.Reason, result.Fix
		if result.Status != doctor.Fail {
			p.Level = levelWarning
		}
		problems = append(problems, p)
	}
	slices.SortStableFunc(problems, func(a, b envProblem) int { return cmp.Compare(a.Line, b.Line) })
	return problems, err
}
