// Package inspector is the simulator's page: the phones with their lock screens, what is asked of them, the requests as they
// come in, alerts, the clock and the faults, for people who build an app or a backend against the simulator.
//
// Pages of other sites can neither read nor change anything here: only hosts that are expected are answered, changes from
// elsewhere are refused, and the page may load nothing but what this package holds.
package inspector

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// prefix is where everything of the page but the page itself is. Twilio uses no such path.
const prefix = "/__page/"

// Page is the page of one simulator.
type Page struct {
	hosts   []string
	account simulator.Account
	caFile  string
	sim     *simulator.Simulator
	ended   <-chan struct{}
	routes  http.Handler
	log     requestLog

	mu       sync.Mutex
	ignored  map[string]bool // challenges whose push was swiped away
	watchers map[chan struct{}]bool
}

// New makes a page that is served on this machine and, where hosts are named, under those names to others too. It shows
// the requests that [Page.Observe] is told of.
func New(hosts []string) *Page {
	return &Page{hosts: hosts, ignored: map[string]bool{}, watchers: map[chan struct{}]bool{}}
}

// Observe is the simulator's [simulator.Options].Observe.
func (p *Page) Observe(o simulator.Observed) {
	p.log.add(o)
	p.changed()
}

// Mount gives the simulator's handler with the page on it, until ctx ends. The account is the one that commands use, and the
// file is of the authority that they trust, "" without TLS.
func (p *Page) Mount(ctx context.Context, sim *simulator.Simulator, account simulator.Account, caFile string) http.Handler {
	p.sim, p.account, p.caFile, p.ended = sim, account, caFile, ctx.Done()
	p.routes = guarded(p.mux())
	return p
}

// ServeHTTP answers with the page where a browser asks for it, and leaves all else to the simulator.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !isForPage(r):
		p.sim.ServeHTTP(w, r)
	case !p.expects(r):
		http.Error(w, "This page is for browsers on the machine of the simulator. To open it under another name: verifyctl simulator serve --page-host NAME", http.StatusForbidden)
	default:
		p.routes.ServeHTTP(w, r)
	}
}

func isForPage(r *http.Request) bool {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	return strings.HasPrefix(r.URL.Path, prefix) || r.URL.Path == "/" && read && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (p *Page) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.Handle("GET "+prefix+"assets/", http.StripPrefix(prefix+"assets/", http.FileServerFS(assets())))
	mux.HandleFunc("GET "+prefix+"stream", p.stream)
	mux.HandleFunc("GET "+prefix+"requests/{number}", p.showRequest)
	for path, act := range p.actions() {
		mux.HandleFunc("POST "+prefix+path, p.acting(act))
	}
	return mux
}

// changed tells every stream to look again.
func (p *Page) changed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for watcher := range p.watchers {
		select {
		case watcher <- struct{}{}:
		default: // it has yet to look
		}
	}
}
