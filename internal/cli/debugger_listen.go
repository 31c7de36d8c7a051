package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type debuggerListenOptions struct {
	shell *shell

	addr      string
	path      string
	publicURL string
	proxies   []string
	program   []string
	forward   []string
	noAlerts  bool

	trusted []netip.Prefix
	secrets []string
	queues  []*debugger.Queue
}

// How often the listener looks among the alerts for deliveries that were lost.
const backfillEvery = time.Hour

func newDebuggerListenCmd(s *shell) *cobra.Command {
	o := debuggerListenOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "listen",
		Short: "Receive, store and forward debugger events",
		Long: `Receive what Twilio posts: the debugger webhook, Event Streams, and Verify webhooks. Each delivery is checked by its
X-Twilio-Signature and answered with success only when it is on disk, so nothing that was accepted is lost; what comes
twice is kept once. What is not signed is 403 and leaves nothing behind. At start, and every hour, alerts that were missed
are fetched from Twilio.

The secrets are the account's auth tokens, by reference: webhook_secret in the environment file. Twilio signs the URL that it
posts to, so give it as Twilio has it: --public-url, or listener_url in the environment file. It is never taken from a
request, where anybody can write another one.

Clients that are slow, silent or not signed lose their places to others, and each address has so many. When the listener
stands behind a load balancer, name it with --trusted-proxy: it is one address for many clients.

New events are printed, and handed on: --exec runs a program with the event as JSON on its standard input, one --exec for
each word, without a shell; --forward posts it to a URL and follows no redirect. Events that cannot be handed on stay
stored. /healthz and /metrics (Prometheus; no identities) are served beside the path.

Any number of listeners may share a team's store: an event that several get is kept once and handed on by the one that stored
it. While the store does not answer, deliveries get 503 and so does /healthz; what is missed comes with the alerts.

` + exitHelp(0, 1, 4),
		Example: `  verifyctl -e prod debugger listen --public-url https://ops.bank.example/twilio/debugger
  verifyctl -e prod debugger listen --exec /usr/local/bin/page --exec --team=login`,
		RunE: parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8282", "address to listen on")
	flags.StringVar(&o.path, "path", "", "path that requests arrive at (default: that of --public-url)")
	flags.StringVar(&o.publicURL, "public-url", "", "the webhook's URL as Twilio has it (default: listener_url of the environment)")
	flags.StringSliceVar(&o.proxies, "trusted-proxy", nil, "address or network, such as 10.0.0.0/8, of a load balancer before the listener")
	flags.StringArrayVar(&o.program, "exec", nil, "`word` of a program to run for each new event")
	flags.StringArrayVar(&o.forward, "forward", nil, "`URL` to post each new event to")
	flags.BoolVar(&o.noAlerts, "no-backfill", false, "do not fetch missed alerts from Twilio")
	return cmd
}

func (o *debuggerListenOptions) parse([]string) error {
	if o.path != "" && !strings.HasPrefix(o.path, "/") || strings.ContainsAny(o.path, " {}?#") || o.path == "/healthz" || o.path == "/metrics" {
		return verify.Usagef("--path %q is not a path to listen on", o.path).WithHint("write it like /twilio/debugger")
	}
	for _, text := range o.proxies {
		prefix, err := netip.ParsePrefix(text)
		if address, notPrefix := netip.ParseAddr(text); notPrefix == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return verify.Usagef("--trusted-proxy %q is not an address or a network", text).WithHint("write it like 10.1.2.3 or 10.0.0.0/8")
		}
		o.trusted = append(o.trusted, prefix)
	}
	if len(o.program) > 0 {
		if _, err := exec.LookPath(o.program[0]); err != nil {
			return verify.Usagef("--exec: %w", err)
		}
	}
	for _, target := range o.forward {
		if _, err := debugger.NewPost(target); err != nil {
			return err
		}
	}
	return o.shell.goLive()
}

