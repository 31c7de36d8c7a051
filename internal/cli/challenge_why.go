package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/challenge"
	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type whyOptions struct {
	shell *shell

	identityArg string
	payload     string
	since       verify.Since

	refs []string
}

// defaultSince is how far back "what fails now" looks.
const defaultSince = verify.Period(time.Hour)

func newWhyCmd(s *shell) *cobra.Command {
	o := whyOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "why [REF…]",
		Short: "Find out why a push or an answer did not come, and who can fix it",
		Long: `Combine everything Twilio and this machine know about REF and say why: the cause and how certain it is, who can fix it, the
next command, what was checked, and what cannot be known. Whether a phone received a push never can be.

REF is an identity (or user:NAME), a challenge YC…, a factor YF…, a push credential CR…, a Verify Service VA… or an alert
NO…. A challenge or factor is found only under its identity: give it as well (YC… IDENTITY, or --identity), unless this
machine or an alert knows it. --payload reads a debugger event as Twilio sent it; its Service picks the environment. Without
REF it groups what fails now by cause.

It takes at most 8 requests.

` + exitHelp(0, 1, 3, 4, 5, 6, 7, 9) + `

Status 0 says that a cause was found, 1 that it stays unknown, 3 that it may lie in what could not be read,
5 that what was asked about is not in the environment.`,
		Example: `  verifyctl -e demo why user-1001-amara
  verifyctl -e demo why YC1c9f73e5b73c36ee409298d703cbf13c --identity user-1001-amara
  verifyctl -e demo why`,
		Args:              argsBetween(0, 5),
		ValidArgsFunction: s.completeWhy,
		RunE:              parseThenRun(o.parse, o.run),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.identityArg, "identity", "", "the identity of a challenge or factor")
	flags.StringVar(&o.payload, "payload", "", "a debugger event in a `file`, or - for standard input")
	flags.Var(&o.since, "since", "without REF, or for a VA… or CR…: how far back errors count (default 1h, with REF 24h)")
	complete(cmd, "identity", s.completeIdentity)
	return cmd
}

func (o *whyOptions) parse(args []string) error {
	o.refs = args
	if o.identityArg != "" {
		o.refs = append(o.refs[:len(o.refs):len(o.refs)], o.identityArg)
	}
	if o.payload != "" && len(o.refs) > 0 {
		return verify.Usagef("--payload names what it is about, so it takes no REF")
	}
	if len(o.refs) == 0 && o.payload == "" && o.since.IsZero() {
		o.since = verify.Ago(defaultSince)
	}
	return nil
}

func (o *whyOptions) run(ctx context.Context) error {
	if o.payload != "" {
		return o.runPayload(ctx)
	}
	c, _, err := o.shell.begin(ctx, needsService)
	if err != nil {
		return err
	}
	subject, err := challenge.ParseSubject(o.refs, func(arg string) (verify.Identity, error) { return c.identity(ctx, arg) })
	if err != nil {
		return err
	}
	if subject.Service != "" && !verify.SameSID(subject.Service, c.service()) {
		if c, err = o.connectOwner(ctx, subject.Service); err != nil {
			return err
		}
	}
	return o.ask(ctx, c, subject)
}

// runPayload decodes an event and asks in the environment that its Service belongs to.
func (o *whyOptions) runPayload(ctx context.Context) error {
	const most = 8 << 20
	data, err := readAll(o.shell, "the event", o.payload, most)
	if err != nil {
		return err
	}
	events := event.Parse(data)
	switch {
	case len(events) == 0:
		return verify.Usagef("no debugger event found in %s", o.payload).
			WithHint("see what it is: %s", o.shell.typed("debugger", "decode", o.payload))
	case len(events) > 1:
		return verify.Usagef("%s has %d events; ask about one at a time", o.payload, len(events)).
			WithHint("see them: %s", o.shell.typed("debugger", "decode", o.payload))
	}
	e := events[0]
	if e.ServiceSID == "" {
		if !o.shell.globalSet.Changed("env") {
			return notFound("the event names no Verify Service, so its environment is unknown").
				WithHint("name the environment with -e")
		}
		c, _, err := o.shell.begin(ctx, needsService)
		if err != nil {
			return err
		}
		return o.ask(ctx, c, challenge.SubjectOf(e))
	}
	c, err := o.connectOwner(ctx, verify.ServiceSID(e.ServiceSID))
	if err != nil {
		return err
	}
	return o.ask(ctx, c, challenge.SubjectOf(e))
}

