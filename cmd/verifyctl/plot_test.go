//go:build unix

package main

import (
	"slices"
	"strings"
	"testing"
)

// TestPlotsAreForPeople: a plot is drawn for whoever looks at a terminal, in characters that it has; a program never gets one.
func TestPlotsAreForPeople(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	world := newTerminalWorld(t)
	world.run(t, "verifyctl -e demo fleet sync")
	with := func(vars ...string) terminalWorld {
		return terminalWorld{home: world.home, env: append(slices.Clone(world.env), vars...)}
	}
	utf8, latin, dumb := with("LC_ALL=C.UTF-8"), with("LC_ALL=de_DE"), with("LC_ALL=C.UTF-8", "TERM=dumb")
	for command, want := range map[string]struct{ blocks, ascii string }{
		"fleet stats --by platform":       {"50 % ██████████\n", "50 % ##########\n"},
		"debugger alerts --group-by code": {"·▃··▃▃▃█\n", ".=..===@\n"},
		"debugger alerts --group-by hour": {"50 % ██████████\n", "50 % ##########\n"},
		"latency --count 2":               {" ms  ████████", " ms  ########"},
		"challenge watch YC52bcb3c787af8cbe9af2a9a70f3c0fd6 --identity user-1001-amara --wait 600ms": {"━━", "=="},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			command := "verifyctl -e demo " + command
			for name, c := range map[string]struct {
				of   terminalWorld
				want string
			}{"UTF-8": {utf8, want.blocks}, "Latin 1": {latin, want.ascii}, "a dumb terminal": {dumb, want.ascii}} {
				if shown := c.of.run(t, command); !strings.Contains(shown, c.want) {
					t.Errorf("%s, %s: %q is missing in\n%s", name, command, c.want, shown)
				}
			}
			for name, shown := range map[string]string{
				"a pipe":          utf8.run(t, command+" 2>&1 | cat"),
				"a screen reader": with("LC_ALL=C.UTF-8", "ACCESSIBLE=1").run(t, command),
				"-o":              utf8.run(t, command+" -o table"),
			} {
				if strings.ContainsAny(shown, "█▃━") || strings.Contains(shown, "requests to simulator") {
					t.Errorf("%s gets a plot of %s:\n%s", name, command, shown)
				}
			}
		})
	}
}
