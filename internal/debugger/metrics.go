package debugger

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// The counters of a listener, which are there from its start but for the last two: those have labels.
const (
	deliveries    = "verifyctl_deliveries_total"
	kept          = "verifyctl_events_stored_total"
	again         = "verifyctl_events_delivered_again_total"
	badSignatures = "verifyctl_bad_signatures_total"
	malformed     = "verifyctl_malformed_deliveries_total"
	storeErrors   = "verifyctl_store_errors_total"
	forwardErrors = "verifyctl_forward_errors_total"
	undeclared    = "verifyctl_undeclared_shared_keys_total"
	pushErrors    = "verifyctl_push_errors_total"
)

// The gauges of a listener.
const (
	lastEvent = "verifyctl_last_event_timestamp_seconds"
	storeUp   = "verifyctl_store_up"
)

// help says what each metric is.
var help = map[string]string{
	deliveries:    "Requests that arrived, signed or not.",
	kept:          "Events that were new and are stored.",
	again:         "Events that were stored already.",
	badSignatures: "Deliveries that were refused: not signed by a declared secret for the public URL.",
	malformed:     "Signed deliveries that could not be read.",
	storeErrors:   "Deliveries that could not be stored.",
	forwardErrors: "Stored events that could not be handed on.",
	undeclared:    "Deliveries that name a shared key which is not declared.",
	pushErrors:    "New events about a push that failed.",
	lastEvent:     "The newest event's own time; 0 before the first.",
	storeUp:       "1 while the store answers, 0 while it is away.",
}

// counters are what a listener tells Prometheus. No label ever holds an identity or a SID.
type counters struct {
	mu         sync.Mutex
	values     map[string]int64       // by name and labels, as Prometheus writes them
	undeclared map[undeclaredKey]bool // that have a counter of their own
}

func newCounters() *counters {
	return &counters{
		values: map[string]int64{deliveries: 0, kept: 0, again: 0, badSignatures: 0, malformed: 0, storeErrors: 0,
			forwardErrors: 0, lastEvent: 0, storeUp: 1},
		undeclared: map[undeclaredKey]bool{},
	}
}

func (c *counters) inc(name string) {
	c.mu.Lock()
	c.values[name]++
	c.mu.Unlock()
}

// mostKeys is how many undeclared shared keys have a counter of their own: anybody can name one.
const mostKeys = 20

var keyLabel = verify.Lazily(`^[A-Za-z0-9_.-]{1,64}$`)

// countUndeclared counts a delivery that names a shared key that is not declared.
func (c *counters) countUndeclared(u undeclaredKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isNew := !c.undeclared[u]
	if !keyLabel().MatchString(u.Name) || !keyLabel().MatchString(u.Algorithm) || isNew && len(c.undeclared) >= mostKeys {
		u = undeclaredKey{"other", "other"}
	} else if isNew {
		c.undeclared[u] = true
	}
	c.values[fmt.Sprintf(undeclared+"{key=%q,algorithm=%q}", u.Name, u.Algorithm)]++
}

// count counts a new event.
func (c *counters) count(e event.Event) {
	c.inc(kept)
	if at := e.Timestamp; !at.IsZero() {
		c.seen(at)
	}
	if e.IsNoise() || e.Verdict == event.NotPush {
		return
	}
	environment := "none"
	if e.Environment != nil {
		environment = *e.Environment
	}
	c.inc(fmt.Sprintf(pushErrors+"{environment=%q,code=%q,verdict=%q}",
		environment, codeLabel(e), e.Verdict))
}

// codeLabel keeps the label to codes that exist, however odd an event is.
func codeLabel(e event.Event) string {
	if e.ErrorCode == nil {
		return "none"
	}
	if _, known := event.Lookup(*e.ErrorCode); !known {
		return "other"
	}
	return fmt.Sprint(*e.ErrorCode)
}

func (c *counters) setStoreUp(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[storeUp] = 0
	if up {
		c.values[storeUp] = 1
	}
}

func (c *counters) seen(at time.Time) {
	c.mu.Lock()
	c.values[lastEvent] = max(c.values[lastEvent], at.Unix())
	c.mu.Unlock()
}

// write writes the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
func (c *counters) write(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	family := ""
	for _, series := range slices.Sorted(maps.Keys(c.values)) {
		if name, _, _ := strings.Cut(series, "{"); name != family {
			family = name
			fmt.Fprintf(w, "# HELP %[1]s %[2]s\n# TYPE %[1]s %[3]s\n", name, help[name], metricType(name))
		}
		fmt.Fprintln(w, series, c.values[series])
	}
}

func metricType(name string) string {
	if name == lastEvent || name == storeUp {
		return "gauge"
	}
	return "counter"
}
