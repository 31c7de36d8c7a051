package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/inspector"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type serveOptions struct {
	*simulatorOptions

	addr       string
	tls        bool
	proxy      string
	seed       string
	account    string
	token      string
	clock      string
	freeze     bool
	shape      simulator.AlertShape
	noSID      bool
	webhooks   bool
	randomness string
	pageHosts  []string

	options simulator.Options
}

func newSimulatorServeCmd(parent *simulatorOptions) *cobra.Command {
	o := serveOptions{simulatorOptions: parent}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the simulated API until Ctrl-C",
		Long: `Serve Verify, Notify, Conversations, Monitor, Event Streams, IAM and Accounts on one port. A request whose Host is a Twilio
host goes to that product, otherwise its path decides. It prints the base URL, the credentials it accepts and one line
for each request.

The base URL, opened in a browser, is a page of the phones, what they are asked, the requests and alerts, with the clock and
faults as switches. It is shown on this machine only; in a container, --page-host localhost shows it to the host.

The state is a file, and is saved with every request; --state :memory: forgets it at the end. A new state is the demo
world, an empty one, or the world of a JSON file.

--tls makes a certificate authority for this machine and says how to trust it. --connect-proxy answers CONNECT for the
Twilio hosts, for clients that cannot be told another host: set HTTPS_PROXY (for Node HTTP_PROXY) to it. Nothing is ever
forwarded off this machine.

With --freeze, --clock and --state :memory: the same requests get the same bytes.

` + exitHelp(0, 1),
		Example: `  verifyctl simulator serve
  verifyctl simulator serve --state :memory: --seed empty --clock 2026-11-02T09:00:00Z --freeze
  verifyctl simulator serve --connect-proxy 127.0.0.1:8282`,
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8281", "address to listen on; port 0 takes a free one")
	flags.BoolVar(&o.tls, "tls", false, "serve https with a certificate of a local authority")
	flags.StringVar(&o.proxy, "connect-proxy", "", "also listen here as a proxy that stands for the Twilio hosts")
	flags.StringVar(&o.seed, "seed", "demo", "what a new state holds: demo, empty, or a JSON file")
	flags.StringVar(&o.account, "account-sid", "", "accept this account (default: AC and 32 zeros)")
	flags.StringVar(&o.token, "auth-token", "", "its auth token (default: 32 zeros); invented, never a real one")
	flags.StringVar(&o.clock, "clock", "", "RFC 3339 `time` at which a new state starts (default: now)")
	flags.BoolVar(&o.freeze, "freeze", false, "stop the clock of a new state; it moves by simulator clock advance only")
	choose(cmd, &o.shape, "alert-shape", "what alerts of failed pushes tell: correlated, credential-only or bare",
		simulator.AlertCorrelated, simulator.AlertCredentialOnly, simulator.AlertBare)
	flags.BoolVar(&o.noSID, "no-credential-sid", false, "leave config.credential_sid out of factors, as Twilio's OpenAPI examples do; its mobile SDKs need it")
	flags.BoolVar(&o.webhooks, "webhooks-anywhere", false, "post webhooks to other machines too, not only to this one")
	flags.StringSliceVar(&o.pageHosts, "page-host", nil, "also show the page to browsers that open it under this `host` name, from other machines too")
	flags.StringVar(&o.randomness, "randomness", "", "what all SIDs and keys of a new state derive from")
	return cmd
}

func (o *serveOptions) parse([]string) error {
	file, err := o.file()
	if err != nil {
		return err
	}
	o.options = simulator.Options{
		State: file, Seed: simulator.Seed(o.seed), Randomness: o.randomness, AlertShape: o.shape,
		AccountSID: o.account, AuthToken: o.token, OmitCredentialSID: o.noSID, WebhooksAnywhere: o.webhooks,
		Clock: simulator.Clock{Mode: simulator.ClockWall},
	}
	if (o.account == "") != (o.token == "") {
		return verify.Usagef("--account-sid and --auth-token go together")
	}
	if o.clock != "" {
		if o.options.Clock.At, err = time.Parse(time.RFC3339, o.clock); err != nil {
			return verify.Usagef("--clock %q is not a time such as 2026-11-02T09:00:00Z", o.clock)
		}
	}
	if o.freeze {
		o.options.Clock.Mode = simulator.ClockFrozen
		if o.options.Clock.At.IsZero() {
			o.options.Clock.At = time.Now()
		}
	}
	return o.parseSeed()
}

