package cli

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// mayBeEmpty are the flags that can be given an empty value: "no environment", "no reason".
var mayBeEmpty = []string{"env", "service", "config", "reason", "message", "debugger-webhook"}

// checkFlags refuses values that parse but cannot be meant, whichever command has the flag. An empty one is nearly always
// a variable of the shell that is not set; without its --identity or --where a command would take everybody.
func (s *shell) checkFlags(cmd *cobra.Command) error {
	var errs []error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if isEmptyValue(flag.Value) && !slices.Contains(mayBeEmpty, flag.Name) {
			errs = append(errs, verify.Usagef("--%s is empty", flag.Name).
				WithHint("leave it out or give it a value; a variable of the shell may not be set"))
		}
	})
	if limit := cmd.Flags().Lookup("limit"); limit != nil && limit.Value.Type() == "int" && limit.Value.String()[0] == '-' {
		errs = append(errs, verify.Usagef("--limit %s is negative", limit.Value))
	}
	if s.flags.timeout <= 0 {
		errs = append(errs, verify.Usagef("--timeout %v is not more than zero", s.flags.timeout))
	}
	return errors.Join(errs...)
}

func isEmptyValue(value pflag.Value) bool {
	if list, ok := value.(pflag.SliceValue); ok {
		values := list.GetSlice()
		return len(values) == 0 || slices.Contains(values, "")
	}
	return value.Type() == "string" && value.String() == ""
}

// valueForm says what the value of a flag looks like.
func valueForm(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "duration":
		return "a time such as 30s, 5m or 1h30m"
	case "bool":
		return "true or false"
	case "int", "int64", "uint", "uint64":
		return "a whole number that fits"
	case "float64":
		return "a number"
	}
	return "a value it takes"
}
