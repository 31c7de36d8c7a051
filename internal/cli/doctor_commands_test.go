package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
)

// TestCommandsThatDoctorNamesExist looks every command of the questions, and of the answers' own words, up in the tree.
func TestCommandsThatDoctorNamesExist(t *testing.T) {
	root := Root()
	commands := []string{"verifyctl debugger alerts --store", "verifyctl debugger alerts --code", "verifyctl debugger alerts --group-by", "verifyctl debugger explain", "verifyctl fleet stale", "verifyctl factors prune",
		"verifyctl entities delete", "verifyctl services list", "verifyctl audit show", "verifyctl credentials lint"}
	for _, q := range doctor.Questions() {
		commands = append(commands, "verifyctl "+q.Command)
	}
	for _, command := range commands {
		words := strings.Fields(command)[1:]
		cmd, rest, err := root.Find(words)
		if err != nil || cmd == root || cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "--") {
			t.Errorf("%q is no command", command)
			continue
		}
		for _, word := range rest {
			if name, isFlag := strings.CutPrefix(word, "--"); isFlag && name != "" && !hasFlag(cmd, name) {
				t.Errorf("%q: there is no %s", command, word)
			}
		}
	}
}

func hasFlag(cmd *cobra.Command, name string) bool {
	name, _, _ = strings.Cut(name, "=")
	return cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}
