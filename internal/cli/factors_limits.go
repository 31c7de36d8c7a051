package cli

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// limitFlags say how much harm a plan may do.
type limitFlags struct {
	flags       *pflag.FlagSet
	maxLockouts int
	maxShare    float64
}

func (l *limitFlags) register(flags *pflag.FlagSet) {
	l.flags = flags
	flags.IntVar(&l.maxLockouts, "max-lockouts", 0, "how many identities may be left without a verified push factor (default: no limit; 0 in production)")
	flags.Float64Var(&l.maxShare, "max-share", fleet.DefaultMaxShare, "how many `percent` of a platform's verified push factors may be deleted, where they are more than 50")
}

func (l *limitFlags) parse() error {
	switch {
	case l.maxLockouts < 0:
		return verify.Usagef("--max-lockouts %d is negative", l.maxLockouts)
	case !(l.maxShare > 0 && l.maxShare <= 100): // NaN too
		return verify.Usagef("--max-share %v: give a percentage above 0, up to 100", l.maxShare)
	}
	return nil
}

// words gives the flags again, for a command that goes on.
func (l *limitFlags) words() []string {
	var words []string
	if l.flags.Changed("max-lockouts") {
		words = append(words, "--max-lockouts", fmt.Sprint(l.maxLockouts))
	}
	if l.flags.Changed("max-share") {
		words = append(words, "--max-share", fmt.Sprint(l.maxShare))
	}
	return words
}

// check refuses a plan that locks out too many people, or takes too much of a platform.
func (l *limitFlags) check(ctx context.Context, c *connection, plan fleet.Plan, index fleet.Index) error {
	production := c.env.GuardsAsProduction()
	if n := len(plan.LockedOut()); n > l.maxLockouts && (production || l.flags.Changed("max-lockouts")) {
		return verify.Refusedf("the plan leaves %s without a verified push factor, and --max-lockouts allows %d", verify.Count(n, "identity"), l.maxLockouts).
			WithHint("if it is meant: --max-lockouts %d", n)
	}
	shares, err := plan.LargeShares(ctx, index)
	if errors.Is(err, fleet.ErrShareUnknown) {
		if !production {
			return nil
		}
		return verify.Refusedf("the plan deletes %s, and how large a share that is, is unknown: this machine has no complete index of %s",
			verify.Count(plan.Header.Delete, "factor"), c.label()).WithHint("make the index: %s", c.env.Command("fleet", "sync"))
	}
	if err != nil {
		return err
	}
	for _, s := range shares {
		if s.Percent() > l.maxShare {
			return verify.Refusedf("the plan deletes %d of %d %s, %.1f %%, and --max-share allows %v %%", s.Delete, s.Of, factorsOn(s.Platform), s.Percent(), l.maxShare).
				WithHint("if it is meant: --max-share %v", math.Ceil(s.Percent()))
		}
	}
	return nil
}

func factorsOn(platform verify.Platform) string {
	if platform == "" {
		return "factors of an unknown platform"
	}
	return fmt.Sprintf("verified %s factors", platform)
}
