package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type doctorOptions struct {
	shell *shell
	write writeFlags

	only, skip []string
	failOn     string
	baseline   string
	since      string
	noEvidence bool
	sample     int
	latency    bool
	hosts      []string
	all        bool
	verbose    bool
	list       bool
	readiness  bool
	iosApp     string
	fix        bool
	credential string
	undo       string

	ago        time.Duration
	on         doctor.FailOn
	attach     verify.CredentialSID
	takeBack   doctor.Change
	known      doctor.Baseline
	build      *doctor.Build
	resultForm string // junit or sarif, which no other command writes
}

func newDoctorCmd(s *shell) *cobra.Command {
	o := doctorOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check every environment: keys, Services, push credentials, webhooks, delivery",
		Long: `Check whether users of every environment can be logged in by push, and say what to do where they cannot.

All environments of the file are checked together, or the one of -e; "-e demo" checks the three of the demo. What they
share is compared. Push errors of the last day come first on the page, one line for each cause. A check that could not be
made is unknown, never passed. Nothing is written without --fix.

Factors and challenges are looked at with --sample N, the first N users of each Service; latency with --latency. What no
API tells takes somebody's word: attestations in the environment file. docs/reference/checks.md explains every check.

--ios-app reads offline how an app is signed and which app it is, and holds that against the declaration and the push
credential. --readiness answers, question by question, Twilio's page of best practices.

Besides the usual formats, -o junit and -o sarif write what CI systems read. The JSON follows
docs/reference/doctor.schema.json.

--fix makes the few changes that are one safe write: it enables a webhook or subscribes missing event types, and attaches
the push credential named by --credential. It shows the change, checks again, and says what takes it back.

` + exitHelp(0, 1, 3, 4, 6, 9),
		Example: `  verifyctl -e demo doctor
  verifyctl -e demo doctor --only 'PUSH-*' -o json
  verifyctl -e demo doctor --sample 50 --fail-on warn
  verifyctl -e demo doctor --readiness --sample 50 --latency`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.parse(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.only, "only", nil, "make only these checks: ids or globs such as 'PUSH-*'")
	flags.StringSliceVar(&o.skip, "skip", nil, "leave these checks out: ids or globs")
	flags.StringVar(&o.failOn, "fail-on", string(doctor.FailOnFail), "exit 1 for fail, for unknown too, or for warn too")
	flags.StringVar(&o.baseline, "baseline", "", "an earlier report in JSON: what it found does not fail again")
	flags.StringVar(&o.since, "since", "24h", "how far back push errors are looked at, such as 90m, 24h or 7d; at most 30d")
	flags.BoolVar(&o.noEvidence, "no-evidence", false, "do not look at push errors")
	flags.IntVar(&o.sample, "sample", 0, "look at the factors and challenges of this many users of each Service")
	flags.BoolVar(&o.latency, "latency", false, "measure latency with 20 requests")
	flags.StringSliceVar(&o.hosts, "hosts", nil, "with --latency, other hosts of Twilio's to compare with")
	flags.BoolVar(&o.all, "all", false, "list passed and skipped checks too")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "say how many requests were sent")
	flags.BoolVar(&o.readiness, "readiness", false, "answer the questions of Twilio's best-practices page instead")
	flags.StringVar(&o.iosApp, "ios-app", "", "compare with this app: an .ipa, .xcarchive, .app or .mobileprovision `file`")
	flags.BoolVar(&o.list, "list", false, "list the checks instead of making them")
	flags.BoolVar(&o.fix, "fix", false, "make the changes that are safe, after showing them")
	flags.StringVar(&o.credential, "credential", "", "with --fix, the push credential CR… to attach")
	flags.StringVar(&o.undo, "undo", "", "make the `change` that takes an earlier one back")
	o.write.register(flags)
	completeValues(cmd, "fail-on", "fail", "unknown", "warn")
	return cmd
}

