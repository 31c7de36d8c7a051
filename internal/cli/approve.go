package cli

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// writeFlags are the flags of every command that writes to Twilio.
type writeFlags struct {
	yes     bool
	confirm string
	dryRun  bool
	reason  string

	purpose string // of the plan that is applied, for the audit file; no flag
}

func (w *writeFlags) register(flags *pflag.FlagSet) {
	flags.BoolVarP(&w.yes, "yes", "y", false, "do not ask (never stands in for --confirm)")
	flags.StringVar(&w.confirm, "confirm", "", "the `name` of the production environment that may be written to")
	flags.BoolVar(&w.dryRun, "dry-run", false, "show what would be sent, send nothing")
	flags.StringVar(&w.reason, "reason", "", "why, for the audit file")
}

// harm says what a write can do to a user.
type harm int

const (
	harmless    harm = iota // makes a phone ring, or changes a setting that can be changed back
	destructive             // cannot be undone
)

// approve lets a write pass, or says why not: a read-only environment takes none; production must be named by -e on the
// command line and confirmed by its name, the demo's live environment too; elsewhere what cannot be undone is asked about, or takes --yes.
func (c *connection) approve(ctx context.Context, w writeFlags, question string, h harm) error {
	if c.env.ReadOnly {
		return verify.Refusedf("%s is read-only in the environment file", c.label()).
			WithHint("a write there needs readonly: false for %s", c.label())
	}
	if c.env.ConfirmsByName() {
		return c.approveProduction(ctx, w, question)
	}
	if h == harmless || w.yes {
		return nil
	}
	if !c.shell.canAsk() {
		return verify.Refusedf("not confirmed: %s", question).WithHint("confirm with --yes")
	}
	return c.shell.prompter().Confirm(ctx, question)
}

func (c *connection) approveProduction(ctx context.Context, w writeFlags, question string) error {
	name, flag := c.confirmName()
	switch {
	case !c.shell.globalSet.Changed(flag):
		return verify.Refusedf("%s is production, and a write there needs --%s on the command line", name, flag).
			WithHint("add --%s %s", flag, name)
	case w.confirm == name:
		return nil
	case w.confirm != "":
		return verify.Refusedf("--confirm %q is not the name that has to be confirmed, %s", w.confirm, name)
	case !c.shell.canAsk():
		return verify.Refusedf("not confirmed: %s", question).WithHint("%s is production; confirm with --confirm %s", name, name)
	}
	return c.shell.prompter().TypeName(ctx, question, name)
}

// confirmName is what has to be typed before a write to production, and the flag that must name it on the command line:
// the environment, or with TWILIO_* variables the Service.
func (c *connection) confirmName() (name, flag string) {
	if c.env.Name == "" {
		return string(c.env.ServiceSID), "service"
	}
	return c.env.Name, "env"
}

// prompter asks the person at the terminal.
func (s *shell) prompter() *prompt.Prompter { return prompt.New(s.in, s.err, s.canAsk()) }
