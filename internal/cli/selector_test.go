package cli

import (
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestPrintedCommandsNameTheService runs every way of every command with the TWILIO_* variables and --service, where there is no
// environment to name: whatever is printed names the Service, because in a shell with another current environment it would work
// on that.
func TestPrintedCommandsNameTheService(t *testing.T) {
	m := newMachine(t)
	server := httptest.NewServer(newWorld(t))
	t.Cleanup(server.Close)
	t.Setenv("VERIFYCTL_BASE_URL", server.URL)
	t.Setenv("TWILIO_ACCOUNT_SID", simulator.DefaultAccountSID)
	t.Setenv("TWILIO_AUTH_TOKEN", simulator.DefaultAuthToken)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Chdir(filepath.Join(m.dir, "work"))
	named := 0
	for _, mode := range append([]string{"fleet sync"}, modes...) {
		if otherThings.MatchString(mode) {
			continue
		}
		line := "--service " + simulator.DemoServiceSID + " " + strings.ReplaceAll(mode, "--confirm demo", "--confirm "+simulator.DemoServiceSID)
		s, out, err := m.shell()
		run(t.Context(), s, strings.Fields(line))
		if strings.Contains(err.String(), "the account of the account") {
			t.Errorf("%s: %s", line, err)
		}
		for _, command := range commandsIn(out.String() + err.String()) {
			switch {
			case strings.HasPrefix(command, "verifyctl --service "+simulator.DemoServiceSID+" "):
				named++
			case !withoutService.MatchString(command):
				t.Errorf("%s prints %q, which does not name the Service", line, command)
			}
		}
	}
	if named < 15 {
		t.Errorf("only %d commands", named)
	}
}

// otherThings are modes on no Service, and one whose event is that of an environment.
var otherThings = regexp.MustCompile(`^(simulator|env|demo|completion|version)\b|--payload`)

// withoutService are commands that work on no Service.
var withoutService = regexp.MustCompile(`^verifyctl (audit|completion|credentials lint|debugger (decode|explain)|demo|doctor checks|env|simulator|version)\b|--help$`)
