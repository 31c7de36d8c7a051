package inspector

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// action does what a form of the page asks for and says what it did.
type action func(ctx context.Context, r *http.Request) (string, error)

// actions are the forms of the page, by their paths.
func (p *Page) actions() map[string]action {
	return map[string]action{
		"devices":                 p.enroll,
		"devices/{factor}/answer": p.answer,
		"devices/{factor}/muted":  p.mute,
		"devices/{factor}/app":    p.install,
		"clock":                   p.changeClock,
		"faults":                  p.switchFault,
		"faults/{number}/remove":  p.removeFault,
		"requests/clear":          p.clear,
		"reset":                   p.reset,
	}
}

// acting serves an action: to the page's script with what was done, to a browser without it with the page.
func (p *Page) acting(act action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		done, err := act(r.Context(), r)
		p.changed()
		scripted := strings.Contains(r.Header.Get("Accept"), "application/json")
		switch {
		case scripted:
			answer(w, done, err)
		case err != nil:
			p.write(w, r, http.StatusBadRequest, err.Error())
		default:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	}
}

func answer(w http.ResponseWriter, done string, err error) {
	said := map[string]string{"done": done}
	status := http.StatusOK
	if err != nil {
		said, status = map[string]string{"problem": err.Error()}, http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(said) // the browser has gone; nobody is left to tell
}

func (p *Page) enroll(ctx context.Context, r *http.Request) (string, error) {
	identity, err := verify.ParseIdentity(r.FormValue("identity"))
	if err != nil {
		return "", err
	}
	d, err := p.sim.Enroll(ctx, simulator.Enrolment{
		Service: r.FormValue("service"), Identity: string(identity), Name: r.FormValue("name"), Platform: r.FormValue("platform"),
	})
	return fmt.Sprintf("%s of %s is enrolled", d.Name, d.Identity), err
}

func (p *Page) answer(ctx context.Context, r *http.Request) (string, error) {
	challenge := r.FormValue("challenge")
	switch said := r.FormValue("answer"); said {
	case "approved", "denied":
		_, err := p.sim.Answer(ctx, r.PathValue("factor"), challenge, said == "approved")
		return "The challenge is " + said, err
	case "ignored":
		p.mu.Lock()
		p.ignored[challenge] = true // those that are over are forgotten when the page is next looked at
		p.mu.Unlock()
		return "The push is off the lock screen; its challenge stays pending", nil
	}
	return "", simulator.InputError("an answer is approved, denied or ignored")
}

func (p *Page) mute(ctx context.Context, r *http.Request) (string, error) {
	muted := r.FormValue("to") == "on"
	d, err := p.sim.ChangeDevice(ctx, r.PathValue("factor"), func(state *simulator.DeviceState) { state.Muted = muted })
	if muted {
		return "Notifications of " + d.Name + " are off", err
	}
	return "Notifications of " + d.Name + " are on", err
}

func (p *Page) install(ctx context.Context, r *http.Request) (string, error) {
	factor := r.PathValue("factor")
	if r.FormValue("to") == "installed" {
		d, err := p.sim.Reinstall(ctx, factor)
		return "The app is back on " + d.Name + ", with a new push token", err
	}
	d, err := p.sim.ChangeDevice(ctx, factor, func(state *simulator.DeviceState) { state.Uninstalled = true })
	return "The app is gone from " + d.Name, err
}

func (p *Page) changeClock(ctx context.Context, r *http.Request) (string, error) {
	switch r.FormValue("to") {
	case "frozen":
		return "The clock is frozen", p.sim.Freeze(ctx)
	case "running":
		return "The clock goes on", p.sim.Resume(ctx)
	}
	d, err := time.ParseDuration(strings.TrimSpace(r.FormValue("advance")))
	if err != nil {
		return "", simulator.InputError("how far to advance is a duration such as 90s, 6m or 1h")
	}
	return fmt.Sprintf("The clock is %s further", d), p.sim.Advance(ctx, d)
}

// switchFault switches a fault on, or takes its rules away.
func (p *Page) switchFault(ctx context.Context, r *http.Request) (string, error) {
	for _, s := range faultSwitches {
		if s.Name != r.FormValue("fault") {
			continue
		}
		if err := p.switchOff(ctx, s); err != nil || r.FormValue("to") != "on" {
			return s.Title + " is off", err
		}
		_, err := p.sim.AddFault(ctx, s.Fault)
		return s.Title + " is on", err
	}
	return "", simulator.InputError("there is no such fault")
}

func (p *Page) switchOff(ctx context.Context, s faultSwitch) error {
	rules, err := p.sim.Faults(ctx)
	for _, rule := range rules {
		if s.is(rule) {
			err = cmp.Or(err, p.sim.RemoveFault(ctx, rule.ID))
		}
	}
	return err
}

func (p *Page) removeFault(ctx context.Context, r *http.Request) (string, error) {
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	if err != nil || number < 1 {
		return "", simulator.InputError("there is no such fault")
	}
	return "The fault is removed", p.sim.RemoveFault(ctx, number)
}

func (p *Page) clear(context.Context, *http.Request) (string, error) {
	p.log.empty()
	return "The request log is empty", nil
}

func (p *Page) reset(ctx context.Context, _ *http.Request) (string, error) {
	if err := p.sim.Reset(ctx); err != nil {
		return "", err
	}
	p.log.empty()
	return "The world is as it was when it was new", nil
}
