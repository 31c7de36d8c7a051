package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// watchFlags say how long to wait for an answer, and what to do meanwhile.
type watchFlags struct {
	shell *shell

	resendAfter time.Duration
	maxResends  int
	wait        time.Duration
	receipts    string

	given  *pflag.FlagSet
	policy challenge.Policy
	secret string
}

// receiptSecret is the variable that holds the shared secret of receipts. It is a secret, so it is no flag.
const receiptSecret = "VERIFYCTL_RECEIPT_SECRET"

func (w *watchFlags) register(flags *pflag.FlagSet) {
	w.given = flags
	flags.Var((*verify.Period)(&w.wait), "wait", "how long to wait for an answer (default: until the challenge expires)")
	flags.Var((*verify.Period)(&w.resendAfter), "resend-after", "send the push again when it is unanswered for so long, such as 8s")
	flags.IntVar(&w.maxResends, "max-resends", 1, "how often to send it again, at most 3; with --resend-after")
	flags.StringVar(&w.receipts, "receipts", "", "listen on this `address` for the app's or backend's receipts, after which no push is sent again")
}

func (w *watchFlags) isUsed() bool {
	for _, name := range []string{"wait", "resend-after", "max-resends", "receipts"} {
		if w.given.Changed(name) {
			return true
		}
	}
	return false
}

func (w *watchFlags) parse() error {
	if w.given.Changed("max-resends") && w.resendAfter == 0 {
		return verify.Usagef("--max-resends goes with --resend-after")
	}
	if w.receipts != "" {
		if w.secret = w.shell.getenv(receiptSecret); w.secret == "" {
			return verify.Usagef("--receipts needs a shared secret in the variable %s", receiptSecret)
		}
		if _, _, err := net.SplitHostPort(w.receipts); err != nil {
			return verify.Usagef("--receipts %q is not an address such as 127.0.0.1:8090", w.receipts)
		}
	}
	w.policy = challenge.Policy{Timeout: w.wait, ResendAfter: w.resendAfter, MaxResends: w.maxResends}
	return w.policy.Check()
}

func (w *watchFlags) resends() bool { return w.resendAfter > 0 && w.maxResends > 0 }

type challengeWatchOptions struct {
	shell *shell
	write writeFlags
	watch watchFlags

	identityArg string

	challenges []verify.ChallengeSID
}

func newChallengeWatchCmd(s *shell) *cobra.Command {
	o := challengeWatchOptions{shell: s, watch: watchFlags{shell: s}}
	cmd := &cobra.Command{
		Use:   "watch YC… [--identity IDENTITY]",
		Short: "Wait for the answer to a challenge, and send its push again if asked to",
		Long: `Read a challenge until it is answered or expires, every second at first and then less often, and print it as it ended.
Several challenges of one identity end with the first answer.

With --resend-after the push is sent again while there is no answer: never more often than --max-resends, never past
Twilio's three for a challenge, and never once the phone has confirmed. With --receipts ADDR the app or its backend confirms
by POST with {"challenge_sid": "YC…"} as JSON or form, and "Authorization: Bearer SECRET"; the secret, at least 16
characters, is taken from ` + receiptSecret + `. A resend whose answer is lost counts, and is not repeated.

On a terminal a line shows how much of the challenge's life has passed, with an R where its push was sent again.

Ctrl-C ends the watch and leaves the command that goes on with it; the challenge is not touched.

` + exitHelp(0, 1, 4, 5, 6, 7, 8, 9, 10, 11),
		Example: `  verifyctl -e demo challenge watch YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara --wait 2s
  verifyctl -e demo challenge watch YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara --resend-after 8s --max-resends 2 --confirm demo`,
		Args:              argsBetween(0, -1),
		ValidArgsFunction: s.completeChallenges,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.identityArg, "identity", "", "the identity they were created for")
	o.watch.register(flags)
	o.write.register(flags)
	complete(cmd, "identity", s.completeIdentity)
	return cmd
}

func (o *challengeWatchOptions) parse(args []string) error {
	var errs []error
	if len(args) == 0 {
		_, err := o.shell.challengeArg("challenge watch", nil)
		errs = append(errs, err)
	}
	for _, arg := range args {
		sid, err := verify.ParseChallengeSID(arg)
		errs = append(errs, err)
		o.challenges = append(o.challenges, sid)
	}
	if o.write != (writeFlags{}) && !o.watch.resends() {
		errs = append(errs, verify.Usagef("--yes, --confirm, --dry-run and --reason go with --resend-after; a watch alone sends nothing"))
	}
	return errors.Join(append(errs, o.watch.parse())...)
}