func (o *debuggerListenOptions) run(ctx context.Context) error {
	c, p, err := o.shell.begin(ctx, needsAccount)
	if err != nil {
		return err
	}
	signatures, err := o.signatures(ctx, c)
	if err != nil {
		return err
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	on, err := net.Listen("tcp", o.addr)
	if err != nil {
		return verify.Usagef("cannot listen on --addr %s: %w", o.addr, err)
	}
	o.shell.note("listening on http://%s%s for %s; Ctrl-C ends it", on.Addr(), o.path, c.label())
	return o.serve(ctx, c, p, on, signatures, memory)
}

// signatures takes the secrets of the environment; the demo world signs with its own token. It settles what the listener
// is called by Twilio, and so the path.
func (o *debuggerListenOptions) signatures(ctx context.Context, c *connection) (*debugger.Signatures, error) {
	var tokens []string
	var shared []debugger.SharedKey
	if c.env.Demo {
		tokens = []string{simulator.DefaultAuthToken}
		o.secrets = tokens
	} else {
		references, err := c.target.WebhookSecrets(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range references {
			if r.SharedKey == "" {
				tokens = append(tokens, r.Secret.Reveal())
			} else {
				shared = append(shared, debugger.SharedKey{Name: r.SharedKey, Secret: r.Secret.Reveal()})
			}
			o.secrets = append(o.secrets, r.Secret.Reveal())
		}
	}
	if _, err := debugger.NewSignatures(tokens, "https://example.com", shared...); err != nil {
		return nil, err // before anything is asked for
	}
	address, err := o.address(ctx, c)
	if err != nil {
		return nil, err
	}
	signatures, err := debugger.NewSignatures(tokens, address, shared...)
	if err != nil {
		return nil, err
	}
	if o.path == "" {
		o.path = "/"
		if u, err := url.Parse(address); err == nil && u.EscapedPath() != "" {
			o.path = u.EscapedPath()
		}
	}
	return signatures, nil
}

// address is the URL that Twilio posts to: that of the flag, else of the environment file, else what the person answers.
func (o *debuggerListenOptions) address(ctx context.Context, c *connection) (string, error) {
	switch {
	case o.publicURL != "" || c.target.ListenerURL != "":
		return cmp.Or(o.publicURL, c.target.ListenerURL), nil
	case c.env.Demo:
		return "http://" + o.addr + "/", nil
	case !o.shell.canAsk():
		return "", verify.Usagef("the URL that Twilio posts to is required: it is part of the signature").
			WithHint("give --public-url https://…, or declare listener_url for %s in the environment file", c.label())
	}
	return o.shell.prompter().Input(ctx, prompt.Question{Text: "URL that Twilio posts debugger events to", Instead: "--public-url https://…", Check: func(text string) error {
		_, err := debugger.NewSignatures([]string{"any"}, text)
		return err
	}})
}

// programEnvironment is what a program of --exec gets: everything but what belongs to verifyctl and Twilio, and no secret
// by any name.
func (o *debuggerListenOptions) programEnvironment(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(variable string) bool {
		name, value, _ := strings.Cut(variable, "=")
		isOurs := strings.HasPrefix(name, "TWILIO_") || strings.HasPrefix(name, "VERIFYCTL_") || name == "PGPASSWORD"
		return isOurs || slices.ContainsFunc(o.secrets, func(secret string) bool { return strings.Contains(value, secret) })
	})
}

// serve receives, prints and hands on until ctx ends.
func (o *debuggerListenOptions) serve(ctx context.Context, c *connection, p *render.Printer, on net.Listener, signatures *debugger.Signatures, memory *store.Store) error {
	printing, stores := debugger.NewPrintQueue(), c.eventStores(memory)
	attribution := o.shell.attribution()
	listener := &debugger.Listener{
		Path: o.path, Signatures: signatures, Keeper: stores.For, Attribution: attribution, Now: c.now, Note: o.shell.note, Trusted: o.trusted, Reachable: memory.Reachable,
		Received: func(e event.Event) { o.dispatch(printing, e) },
	}
	o.startQueues(ctx, c, listener)
	var background sync.WaitGroup
	if !o.noAlerts {
		recorder := &debugger.Recorder{Lister: c.client, Keeper: stores.For, Now: c.now, Adjust: attribution.Apply,
			Added: func(e event.Event) { o.dispatch(printing, e) }}
		background.Go(func() {
			debugger.Backfill(ctx, recorder, memory, backfillEvery, c.clock(), func(added int) {
				if added > 0 {
					o.shell.note("fetched %s that had not been delivered", verify.Count(added, "alert"))
				}
			}, func(err error) {
				o.shell.note("alerts could not be fetched: %v; trying again in %s", err, backfillEvery)
			})
		})
	}
	served := make(chan error, 1)
	go func() {
		err := listener.Serve(ctx, on)
		background.Wait()
		printing.End()
		served <- err
	}()
	_, printErr := render.List(p, eventResource, printing.Events())
	if printErr != nil {
		o.shell.note("events are still stored, but no longer printed: %v", printErr)
		for range printing.Events() { // receiving goes on without a reader
		}
	}
	err := <-served
	for _, q := range o.queues {
		q.Close()
	}
	return errors.Join(err, printErr)
}

// dispatch gives a new event to the screen and to whoever it is forwarded to.
func (o *debuggerListenOptions) dispatch(printing *debugger.PrintQueue, e event.Event) {
	if e.IsNoise() {
		return
	}
	if !printing.Add(e) {
		o.shell.note("event %s was stored but not printed: the output cannot keep up", e.EventSID)
	}
	for _, q := range o.queues {
		q.Add(e)
	}
}

func (o *debuggerListenOptions) startQueues(ctx context.Context, c *connection, l *debugger.Listener) {
	var to []debugger.Forwarder
	if len(o.program) > 0 {
		to = append(to, debugger.Program{Argv: o.program, Env: o.programEnvironment(os.Environ()), Output: sanitized{o.shell.err}})
	}
	for _, target := range o.forward {
		if post, err := debugger.NewPost(target); err == nil {
			to = append(to, post)
		}
	}
	for _, forwarder := range to {
		o.queues = append(o.queues, debugger.NewQueue(context.WithoutCancel(ctx), forwarder, c.clock(), func(e event.Event, err error) {
			l.ForwardFailed()
			o.shell.note("event %s was stored but not forwarded: %v", e.EventSID, err)
		}))
	}
}

// sanitized keeps what a program prints from controlling the terminal.
type sanitized struct {
	to io.Writer
}

func (s sanitized) Write(text []byte) (int, error) {
	_, err := fmt.Fprint(s.to, render.SanitizeLines(string(text)))
	return len(text), err
}

// eventStores are the memories that events go to; this environment's is given.
func (c *connection) eventStores(own *store.Store) *debugger.EventStores {
	return &debugger.EventStores{Environment: c.env.Name, Own: own, Open: func(environment string) (debugger.Keeper, error) {
		s, err := c.shell.openMemoryOf(context.Background(), environment)
		if err != nil {
			return nil, err
		}
		c.shell.closeAtEnd(s)
		return s, nil
	}}
}

// recorder stores alerts as they are listed, each in the memory of its environment.
func (c *connection) recorder(ctx context.Context) (*debugger.Recorder, error) {
	own, err := c.memory(ctx)
	if err != nil {
		return nil, err
	}
	return &debugger.Recorder{Lister: c.client, Keeper: c.eventStores(own).For, Now: c.now, Adjust: c.shell.attribution().Apply}, nil
}
