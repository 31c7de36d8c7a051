//go:build unix

package main

import (
	"path/filepath"
	"testing"
)

// TestTheReleaseNamesFilesThatAreThere: what .goreleaser.yaml packs is in the repository, and archives have the names that the
// Action downloads.
func TestTheReleaseNamesFilesThatAreThere(t *testing.T) {
	t.Parallel()
	type sources []struct{ Src, Dst string }
	var release struct {
		ProjectName string `yaml:"project_name"`
		Archives    []struct {
			NameTemplate string `yaml:"name_template"`
			Files        sources
		}
		Nfpms []struct{ Contents sources }
		Casks []struct {
			Manpages    []string
			Completions map[string]string
		} `yaml:"homebrew_casks"`
		Dockers []struct {
			Dockerfile string
			ExtraFiles []string `yaml:"extra_files"`
		} `yaml:"dockers_v2"`
		Checksum struct {
			NameTemplate string `yaml:"name_template"`
		}
	}
	readYAML(t, "../../.goreleaser.yaml", &release)
	var named []string
	for _, archive := range release.Archives {
		if archive.NameTemplate != "" || release.ProjectName != "verifyctl" || release.Checksum.NameTemplate != "checksums.txt" {
			t.Error("the Action downloads verifyctl_VERSION_OS_ARCH, and pins checksums.txt")
		}
		for _, file := range archive.Files {
			named = append(named, file.Src)
		}
	}
	for _, pack := range release.Nfpms {
		for _, file := range pack.Contents {
			named = append(named, file.Src)
		}
	}
	for _, cask := range release.Casks {
		named = append(named, cask.Manpages...)
		for _, file := range cask.Completions {
			named = append(named, file)
		}
	}
	for _, image := range release.Dockers {
		named = append(append(named, image.Dockerfile), image.ExtraFiles...)
	}
	if len(named) < 15 {
		t.Fatalf("only %q", named)
	}
	for _, pattern := range named {
		if found, err := filepath.Glob(filepath.Join("../..", pattern)); err != nil || len(found) == 0 {
			t.Errorf("%s names nothing: %v", pattern, err)
		}
	}
}