// maxSeed bounds the file of --seed, in bytes.
const maxSeed = 1 << 30

// parseSeed reads the world of a file, which a new state is to hold.
func (o *serveOptions) parseSeed() error {
	if o.options.Seed == simulator.SeedDemo || o.options.Seed == simulator.SeedEmpty {
		return nil
	}
	raw, err := readAll(o.shell, "the seed file", o.seed, maxSeed)
	if err != nil {
		return err
	}
	world, err := simulator.ParseWorld(raw)
	if err != nil {
		return verify.Usagef("%s: %w", o.seed, err)
	}
	o.options.Seed, o.options.World = simulator.SeedEmpty, world
	return nil
}

func (o *serveOptions) run(ctx context.Context) (err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	page := inspector.New(o.pageHosts)
	o.options.Log, o.options.ControlSecret, o.options.Observe = o.requestLog(), rand.Text(), page.Observe
	sim, err := simulator.Open(ctx, o.options)
	if err != nil {
		return simulatorError(err)
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	account, err := o.accept(ctx, sim)
	if err != nil {
		return simulatorError(err)
	}
	authority, err := o.authority()
	if err != nil {
		return err
	}
	caFile := ""
	if o.tls {
		caFile = authority.File
	}
	api, err := o.listenAPI(sim, page.Mount(ctx, sim, account, caFile), authority)
	if err != nil {
		return err
	}
	servers := []server{api}
	if o.proxy != "" {
		proxy, err := o.listenProxy(sim, authority)
		if err != nil {
			return err
		}
		servers = append(servers, proxy)
	}
	v := o.describe(account, servers, authority)
	remove, err := o.leave(&v)
	if err != nil { // clients from outside need no file of ours
		o.shell.note("warning: other verifyctl commands cannot find this server: %s", err)
		remove = func() error { return nil }
	}
	defer func() { err = errors.Join(err, remove()) }()
	o.announce(v, servers)
	return serveUntilDone(ctx, servers)
}

// leave tells the other commands of this server.
func (o *serveOptions) leave(v *served) (remove func() error, err error) {
	dir, err := o.shell.stateDir()
	if err != nil {
		return nil, err
	}
	running := runningServer{PID: os.Getpid(), BaseURL: v.BaseURL, State: v.State, Secret: o.options.ControlSecret}
	if v.State != simulator.Memory {
		if running.State, err = filepath.Abs(v.State); err != nil {
			return nil, err
		}
	}
	if o.tls {
		running.CAFile = v.CAFile
	}
	if remove, err = running.leave(dir); err == nil {
		v.ControlFile = running.file
	}
	return remove, err
}

// server is one listener with what serves it.
type server struct {
	addr  net.Addr
	serve func() error
	stop  func(context.Context) error
}

// authority gives the local certificate authority where TLS is spoken, else nil.
func (o *serveOptions) authority() (*simulator.Authority, error) {
	if !o.tls && o.proxy == "" {
		return nil, nil
	}
	dir, err := o.shell.stateDir()
	if err != nil {
		return nil, err
	}
	authority, err := simulator.OpenAuthority(dir, time.Now())
	return authority, simulatorError(err)
}

func (o *serveOptions) listenAPI(sim *simulator.Simulator, handler http.Handler, authority *simulator.Authority) (server, error) {
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return server{}, verify.Usagef("cannot listen on --addr: %w", err)
	}
	api := sim.NewServer()
	api.Handler = handler
	served := server{addr: l.Addr(), serve: func() error { return api.Serve(l) }, stop: api.Shutdown}
	if o.tls {
		config, err := authority.TLS(time.Now(), addressOf(l)...)
		if err != nil {
			return server{}, err
		}
		served.serve = func() error { return api.ServeTLS(l, config) }
	}
	return served, nil
}

func (o *serveOptions) listenProxy(sim *simulator.Simulator, authority *simulator.Authority) (server, error) {
	config, err := authority.TLS(time.Now())
	if err != nil {
		return server{}, err
	}
	l, err := net.Listen("tcp", o.proxy)
	if err != nil {
		return server{}, verify.Usagef("cannot listen on --connect-proxy: %w", err)
	}
	proxy := sim.NewConnectProxy(config)
	return server{addr: l.Addr(), serve: func() error { return proxy.Serve(l) },
		stop: func(context.Context) error { return proxy.Close() }}, nil
}