func (o *challengeWatchOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	found, err := o.fetch(ctx, c)
	if err != nil {
		return err
	}
	w := &writer{c: c}
	if o.watch.resends() {
		what := fmt.Sprintf("the push to %s will be sent again at most %s while unanswered", found[0].Identity, times(o.watch.maxResends))
		if o.write.dryRun {
			o.shell.note("dry run: %s", what)
			return nil
		}
		if w, err = c.writer(ctx, o.write, what, harmless); err != nil {
			return err
		}
	}
	last, err := o.watch.follow(ctx, w, found)
	return errors.Join(render.One(p, challengeResource, last), err)
}

func (o *challengeWatchOptions) fetch(ctx context.Context, c *connection) ([]verify.Challenge, error) {
	if len(o.challenges) == 0 {
		picked, err := c.challengeOrAsk(ctx, "", o.identityArg)
		return []verify.Challenge{picked}, err
	}
	var found []verify.Challenge
	for _, sid := range o.challenges {
		ch, err := c.challenge(ctx, sid, o.identityArg)
		if err != nil {
			return nil, err
		}
		found = append(found, ch)
	}
	return found, nil
}

// follow watches to the end, tells what happens on standard error, and gives the challenge that ended it as last read.
func (w *watchFlags) follow(ctx context.Context, by *writer, challenges []verify.Challenge) (verify.Challenge, error) {
	c := by.c
	memory, err := c.memory(ctx)
	if err != nil {
		return challenges[0], err
	}
	if w.receipts != "" {
		stop, err := w.listen(c, memory)
		if err != nil {
			return challenges[0], err
		}
		defer stop()
	}
	watcher := challenge.Watcher{Env: c.env, Reader: c.client, Clock: c.clock(), Policy: w.policy, Receipts: memory}
	if w.resends() {
		watcher.Resender = by.resender()
	}
	progress := c.shell.progress("seconds waited for an answer", c.now)
	defer progress.Close()
	begun, courses := c.now(), courses{}
	last := challenges[0]
	for update, err := range watcher.Watch(ctx, challenges...) {
		last = update.Challenge
		if err != nil {
			return last, err
		}
		progress.Set(int64(update.At.Sub(begun).Seconds()), 0, fmt.Sprintf("%s%v left", courses.draw(c.shell, update), update.Left.Truncate(time.Second)))
		if text := updateText(update, w.maxResends); text != "" {
			c.shell.note("%s", text)
		}
	}
	return last, nil
}

// courses are how old challenges were when their pushes were sent again, in seconds.
type courses map[verify.ChallengeSID][]float64

// draw draws how much of a challenge's life has passed, for a person at the terminal.
func (c courses) draw(s *shell, u challenge.Update) string {
	age, sid := u.At.Sub(u.Challenge.DateCreated).Seconds(), u.Challenge.SID
	if u.Happening == challenge.Resending || u.Happening == challenge.MaybeResent {
		c[sid] = append(c[sid], age)
	}
	plot := s.plot()
	if plot == nil || !s.errTerminal {
		return ""
	}
	return plot.Course(age, age+u.Left.Seconds(), c[sid]) + " "
}

// updateText says what an update tells beyond "still waiting", "" for nothing.
func updateText(u challenge.Update, most int) string {
	switch u.Happening {
	case challenge.Resending:
		return fmt.Sprintf("no answer yet: the push of %s was sent again (%d of %d); Twilio accepted it", u.Challenge.SID, u.Resends, most)
	case challenge.MaybeResent, challenge.NotResent:
		return u.Problem.Error()
	case challenge.Received:
		return fmt.Sprintf("the phone has confirmed %s: its push is not sent again", u.Challenge.SID)
	case challenge.NotRead:
		return fmt.Sprintf("not read, trying again: %v", u.Problem)
	case challenge.ExpiredUnmet:
		return fmt.Sprintf("%s expired unanswered", u.Challenge.SID)
	}
	return ""
}

// listen takes receipts until stop is called.
func (w *watchFlags) listen(c *connection, book challenge.ReceiptBook) (stop func(), err error) {
	handler, err := challenge.NewReceiptHandler(book, c.clock(), w.secret)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", w.receipts)
	if err != nil {
		return nil, verify.Usagef("--receipts %s: %w", w.receipts, err)
	}
	if host, _, _ := net.SplitHostPort(listener.Addr().String()); !net.ParseIP(host).IsLoopback() {
		c.shell.note("receipts are taken from other machines, unencrypted: put a TLS proxy before %s", listener.Addr())
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	go server.Serve(listener) // ends when the server is closed
	c.shell.note("receipts are taken at http://%s/", listener.Addr())
	return func() { server.Close() }, nil
}
