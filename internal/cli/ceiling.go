package cli

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// ceilingFlags are the flags of bulk work that say how hard the account may be used.
type ceilingFlags struct {
	rps         float64
	concurrency int
}

func (c *ceilingFlags) register(flags *pflag.FlagSet) {
	flags.Float64Var(&c.rps, "rps", 0, "at most this many requests a second (default: no limit; 10 in production)")
	flags.IntVar(&c.concurrency, "concurrency", 0, "at most this many requests in flight (default: 32; 4 in production)")
}

// set makes the ceilings those of this run's clients; to be called before connecting.
func (c *ceilingFlags) set(s *shell) error {
	if c.rps < 0 || c.concurrency < 0 {
		return verify.Usagef("--rps and --concurrency cannot be negative")
	}
	s.opened.ceiling.PerSecond, s.opened.ceiling.MaxInFlight = c.rps, c.concurrency
	return nil
}

// words gives the flags again, for a command that goes on.
func (c *ceilingFlags) words() []string {
	var words []string
	if c.rps > 0 {
		words = append(words, "--rps", fmt.Sprint(c.rps))
	}
	if c.concurrency > 0 {
		words = append(words, "--concurrency", fmt.Sprint(c.concurrency))
	}
	return words
}
