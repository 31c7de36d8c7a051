package cli

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// simulatorState is the file in the state directory that "simulator serve" keeps its world in.
const simulatorState = "simulator.sqlite"

// simulatorOptions say which simulated world a command works on.
type simulatorOptions struct {
	shell *shell
	state string
}

func newSimulatorCmd(s *shell) *cobra.Command {
	o := &simulatorOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "Serve a local Verify API, with phones, a clock and faults",
		Long: `The simulator is the Verify Push API on this machine, with state: Services, entities, factors, challenges, pushes, alerts.
Backends and apps are pointed to it for tests; no request leaves the machine.

Its commands work on the world of "simulator serve", on the file of --state, or with -e demo on the demo world. They work
on the file itself, so a server may be running on it or not.`,
	}
	cmd.PersistentFlags().StringVar(&o.state, "state", "", "file that holds the simulated world (default: simulator.sqlite in the state directory)")
	cmd.AddCommand(newSimulatorServeCmd(o), newSimulatorDeviceCmd(o), newSimulatorClockCmd(o), newSimulatorFaultCmd(o),
		newSimulatorPushesCmd(o), newSimulatorSettingsCmd(o), newSimulatorGenerateCmd(o))
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

// open opens the world to work on, making it when there is none yet, and gives what closes it.
func (o *simulatorOptions) open(ctx context.Context) (*simulator.Simulator, func() error, error) {
	if _, isDemo := demoService(o.shell.flags.env); isDemo && o.state == "" {
		world, err := o.shell.demo(ctx)
		if err != nil {
			return nil, nil, err
		}
		return world.sim, func() error { return nil }, nil // the run closes it
	}
	file, err := o.file()
	if err != nil {
		return nil, nil, err
	}
	sim, err := simulator.Open(ctx, simulator.Options{State: file, Seed: simulator.SeedDemo, Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		return nil, nil, simulatorError(err)
	}
	return sim, sim.Close, nil
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
func withSimulator[T any](ctx context.Context, o *simulatorOptions, r render.Resource[T], do func(context.Context, *simulator.Simulator) (T, error)) error {
	sim, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	value, err := do(ctx, sim)
	if err := errors.Join(simulatorError(err), end()); err != nil {
		return err
	}
	p, err := o.shell.printer(nil)
	if err != nil {
		return err
	}
	return render.One(p, r, value)
}

// withSimulatorList is [withSimulator] for a list.
func withSimulatorList[T any](ctx context.Context, o *simulatorOptions, r render.Resource[T], none string, do func(context.Context, *simulator.Simulator) ([]T, error)) error {
	if err := r.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	sim, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	values, err := do(ctx, sim)
	now, nowErr := sim.Now(ctx)
	if err := errors.Join(simulatorError(err), nowErr, end()); err != nil {
		return err
	}
	p, err := o.shell.printer(func() time.Time { return now })
	if err != nil {
		return err
	}
	n, err := render.List(p, r, each(values))
	if err == nil && n == 0 {
		o.shell.note("%s", none)
	}
	return err
}
