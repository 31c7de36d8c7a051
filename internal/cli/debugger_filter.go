package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// eventFilter chooses which events a command shows, and counts those it does not: nothing is dropped in silence.
type eventFilter struct {
	verifyOnly bool // leave out the pushes of other products
	shell      *shell

	forArgs []string
	group   debugger.Grouping
	codes   []int
	all     bool
	unique  bool

	services []verify.ServiceSID // of --for

	seen         map[string]bool
	shown        int
	factors      int // events shown that name one
	others       int // not wanted by --for or --code
	twice        int // left out by --unique
	unattributed int
	noise        map[event.Noise]int
	firstNoise   *event.Event
	last         event.Event // shown
}

func (f *eventFilter) register(cmd *cobra.Command) {
	f.seen, f.noise = map[string]bool{}, map[event.Noise]int{}
	cmd.Flags().StringSliceVar(&f.forArgs, "for", nil, "only events of this Service VA… or environment")
	cmd.Flags().IntSliceVar(&f.codes, "code", nil, "only events with this error code")
	choose(cmd, &f.group, "group-by", "count by code, factor, credential, service, identity or hour", debugger.Groupings...)
	cmd.Flags().BoolVar(&f.all, "all", false, "show events that are no push errors too")
}

func (f *eventFilter) parse() error {
	var err error
	if f.group != "" {
		err = eventGroupResource.CheckColumns(f.shell.flags.columns)
	} else {
		err = eventResource.CheckColumns(f.shell.flags.columns)
	}
	if err != nil {
		return err
	}
	for _, arg := range f.forArgs {
		sid, err := f.serviceOf(arg)
		if err != nil {
			return err
		}
		f.services = append(f.services, sid)
	}
	return nil
}

// serviceOf reads a value of --for: a Service, or the name of its environment.
func (f *eventFilter) serviceOf(arg string) (verify.ServiceSID, error) {
	if sid, err := verify.ParseServiceSID(arg); err == nil {
		return sid, nil
	}
	target, err := f.shell.named(arg)
	if err != nil {
		return "", verify.Usagef("--for %q is neither a Verify Service SID nor an environment", arg).
			WithHint("give a SID (VA and 32 hexadecimal digits) or a name from: %s", f.shell.file().Command("env", "list"))
	}
	return target.Environment.ServiceSID, nil
}

// take tells whether an event is to be shown, and counts it either way.
func (f *eventFilter) take(e *event.Event) bool {
	switch {
	case !f.wants(e):
		f.others++
		return false
	case f.isNoise(e):
		f.addNoise(e)
		return false
	case f.unique && e.EventSID != "" && f.seen[strings.ToUpper(e.EventSID)]:
		f.twice++
		return false
	}
	f.count(e)
	return !f.shell.flags.quiet || e.FactorSID != "" && isPushError(e) || f.group != ""
}

// isNoise tells whether an event is left out because it is no push error.
func (f *eventFilter) isNoise(e *event.Event) bool {
	return !f.all && (e.IsNoise() || e.Source == event.SourceVerifyWebhook || f.verifyOnly && isOfAnotherProduct(e))
}

// isOfAnotherProduct tells whether an event is about the pushes of another of Twilio's products.
func isOfAnotherProduct(e *event.Event) bool {
	return e.Product != event.ProductVerifyPush && e.Product != event.ProductUnknown
}

// isPushError tells whether a push failed, or would: only then is the event's factor one to look at.
func isPushError(e *event.Event) bool {
	return e.Verdict != event.NotPush && e.Verdict != event.WebhookFailed
}

// wants tells whether the flags let an event through.
func (f *eventFilter) wants(e *event.Event) bool {
	if len(f.codes) > 0 && (e.ErrorCode == nil || !slices.Contains(f.codes, *e.ErrorCode)) {
		return false
	}
	return len(f.services) == 0 || slices.ContainsFunc(f.services, func(sid verify.ServiceSID) bool {
		return verify.SameSID(string(sid), e.ServiceSID)
	})
}

func (f *eventFilter) addNoise(e *event.Event) {
	if f.firstNoise == nil {
		first := *e
		f.firstNoise = &first
	}
	f.noise[event.Noise{Product: e.Product, Level: e.Level}]++
}

func (f *eventFilter) count(e *event.Event) {
	f.shown++
	f.last = *e
	if e.FactorSID != "" {
		f.factors++
	}
	if e.Environment == nil {
		f.unattributed++
	}
	if f.unique && e.EventSID != "" {
		f.seen[strings.ToUpper(e.EventSID)] = true
	}
}

// skipped is how many events were left out as noise.
func (f *eventFilter) skipped() int {
	n := 0
	for _, count := range f.noise {
		n += count
	}
	return n
}

// say tells on standard error what was left out.
func (f *eventFilter) say() {
	if n := f.skipped(); n > 1 || n == 1 && f.shown > 0 {
		ofVerify := ""
		if f.verifyOnly {
			ofVerify = " of Verify"
		}
		f.shell.note("left out %s that %s%s: %s; --all shows them", verify.Count(n, "event"), isNoPushError(n), ofVerify, noiseWords(f.noise))
	}
	if f.others > 0 {
		f.shell.note("left out %s that --for and --code do not match", verify.Count(f.others, "event"))
	}
	if f.twice > 0 {
		f.shell.note("left out %s seen before", verify.Count(f.twice, "event"))
	}
	if f.unattributed > 0 {
		f.shell.note("%s to no configured environment", belong(f.unattributed))
	}
}

func belong(n int) string {
	if n == 1 {
		return "1 event belongs"
	}
	return verify.Count(n, "event") + " belong"
}

func isNoPushError(n int) string {
	if n == 1 {
		return "is no push error"
	}
	return "are no push errors"
}

// attribution knows every environment of the file; what fits several is of the chosen one. A file that cannot be read is
// said and costs only the names.
func (s *shell) attribution() *event.Attribution {
	chosen := ""
	if target, err := s.chosen(); err == nil {
		chosen = target.Environment.Name
	}
	targets, err := s.environments()
	if err != nil {
		s.note("events are not attributed to environments: %v", err)
	}
	return event.NewAttribution(environmentsOf(targets), chosen)
}

// noiseWords says what was left out: "12 other (error), 1 voice (info)".
func noiseWords(skipped map[event.Noise]int) string {
	kinds := slices.SortedFunc(maps.Keys(skipped), func(a, b event.Noise) int {
		return strings.Compare(string(a.Product)+a.Level, string(b.Product)+b.Level)
	})
	var words []string
	for _, k := range kinds {
		level := ""
		if k.Level != "" {
			level = " (" + k.Level + ")"
		}
		words = append(words, fmt.Sprintf("%d %s%s", skipped[k], k.Product, level))
	}
	return strings.Join(words, ", ")
}
