package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type debuggerExplainOptions struct {
	shell  *shell
	search bool // the arguments are words to search
}

func newDebuggerExplainCmd(s *shell) *cobra.Command {
	o := debuggerExplainOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "explain CODE [MESSAGE]|SID|FILE",
		Short: "Explain what an error code means for Verify Push, and who can fix it",
		Long: `Explain an error code without the network: what it means for Verify Push, its cause and fix, who can fix it, and
whether the push token is dead. Codes of the mobile SDKs (60401 to 60407, 68001 to 68007) and of the iOS keychain (-25300,
-128) are in it too. No code proves that a factor is dead. Some codes stand for many things: give the message beside the
code too, or paste the whole line.

A FILE (or - for standard input) is decoded and its codes are explained. The SID of an alert, NO…, is read from the
environment's account first. With --search the words are looked for instead.

` + exitHelp(0, 1, 4, 5, 6, 7, 9),
		Example: `  verifyctl debugger explain 52134
  verifyctl debugger explain 20001 Could not parse certificate
  verifyctl debugger explain -25300
  verifyctl debugger explain --search certificate expired`,
		Args: o.checkArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var words []string
			for _, code := range event.Codes() {
				words = append(words, described(strconv.Itoa(code.Number), code.Name))
			}
			return words, cobra.ShellCompDirectiveDefault // a file, too
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	cmd.Flags().BoolVar(&o.search, "search", false, "search the catalogue for the words")
	return cmd
}

// checkArgs accepts several arguments only where they are words to search, or a code and what Twilio said beside it.
func (o *debuggerExplainOptions) checkArgs(cmd *cobra.Command, args []string) error {
	most := 1
	if o.search || len(args) > 1 && isNumber(args[0]) && !isNumber(args[1]) {
		most = -1
	}
	return argsBetween(1, most)(cmd, args)
}

// codeView is an entry of the catalogue as it is shown.
type codeView struct {
	event.Code
	FactorDead string `json:"factor_dead"`
	URL        string `json:"url"`
	FactsDate  string `json:"facts_date"`
}

// notProven is what every code says of the factor itself.
const notProven = "not proven"

var codeResource = render.Resource[event.Code]{
	SID:  func(c event.Code) string { return strconv.Itoa(c.Number) },
	View: func(c event.Code) any { return codeView{c, notProven, c.URL(), event.FactsDate} },
	Columns: []render.Column[event.Code]{
		{Name: "code", Text: func(c event.Code) string { return strconv.Itoa(c.Number) }, Own: true},
		{Name: "name", Text: func(c event.Code) string { return c.Name }, Flex: true},
		{Name: "area", Text: func(c event.Code) string { return string(c.Area) }, Wide: true},
		{Name: "cause", Text: func(c event.Code) string { return c.Cause }, Flex: true},
		{Name: "fix", Text: func(c event.Code) string { return c.Fix }, Flex: true},
		{Name: "owner", Text: func(c event.Code) string { return string(c.Owner) }},
		{Name: "token_dead", Text: func(c event.Code) string { return string(c.TokenDead) }},
		{Name: "factor_dead", Text: func(event.Code) string { return notProven }},
		{Name: "verdict", Text: func(c event.Code) string { return string(c.Verdict) }, Wide: true},
		{Name: "action", Text: func(c event.Code) string { return string(c.Action) }, Wide: true},
		{Name: "prune_evidence", Text: func(c event.Code) string { return string(c.Evidence) }, Wide: true},
		{Name: "level", Text: func(c event.Code) string { return c.Level }, Wide: true},
		{Name: "http_status", Text: func(c event.Code) string { return numberOrNone(c.HTTPStatus) }, Wide: true},
		{Name: "url", Text: func(c event.Code) string { return c.URL() }, Wide: true},
		{Name: "facts_date", Text: func(event.Code) string { return event.FactsDate }, Wide: true},
	},
}

func (o *debuggerExplainOptions) run(ctx context.Context, args []string) error {
	p := o.shell.printer(nil)
	if o.search {
		return explainFound(p, strings.Join(args, " "))
	}
	if number, err := strconv.Atoi(args[0]); err == nil {
		return explainNumber(p, number, strings.Join(args[1:], " "))
	}
	if prefix, ok := verify.SIDPrefix(args[0]); ok {
		return o.shell.explainSID(ctx, p, args[0], prefix)
	}
	return o.shell.explainFile(p, args[0])
}

// explainFound lists the codes whose entries have all the words.
func explainFound(p *render.Printer, words string) error {
	found := event.Search(strings.Fields(words)...)
	if len(found) == 0 {
		return notFound("no code in the catalogue mentions %q", words)
	}
	return listAll(p, codeResource, found)
}

// explainNumber explains one code. People leave out the sign of the keychain's.
func explainNumber(p *render.Printer, number int, message string) error {
	code, ok := event.Lookup(number)
	if !ok {
		code, ok = event.Lookup(-number)
	}
	if !ok {
		return notFound("%d is not in the catalogue (as of %s)", number, event.FactsDate).
			WithHint("if it is a Twilio code, see https://www.twilio.com/docs/api/errors/%d", max(number, -number))
	}
	return explainCode(p, code.Beside(message))
}

