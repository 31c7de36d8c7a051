package where

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The page about --where names every field and every operator, and its examples are expressions.
func TestWherePageIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "where.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, f := range Fields() {
		if !strings.Contains(page, "| `"+f.Name+"` |") {
			t.Errorf("the page does not tell of the field %s", f.Name)
		}
		for _, word := range f.words {
			if !strings.Contains(page, "`"+word+"`") {
				t.Errorf("the page does not tell that %s can be %s", f.Name, word)
			}
		}
	}
	for _, op := range whereOps {
		if !strings.Contains(page, `"`+string(op)+`"`) {
			t.Errorf("the page does not tell of %s", op)
		}
	}
	_, after, _ := strings.Cut(page, "```text\n")
	examples, _, found := strings.Cut(after, "```")
	if !found || strings.Count(examples, "\n") < 3 {
		t.Fatal("the page has no examples")
	}
	for _, example := range strings.Split(strings.TrimSpace(examples), "\n") {
		if _, err := Parse(example, whereNow); err != nil {
			t.Errorf("%s: %v", example, err)
		}
	}
}
