package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// decodeAtTerminal runs "debugger decode" for a person who pastes a text at a terminal.
func decodeAtTerminal(t *testing.T, pasted string) (status int, stdout, stderr string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	state := t.TempDir()
	var out, errs bytes.Buffer
	s := &shell{terminal: terminal{
		in: strings.NewReader(pasted), out: &out, err: &errs, inTerminal: true, outTerminal: true, errTerminal: true, width: 100,
		getenv: func(name string) string {
			if name == "VERIFYCTL_STATE_DIR" {
				return state
			}
			return ""
		}}}
	status = run(context.Background(), s, []string{"debugger", "decode"})
	return status, out.String(), errs.String()
}

// TestPastingAnEvent: a person is told what to do, and one event is shown with everything it says, harmless to the screen.
func TestPastingAnEvent(t *testing.T) {
	service := string(demoEnvironments()[0].ServiceSID)
	status, stdout, stderr := decodeAtTerminal(t, "> {“error_code”:“52103”,“more_info”:{“bindingType”:“fcm”,“correlationIds”:“["+service+
		", user-1001-amara, YFdeaf3bf5746a672e2eeb5e50f10afabc]”,“description”:“\x1b[2JNotRegistered”}}\n")
	if status != 0 || !strings.Contains(stderr, "paste the event, then press Ctrl-D") {
		t.Errorf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"factor sid:", "YFdeaf3bf5746a672e2eeb5e50f10afabc", "environment:", "demo", "repaired:", "reasons:", "next:", `\x1b[2J`} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout+stderr, "\x1b[2J") {
		t.Error("the event controls the terminal")
	}
}
