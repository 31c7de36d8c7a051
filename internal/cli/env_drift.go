package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type envDriftOptions struct {
	setup
}

func newEnvDriftCmd(s *shell) *cobra.Command {
	o := envDriftOptions{setup{shell: s, drift: true}}
	cmd := &cobra.Command{
		Use:   "drift [NAME…]",
		Short: "Fail when Twilio's Services are not as declared, for CI",
		Long: `Compare as "env plan" does, and end with status 1 when something differs: a Service that was changed by hand, a webhook that
is gone, a push credential that is not the one that was uploaded from here.

-o junit and -o sarif write a report for CI systems, where each finding points at the line that declares it. What could not
be read is an error, and never counted as missing. Who changed a resource last is said where the account's events tell, which
takes a request for each one. A credential file that is not on this machine is not compared, with a warning: CI needs no secret
but an API key.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo env export | verifyctl env drift --file -
  verifyctl env drift -o junit`,
		ValidArgsFunction: s.completeEnvironment,
		Args:              argsBetween(0, -1),
		RunE:              parseThenRun(o.parse, o.run),
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *envDriftOptions) run(ctx context.Context) error {
	targets, err := o.targets()
	if err != nil {
		return err
	}
	all, err := o.plan(ctx, targets)
	if err != nil {
		return err
	}
	o.byWhom(ctx, all)
	if err := o.printDrift(all); err != nil {
		return err
	}
	if o.report(all).Changes > 0 {
		return status{verify.KindFailed}
	}
	return nil
}

// byWhom adds to what differs who changed it last, where the account's events tell. Which changes they cover is not documented,
// and a key may not be allowed to read them: then nobody is named.
func (o *envDriftOptions) byWhom(ctx context.Context, all []planned) {
	for _, p := range all {
		for i := range p.diff.Changes {
			change := &p.diff.Changes[i]
			if change.SID == "" {
				continue
			}
			for e, err := range p.c.client.AuditEvents(ctx, verify.AuditFilter{ResourceSID: change.SID}) { // the newest first
				if err == nil {
					change.Effect = append(change.Effect, fmt.Sprintf("last changed %s by %s %s, source %s (%s)", verify.Stamp(e.EventDate), e.ActorType, e.ActorSID, e.Source, e.EventType))
				}
				break
			}
		}
	}
}

// printDrift writes what differs, also in the forms that doctor writes for CI systems.
func (o *envDriftOptions) printDrift(all []planned) error {
	s := o.shell
	switch s.flags.output {
	case formJUnit:
		return doctor.WriteJUnit(s.out, o.driftReport(all), doctor.FailOnFail)
	case formSARIF:
		return doctor.WriteSARIF(s.out, o.driftReport(all), s.build.complete().Version)
	}
	return o.print(all)
}

// driftReport gives what differs as findings, one for each resource.
func (o *envDriftOptions) driftReport(all []planned) doctor.Report {
	var findings []doctor.Finding
	for _, p := range all {
		for _, change := range p.diff.Changes {
			var fields []string
			for _, f := range change.Fields {
				fields = append(fields, f.String())
			}
			findings = append(findings, doctor.Finding{
				Environment: p.env.Environment, At: change.At, What: change.String(), About: change.SID,
				Reason: change.String() + " is not as declared: " + strings.Join(slices.Concat(missingOrExtra(change), fields, change.Effect), "; "),
				Fix:    "see what differs: " + o.shell.file().Command(append([]string{"env", "plan", p.env.Name}, o.fileWords()...)...),
			})
		}
		if len(p.diff.Changes) == 0 {
			findings = append(findings, doctor.Finding{Environment: p.env.Environment, At: p.env.Declares.At, What: "the Service is as declared"})
		}
	}
	return doctor.DriftReport(all[0].env.Now, findings)
}

func missingOrExtra(c environments.Change) []string {
	switch c.Action {
	case environments.Create:
		return []string{"it does not exist"}
	case environments.Delete:
		return []string{"it exists, and is declared absent"}
	}
	return nil
}
