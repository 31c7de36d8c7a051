package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commandIn finds commands in a text: code of Markdown, and lines that begin as a command line does.
var commandIn = regexp.MustCompile("`(?:verifyctl )?([a-z-][^`\n|]*)|(?m)(?:^ *|[|] *)verifyctl ([^\n|]+)|\"verifyctl ([^\"\n]+)\"")

// Docs, help and examples name commands and flags that exist, and none that moved.
func TestCommandsInDocsAndHelpExist(t *testing.T) {
	root := Root()
	texts := map[string]string{}
	walk(root, func(cmd *cobra.Command) { texts["help of "+cmd.CommandPath()] = cmd.Long + "\n" + cmd.Example })
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/guides/*.md", "docs/reference/*.md"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(text)
		}
	}
	checked := 0
	for where, text := range texts {
		for _, match := range commandIn.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(match[1] + match[2] + match[3])
			cmd, _, err := root.Find(words)
			if err != nil || cmd == root {
				continue // the code of something else
			}
			var before *pflag.Flag // it takes the next word
			for _, word := range words {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, hasValue := strings.Cut(strings.TrimRight(name, ".,;:)]"), "=")
				if !isFlag || name == "" || name == "help" || before != nil {
					before = nil
					continue
				}
				checked++
				flag := cmd.Flag(name)
				if flag == nil || flag.Hidden {
					t.Errorf("%s: %q: %s has no --%s", where, match[0], cmd.CommandPath(), name)
				} else if flag.NoOptDefVal == "" && !hasValue {
					before = flag
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d flags were found", checked)
	}
}