// connectOwner reaches the environment of a Service: the chosen one if it has the Service, else the only one that has.
func (o *whyOptions) connectOwner(ctx context.Context, service verify.ServiceSID) (*connection, error) {
	if _, err := o.shell.environments(); err != nil {
		return nil, err
	}
	owner, names := o.shell.attribution().Owner(string(service))
	switch {
	case len(names) == 0:
		return nil, notFound("no environment has Service %s", service).
			WithHint("see which there are: %s; add one: %s", o.shell.file().Command("env", "list"), o.shell.file().Command("env", "add"))
	case owner == nil:
		return nil, verify.Usagef("several environments have Service %s: %s", service, strings.Join(names, ", ")).WithHint("name the one you mean with -e")
	}
	return o.shell.connectTo(ctx, *owner)
}

func (o *whyOptions) ask(ctx context.Context, c *connection, subject challenge.Subject) error {
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	sources := challenge.NewSources(c.client, memory, func(alerts challenge.AlertReader) challenge.Feed {
		return debugger.NewFeed(alerts, memory, c.now)
	})
	question := challenge.Question{Subject: subject, Env: c.env, Others: o.others(c.env), Now: c.now()}
	from, err := o.since.Time(question.Now)
	if err != nil {
		return err
	}
	if !from.IsZero() {
		question.Since = question.Now.Sub(from)
	}
	answer, err := challenge.Why(ctx, question, sources)
	if err != nil {
		return err
	}
	if err := o.print(o.shell.printer(c.now), answer); err != nil {
		return err
	}
	return whyOutcome(answer)
}

// whyOutcome gives the exit status of an answer, which has been printed.
func whyOutcome(a challenge.Answer) error {
	switch {
	case !a.Found && verify.KindOf(a.FirstUnread) == verify.KindLimit:
		return status{verify.KindLimit}
	case !a.Found && a.Unread > 0:
		return status{verify.KindPartial}
	case !a.Found:
		return status{verify.KindFailed}
	case a.Causes[0].Kind == challenge.TwilioUnreachable:
		return status{verify.KindUnreachable}
	case a.Causes[0].Kind == challenge.NeverExistedHere:
		return status{verify.KindNotFound}
	}
	return nil
}

// others gives the other environments, where the subject may be when it is not here.
func (o *whyOptions) others(here verify.Environment) []verify.Environment {
	targets, err := o.shell.environments()
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(environmentsOf(targets), func(e verify.Environment) bool { return e.Name == here.Name })
}

var causeResource = render.Resource[challenge.Cause]{
	Columns: []render.Column[challenge.Cause]{
		{Name: "cause", Text: func(c challenge.Cause) string { return string(c.Kind) }},
		{Name: "confidence", Text: func(c challenge.Cause) string { return string(c.Confidence) }},
		{Name: "owner", Text: func(c challenge.Cause) string { return c.Owner }},
		{Name: "summary", Text: func(c challenge.Cause) string { return c.Summary }, Flex: true},
		{Name: "next", Text: func(c challenge.Cause) string { return c.Next }, Flex: true},
		{Name: "error_code", Text: func(c challenge.Cause) string { return numberOrNone(c.ErrorCode) }, Wide: true},
		{Name: "count", Text: func(c challenge.Cause) string { return numberOrNone(c.Count) }, Wide: true},
		{Name: "factors", Text: func(c challenge.Cause) string { return numberOrNone(c.Factors) }, Wide: true},
		{Name: "since", Time: func(c challenge.Cause) time.Time { return c.Since }, Wide: true},
		{Name: "last", Time: func(c challenge.Cause) time.Time { return c.Last }, Wide: true},
	},
}

var answerResource = render.Resource[challenge.Answer]{View: func(a challenge.Answer) any { return answerView(a) }}

