package debugger

import (
	"fmt"
	"io"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/verifyctl/verifyctl/internal/event"
)

// counters are what a listener tells Prometheus. No label ever holds an identity or a SID.
type counters struct {
	set           *metrics.Set
	deliveries    *metrics.Counter
	stored        *metrics.Counter
	again         *metrics.Counter
	badSignatures *metrics.Counter
	malformed     *metrics.Counter
	storeErrors   *metrics.Counter
	forwardErrors *metrics.Counter
	lastEvent     atomic.Int64 // Unix seconds, by the event's own time

	mu         sync.Mutex
	undeclared map[undeclaredKey]bool // that have a counter of their own
}

// mostKeys is how many undeclared shared keys have a counter of their own: anybody can name one.
const mostKeys = 20

var keyLabel = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// countUndeclared counts a delivery that names a shared key that is not declared.
func (c *counters) countUndeclared(u undeclaredKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isNew := !c.undeclared[u]
	if !keyLabel.MatchString(u.Name) || !keyLabel.MatchString(u.Algorithm) || isNew && len(c.undeclared) >= mostKeys {
		u = undeclaredKey{"other", "other"}
	} else if isNew {
		c.undeclared[u] = true
	}
	c.set.GetOrCreateCounter(fmt.Sprintf("verifyctl_undeclared_shared_keys_total{key=%q,algorithm=%q}", u.Name, u.Algorithm)).Inc()
}

func newCounters() *counters {
	set := metrics.NewSet()
	c := &counters{
		set:           set,
		undeclared:    map[undeclaredKey]bool{},
		deliveries:    set.NewCounter("verifyctl_deliveries_total"),
		stored:        set.NewCounter("verifyctl_events_stored_total"),
		again:         set.NewCounter("verifyctl_events_delivered_again_total"),
		badSignatures: set.NewCounter("verifyctl_bad_signatures_total"),
		malformed:     set.NewCounter("verifyctl_malformed_deliveries_total"),
		storeErrors:   set.NewCounter("verifyctl_store_errors_total"),
		forwardErrors: set.NewCounter("verifyctl_forward_errors_total"),
	}
	set.NewGauge("verifyctl_last_event_timestamp_seconds", func() float64 { return float64(c.lastEvent.Load()) })
	return c
}

// count counts a new event.
func (c *counters) count(e event.Event) {
	c.stored.Inc()
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
	c.set.GetOrCreateCounter(fmt.Sprintf("verifyctl_push_errors_total{environment=%q,code=%q,verdict=%q}",
		environment, codeLabel(e), e.Verdict)).Inc()
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

func (c *counters) seen(at time.Time) {
	for {
		last := c.lastEvent.Load()
		if at.Unix() <= last || c.lastEvent.CompareAndSwap(last, at.Unix()) {
			return
		}
	}
}

func (c *counters) write(w io.Writer) { c.set.WritePrometheus(w) }
