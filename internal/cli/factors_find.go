package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/verify"
)

type factorsFindOptions struct {
	shell *shell

	factors []verify.FactorSID
}

func newFactorsFindCmd(s *shell) *cobra.Command {
	o := factorsFindOptions{shell: s}
	return &cobra.Command{
		Use:   "find YF…",
		Short: "Find the identity that has a factor",
		Long: `Find out whose a factor is. Twilio finds a factor only under its identity, so this asks the index of this machine, which
"fleet sync" fills. It costs no request.

` + exitHelp(0, 1, 5, 6),
		Example: `  verifyctl -e demo fleet sync
  verifyctl -e demo factors find YFa728cd25f69d7c893427e286d6ccc0a1`,
		Args: argsBetween(1, -1),
		RunE: parseThenRun(o.parse, o.run),
	}
}

func (o *factorsFindOptions) parse(args []string) (err error) {
	o.factors, err = parseFactorSIDs(args)
	return err
}

func (o *factorsFindOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsMemory)
	if err != nil {
		return err
	}
	index, err := c.index(ctx)
	if err != nil {
		return err
	}
	found, err := index.FindFactors(ctx, o.factors...)
	if err != nil {
		return err
	}
	if err := listAll(p, indexedResource(), found); err != nil {
		return err
	}
	return o.missing(c, found)
}

// missing names the factors that the index does not have.
func (o *factorsFindOptions) missing(c *connection, found []verify.IndexedFactor) error {
	known := map[string]bool{}
	for _, f := range found {
		known[strings.ToUpper(string(f.SID))] = true
	}
	var missing []string
	for _, sid := range o.factors {
		if !known[strings.ToUpper(string(sid))] {
			missing = append(missing, string(sid))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return notFound("the index of %s has no %s", c.label(), strings.Join(missing, ", ")).
		WithHint("it may be new, deleted, or in another environment; update the index: %s", c.env.Command("fleet", "sync"))
}
