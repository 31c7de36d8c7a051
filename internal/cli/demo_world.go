package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/twilio"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// localWorld is the embedded simulator: it serves a network inside this process, without a port.
type localWorld struct {
	sim     *simulator.Simulator
	network *simulator.PipeListener
	secret  string // of its control API
}

// openWorld starts the embedded simulator on a world.
func openWorld(ctx context.Context, opts simulator.Options) (*localWorld, error) {
	opts.ControlSecret = rand.Text()
	sim, err := simulator.Open(ctx, opts)
	if err != nil {
		return nil, err
	}
	w := &localWorld{sim: sim, network: simulator.NewPipeListener(), secret: opts.ControlSecret}
	go sim.Serve(w.network) // ends when the network is closed
	return w, nil
}

// control reaches the world's control API.
func (w *localWorld) control() *simulator.Control {
	return simulator.NewControl("http://simulator", w.secret, &http.Transport{DialContext: w.network.DialContext})
}

// openDemo opens the demo world in its state file, or a fresh copy in memory.
func openDemo(ctx context.Context, state string) (*localWorld, error) {
	w, err := openWorld(ctx, simulator.Options{State: state, Seed: simulator.SeedDemo})
	if err != nil {
		return nil, demoFailure(state, err)
	}
	return w, nil
}

// demoFailure says why the demo world cannot be opened; to start it anew does not help where the disk is full.
func demoFailure(state string, err error) error {
	const doing = "cannot open the demo world"
	if full, ok := statedir.FullDisk(doing, state, err); ok {
		return full
	}
	return statedir.Failure(doing, err).WithHint("start over: verifyctl demo reset")
}

// now gives the world's time, which runs only while a command runs.
func (w *localWorld) now() time.Time {
	t, err := w.sim.Now(context.Background())
	if err != nil {
		return simulator.DemoInstant // the state cannot be read, which every request will say
	}
	return t
}

// reach makes a client one of the demo world.
func (w *localWorld) reach(opts *twilio.Options) {
	opts.Username, opts.Password, opts.KeySource = simulator.DefaultAccountSID, simulator.DefaultAuthToken, "the demo"
	opts.Account, opts.BaseURL = simulator.DefaultAccountSID, "http://simulator"
	opts.Dial, opts.Now = w.network.DialContext, w.now
}

// Close stores the world's clock.
func (w *localWorld) Close() error { return errors.Join(w.network.Close(), w.sim.Close()) }

// demo gives the embedded simulator of this run.
func (s *shell) demo(ctx context.Context) (*localWorld, error) {
	if s.opened.demo == nil {
		dir, err := s.stateDir()
		if err != nil {
			return nil, err
		}
		state := filepath.Join(dir, demoState)
		if err := cmp.Or(statedir.Prepare(dir), statedir.CheckDatabase(state)); err != nil {
			return nil, err
		}
		world, err := openDemo(ctx, state)
		if err != nil {
			return nil, err
		}
		s.opened.demo = world
		s.closeAtEnd(world)
	}
	return s.opened.demo, nil
}

// demoState is the file in the state directory that holds the demo world.
const demoState = "demo-world.sqlite"

// demoEnvironments gives the environments that always exist, with the simulated company's declared intent.
func demoEnvironments() []verify.Environment {
	var all []verify.Environment
	for _, e := range simulator.DemoEnvironments() {
		env := verify.Environment{
			Name: e.Name, AccountSID: simulator.DefaultAccountSID, ServiceSID: verify.ServiceSID(e.ServiceSID),
			Kind: verify.EnvironmentKind(e.Kind), IOSBuild: verify.IOSBuild(e.IOSBuild), AppIDs: e.AppIDs,
			MaxFactors: e.MaxFactors, MetadataKeys: e.MetadataKeys, WebhookURL: e.WebhookURL, Demo: true,
		}
		for _, p := range e.Platforms {
			env.Platforms = append(env.Platforms, verify.Platform(p))
		}
		all = append(all, env)
	}
	return all
}