// explainCode writes one code: a page for people.
func explainCode(p *render.Printer, code event.Code) error {
	if !p.PageForm() {
		return render.One(p, codeResource, code)
	}
	page := p.NewPage("")
	page.Heading(fmt.Sprintf("%d %s", code.Number, code.Name))
	page.Text(2, code.Cause)
	page.Text(2, "Fix: "+code.Fix)
	page.Text(2, "Owner: "+ownerInWords(string(code.Owner)))
	page.Text(2, "Push token dead: "+string(code.TokenDead)+". Factor dead: "+notProven+".")
	page.Text(2, "As of "+event.FactsDate+".")
	page.Command("See", code.URL())
	return p.Page(page)
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// numberIn finds the code in a line that was pasted.
var numberIn = verify.Lazily(`\b[1-9][0-9]{4}\b`)

// explainText explains a line that was pasted as an argument, and tells whether there was anything to explain.
func explainText(p *render.Printer, text string) (bool, error) {
	for _, digits := range numberIn().FindAllString(text, -1) {
		number, _ := strconv.Atoi(digits) //nolint:errcheck // five digits
		if code, ok := event.Lookup(number); ok {
			return true, explainCode(p, code.Beside(strings.Trim(strings.Replace(text, digits, "", 1), " :.-–—")))
		}
	}
	if code, ok := event.LookupMessage(text); ok {
		return true, explainCode(p, code)
	}
	return false, nil
}

// whyWords ask what is wrong with a SID. Twilio finds a challenge or factor only under its identity.
func whyWords(sid, prefix string) []string {
	if prefix == "YC" || prefix == "YF" {
		return []string{"why", sid, "--identity", "IDENTITY"}
	}
	return []string{"why", sid}
}

// explainSID explains the code of an alert; for other SIDs it says what they are.
func (s *shell) explainSID(ctx context.Context, p *render.Printer, text, prefix string) error {
	sid, err := verify.ParseAlertSID(text)
	if err != nil {
		what := verify.ResourceName(prefix)
		if what == "" {
			return verify.Usagef("%s is a kind of SID that verifyctl does not know", text)
		}
		return verify.Usagef("%s is %s; explain takes error codes, and alerts NO…", text, verify.WithArticle(what)).
			WithHint("find out what is wrong with it: %s", s.typed(whyWords(text, prefix)...))
	}
	c, _, err := s.begin(ctx, needsAccount)
	if err != nil {
		return err
	}
	alert, err := c.client.Alert(ctx, sid)
	if err != nil {
		return err
	}
	return explainEvents(p, []event.Event{event.FromAlert(alert)})
}

func (s *shell) explainFile(p *render.Printer, file string) error {
	in, err := openInput(s, "the event", file)
	if err != nil {
		if done, err := explainText(p, file); done {
			return err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return verify.Usagef("%q is neither a code, nor a SID, nor a file", file).
			WithHint("search the catalogue: %s", s.typed("debugger", "explain", "--search", file))
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxExplained))
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file, err)
	}
	var events []event.Event
	for e, err := range event.Decode(bytes.NewReader(text), event.Options{}) {
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", file, err)
		}
		events = append(events, e)
	}
	code, ok := event.LookupMessage(string(text))
	if ok && (len(events) == 0 || len(events) == 1 && events[0].Description == "" && hasCode(events[0], code.Number)) {
		return explainCode(p, code)
	}
	return explainEvents(p, events)
}

// maxExplained bounds what explain reads: it is for an event, not for an export.
const maxExplained = 16 << 20

func hasCode(e event.Event, number int) bool { return e.ErrorCode != nil && *e.ErrorCode == number }

// explainEvents explains each code of the events once.
func explainEvents(p *render.Printer, events []event.Event) error {
	var found []event.Code
	for _, e := range events {
		if e.ErrorCode == nil {
			continue
		}
		code, ok := event.Lookup(*e.ErrorCode)
		code = code.Beside(e.Description)
		if ok && !slices.ContainsFunc(found, func(have event.Code) bool { return have == code }) {
			found = append(found, code)
		}
	}
	switch {
	case len(found) == 1:
		return explainCode(p, found[0])
	case len(found) > 1:
		return listAll(p, codeResource, found)
	case len(events) == 0:
		return notFound("no debugger event and no error in it")
	}
	return notFound("none of its codes is in the catalogue: %s", eventWords(events[0])).
		WithHint("\"debugger decode\" shows what the event says")
}

// guardNegative puts a negative code behind "--", which "debugger explain -25300" would else take for a flag.
func guardNegative(args []string) []string {
	at := slices.IndexFunc(args, func(arg string) bool {
		_, err := strconv.Atoi(arg)
		return err == nil && arg[0] == '-'
	})
	if at < 0 || !slices.Contains(args, "explain") || slices.Contains(args, "--") {
		return args
	}
	return append(slices.Delete(slices.Clone(args), at, at+1), "--", args[at])
}
