package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type doctorOptions struct {
	examination
	write writeFlags

	only, skip []string
	baseline   string
	all        bool
	verbose    bool
	fix        bool
	credential string
	out        string
	also       []string

	failOn doctor.FailOn
	copies []reportCopy
	attach verify.CredentialSID
	known  doctor.Baseline
}

func newDoctorCmd(s *shell) *cobra.Command {
	o := doctorOptions{examination: examination{shell: s}}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check every environment: keys, Services, push credentials, webhooks, delivery",
		Long: `Check whether users of every environment can log in by push, and say what to do where they cannot.

All environments of the file are checked together, or the one of -e; "-e demo" checks the three of the demo. What they
share is compared. Push errors of the last day come first on the page, one line for each cause. A check that could not be
made is unknown, never passed. Nothing is written without --fix.

Factors and challenges are looked at with --sample N, the first N users of each Service; latency with --latency. What no
API tells takes somebody's word: attestations in the environment file. "doctor checks" lists every check, and
docs/reference/checks.md explains it.

--ios-app reads offline what an app was signed with (the entitlements in its code signature, which iOS goes by) and which
app it is, and compares that with its provisioning profile, the declaration and the push credential. A .mobileprovision
or .entitlements file alone cannot tell what was signed. That the signature itself is valid is not checked.

Besides the usual formats, -o html writes one file to attach to a ticket, with push errors by hour; add --mask to share it.
-o junit and -o sarif write what CI systems read, and -o prometheus metrics such as when the APNs certificate expires; --out
puts them into a file for node_exporter's textfile collector. --also writes the report of the same run into files in other
formats. The JSON follows docs/reference/doctor.schema.json.

--fix makes the few changes that are one safe write: it enables a webhook or subscribes missing event types, and attaches
the push credential named by --credential. It shows the change, checks again, and prints the "doctor undo" command that
takes it back.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo doctor
  verifyctl -e demo doctor --only 'PUSH-*' -o json
  verifyctl -e demo doctor --sample 50 --fail-on warn
  verifyctl -e demo doctor -o prometheus --out verifyctl.prom
  verifyctl -e demo doctor --also sarif=doctor.sarif --also markdown=doctor.md`,
		Args: s.unknownCommand,
		RunE: parseThenRun(o.parse, o.run),
	}
	cmd.AddCommand(newDoctorReadinessCmd(s), newDoctorChecksCmd(s), newDoctorUndoCmd(s), newDoctorWatchCmd(s))
	flags := cmd.Flags()
	o.register(flags)
	flags.StringSliceVar(&o.only, "only", nil, "make only these checks: ids or globs such as 'PUSH-*'")
	flags.StringSliceVar(&o.skip, "skip", nil, "leave these checks out: ids or globs")
	o.failOn = doctor.FailOnFail
	choose(cmd, &o.failOn, "fail-on", "exit 1 for fail, for unknown too, or for warn too", doctor.FailOnFail, doctor.FailOnUnknown, doctor.FailOnWarn)
	flags.StringVar(&o.baseline, "baseline", "", "an earlier report in JSON: what it found does not fail again")
	flags.BoolVar(&o.all, "all", false, "list passed and skipped checks too")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "say how many requests were sent")
	flags.BoolVar(&o.fix, "fix", false, "make the changes that are safe, after showing them")
	flags.StringVar(&o.out, "out", "", "with -o prometheus, the `file` to replace with the metrics")
	flags.StringArrayVar(&o.also, "also", nil, "write the report into a file too, as `format=file`, such as sarif=doctor.sarif")
	flags.StringVar(&o.credential, "credential", "", "with --fix, the push credential CR… to attach")
	o.write.register(flags)
	completeChecks(cmd)
	moved(cmd, "doctor readiness", "readiness")
	moved(cmd, "doctor checks", "list")
	moved(cmd, "doctor undo CHANGE", "undo")
	return cmd
}

// completeChecks completes --only and --skip.
func completeChecks(cmd *cobra.Command) {
	checks := func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var words []string
		for _, check := range doctor.Catalogue() {
			words = append(words, described(check.ID, check.Title))
		}
		return completeAmong(words...)(cmd, args, typed)
	}
	complete(cmd, "only", checks)
	complete(cmd, "skip", checks)
}

func (o *doctorOptions) parse(args []string) error {
	err := o.examination.parse(args)
	if err != nil {
		return err
	}
	switch {
	case o.credential != "" && !o.fix:
		return verify.Usagef("--credential goes with --fix")
	case o.write != (writeFlags{}) && !o.fix:
		return verify.Usagef("--yes, --confirm, --dry-run and --reason go with --fix; doctor writes nothing without it")
	case o.out != "" && o.shell.flags.output != formPrometheus:
		return verify.Usagef("--out goes with -o prometheus").WithHint("redirect the other formats: %s > FILE", o.shell.typed("doctor", "-o", "json"))
	case o.credential != "" && o.narrowed() == "":
		return verify.Usagef("--credential changes one environment: name it with -e")
	}
	if o.credential != "" {
		if o.attach, err = verify.ParseCredentialSID(o.credential); err != nil {
			return err
		}
	}
	if o.copies, err = o.parseCopies(); err != nil {
		return err
	}
	if o.baseline != "" {
		o.known, err = readInput(o.shell, "the baseline", o.baseline, doctor.ReadBaseline)
	}
	return err
}

