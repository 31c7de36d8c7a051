package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/verifyctl/verifyctl/internal/cli"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
)

// TestGeneratedFilesAreCurrent compares what is committed with a fresh generation.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	fresh := t.TempDir()
	if err := generate(fresh); err != nil {
		t.Fatal(err)
	}
	root := "../.."
	for _, dir := range []string{"docs/reference/commands", "docs/man", "completions"} {
		compare(t, dir, files(t, filepath.Join(fresh, dir)), files(t, filepath.Join(root, dir)))
	}
	for page, text := range cli.Pages() {
		committed, err := os.ReadFile(filepath.Join(root, page))
		if err != nil || string(committed) != text {
			t.Errorf("%s is not what the program makes of it (%v); run: go run ./internal/gen", page, err)
		}
	}
}

func compare(t *testing.T, dir string, want, got map[string]string) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: nothing was generated", dir)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s/%s is not current; run: go run ./internal/gen", dir, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s/%s is no longer generated; run: go run ./internal/gen", dir, name)
		}
	}
}

// files reads every file below a folder, by its path relative to it.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		if relErr != nil {
			return relErr
		}
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