// accept gives the account that the server accepts: the one of the flags, which is put into the state, else the state's
// first.
func (o *serveOptions) accept(ctx context.Context, sim *simulator.Simulator) (simulator.Account, error) {
	if o.account != "" {
		account := simulator.Account{SID: o.account, AuthToken: o.token, Name: "Simulated account"}
		return account, sim.PutAccount(ctx, account)
	}
	accounts, err := sim.Accounts(ctx)
	if err != nil || len(accounts) == 0 {
		return simulator.Account{}, err
	}
	return accounts[0], nil
}

// shutdownTimeout is how long requests in flight may take to end after Ctrl-C.
const shutdownTimeout = 5 * time.Second

// serveUntilDone runs servers until ctx ends or one of them fails, and then stops all.
func serveUntilDone(ctx context.Context, servers []server) error {
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.serve() }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	// The context that ended must not cut the requests in flight.
	grace, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	for _, s := range servers {
		if stopErr := s.stop(grace); err == nil && !errors.Is(stopErr, context.DeadlineExceeded) {
			err = stopErr
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func addressOf(l net.Listener) []net.IP {
	if addr, ok := l.Addr().(*net.TCPAddr); ok && !addr.IP.IsUnspecified() {
		return []net.IP{addr.IP}
	}
	return nil
}

// requestLog writes one line for each request to standard output.
func (o *serveOptions) requestLog() *slog.Logger {
	drop := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey && a.Value.Any() == slog.LevelInfo) {
			return slog.Attr{}
		}
		return a
	}
	opts := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: drop}
	if o.asJSON() {
		return slog.New(slog.NewJSONHandler(o.shell.out, opts))
	}
	return slog.New(slog.NewTextHandler(o.shell.out, opts))
}

// served is what a client needs to know, as -o json shows it.
type served struct {
	BaseURL      string `json:"base_url"`
	AccountSID   string `json:"account_sid"`
	AuthToken    string `json:"auth_token"`
	ConnectProxy string `json:"connect_proxy,omitempty"`
	CAFile       string `json:"ca_file,omitempty"`
	State        string `json:"state"`
	ControlFile  string `json:"control_file,omitempty"` // which holds the secret of the control API
}

// describe tells what clients need of the servers; the first is the API, the second the proxy.
func (o *serveOptions) describe(account simulator.Account, servers []server, authority *simulator.Authority) served {
	scheme := "http"
	if o.tls {
		scheme = "https"
	}
	v := served{BaseURL: scheme + "://" + reachable(servers[0].addr), AccountSID: account.SID, AuthToken: account.AuthToken,
		State: o.options.State}
	if len(servers) > 1 {
		v.ConnectProxy = "http://" + reachable(servers[1].addr)
	}
	if authority != nil {
		v.CAFile = authority.File
	}
	return v
}

// announce says where the servers are.
func (o *serveOptions) announce(v served, servers []server) {
	for _, s := range servers {
		if tcp, ok := s.addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			o.shell.note("warning: %s can be reached from other machines", tcp)
		}
	}
	if o.asJSON() {
		if line, err := render.MarshalSafe(v); err == nil {
			fmt.Fprintf(o.shell.out, "%s\n", line)
		}
		return
	}
	w := o.shell.out
	fmt.Fprintf(w, "base URL:      %s (a page in a browser)\n", v.BaseURL)
	fmt.Fprintf(w, "account SID:   %s\n", v.AccountSID)
	fmt.Fprintf(w, "auth token:    %s\n", v.AuthToken)
	if v.ConnectProxy != "" {
		fmt.Fprintf(w, "connect proxy: %s\n", v.ConnectProxy)
	}
	if v.CAFile != "" {
		fmt.Fprintf(w, "trust:         %s (SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE; on a phone install it as a CA)\n", v.CAFile)
	}
	fmt.Fprintf(w, "state:         %s\n", v.State)
	if v.ControlFile != "" {
		fmt.Fprintf(w, "control:       %s (holds the secret for /__simulator/ while this server runs)\n", v.ControlFile)
	}
}

func (o *serveOptions) asJSON() bool {
	return o.shell.flags.output == string(render.JSON) || o.shell.flags.output == string(render.NDJSON)
}

// reachable gives an address a client can dial: an unspecified one is this machine's own.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}
