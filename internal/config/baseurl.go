package config

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// checkBaseURL holds a base URL, "" for Twilio's own, against the rule of where account keys may go.
func checkBaseURL(raw string, allowed, production bool) error {
	if raw == "" {
		return nil
	}
	_, err := verify.ParseBaseURL(raw, allowed, production)
	return err
}

// resolvePath makes a path in a file absolute: it is relative to that file, and ~/ is the user's home.
func resolvePath(path, file string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}
