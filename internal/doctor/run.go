package doctor

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Options say what a run looks at.
type Options struct {
	Since      time.Duration // how far back push errors are looked at
	NoEvidence bool          // do not look at push errors at all
	Sample     int           // how many users' factors and challenges are looked at; 0 for none
	Latency    bool          // measure latency, with some 20 requests one after the other
	Hosts      []string      // other hosts to measure beside, when latency is measured
	Timeout    time.Duration // of each read
	Only, Skip []string      // check ids or globs
	Declared   []verify.Environment
	App        *pushfile.App // an app to compare with what is declared and attached
}

// The defaults of [Options].
const (
	DefaultSince   = 24 * time.Hour
	defaultTimeout = 20 * time.Second
)

// Run reads what the chosen checks need and makes them. The error is about the options, or says that ctx was done
// before everything was read; what Twilio refused is in the report.
func Run(ctx context.Context, targets []Target, opts Options) (Report, error) {
	if len(targets) == 0 {
		return Report{}, verify.Usagef("there is no environment to check").WithHint("add one, or try -e demo")
	}
	if opts.Since == 0 {
		opts.Since = DefaultSince
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	checks, err := choose(Catalogue(), opts.Only, opts.Skip)
	if err != nil {
		return Report{}, err
	}
	snapshots := readAll(ctx, targets, resourcesFor(checks, opts), opts)
	if errors.Is(ctx.Err(), context.Canceled) {
		return Report{}, ctx.Err()
	}
	return judgeAll(snapshots, checks, opts), nil
}

// judgeAll makes the checks in the snapshots that were read. It does no I/O.
func judgeAll(snapshots []*snapshot, checks []Check, opts Options) Report {
	report := Report{Version: reportVersion, At: snapshots[0].Now, Evidence: findEvidence(snapshots, opts), snapshots: snapshots}
	seen := map[string]bool{}
	for _, snap := range snapshots {
		report.Environments = append(report.Environments, headerOf(snap))
		for _, c := range checks {
			if !c.PerAccount {
				report.Results = append(report.Results, resultOf(c, snap))
			}
		}
	}
	for _, snap := range snapshots {
		if seen[snap.account] {
			continue
		}
		seen[snap.account] = true
		for _, c := range checks {
			if c.PerAccount {
				report.Results = append(report.Results, resultOf(c, snap))
			}
		}
	}
	report.Unreadable = findUnreadable(report.Results)
	report.Summary = summarise(report.Results)
	return report
}

func resultOf(c Check, snap *snapshot) Result {
	answer := c.judge(snap)
	if len(answer.changes) > 0 {
		answer = answer.run(snap.command("doctor", "--fix", "--only", c.ID))
	}
	result := Result{Environment: snap.Env.Name, AccountSID: snap.Env.AccountSID, Check: c.ID, Title: c.Title, Group: c.Group(),
		Severity: c.Severity, Certainty: c.Certainty, answer: answer.cleaned()}
	if c.PerAccount {
		result.Environment, result.perAccount = "", true
	}
	result.Fingerprint = strings.TrimSpace(strings.Join([]string{result.where(), c.ID, result.About}, " "))
	return result
}

// cleaned makes an answer safe to show: what came from Twilio may hold control characters.
func (a answer) cleaned() answer {
	a.Reason, a.Fix, a.About, a.Sample = plain(a.Reason), plain(a.Fix), plain(a.About), plain(a.Sample)
	for i := range a.Commands {
		a.Commands[i] = plain(a.Commands[i])
	}
	for i := range a.Seen {
		a.Seen[i] = plain(a.Seen[i])
	}
	return a
}

// plain replaces what cannot be printed by "?".
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
