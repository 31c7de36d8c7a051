package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type debuggerDecodeOptions struct {
	shell *shell

	files   []string
	filter  eventFilter
	resolve bool

	unreadable int // records without an event
	oversized  int

	out    *bufio.Writer // standard output, written before input is waited for
	encode func(to []byte, e *event.Event) []byte
}

func newDebuggerDecodeCmd(s *shell) *cobra.Command {
	o := debuggerDecodeOptions{shell: s, filter: eventFilter{shell: s}}
	cmd := &cobra.Command{
		Use:   "decode [FILE…]",
		Short: "Say which factor a debugger event is about, and what went wrong",
		Long: `Read debugger events in any shape, without being told which: the webhook's form, its Payload or more_info alone, alerts
of the Monitor API or of Twilio's CLI, CSV of them, an alert's text, Event Streams, our own output, what the Console, a chat or a log made of them, one
or gigabytes, in UTF-8 or UTF-16. An event is found inside what another system put around it too: EventBridge, SQS, SNS,
Kinesis, CloudWatch, API Gateway, Pub/Sub, Segment. Nothing is sent anywhere, except with --resolve.

Without a FILE, or with -, standard input is read. Events that are no push errors are counted, not shown; --all shows them.
prune_evidence says what an event counts for "factors prune": only an exact, unambiguous, unmasked, unrepaired factor with
52103 is strong. An event whose description contradicts its code counts for nothing.

With --resolve an ambiguous or masked factor is looked up by reading which candidate exists; never guessed.

` + exitHelp(0, 1, 4, 5, 6, 7, 9),
		Example: `  verifyctl -e demo debugger alerts -o ndjson | verifyctl debugger decode -q -
  verifyctl -e demo debugger alerts -o ndjson | verifyctl debugger decode --group-by code -o csv -

  # event.txt is yours: what Twilio posted, or a log that holds it
  verifyctl debugger decode event.txt`,
		Args: argsBetween(0, -1),
		RunE: parseThenRun(o.parse, o.run),
	}
	o.filter.register(cmd)
	cmd.Flags().BoolVar(&o.filter.unique, "unique", false, "show each event SID once")
	cmd.Flags().BoolVar(&o.resolve, "resolve", false, "resolve ambiguous factors by checking which of them exist")
	return cmd
}

func (o *debuggerDecodeOptions) parse(args []string) error {
	o.files = args
	if len(args) == 0 {
		o.files = []string{"-"}
	}
	if o.shell.flags.env != "" {
		if _, err := o.shell.named(o.shell.flags.env); err != nil {
			return err
		}
	}
	return o.filter.parse()
}

func (o *debuggerDecodeOptions) run(ctx context.Context) error {
	defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	o.out = bufio.NewWriterSize(o.shell.results, outputBuffer)
	o.shell.results = o.out
	p := o.shell.printer(nil)
	o.encode = o.encoder(p)
	err := o.shell.printEvents(p, o.filter.group, event.Span{}, o.decode(ctx))
	if err = errors.Join(err, o.out.Flush()); err != nil {
		return err
	}
	o.say()
	return o.outcome()
}

// collectAt is by how many percent the heap grows before it is collected, where a command needs few megabytes however long it
// runs: to decode an export of any size, and to serve the simulator. Collecting more often takes time and gives little back.
const collectAt = 200

// outputBuffer is how many bytes of output are written at once, unless input has to be waited for before.
const outputBuffer = 64 << 10

// encoder gives what makes the JSON of events where they are decoded; nil where that cannot be done before their turn.
func (o *debuggerDecodeOptions) encoder(p *render.Printer) func(to []byte, e *event.Event) []byte {
	encode := p.RowEncoder()
	if encode == nil || o.resolve || o.filter.group != "" {
		return nil
	}
	return func(to []byte, e *event.Event) []byte {
		if !o.filter.wants(e) || o.filter.isNoise(e) {
			return to
		}
		return encode(to, e)
	}
}

// isUnreadable tells that there was nothing like an event in what was read.
func (o *debuggerDecodeOptions) isUnreadable() bool {
	return o.filter.shown == 0 && o.filter.others == 0 && o.filter.firstNoise == nil
}

// decode gives the events to show.
func (o *debuggerDecodeOptions) decode(ctx context.Context) rowsOf[event.Event] {
	return func(yield func(event.Event, error) bool) {
		attribution := o.shell.attribution()
		if o.resolve {
			o.addCredentials(ctx, attribution)
		}
		for _, file := range o.files {
			if !o.decodeFile(ctx, file, attribution, yield) {
				return
			}
		}
		switch f := &o.filter; {
		case o.isUnreadable():
			yield(event.Event{}, o.outcome())
		case f.shown == 0 && f.others == 0 && f.skipped() == 1 && f.group == "" && !o.shell.flags.quiet:
			yield(*f.firstNoise, nil) // one event that is no push error is what was asked about
		}
	}
}