func (o *doctorOptions) parse() error {
	var err error
	if o.on, err = oneOf("--fail-on", o.failOn, doctor.FailOnFail, doctor.FailOnUnknown, doctor.FailOnWarn); err != nil {
		return err
	}
	if o.on == "" {
		o.on = doctor.FailOnFail
	}
	var ok bool
	if o.ago, ok = parseLength(o.since); !ok || o.ago <= 0 {
		return badLength("--since", o.since)
	}
	switch {
	case o.ago > debugger.AlertsKept:
		return verify.Usagef("--since %s: Twilio keeps alerts for 30 days", o.since)
	case o.sample < 0:
		return verify.Usagef("--sample %d is negative", o.sample)
	case len(o.hosts) > 0 && !o.latency:
		return verify.Usagef("--hosts goes with --latency")
	case o.readiness && (o.fix || o.undo != "" || o.list || len(o.only) > 0 || len(o.skip) > 0):
		return verify.Usagef("--readiness excludes --fix, --undo, --list, --only and --skip")
	case o.credential != "" && !o.fix:
		return verify.Usagef("--credential goes with --fix")
	case o.fix && o.undo != "":
		return verify.Usagef("--fix and --undo exclude each other")
	case o.write.dryRun && !o.fix && o.undo == "":
		return verify.Usagef("--dry-run goes with --fix or --undo; doctor writes nothing without them")
	case (o.credential != "" || o.undo != "") && o.narrowed() == "":
		return verify.Usagef("--credential and --undo change one environment: name it with -e")
	}
	if o.credential != "" {
		if o.attach, err = verify.ParseCredentialSID(o.credential); err != nil {
			return err
		}
	}
	if o.undo != "" {
		if o.takeBack, err = doctor.ParseChange(o.undo); err != nil {
			return err
		}
	}
	if o.iosApp != "" {
		if o.build, err = doctor.ReadBuild(o.iosApp); err != nil {
			return fmt.Errorf("--ios-app: %w", err)
		}
	}
	if err := o.parseForm(); err != nil {
		return err
	}
	return o.readBaseline()
}

func (o *doctorOptions) readBaseline() error {
	if o.baseline == "" {
		return nil
	}
	f, err := os.Open(o.baseline)
	if err != nil {
		return verify.Usagef("--baseline: %w", err)
	}
	defer f.Close()
	o.known, err = doctor.ReadBaseline(f)
	if err != nil {
		return fmt.Errorf("%s: %w", o.baseline, err)
	}
	return nil
}

// narrowed gives the environment that was asked for, "" for all. The current one of the file narrows nothing.
func (o *doctorOptions) narrowed() string {
	if o.shell.globalSet.Changed("env") {
		return o.shell.flags.env
	}
	return o.shell.getenv("VERIFYCTL_ENV")
}

func (o *doctorOptions) run(ctx context.Context) error {
	if o.list {
		return o.listChecks()
	}
	chosen, declared, err := o.environments()
	if err != nil {
		return err
	}
	o.pace(chosen)
	targets := make([]doctor.Target, len(chosen))
	for i, target := range chosen {
		if targets[i], err = o.target(ctx, target); err != nil {
			return err
		}
	}
	opts := doctor.Options{Since: o.ago, NoEvidence: o.noEvidence, Sample: o.sample, Latency: o.latency, Hosts: o.hosts,
		Timeout: o.shell.flags.timeout, Only: o.only, Skip: o.skip, Declared: declared, Build: o.build}
	if o.shell.flags.mask {
		opts.Mask = render.Mask
	}
	report, err := doctor.Run(ctx, targets, opts)
	if err != nil {
		return err
	}
	if o.fix || o.undo != "" {
		changed, err := o.mend(ctx, report)
		if err != nil || o.write.dryRun {
			return err
		}
		if changed {
			if report, err = doctor.Run(ctx, targets, opts); err != nil {
				return err
			}
		}
	}
	report.Compare(o.known)
	if err := o.print(report); err != nil {
		return err
	}
	if o.verbose {
		o.shell.note("%s sent", counted(o.requests(), "request"))
	}
	if err := report.Outcome(o.on); err != nil {
		return status{verify.KindOf(err)}
	}
	return nil
}

// requests counts what was sent in this run.
func (o *doctorOptions) requests() int {
	total := 0
	for _, limiter := range o.shell.opened.limiters {
		n, _ := limiter.Counts()
		total += n
	}
	return total
}

// listChecks prints the catalogue.
func (o *doctorOptions) listChecks() error {
	p, err := o.shell.printer(time.Now)
	if err != nil {
		return err
	}
	_, err = render.List(p, doctorCheck, each(doctor.Catalogue()))
	return err
}