func (o *doctorOptions) run(ctx context.Context) error {
	chosen, declared, err := o.environments(o.fix)
	if err != nil {
		return err
	}
	examine := func() (doctor.Report, error) {
		return o.examine(ctx, chosen, doctor.Options{Only: o.only, Skip: o.skip, Declared: declared})
	}
	report, err := examine()
	if err != nil {
		return err
	}
	if o.fix {
		changed, err := o.applyFixes(ctx, report)
		if err != nil || o.write.dryRun {
			return err
		}
		if changed {
			if report, err = examine(); err != nil {
				return err
			}
		}
	}
	report.Compare(o.known)
	if err := errors.Join(o.writeCopies(report), o.print(report)); err != nil {
		return err
	}
	if o.verbose {
		sent, _ := o.shell.requests()
		o.shell.note("%s sent", verify.Count(sent, "request"))
	}
	if err := outcome(report.Outcome(o.failOn)); err != nil {
		return err
	}
	if o.app != nil && o.app.Requested != nil {
		return (&verify.Error{Kind: verify.KindFailed, Message: "no code signature was checked: " + o.app.Unread}).WithHint("give the .ipa that users get")
	}
	return nil
}

// outcome gives the exit status of what a report says of itself; it has been printed.
func outcome(err error) error {
	if err != nil {
		return status{verify.KindOf(err)}
	}
	return nil
}

// examination is what doctor and its subcommands look at: the environments, how far back, and how much of them.
type examination struct {
	shell *shell

	since      verify.Since
	noEvidence bool
	sample     int
	latency    bool
	hosts      []string
	iosApp     string

	app   *pushfile.App
	paced bool
}

func (e *examination) register(flags *pflag.FlagSet) {
	e.since = verify.Ago(verify.Period(doctor.DefaultSince))
	flags.Var(&e.since, "since", "how far back push errors are looked at, such as 90m, 24h, 7d or 2026-01-31; at most 30d")
	flags.BoolVar(&e.noEvidence, "no-evidence", false, "do not look at push errors")
	flags.IntVar(&e.sample, "sample", 0, "look at the factors and challenges of this many users of each Service")
	flags.BoolVar(&e.latency, "latency", false, "measure latency with 20 requests")
	flags.StringSliceVar(&e.hosts, "hosts", nil, "with --latency, other hosts of Twilio's to compare with")
	flags.StringVar(&e.iosApp, "ios-app", "", "compare with this app: an .ipa, .app, .xcarchive or .mobileprovision `file`")
}

func (e *examination) parse([]string) (err error) {
	switch {
	case e.sample < 0:
		return verify.Usagef("--sample %d is negative", e.sample)
	case len(e.hosts) > 0 && !e.latency:
		return verify.Usagef("--hosts goes with --latency")
	case e.iosApp == "":
		return nil
	}
	if e.app, err = pushfile.ReadApp(e.iosApp); err != nil {
		return fmt.Errorf("--ios-app: %w", err)
	}
	return nil
}

// narrowed gives the environment that was asked for, "" for all. The current one of the file narrows nothing.
func (e *examination) narrowed() string {
	if e.shell.globalSet.Changed("env") {
		return e.shell.flags.env
	}
	return e.shell.getenv("VERIFYCTL_ENV")
}

// examine makes the checks that opts choose, in the environments that were chosen.
func (e *examination) examine(ctx context.Context, chosen []*config.Target, opts doctor.Options) (doctor.Report, error) {
	e.pace(chosen)
	targets := make([]doctor.Target, len(chosen))
	for i, target := range chosen {
		var err error
		if targets[i], err = e.target(ctx, target); err != nil {
			return doctor.Report{}, err
		}
		for _, attestation := range target.Environment.Attestations {
			e.shell.names.Learn(attestation.By)
		}
	}
	if len(targets) > 0 && !e.since.IsZero() {
		from, err := alertsSince(e.since, targets[0].Now, targets[0].Env)
		if err != nil {
			return doctor.Report{}, err
		}
		opts.Since = targets[0].Now.Sub(from)
	}
	opts.NoEvidence, opts.Sample = e.noEvidence, e.sample
	opts.Latency, opts.Hosts, opts.Timeout, opts.App = e.latency, e.hosts, e.shell.flags.timeout, e.app
	return doctor.Run(ctx, targets, opts)
}
