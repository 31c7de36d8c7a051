package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// mask puts a masking writer before standard output and standard error where the command line asks for it, before anything
// is parsed: a message about a wrong flag may name somebody, too.
func (s *shell) mask() {
	if !slices.ContainsFunc(s.args, asksToMask) {
		return
	}
	s.names = render.NewNames()
	pages := s.names.Writer(s.out, true)
	s.closeAtEnd(pages)
	s.out, s.err = pages, s.names.Writer(s.err, false)
}

func asksToMask(arg string) bool {
	value, ok := strings.CutPrefix(arg, "--mask=")
	on, err := strconv.ParseBool(value)
	return arg == "--mask" || ok && err == nil && on
}

// learnArguments learns whom the command line names; it is no check and never fails.
func (s *shell) learnArguments(cmd *cobra.Command, args []string) error {
	if s.names == nil {
		return nil
	}
	if flag := cmd.Flags().Lookup("identity"); flag != nil && commandOf(cmd) != "env add" {
		s.learnWords(flag.Value.String())
	}
	arguments, _, _ := strings.Cut(cmd.Use, "--")
	if strings.Contains(arguments, "IDENTITY") || strings.Contains(arguments, "REF") {
		s.learnWords(args...)
	}
	return nil
}

// learnWords learns the words of a command line that name somebody, as an identity or as user:NAME.
func (s *shell) learnWords(words ...string) {
	for _, word := range words {
		if name, isName := strings.CutPrefix(word, "user:"); isName {
			s.names.Learn(name)
			continue
		}
		if _, isSID := verify.SIDPrefix(word); !isSID {
			s.names.Learn(word)
		}
	}
}

// learnReply learns the names in a reply of Twilio's, those in the debugger events it brings as well.
func (s *shell) learnReply(body []byte) {
	s.names.LearnJSON(body)
	for _, e := range event.Parse(body) {
		s.names.Learn(e.Identity)
	}
}
