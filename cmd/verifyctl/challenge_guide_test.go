package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands of the guide to challenges work as they stand there, in its order, on the demo world.
func TestChallengesGuide(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	guide, err := os.ReadFile("../../docs/guides/challenges.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	blocks := fenced(string(guide))
	for name, text := range map[string]string{"texts.yaml": strings.Join(blocks["yaml"], ""), "event.json": uninstalledEvent} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for line := range strings.Lines(strings.Join(blocks["sh"], "")) {
		if !strings.HasPrefix(line, "verifyctl ") {
			continue
		}
		ran++
		// Waiting is the one thing that is done faster here than in the guide.
		command, waits := strings.CutSuffix(strings.TrimSpace(line), "--wait 30s")
		want := 0
		if waits {
			command, want = command+"--wait 1ms", 8
		}
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+dir, "VERIFYCTL_STATE_DIR="+filepath.Join(dir, "state"), "VERIFYCTL_KEYCHAIN=off")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s: %v, want status %d\n%s", command, err, want, out)
		}
	}
	if ran < 10 {
		t.Errorf("the guide shows %d commands", ran)
	}
}

// fenced gives the fenced blocks of a Markdown text by their language.
func fenced(markdown string) map[string][]string {
	blocks := map[string][]string{}
	language := ""
	for line := range strings.Lines(markdown) {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && language == "":
			if language = strings.TrimSpace(fence); language == "" {
				language = "text"
			}
		case isFence:
			language = ""
		case language != "":
			blocks[language] = append(blocks[language], line)
		}
	}
	return blocks
}

const uninstalledEvent = `{"service_sid":"VA45b603de509ce4414c3a1408e794c864","error_code":"52103","more_info":{"bindingType":"fcm",
"correlationIds":"[VA45b603de509ce4414c3a1408e794c864, user-1001-amara, YFdeaf3bf5746a672e2eeb5e50f10afabc, YC1c9f73e5b73c36ee409298d703cbf13c]",
"description":"FCM failure='NotRegistered'"}}`
