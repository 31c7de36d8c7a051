package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// demoSteps is the tour: the incident of a Monday morning, from the complaint to the repair.
var demoSteps = []demoStep{
	{"Amara says the push never came. Her factors: each is one of her devices.",
		[]string{"-e", "demo", "factors", "list", simulator.DemoIdentity}},
	{"Twilio answered 201, whether or not a push could arrive. Why did this one not?",
		[]string{"-e", "demo", "why", simulator.DemoPendingChallengeSID, "--identity", simulator.DemoIdentity}},
	{"So it is not just one phone. What does doctor say about Apple's credentials, in all three environments?",
		[]string{"-e", "demo", "doctor", "--only", "PUSH-APN-0*"}},
	{"Who can fix this error, and is the factor dead? No, it is not.",
		[]string{"debugger", "explain", "52134"}},
	{"The fix is one change, and doctor prints the command that undoes it.",
		[]string{"-e", "demo", "doctor", "--fix", "--credential", simulator.DemoSpareCredentialSID, "--only", "PUSH-APN-0*", "--confirm", "demo"}},
	{"Amara's question is still pending. Send its push again.",
		[]string{"-e", "demo", "challenge", "resend", simulator.DemoPendingChallengeSID, "--identity", simulator.DemoIdentity, "--confirm", "demo"}},
	{"Only a simulator can say what became of each push.",
		[]string{"-e", "demo", "simulator", "pushes", "--challenge", simulator.DemoPendingChallengeSID}},
	{"And only the phone's own key can answer. Her virtual phone has one.",
		[]string{"-e", "demo", "simulator", "device", "approve", "--factor", simulator.DemoIPhoneFactorSID}},
	{"The backend sees it approved.",
		[]string{"-e", "demo", "challenge", "list", simulator.DemoIdentity, "--columns", "sid,status,message,created"}},
	{"She says her old phone is gone. A deleted factor cannot be restored; a record of it is kept here.",
		[]string{"-e", "demo", "factors", "delete", simulator.DemoIdentity, simulator.DemoDeadFactorSID, "--confirm", "demo", "--reason", "user reports a replaced phone"}},
	{"Every write left a record.",
		[]string{"audit", "show", "--columns", "time,phase,outcome,command,sids"}},
}

const demoEnd = `That was a fresh copy in memory. Try any of it yourself; "verifyctl demo reset" restores the demo.
Your own account: %s`

func newDemoCmd(s *shell) *cobra.Command {
	stepwise := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A guided tour of an incident, on the embedded simulator",
		Long: `Play through an incident at a small company: a push that never came, found and fixed in about ten commands. Each command is
shown before its real output, and can be repeated by hand with the same SIDs.

The tour runs on a fresh copy in memory. The environment "demo" itself keeps its state between commands; "verifyctl demo
reset" restores it. Like production, "demo" asks for its name before a write: type it, or add --confirm demo as
the tour does; "factors apply" there also takes --max-lockouts, and goes stage by stage. demo-staging and demo-dev take --yes.

` + exitHelp(0),
		Example: "  verifyctl demo\n  verifyctl demo --step",
		Args:    s.unknownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.playDemo(cmd.Context(), stepwise) },
	}
	cmd.Flags().BoolVar(&stepwise, "step", false, "wait for Enter before each command")
	cmd.AddCommand(newDemoResetCmd(s))
	return cmd
}

// demoStep is one command of the tour.
type demoStep struct {
	say  string
	args []string
}

// playDemo plays the tour, stepwise with a wait before each command.
func (s *shell) playDemo(ctx context.Context, stepwise bool) error {
	if stepwise && !s.inTerminal {
		return verify.Usagef("--step waits for Enter, and standard input is no terminal")
	}
	world, err := openDemo(ctx, simulator.Memory)
	if err != nil {
		return err
	}
	defer world.Close()
	state, err := os.MkdirTemp("", "verifyctl-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	enter := bufio.NewReader(s.input)
	for i, step := range demoSteps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(s.out, "\n%d. %s\n\n   $ %s\n", i+1, step.say, verify.ConfigFile("").Command(step.args...))
		if stepwise {
			if _, err := enter.ReadString('\n'); err != nil {
				return nil
			}
		}
		s.playStep(ctx, world, state, step)
	}
	_, err = fmt.Fprintf(s.out, "\n"+demoEnd+"\n", s.file().Command("env", "add", "NAME"))
	return err
}

// playStep runs one command of the tour as if it had been typed, on the tour's own world and state.
func (s *shell) playStep(ctx context.Context, world *localWorld, state string, step demoStep) {
	t := s.terminal
	out := &indented{w: s.out}
	t.in, t.inTerminal, t.out, t.err = strings.NewReader(""), false, out, out
	if t.width > demoIndent {
		t.width -= demoIndent
	}
	t.outTerminal = true
	if t.width == 0 {
		t.width = 110
	}
	getenv := t.getenv
	t.getenv = func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return state
		}
		return getenv(name)
	}
	run(ctx, &shell{terminal: t, build: s.build, opened: resources{demo: world}}, step.args)
}

const demoIndent = 3

// indented writes lines with an indent.
type indented struct {
	w      io.Writer
	inLine bool
}

func (i *indented) Write(b []byte) (int, error) {
	var out strings.Builder
	for _, line := range strings.SplitAfter(string(b), "\n") {
		if line == "" {
			continue
		}
		if !i.inLine {
			out.WriteString(strings.Repeat(" ", demoIndent))
		}
		out.WriteString(line)
		i.inLine = !strings.HasSuffix(line, "\n")
	}
	if _, err := i.w.Write([]byte(out.String())); err != nil {
		return 0, err
	}
	return len(b), nil
}
