package cli

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// simulatorState is the file in the state directory that "simulator serve" keeps its world in.
const simulatorState = "simulator.sqlite"

// simulatorOptions say which simulated world a command works on.
type simulatorOptions struct {
	shell  *shell
	state  string
	server string
}

func newSimulatorCmd(s *shell) *cobra.Command {
	o := &simulatorOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "Serve a local Verify API, with phones, a clock and faults",
		Long: `The simulator is the Verify Push API on this machine, with state: Services, entities, factors, challenges, pushes, alerts.
Backends and apps are pointed to it for tests; no request leaves the machine.

The commands beside serve change the world of the running server, and say which server that is. When several run, --server
picks one, or -e an environment whose base_url leads to it. When none runs, they work on simulator.sqlite in the state
directory. --state names another file; -e demo is the demo world.`,
	}
	cmd.PersistentFlags().StringVar(&o.state, "state", "", "file that holds the simulated world (default: simulator.sqlite in the state directory)")
	cmd.AddCommand(newSimulatorServeCmd(o))
	for _, c := range []*cobra.Command{newSimulatorDeviceCmd(o), newSimulatorClockCmd(o), newSimulatorFaultCmd(o),
		newSimulatorPushesCmd(o), newSimulatorSettingsCmd(o), newSimulatorGenerateCmd(o)} {
		c.PersistentFlags().StringVar(&o.server, "server", "", "`address` of the running simulator to use when several run, such as 127.0.0.1:8281")
		cmd.AddCommand(c)
	}
	return cmd
}

// file gives the file of a world that is not the demo's.
func (o *simulatorOptions) file() (string, error) {
	if o.state != "" {
		return o.state, nil
	}
	dir, err := o.shell.stateDir()
	return filepath.Join(dir, simulatorState), err
}

// typed gives a command of the simulator on the world that the command line names.
func (o *simulatorOptions) typed(words ...string) string {
	words = append([]string{"simulator"}, words...)
	if o.state != "" {
		words = append(words, "--state", o.state)
	}
	if o.server != "" {
		words = append(words, "--server", o.server)
	}
	return o.shell.typed(words...)
}

// environment gives the environment that -e names, nil without one.
func (o *simulatorOptions) environment() (*config.Target, error) {
	if !o.shell.globalSet.Changed("env") {
		return nil, nil
	}
	return o.shell.named(o.shell.flags.env)
}

// service gives the Service of the environment that -e names, "" without one.
func (o *simulatorOptions) service() (string, error) {
	env, err := o.environment()
	if err != nil || env == nil {
		return "", err
	}
	return string(env.Environment.ServiceSID), nil
}

// open reaches the world to work on, making a file when there is none yet, and gives what lets go of it. A world that
// nobody named is named here.
func (o *simulatorOptions) open(ctx context.Context) (*simulator.Control, func() error, error) {
	if o.state != "" && o.server != "" {
		return nil, nil, verify.Usagef("--state and --server name two worlds").WithHint("give only one of them")
	}
	if o.state == simulator.Memory {
		return nil, nil, verify.Usagef("a world in memory belongs to the server that created it").WithHint("leave out --state while that server runs")
	}
	env, err := o.environment()
	if err != nil {
		return nil, nil, err
	}
	if env != nil && env.Environment.Demo && o.state == "" && o.server == "" {
		world, err := o.shell.demo(ctx)
		if err != nil {
			return nil, nil, err
		}
		control := world.control()
		return control, control.Close, nil // the run closes the world
	}
	if o.state == "" {
		switch server, err := o.running(ctx); {
		case err != nil:
			return nil, nil, err
		case server != nil:
			return o.openServer(server, env == nil)
		}
	}
	return o.openFile(ctx)
}

func (o *simulatorOptions) openServer(server *runningServer, say bool) (*simulator.Control, func() error, error) {
	if say && o.server == "" {
		o.shell.note("working on the simulator at %s", server)
	}
	control, err := server.control()
	if err != nil {
		return nil, nil, err
	}
	return control, control.Close, nil
}

func (o *simulatorOptions) openFile(ctx context.Context) (*simulator.Control, func() error, error) {
	file, err := o.file()
	if err != nil {
		return nil, nil, err
	}
	world, err := openWorld(ctx, simulator.Options{State: file, Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		return nil, nil, simulatorError(err)
	}
	if o.state == "" {
		o.shell.note("no simulator is running; working on %s", file)
	}
	control := world.control()
	return control, func() error { return errors.Join(control.Close(), world.Close()) }, nil
}

// simulatorError gives the errors of the simulator our kinds: it knows nothing of this program's vocabulary.
func simulatorError(err error) error {
	var known *verify.Error
	var input simulator.InputError
	kind := verify.KindFailed
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, simulator.ErrNotFound):
		kind = verify.KindNotFound
	case errors.As(err, &input):
		kind = verify.KindUsage
	}
	return &verify.Error{Kind: kind, Message: err.Error(), Cause: err}
}

// withSimulator opens the world, does something with it and prints what came of it.
func withSimulator[T any](ctx context.Context, o *simulatorOptions, r render.Resource[T], do func(context.Context, *simulator.Control) (T, error)) error {
	sim, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	value, err := do(ctx, sim)
	if err := errors.Join(simulatorError(err), end()); err != nil {
		return err
	}
	return render.One(o.shell.printer(nil), r, value)
}

// withSimulatorList is [withSimulator] for a list.
func withSimulatorList[T any](ctx context.Context, o *simulatorOptions, r render.Resource[T], none string, do func(context.Context, *simulator.Control) ([]T, error)) error {
	sim, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	values, err := do(ctx, sim)
	clock, clockErr := sim.Clock(ctx)
	if err := errors.Join(simulatorError(cmp.Or(err, clockErr)), end()); err != nil {
		return err
	}
	n, err := render.List(o.shell.printer(func() time.Time { return clock.Now }), r, each(values))
	if err == nil && n == 0 {
		o.shell.note("%s", none)
	}
	return err
}
