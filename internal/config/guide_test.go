package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestTheGuideIsRight reads every example of the guide as a configuration, and looks for every key in it.
func TestTheGuideIsRight(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllSubmatch(guide, -1)
	if len(blocks) < 4 {
		t.Fatalf("the guide has %d examples", len(blocks))
	}
	for _, block := range blocks {
		text := string(block[1])
		if !strings.Contains(text, "account_sid") {
			team, mine := teamFile(t, "environments:\n  staging:\n"+minimal, text)
			if _, err := open(t, "--config", team).All(); err != nil {
				t.Errorf("%v in the personal file %s", err, mine)
			}
			continue
		}
		ownFile(t, text)
		if _, err := open(t).All(); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	for _, name := range fieldNames(fieldsOfAll()) {
		name = strings.Replace(name, "auth_token", "secret", 1) // "the same with secret or auth_token in front"
		if !strings.Contains(string(guide), name) {
			t.Errorf("the guide does not mention %s", name)
		}
	}
}
