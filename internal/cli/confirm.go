package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/config"
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
	flags.BoolVarP(&w.yes, "yes", "y", false, "skip the confirmation prompt (does not replace --confirm)")
	flags.StringVar(&w.confirm, "confirm", "", "the `name` of the production environment that may be written to")
	flags.BoolVar(&w.dryRun, "dry-run", false, "show what would be sent, send nothing")
	flags.StringVar(&w.reason, "reason", "", "why, for the audit file")
}

// harm says what a write can do to a user.
type harm int

const (
	harmless    harm = iota // adds something, such as a challenge: a phone rings
	destructive             // deletes or changes what is there
)

// confirm lets a write pass, or says why not: a read-only environment takes none; a write to production needs -e on the
// command line and production's name as confirmation, to the demo's live environment too; elsewhere what deletes or changes is
// asked about, or takes --yes. Where several environments have one Service, the strictest decides.
func (c *connection) confirm(ctx context.Context, w writeFlags, question string, h harm) error {
	if c.rules.closed != nil {
		return c.closedError()
	}
	if c.rules.unread != nil {
		return verify.Refusedf("another environment may call the Service of %s production, and the environments cannot be read: %w", c.label(), c.rules.unread)
	}
	if c.rules.production != nil {
		return c.confirmProduction(ctx, w, question)
	}
	return c.shell.confirm(ctx, h == harmless || w.yes, question)
}

// confirm asks about what --yes lets pass.
func (s *shell) confirm(ctx context.Context, yes bool, question string) error {
	switch {
	case yes:
		return nil
	case !s.canAsk():
		return verify.Refusedf("not confirmed: %s", question).WithHint("confirm with --yes")
	}
	return s.prompter().Confirm(ctx, question)
}

// closedError says what makes the environment, or another one of its Service, read-only.
func (c *connection) closedError() error {
	closed := c.rules.closed
	err := verify.Refusedf("%s is read-only (%s)", targetName(closed), closed.ReadOnlyFrom)
	if closed.Environment.Name != c.env.Name {
		err = verify.Refusedf("Service %s is also that of %s, which is read-only (%s)", c.service(), targetName(closed), closed.ReadOnlyFrom)
	}
	return err.WithHint("to write here, change that setting first")
}

func (c *connection) confirmProduction(ctx context.Context, w writeFlags, question string) error {
	name, flag := c.confirmName()
	switch {
	case !c.shell.globalSet.Changed(flag) && !c.named:
		return verify.Refusedf("%s, and a write there needs --%s on the command line%s", c.whyProduction(), flag, c.declaresProduction()).
			WithHint("add --%s %s", flag, cmp.Or(c.env.Name, name))
	case w.confirm == name:
		return nil
	case w.confirm != "":
		return verify.Refusedf("--confirm %q does not match: %s", w.confirm, c.whyProduction()).WithHint("confirm with --confirm %s", name)
	case !c.shell.canAsk():
		return verify.Refusedf("not confirmed: %s", question).WithHint("%s; confirm with --confirm %s%s", c.whyProduction(), name, c.declaresProduction())
	}
	if name != c.env.Name {
		c.shell.note("%s", c.whyProduction())
	}
	return c.shell.prompter().TypeName(ctx, question, name)
}

// whyProduction says what makes a write one to production.
func (c *connection) whyProduction() string {
	production := c.rules.production
	name := targetName(production)
	switch {
	case production.Environment.Name != c.env.Name:
		return fmt.Sprintf("Service %s is also that of %s, which is production (%s)", c.service(), name, production.Declared)
	case production.Environment.Kind == "" && production.Declared != "":
		return fmt.Sprintf("%s is production (%s declares no kind)", name, production.Declared)
	}
	return name + " is production"
}

// declaresProduction names the place of the environment's own kind, where whyProduction names no place.
func (c *connection) declaresProduction() string {
	if c.env.Name == c.rules.production.Environment.Name && c.target.Environment.Kind != "" {
		return c.target.DeclaredAt()
	}
	return ""
}

// confirmName is what has to be typed before a write to production, and the flag that must name what is written to on the
// command line: the environment, or with TWILIO_* variables the Service.
func (c *connection) confirmName() (name, flag string) {
	if c.env.Name == "" {
		return targetName(cmp.Or(c.rules.production, c.target)), "service"
	}
	return targetName(cmp.Or(c.rules.production, c.target)), "env"
}

// targetName is the name of an environment, or with TWILIO_* variables its Service.
func targetName(t *config.Target) string {
	return cmp.Or(t.Environment.Name, string(t.Environment.ServiceSID))
}

// prompter asks the person at the terminal.
func (s *shell) prompter() *prompt.Prompter { return prompt.New(s.in, s.err, s.canAsk()) }

// deletionFlag is --confirm-delete: the names of push credentials that are to be deleted, which a person types.
type deletionFlag struct{ names []string }

func (f *deletionFlag) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.names, "confirm-delete", nil, "the `name` of a push credential that is to be deleted; once for each")
}

// confirm has the name of a push credential typed before it is deleted: whether another product of Twilio uses it cannot be
// seen. One without a name has its SID typed.
func (f *deletionFlag) confirm(ctx context.Context, s *shell, credential verify.Credential) error {
	name := cmp.Or(credential.FriendlyName, string(credential.SID))
	switch {
	case slices.Contains(f.names, name):
		return nil
	case len(f.names) > 0:
		return verify.Refusedf("--confirm-delete does not name push credential %s", credential.SID).
			WithHint("confirm with --confirm-delete %s", verify.Quote(name))
	case !s.canAsk():
		return verify.Refusedf("not confirmed: push credential %s may be used by other products of Twilio, which cannot be seen", credential.SID).
			WithHint("confirm with --confirm-delete %s", verify.Quote(name))
	}
	return s.prompter().TypeName(ctx, fmt.Sprintf("Other products of Twilio may use %s, which cannot be seen. Delete it all the same?", credential.SID), name)
}
