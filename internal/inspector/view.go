package inspector

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

//go:embed page
var files embed.FS

// templates are read when the page is first asked for, so that a server without a browser starts as fast as ever.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(files, "page/*.html"))
})

func assets() fs.FS {
	dir, err := fs.Sub(files, "page/assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return dir
}

// view is what the page shows of the world, apart from requests.
type view struct {
	simulator.Glance
	caller
	Phones     []phone
	Challenges []asked
	Alerts     []event.Event
	Switches   []faultSwitch
	OtherRules []simulator.Fault
}

// phone is a phone with its lock screen.
type phone struct {
	simulator.Device
	Pushes []asked // on the lock screen
	InApp  []asked // seen only when the app is opened
	Now    time.Time
	Curl   string
}

// asked is a challenge with what became of its newest push.
type asked struct {
	simulator.ShownChallenge
	Name    string // of the phone, where it is shown
	Push    simulator.Push
	Ignored bool
	HasKey  bool // the simulator can answer it as the phone
}

// Pending tells whether it can be answered.
func (a asked) Pending() bool { return a.Status == "pending" }

// OnLockScreen tells whether the phone shows its push.
func (a asked) OnLockScreen() bool {
	return a.Push.Outcome == simulator.Delivered && !a.Ignored
}

// Outcome says what became of the push.
func (a asked) Outcome() string {
	switch {
	case a.Ignored:
		return "ignored on the lock screen"
	case a.Push.Outcome == "":
		return "no push"
	case a.Push.Code == 0:
		return "push " + string(a.Push.Outcome)
	}
	if code, known := event.Lookup(a.Push.Code); known {
		return fmt.Sprintf("push %s, %d: %s", a.Push.Outcome, a.Push.Code, code.Name)
	}
	return fmt.Sprintf("push %s, %d", a.Push.Outcome, a.Push.Code)
}

// Platform is the phone's platform as people say it.
func (p phone) Platform() string {
	switch p.Device.Platform {
	case "apn":
		return "iOS" + strings.TrimSuffix(" · "+string(p.Build), " · ")
	case "fcm":
		return "Android"
	}
	return "no push"
}

// Hour is the simulated time on the lock screen.
func (p phone) Hour() string { return p.Now.Format("15:04") }

// Day is the simulated day.
func (p phone) Day() string { return p.Now.Format("Monday 2 January") }

// faultSwitch is a fault that is switched on and off for all requests.
type faultSwitch struct {
	simulator.Fault
	Name, Title, Does string
	On                int64 // the number of the rule, 0 while off
}

// faultSwitches are the switches of the page. A slow reply takes long enough to see a client's patience.
var faultSwitches = []faultSwitch{
	{Fault: simulator.Fault{Kind: simulator.FaultRateLimit, RetryAfter: 2}, Name: "429", Title: "429 Too many requests", Does: "Refuses every request, with Retry-After: 2."},
	{Fault: simulator.Fault{Kind: simulator.FaultError, Status: http.StatusInternalServerError}, Name: "500", Title: "500 Server error", Does: "Answers with a gateway's HTML page; nothing is done."},
	{Fault: simulator.Fault{Kind: simulator.FaultResetAfter}, Name: "dropped", Title: "Dropped reply", Does: "Does what is asked, then breaks the connection."},
	{Fault: simulator.Fault{Kind: simulator.FaultLatency, Delay: simulator.Duration(3 * time.Second)}, Name: "slow", Title: "Slow reply", Does: "Answers 3 seconds late."},
}

// is tells whether a rule is the one of the switch.
func (s faultSwitch) is(f simulator.Fault) bool {
	return f.Kind == s.Kind && f.Operation == "" && f.Rate == 0 && f.Skip == 0 && f.Count == 0 &&
		f.RetryAfter == s.RetryAfter && f.Delay == s.Delay && (f.Status == s.Status || s.Status == 0)
}

// look gives the present view.
func (p *Page) look(ctx context.Context, c caller) (view, error) {
	g, err := p.sim.Glance(ctx)
	if err != nil {
		return view{}, err
	}
	v := view{Glance: g, caller: c}
	v.Challenges = p.challenges(g)
	v.Phones = phones(g, v.Challenges, c)
	for _, a := range g.Alerts {
		v.Alerts = append(v.Alerts, event.FromAlert(verify.Alert{
			SID: verify.AlertSID(a.SID), AccountSID: verify.AccountSID(a.Account), ServiceSID: a.Service, ResourceSID: a.Resource,
			LogLevel: a.Level, ErrorCode: a.Code, AlertText: a.Text, DateCreated: a.Created, DateGenerated: a.Created,
		}))
	}
	v.setSwitches()
	return v, nil
}

// challenges joins what is asked with pushes and names, and forgets what was ignored and is over.
func (p *Page) challenges(g simulator.Glance) []asked {
	names, pushes := map[string]string{}, map[string]simulator.Push{}
	for _, d := range g.Devices {
		names[d.Factor] = d.Name
	}
	for _, push := range g.Pushes {
		pushes[push.Challenge] = push
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	ignored := map[string]bool{}
	var all []asked
	for _, c := range g.Challenges {
		a := asked{ShownChallenge: c, Name: cmp.Or(names[c.Factor], c.Factor), Push: pushes[c.SID], Ignored: p.ignored[c.SID]}
		if a.Pending() && a.Ignored {
			ignored[c.SID] = true
		}
		all = append(all, a)
	}
	p.ignored = ignored
	return all
}

func phones(g simulator.Glance, challenges []asked, c caller) []phone {
	var all []phone
	for _, d := range g.Devices {
		ph := phone{Device: d, Now: g.Clock.Now, Curl: c.Challenge(d)}
		for _, a := range challenges {
			a.HasKey = d.HasKey
			switch {
			case a.Factor != d.Factor || !a.Pending() || d.Uninstalled:
			case a.OnLockScreen():
				ph.Pushes = append(ph.Pushes, a)
			default:
				ph.InApp = append(ph.InApp, a)
			}
		}
		all = append(all, ph)
	}
	return all
}

func (v *view) setSwitches() {
	v.Switches = append(v.Switches, faultSwitches...)
	for _, f := range v.Faults {
		if !v.turnedOn(f) {
			v.OtherRules = append(v.OtherRules, f)
		}
	}
}

func (v *view) turnedOn(f simulator.Fault) bool {
	for i := range v.Switches {
		if s := &v.Switches[i]; s.On == 0 && s.is(f) {
			s.On = f.ID
			s.Fired = f.Fired
			return true
		}
	}
	return false
}

// Now is the simulated time to the minute.
func (v view) Now() string { return v.Clock.Now.Format("2006-01-02 15:04") }

// Frozen is the instant at which the clock stands, in milliseconds, "" while it goes.
func (v view) Frozen() string {
	if !v.Clock.Frozen {
		return ""
	}
	return strconv.FormatInt(v.Clock.Now.UnixMilli(), 10)
}

// Ahead is how far the clock is from the machine's, in milliseconds.
func (v view) Ahead() int64 {
	if v.Clock.Frozen {
		return 0
	}
	return time.Until(v.Clock.Now).Round(time.Second).Milliseconds()
}

// document is a whole page.
type document struct {
	view
	Requests []request
	Problem  string // why what was asked for was not done
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) { p.write(w, r, http.StatusOK, "") }

// write writes the page, with a problem where there is one.
func (p *Page) write(w http.ResponseWriter, r *http.Request, status int, problem string) {
	v, err := p.look(r.Context(), p.caller(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	requests, _, _ := p.log.after(0)
	render(w, status, "page.html", document{view: v, Requests: requests, Problem: problem})
}

// detail is one request with the commands that repeat it.
type detail struct {
	request
	caller
}

// CurlCommand repeats the request by curl.
func (d detail) CurlCommand() string { return d.Curl(d.request) }

// VerifyctlCommand repeats it by this program.
func (d detail) VerifyctlCommand() string { return d.Verifyctl(d.request) }

func (p *Page) showRequest(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	found, known := p.log.find(number)
	if err != nil || !known {
		render(w, http.StatusNotFound, "gone.html", nil)
		return
	}
	render(w, http.StatusOK, "request.html", detail{found, p.caller(r)})
}

func render(w http.ResponseWriter, status int, name string, data any) {
	var b strings.Builder
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(b.String())) // the browser has gone; nobody is left to tell
}