func (o *debuggerDecodeOptions) decodeFile(ctx context.Context, file string, attribution *event.Attribution, yield func(event.Event, error) bool) bool {
	in, err := o.open(file)
	if err != nil {
		return yield(event.Event{}, err)
	}
	defer in.Close()
	var stats event.Stats
	options := event.Options{Workers: min(runtime.GOMAXPROCS(0), 8), Attribution: attribution, Stats: &stats,
		Encode: o.encode, Waiting: func() { _ = o.out.Flush() }} // the next write tells of its error
	for e, err := range event.Decode(in, options) {
		var refused *verify.Error
		if errors.As(err, &refused) {
			return yield(event.Event{}, refused)
		}
		if err != nil {
			return yield(event.Event{}, &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("cannot read %s: %v", file, err), Cause: err})
		}
		if ctx.Err() != nil {
			return yield(event.Event{}, ctx.Err())
		}
		if o.resolve {
			if err := o.settle(ctx, &e); err != nil {
				return yield(event.Event{}, err)
			}
		}
		if o.filter.take(&e) && !yield(e, nil) {
			return false
		}
	}
	o.unreadable += stats.Unreadable
	o.oversized += stats.Oversized
	return true
}

// open opens a file, or standard input.
func (o *debuggerDecodeOptions) open(file string) (io.ReadCloser, error) {
	in, err := openInput(o.shell, "the event", file)
	if err != nil {
		return nil, err.(*verify.Error).WithHint("without a file, standard input is read: %s", o.shell.typed("debugger", "decode", "-"))
	}
	return in, nil
}

// settle reads which candidate of an ambiguous event exists, in the environment of the event.
func (o *debuggerDecodeOptions) settle(ctx context.Context, e *event.Event) error {
	if !e.Ambiguous && !e.Masked || !o.filter.wants(e) {
		return nil
	}
	if e.Environment == nil && o.shell.flags.env == "" {
		e.Reasons = append(e.Reasons, "not settled: its Service belongs to no configured environment, and -e names none")
		return nil
	}
	c, err := o.connectFor(ctx, e)
	if err != nil {
		return err
	}
	return debugger.Settle(ctx, c.client, e)
}

func (o *debuggerDecodeOptions) connectFor(ctx context.Context, e *event.Event) (*connection, error) {
	if e.Environment == nil {
		c, _, err := o.shell.begin(ctx, needsAccount)
		return c, err
	}
	return o.shell.connectTo(ctx, *e.Environment)
}

// addCredentials reads which push credentials the environments' Services use. One that cannot be read is said.
func (o *debuggerDecodeOptions) addCredentials(ctx context.Context, attribution *event.Attribution) {
	targets, err := o.shell.environments()
	if err != nil {
		return
	}
	for _, t := range targets {
		if t.Environment.Demo && !strings.HasPrefix(o.shell.flags.env, "demo") || t.Environment.ServiceSID == "" {
			continue
		}
		c, err := o.shell.connect(ctx, t)
		if err == nil {
			var service verify.Service
			if service, err = c.client.Service(ctx, t.Environment.ServiceSID); err == nil {
				attribution.AddCredentials(service)
			}
		}
		if err != nil {
			o.shell.note("events are not attributed by the credentials of %s: %v", t.Environment.Name, err)
		}
	}
}

// say tells on standard error what was left out.
func (o *debuggerDecodeOptions) say() {
	o.filter.say()
	if o.oversized > 0 {
		o.shell.note("skipped %s larger than 8 MiB", verify.Count(o.oversized, "event"))
	}
	if o.unreadable > 0 {
		o.shell.note("%s had no event", verify.Count(o.unreadable, "record"))
	}
}

// outcome makes the exit status: a factor was found, none was, or nothing could be read.
func (o *debuggerDecodeOptions) outcome() error {
	f := &o.filter
	switch {
	case f.factors > 0:
		return nil
	case o.isUnreadable():
		return notFound("no debugger event in it").
			WithHint("accepted are the webhook's form or JSON, an alert, an Event Streams event, or a page that has SIDs on it")
	case f.shown == 1:
		return notFound("no factor in it: %s", eventWords(f.last))
	case f.shown > 0:
		return notFound("no factor in any of %s", verify.Count(f.shown, "event"))
	case f.skipped() == 1 && f.firstNoise.Source == event.SourceVerifyWebhook:
		return notFound("no push error in it: it is a Verify webhook")
	case f.skipped() == 1:
		return notFound("no factor in it: %s", eventWords(*f.firstNoise))
	case f.firstNoise != nil:
		return notFound("no factor in it: none of %s is a push error", verify.Count(f.skipped(), "event"))
	}
	return notFound("no event matches --for and --code")
}

// eventWords says what an event without a factor is.
func eventWords(e event.Event) string {
	what := map[event.Product]string{
		event.ProductVerifyPush: "an event of Verify", event.ProductVoice: "an event of Voice", event.ProductNotify: "an event of Notify",
		event.ProductOther: "an event of another product",
	}[e.Product]
	if what == "" {
		what = "an event that names no product"
	}
	if e.ErrorCode != nil {
		what += fmt.Sprintf(" with code %d", *e.ErrorCode)
		if e.ErrorName != "" {
			what += ", " + e.ErrorName
		}
	}
	if e.Ambiguous {
		what += "; it can be read in several ways: see its candidates"
	}
	return what
}
