package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type factorsDeleteOptions struct {
	shell *shell
	write writeFlags

	identityArg string
	device      string
	all         bool

	factors []verify.FactorSID
}

func newFactorsDeleteCmd(s *shell) *cobra.Command {
	o := factorsDeleteOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "delete IDENTITY [YF…]",
		Aliases: []string{"rm"},
		Short:   "Delete factors of one identity, for good",
		Long: `Delete the named factors, those whose friendly name fits --device, or --all of an identity.

Each factor is read first and shown. A deleted factor cannot be brought back: the user has to enrol again. What it was is
kept on this machine; "verifyctl factors deleted" shows it. --all keeps the entity and its challenge history.

Challenges still pending on a deleted factor cannot be cancelled; they are named afterwards.

For factors of many identities there is "verifyctl factors plan", which writes them into a file for review.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo factors delete user-1001-amara --device 'Pixel*' --dry-run
  verifyctl -e demo factors delete user-1001-amara YFdeaf3bf5746a672e2eeb5e50f10afabc --confirm demo`,
		Args:              argsBetween(1, -1),
		ValidArgsFunction: s.completeIdentityThenFactors,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.device, "device", "", "factors whose friendly name fits this `glob`, letter case aside")
	flags.BoolVar(&o.all, "all", false, "all factors of the identity; the entity stays")
	o.write.register(flags)
	moved(cmd, "factors plan --where EXPRESSION --out FILE", "where", "plan")
	moved(cmd, "factors plan --from FILE --out FILE", "from")
	moved(cmd, "factors apply FILE", "apply", "through")
	return cmd
}

func (o *factorsDeleteOptions) parse(args []string) error {
	o.identityArg = args[0]
	var err error
	if o.factors, err = parseFactorSIDs(args[1:]); err != nil {
		return err
	}
	chosen := 0
	for _, given := range []bool{len(o.factors) > 0, o.device != "", o.all} {
		if given {
			chosen++
		}
	}
	switch {
	case chosen == 0:
		return verify.Usagef("name the factors by SID, or use --device GLOB or --all").
			WithHint("see them: %s", o.shell.typed("factors", "list", o.identityArg))
	case chosen > 1:
		return verify.Usagef("factor SIDs, --device and --all cannot be combined")
	}
	return nil
}

func (o *factorsDeleteOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	factors, err := collect(distinct(c.client.Factors(ctx, c.service(), identity)))
	if err != nil {
		return err
	}
	selected, err := o.choose(c, identity, factors)
	if err != nil {
		return err
	}
	if err := o.show(c, identity, selected, factors); err != nil {
		return err
	}
	if o.write.dryRun {
		o.shell.note("dry run: nothing was deleted")
		return nil
	}
	question := fmt.Sprintf("Delete %s of %s in %s? This cannot be undone.", verify.Count(len(selected), "factor"), identity, c.label())
	w, err := c.writer(ctx, o.write, question, destructive)
	if err != nil {
		return err
	}
	return o.delete(ctx, c, w, p, selected)
}

// distinct leaves out a factor that the list names again: pages can overlap while the list changes.
func distinct(factors rowsOf[verify.Factor]) rowsOf[verify.Factor] {
	seen := map[verify.FactorSID]bool{}
	return matching(factors, func(f verify.Factor) bool {
		again := seen[f.SID]
		seen[f.SID] = true
		return !again
	})
}

// choose picks the factors to delete out of all of the identity's.
func (o *factorsDeleteOptions) choose(c *connection, identity verify.Identity, factors []verify.Factor) ([]verify.Factor, error) {
	see := "see what there is: " + c.env.Command("factors", "list", string(identity))
	if o.all || o.device != "" {
		var fit []verify.Factor
		for _, f := range factors {
			if o.all || verify.Glob(o.device, f.FriendlyName) {
				fit = append(fit, f)
			}
		}
		if len(fit) == 0 {
			return nil, notFound("%s has no factor to delete%s", identity, forDevice(o.device)).WithHint("%s", see)
		}
		return fit, nil
	}
	bySID := map[string]verify.Factor{}
	for _, f := range factors {
		bySID[strings.ToLower(string(f.SID))] = f
	}
	var fit []verify.Factor
	for _, sid := range o.factors {
		key := strings.ToLower(string(sid))
		f, ok := bySID[key]
		if !ok {
			return nil, notFound("%s has no factor %s; nothing was deleted", identity, sid).WithHint("%s", see)
		}
		delete(bySID, key)
		fit = append(fit, f)
	}
	return fit, nil
}

func forDevice(glob string) string {
	if glob == "" {
		return ""
	}
	return fmt.Sprintf(" whose friendly name fits %q", glob)
}

// show tells on standard error what will go, and warns when no verified push factor would be left.
func (o *factorsDeleteOptions) show(c *connection, identity verify.Identity, selected, factors []verify.Factor) error {
	o.shell.note("to be deleted in %s:", c.label())
	if err := listOnErr(o.shell, c.now, factorResource(o.shell.hashToken), selected); err != nil {
		return err
	}
	if had, loses := usable(factors), usable(selected); had > 0 && had == loses {
		o.shell.note("warning: %s will have no verified push factor left and cannot approve logins by push", identity)
	}
	return nil
}

func usable(factors []verify.Factor) int {
	n := 0
	for _, f := range factors {
		if f.CanBeChallenged() {
			n++
		}
	}
	return n
}

// delete deletes one factor after the other and reports each after its own call returned.
func (o *factorsDeleteOptions) delete(ctx context.Context, c *connection, w *writer, p *render.Printer, selected []verify.Factor) error {
	gone := map[verify.FactorSID]bool{} // or perhaps gone
	rest := []string{"factors", "delete", string(selected[0].Identity)}
	var deleteErr error
	_, printErr := render.List(p, deletionResource, resultsOf(func(report func(fleet.Result)) {
		deleteErr = fleet.DeleteFactors(ctx, selected, w.deletes(), func(r fleet.Result) {
			switch r.Outcome {
			case fleet.NotTried:
				rest = append(rest, r.SID)
			case fleet.Deleted, fleet.Gone, fleet.Unknown:
				gone[verify.FactorSID(r.SID)] = true
			}
			report(r)
		})
	}))
	if left := len(rest) - 3; ctx.Err() != nil && left > 0 {
		stopped := &verify.Error{Kind: verify.KindInterrupted, Message: fmt.Sprintf("interrupted: %d of %s not tried", left, verify.Count(len(selected), "factor")),
			Hint: "go on with the rest: " + c.env.Command(rest...)}
		return errors.Join(stopped, deleteErr)
	}
	if ctx.Err() == nil {
		o.namePending(ctx, c, selected[0].Identity, gone)
	}
	return errors.Join(deleteErr, printErr)
}

// namePending names the challenges that can still be answered on paper but not in practice: Twilio cannot cancel them.
func (o *factorsDeleteOptions) namePending(ctx context.Context, c *connection, identity verify.Identity, gone map[verify.FactorSID]bool) {
	for ch, err := range c.client.Challenges(ctx, c.service(), identity, verify.ChallengeFilter{Status: verify.ChallengePending}) {
		switch {
		case verify.KindOf(err) == verify.KindNotFound && err != nil:
			return
		case err != nil:
			o.shell.note("whether challenges are still pending is unknown: %v", err)
			return
		case gone[ch.FactorSID]:
			o.shell.note("challenge %s on %s is still pending and cannot be cancelled; it expires %s", ch.SID, ch.FactorSID,
				render.Age(ch.ExpirationDate, c.now()))
		}
	}
}