// answerView is the JSON form of an answer: lists are never null, and the challenge has its usual keys.
func answerView(a challenge.Answer) any {
	if a.Causes == nil {
		a.Causes = []challenge.Cause{}
	}
	view := struct {
		challenge.Answer
		Challenge any `json:"challenge"`
	}{Answer: a}
	if a.Challenge != nil {
		view.Challenge = newChallengeView(*a.Challenge)
	}
	return view
}

func (o *whyOptions) print(p *render.Printer, a challenge.Answer) error {
	o.shell.names.Learn(a.Names...)
	switch {
	case p.PageForm():
		return p.Page(answerPage(p, a))
	case o.shell.flags.asksForJSON():
		return render.One(p, answerResource, a)
	}
	return listAll(p, causeResource, a.Causes)
}

// asksForJSON tells whether the result is JSON or made from JSON.
func (f *globalFlags) asksForJSON() bool {
	return f.jq != "" || f.template != "" || slices.Contains([]render.Format{render.JSON, render.NDJSON, render.YAML}, render.Format(f.output))
}

// answerPage is an answer as a person reads it: what it is about, the causes, what they rest on, and what is left open.
func answerPage(p *render.Printer, a challenge.Answer) *render.Page {
	page := p.NewPage(strings.TrimSpace("why " + a.Subject))
	if a.State != "" {
		page.Text(0, a.State)
	}
	switch {
	case len(a.Causes) == 0 && a.Unread > 0:
		page.Heading(fmt.Sprintf("No cause found, but %s failed: the cause may lie there.", verify.Count(a.Unread, "read")))
	case len(a.Causes) == 0:
		page.Heading("No cause found: everything that can be checked from here is in order.")
	case !a.Found:
		page.Heading(unsure(a.Causes))
	}
	for _, c := range a.Causes {
		page.Heading(fmt.Sprintf("%s (%s)", strings.ReplaceAll(string(c.Kind), "_", " "), c.Confidence))
		page.Text(2, verify.UpperFirst(c.Summary)+".")
		page.Text(2, "Owner: "+ownerInWords(c.Owner)+countOf(c))
		if c.Next != "" {
			page.Command("Next", c.Next)
		}
		for _, e := range c.Evidence {
			page.Item(4, e)
		}
	}
	page.Heading("Checked with " + verify.Count(a.Requests, "request") + ":")
	for _, c := range a.Checked {
		page.Item(2, strings.TrimSpace(c.What+" "+c.SID)+": "+c.Result)
	}
	page.Heading("Cannot be known:")
	for _, s := range a.CannotKnow {
		page.Item(2, s)
	}
	return page
}

// unsure introduces causes of which none is sure now.
func unsure(causes []challenge.Cause) string {
	if causes[0].Confidence == challenge.History {
		return "Nothing is known to be wrong now. The cause was:"
	}
	return "No certain cause. Possible causes:"
}

// ownerInWords says who can fix something.
func ownerInWords(owner string) string {
	switch owner {
	case challenge.OwnerUser:
		return "the user"
	case challenge.OwnerOperator:
		return "you"
	case string(event.OwnerApp):
		return "the app team"
	case string(event.OwnerBackend):
		return "the backend team"
	case string(event.OwnerCredential):
		return "push-credential admin"
	case string(event.OwnerProvider):
		return "Apple or Google"
	case string(event.OwnerTwilio):
		return "Twilio"
	}
	return owner
}

func countOf(c challenge.Cause) string {
	if c.Count < 2 {
		return ""
	}
	text := fmt.Sprintf("; %s", verify.Count(c.Count, "alert"))
	if c.Factors > 0 {
		text += fmt.Sprintf(" about %s", verify.Count(c.Factors, "factor"))
	}
	return text + " since " + verify.Stamp(c.Since)
}

// completeWhy completes identities and SIDs that this machine has seen.
func (s *shell) completeWhy(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	words, directive := s.completeIdentity(cmd, nil, prefix)
	for _, kind := range []string{"YC", "YF"} {
		words = append(words, s.completeSIDs(cmd, identityFlag(cmd), kind, prefix, args)...)
	}
	return words, directive
}
