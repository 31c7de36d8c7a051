package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type doctorWatchOptions struct {
	examination

	only, skip []string
	every      time.Duration
	looks      int

	chosen   []*config.Target
	declared []verify.Environment
	ended    map[verify.ChallengeSID]verify.ChallengeStatus // challenges whose answer is final
}

// Bounds of what a watch reads, which is taken from the limit that users' logins share.
const (
	shortestWatch     = 15 * time.Second
	watchedChallenges = 100 // newest created here that are counted
	challengeReads    = 10  // of them that are read in one look at an environment
)

func newDoctorWatchCmd(s *shell) *cobra.Command {
	o := doctorWatchOptions{examination: examination{shell: s}, ended: map[verify.ChallengeSID]verify.ChallengeStatus{}}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Check every environment again and again, on a screen to leave open",
		Long: `Make the checks of doctor again and again and show how every environment is and since when, push errors by the minute,
how the challenges created here ended, and whether events are captured here. What cannot be read is unknown, never in order.
q leaves the screen. Where standard output is no terminal, and for screen readers, each change is a line with its time.
The environment file is read once, at the beginning.

A look reads what doctor reads: some ten requests for each account and four for each environment, and up to ten challenges
of an environment whose answer is not known yet. The screen says how many it took. A 429 doubles the time between looks,
up to 15 minutes, for the rest of the run.

It ends with the status that doctor has after the last look: after q, or after --looks.

` + exitHelp(0, 1, 3, 6),
		Example: `  verifyctl -e demo doctor watch --looks 1
  verifyctl doctor watch --every 5m --only 'PUSH-*'`,
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	o.since = verify.Ago(verify.Period(time.Hour))
	flags.Var(&o.since, "since", "how far back push errors and challenges are looked at, such as 90m, 24h or 2026-01-31; at most 30d")
	o.every = time.Minute
	flags.Var((*verify.Period)(&o.every), "every", "how often to look, at least 15s")
	flags.IntVar(&o.looks, "looks", 0, "end after so many looks; 0 goes on until q or Ctrl-C")
	flags.StringSliceVar(&o.only, "only", nil, "make only these checks: ids or globs such as 'PUSH-*'")
	flags.StringSliceVar(&o.skip, "skip", nil, "leave these checks out: ids or globs")
	completeChecks(cmd)
	return cmd
}

func (o *doctorWatchOptions) parse([]string) error {
	switch {
	case o.every < shortestWatch:
		return verify.Usagef("--every %s is too often: looking counts against the account's rate limit; use at least %s", verify.Period(o.every), verify.Period(shortestWatch))
	case o.looks < 0:
		return verify.Usagef("--looks %d is negative", o.looks)
	}
	return nil
}

func (o *doctorWatchOptions) run(ctx context.Context) (err error) {
	if o.chosen, o.declared, err = o.environments(false); err != nil {
		return err
	}
	if o.shell.canShowScreens() {
		o.shell.note("looking for the first time")
	}
	watch := doctor.NewWatch(o.every).See(o.look(ctx)) // the first one here, for what is wrong with the command itself
	if err := watch.Problem(); err != nil {
		return err
	}
	if o.shell.canShowScreens() {
		watch, err = o.onScreen(ctx, watch)
	} else {
		watch, err = o.inLines(ctx, watch)
	}
	if err != nil {
		return err
	}
	return outcome(watch.Outcome(doctor.FailOnFail))
}

// canShowScreens tells whether a person looks at a terminal on which things can be drawn over each other.
func (t terminal) canShowScreens() bool {
	return t.canAsk() && t.outTerminal && t.getenv("ACCESSIBLE") == "" && t.getenv("TERM") != "dumb"
}

// follow looks again and again, and shows the watch before each pause.
func (o *doctorWatchOptions) follow(ctx context.Context, watch doctor.Watch, show func(doctor.Watch) error) (doctor.Watch, error) {
	waiting := o.shell.machineClock()
	for looks := 1; ; looks++ {
		if err := show(watch); err != nil || looks == o.looks {
			return watch, err
		}
		if err := waiting.Sleep(ctx, watch.Pause()); err != nil {
			return watch, err
		}
		look := o.look(ctx)
		if ctx.Err() != nil {
			return watch, ctx.Err()
		}
		watch = watch.See(look)
	}
}

// inLines prints what changes.
func (o *doctorWatchOptions) inLines(ctx context.Context, watch doctor.Watch) (doctor.Watch, error) {
	p := o.shell.printer(time.Now)
	cost := ""
	return o.follow(ctx, watch, func(w doctor.Watch) error {
		if w.Cost() != cost {
			cost = w.Cost()
			o.shell.note("%s", cost)
		}
		for _, line := range w.News() {
			if err := p.WritePage(line + "\n"); err != nil {
				return err
			}
		}
		return nil
	})
}

// onScreen shows the watch on the whole terminal, and leaves what it showed last.
func (o *doctorWatchOptions) onScreen(ctx context.Context, watch doctor.Watch) (last doctor.Watch, err error) {
	views, left := make(chan prompt.View), make(chan struct{})
	looking, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	last = watch
	go func() {
		defer close(done)
		defer close(views)
		_, _ = o.follow(looking, watch, func(w doctor.Watch) error { // ends with the screen, or after --looks
			last = w
			select {
			case views <- func(width int) string { return o.drawn(w, width) }:
				return nil
			case <-left:
				return context.Canceled
			}
		})
	}()
	err = prompt.New(o.shell.in, o.shell.screen, true).Screen(ctx, views)
	close(left)
	stop()
	<-done
	if err != nil {
		return last, err
	}
	return last, o.shell.printer(time.Now).WritePage(o.page(last))
}

// page is the watch as text for people.
func (o *doctorWatchOptions) page(w doctor.Watch) string {
	s := o.shell
	return w.Text(paintStatus(s.printer(time.Now)), render.Plot{ASCII: s.ascii}.Spark)
}

// drawn is the page for a terminal of a width.
func (o *doctorWatchOptions) drawn(w doctor.Watch, width int) string {
	var text strings.Builder
	options := o.shell.printing(time.Now)
	options.Width = width
	p, err := render.New(&text, options)
	if err == nil {
		err = p.WritePage("q leaves. " + o.page(w))
	}
	if err != nil {
		return err.Error()
	}
	return text.String()
}

// look looks at everything once.
func (o *doctorWatchOptions) look(ctx context.Context) doctor.Look {
	sentBefore, throttledBefore := o.shell.requests()
	look := doctor.Look{At: time.Now(), Challenges: map[string]doctor.ChallengeCounts{}}
	look.Report, look.Err = o.examine(ctx, o.chosen, doctor.Options{Only: o.only, Skip: o.skip, Declared: o.declared})
	for _, target := range o.chosen {
		if c := o.shell.opened.byName[target.Environment.Name]; c != nil && look.Err == nil {
			look.Challenges[c.env.Name] = o.challenges(ctx, c)
		}
	}
	if look.Err == nil {
		look.At = look.Report.At
	}
	sent, throttled := o.shell.requests()
	look.Requests, look.Throttled = sent-sentBefore, throttled > throttledBefore
	return look
}

// challenges counts how the challenges that were created here ended. One that is not over is read again.
func (o *doctorWatchOptions) challenges(ctx context.Context, c *connection) (counts doctor.ChallengeCounts) {
	memory, err := c.memory(ctx)
	if err != nil {
		return doctor.ChallengeCounts{Err: err}
	}
	since, err := o.since.Time(c.now())
	if err != nil {
		return doctor.ChallengeCounts{Err: err}
	}
	created, err := memory.ChallengesSince(ctx, since, watchedChallenges)
	counts.Err = err
	reads := 0
	for _, one := range created {
		status, ok := o.ended[one.SID]
		if !ok && reads < challengeReads {
			reads++
			if ch, err := c.client.Challenge(ctx, one.ServiceSID, one.Identity, one.SID); err == nil {
				status = ch.Status
			}
		}
		if status != "" && status != verify.ChallengePending {
			o.ended[one.SID] = status
		}
		counts.Add(status)
	}
	return counts
}
